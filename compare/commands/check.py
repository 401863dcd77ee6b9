"""`gradparity check`: whether a gradient that was derived by hand is right."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated

import typer

from ...backends.checks import require_dtype
from ...backends.file_writing import require_folder
from ..check import check_derivation, load_function
from ..check.display import show_check
from ..check.export import check_json
from ..output import console, terminal_svg, working
from ..systems import SEEDS
from .options import STANDARD_OUTPUT, JsonOption, SvgOption, require_targets, write


def check_command(
    context: typer.Context,
    target: Annotated[
        str, typer.Argument(metavar="TARGET", help="Your function: MODULE:FUNCTION or FILE.py:FUNCTION.")
    ],
    system: Annotated[
        str, typer.Option(metavar="NAME", help="The network it is derived for: a name from `gradparity systems`.")
    ] = "elman-softmax",
    seed: Annotated[list[int] | None, typer.Option(min=0, metavar="N", help="Repeat. Default: 0, 1 and 2.")] = None,
    dtype: Annotated[str, typer.Option(metavar="DTYPE", help="float64 or float32.")] = "float64",
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

    [bold]Examples[/bold]

    gradparity check my_module:my_gradients

    gradparity check my_lstm.py:backward --system lstm --save-case cases
    """
    require_targets(json, svg)
    if save_case:
        require_folder(save_case)
    function = load_function(target)
    with working("loading") as status, redirect_stdout(sys.stderr):
        name = require_dtype(dtype).name
        check = check_derivation(function, system, seeds=seed or SEEDS, dtype=name, progress=status.update)
    failing = check.smallest or check.first_wrong
    case = failing.problem.save_in(save_case, check.system) if save_case and failing else None
    show_check(check, case, console(stderr=json == STANDARD_OUTPUT))
    if json is not None:
        write(json, check_json(check))
    if svg is not None:
        write(str(svg), terminal_svg(context.obj, svg, lambda on: show_check(check, case, on)))
    if check.verdict != "agree":
        raise typer.Exit(1)
