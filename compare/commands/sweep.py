"""`gradparity sweep`: many random problems."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ...backends.checks import DTYPES
from ..console import console, plain_table, say
from ..display import MOST_STORIES, STYLES, progress_bar
from ..sweep import FAMILIES, Outcome, Sweep, run_sweep
from .options import BackendOption, LogOption

WRONG = ("disagree", "failed")
VERDICTS = ("agree", "undecidable", "disagree", "failed", "unsupported")


def sweep_command(
    problems: Annotated[int, typer.Option(min=1, metavar="N", help="How many.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="From which all problems are drawn.")] = 0,
    numbers: Annotated[
        int, typer.Option(min=1, metavar="N", help="How many sets of numbers each model gets; JAX compiles it once.")
    ] = 10,
    jobs: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Worker processes, of one thread each. Default: the cores.")
    ] = None,
    backend: BackendOption = None,
    log: LogOption = None,
    save_case: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Save every problem on which something disagrees in DIR.")
    ] = None,
) -> None:
    """Compare many random problems, to see whether the referee ever accuses backends that are right.

    Backends that are right agree on all of them, or are undecidable where rounding grows too much: a disagree is a
    false alarm or a bug. There are models of all families with all their options, small ones, in both dtypes, with W
    multiplied by 0.1 to 8. Problem i is the same however many are asked for: it is drawn from the seed and i alone.

    With --log, Ctrl-C loses nothing: the same command goes on where it was stopped, or further with a larger N.

    [bold]Examples[/bold]

    gradparity sweep

    gradparity sweep --problems 20000 --log sweep.jsonl --save-case cases

    gradparity sweep --problems 200 --backend torch --backend my_module:backend
    """
    with progress_bar(problems) as progress:
        sweep = run_sweep(
            problems,
            seed=seed,
            numbers=numbers,
            backends=backend,
            jobs=jobs,
            log=log,
            save_case=save_case,
            progress=progress,
        )
    show_sweep(sweep, console())
    if any(outcome.verdict in WRONG for outcome in sweep.outcomes):
        raise typer.Exit(1)


def show_sweep(sweep: Sweep, on: Console) -> None:
    """The table, notes, the stories of the first few problems that went wrong, and the conclusion."""
    on.print(_table(sweep.outcomes))
    on.print()
    on.print(
        "limit used: of what rounding explains, by the block that came closest to it.", style="dim", highlight=False
    )
    for note in sweep.notes:
        say(on, f"note: {note}", style="dim")
    wrong = [outcome for outcome in sweep.outcomes if outcome.verdict in WRONG]
    for outcome in wrong[:MOST_STORIES]:
        gain = "" if outcome.gain is None else f", gain {outcome.gain:.3g}"
        say(on, f"\nproblem {outcome.number}: {outcome.model}{gain}", style="bold")
        say(on, outcome.story)
        where = f"{outcome.number}, seed={sweep.seed}, numbers={sweep.numbers}"
        say(on, f"It is gradparity.compare.sweep.draw_problem({where}).problem.")
    if len(wrong) > MOST_STORIES:
        numbers = ", ".join(str(outcome.number) for outcome in wrong[MOST_STORIES:])
        say(on, f"\n… and {len(wrong) - MOST_STORIES} more: {numbers}.")
    say(on, f"\n{_conclusion(sweep)}", style="bold")


def _table(outcomes: Sequence[Outcome]) -> Table:
    """One line for each family and dtype."""
    table = plain_table()
    shown = [name for name in VERDICTS if name in STYLES or any(outcome.verdict == name for outcome in outcomes)]
    for heading in ("family", "dtype"):
        table.add_column(heading, no_wrap=True)
    for heading in ("problems", *shown, "limit used"):
        table.add_column(heading, no_wrap=True, justify="right")
    for family, dtype in product(FAMILIES, DTYPES):
        group = [outcome for outcome in outcomes if (outcome.family, outcome.dtype) == (family, dtype)]
        verdicts = Counter(outcome.verdict for outcome in group)
        share = max((outcome.share for outcome in group if outcome.share is not None), default=None)
        table.add_row(
            family,
            dtype,
            str(len(group)),
            *(Text(str(verdicts[name]), style=STYLES.get(name, "") if verdicts[name] else "") for name in shown),
            "–" if share is None else f"{100 * share:.0f} %" if share < 10 else f"{share:.0e}×",
        )
    return table


def _conclusion(sweep: Sweep) -> str:
    found = Counter(outcome.verdict for outcome in sweep.outcomes)
    verdicts = ", ".join(f"{found[name]} {name}" for name in VERDICTS if found[name])
    verdicts += "" if found["disagree"] else ", no disagree"
    fresh = len(sweep.outcomes) - sweep.earlier
    speed = f"{fresh / sweep.seconds:.1f} problems/s" if fresh else "all from the log"
    return f"{len(sweep.outcomes)} random problems from seed {sweep.seed}: {verdicts} ({speed})"
