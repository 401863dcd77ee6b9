"""What a person sees of a sweep: the table, what went wrong, the conclusion."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import product

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ...backends.checks import DTYPES
from ..output import MAX_REPORTS, STYLES, plain_table, say
from .log import Outcome
from .problems import FAMILIES
from .run import Sweep

WRONG = ("disagree", "failed")
VERDICTS = ("agree", "undecidable", "disagree", "failed", "unsupported")


def show_sweep(sweep: Sweep, on: Console) -> None:
    """The table, notes, the reports of the first few problems that went wrong, and the conclusion."""
    on.print(_table(sweep.outcomes))
    on.print()
    on.print(
        "limit used: of what rounding explains, by the block that came closest to it.", style="dim", highlight=False
    )
    for note in sweep.notes:
        say(on, f"note: {note}", style="dim")
    wrong = [outcome for outcome in sweep.outcomes if outcome.verdict in WRONG]
    for outcome in wrong[:MAX_REPORTS]:
        gain = "" if outcome.gain is None else f", gain {outcome.gain:.3g}"
        say(on, f"\nproblem {outcome.number}: {outcome.model}{gain}", style="bold")
        say(on, outcome.report)
        where = f"{outcome.number}, seed={sweep.seed}, numbers={sweep.numbers}"
        say(on, f"It is gradparity.compare.sweep.draw_problem({where}).problem.")
    if len(wrong) > MAX_REPORTS:
        numbers = ", ".join(str(outcome.number) for outcome in wrong[MAX_REPORTS:])
        say(on, f"\n… and {len(wrong) - MAX_REPORTS} more: {numbers}.")
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
