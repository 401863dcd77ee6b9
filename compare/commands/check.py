"""`gradparity check`: whether a gradient that was derived by hand is right."""

from __future__ import annotations

from math import inf
from pathlib import Path
from typing import Annotated

import typer

from ...backends import Problem, RequestError
from ...backends.file_writing import require_folder
from ..check import check_derivation
from ..check.display import show_check
from ..check.export import check_json
from ..check.separate_process import TIMEOUT, SeparateDerivation
from ..output import console, terminal_svg, working
from ..systems import SEEDS
from .options import STANDARD_OUTPUT, JsonOption, SvgOption, parse_sizes, require_targets, write


def check_command(
    context: typer.Context,
    target: Annotated[
        str, typer.Argument(metavar="TARGET", help="Your function: MODULE:FUNCTION or FILE.py:FUNCTION.")
    ],
    system: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The network it is derived for: a name from `gradparity systems`, or your System: FILE.py:NAME. "
            "Default: elman-softmax.",
        ),
    ] = None,
    seed: Annotated[list[int] | None, typer.Option(min=0, metavar="N", help="Repeat. Default: 0, 1 and 2.")] = None,
    dtype: Annotated[str | None, typer.Option(metavar="DTYPE", help="float64 or float32. Default: float64.")] = None,
    sizes: Annotated[
        str | None,
        typer.Option(metavar="T,B,D,H,K", help="Other sizes; of a feed-forward network B and those of its layers."),
    ] = None,
    seq_len: Annotated[int | None, typer.Option(min=1, metavar="T", help="Another number of steps.")] = None,
    scale: Annotated[
        float, typer.Option(metavar="FACTOR", help="Multiply all parameters, inputs and states.", show_default=False)
    ] = 1.0,
    ordinary_only: Annotated[
        bool, typer.Option("--ordinary-only", help="Ask no problems with special numbers or sizes.")
    ] = False,
    case: Annotated[
        list[Path] | None, typer.Option(metavar="FILE.npz", help="A saved problem, in place of a system. Repeat.")
    ] = None,
    timeout: Annotated[
        float, typer.Option(metavar="SECONDS", help="The most that one call of the function may take.")
    ] = TIMEOUT,
    save_case: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Save the smallest problem on which it is wrong in DIR.")
    ] = None,
    json: JsonOption = None,
    svg: SvgOption = None,
) -> None:
    """Check a gradient that you derived by hand.

    The function takes (params, inputs, targets, h0), for an LSTM also c0. Inputs are (T, B, D): time, batch, features.

    It returns (loss, gradients), where gradients is a dict of arrays: {"U": dU, "W": dW, "b": db, "V": dV, "c": dc}.

    It may leave gradients out. A third value may hold the adjoints of every step.

    It runs in a process of its own, twice on each problem: ordinary numbers and, so that nothing hides, confident
    predictions, zeros and ties, large gradients, one sample and 60 steps.

    [bold]Examples[/bold]

    gradparity check my_module:my_gradients

    gradparity check my_lstm.py:backward --system lstm --save-case cases
    """
    require_targets(json, svg)
    if save_case:
        require_folder(save_case)
    if not 0 < timeout < inf:
        raise RequestError(f"--timeout {timeout:g}: expected a number of seconds above 0")
    cases = [Problem.load(path) for path in case or ()]
    if cases and (seed or dtype):
        raise RequestError("--case FILE.npz has numbers of its own: leave out --seed and --dtype")
    with working("loading") as status, SeparateDerivation(target, timeout=timeout) as derivation:
        check = check_derivation(
            derivation,
            derivation.system(system) if system and ":" in system else system,
            seeds=seed or SEEDS,
            dtype=dtype or "float64",
            sizes=parse_sizes(sizes) if sizes is not None else None,
            seq_len=seq_len,
            scale=scale,
            ordinary_only=ordinary_only,
            cases=cases,
            progress=status.update,
        )
    failing = check.smallest or check.first_wrong
    saved = failing.problem.save_in(save_case, check.system) if save_case and failing else None
    show_check(check, saved, console(stderr=json == STANDARD_OUTPUT))
    if json is not None:
        write(json, check_json(check))
    if svg is not None:
        write(str(svg), terminal_svg(context.obj, svg, lambda on: show_check(check, saved, on)))
    if check.verdict != "agree":
        raise typer.Exit(1 if check.is_judged else 2)
