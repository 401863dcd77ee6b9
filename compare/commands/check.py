"""`gradparity check`: a gradient derived by hand."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated

import typer

from ...backends.checks import require_dtype
from ...backends.files import require_folder
from ..check import check_derivation, load_function
from ..check.display import show_check
from ..check.export import check_json
from ..output import console, terminal_svg, working
from ..systems import SEEDS
from .options import STANDARD_OUTPUT, JsonOption, SvgOption, require_targets, write


def check_command(
    context: typer.Context,
    target: Annotated[str, typer.Argument(metavar="TARGET", help="MODULE:FUNCTION, or FILE.py:FUNCTION.")],
    system: Annotated[
        str, typer.Option(metavar="NAME", help="What it is the gradient of: a name from `gradparity systems`.")
    ] = "elman-softmax",
    seed: Annotated[list[int] | None, typer.Option(min=0, metavar="N", help="Repeat. Default: 0, 1 and 2.")] = None,
    dtype: Annotated[str, typer.Option(metavar="DTYPE", help="float64 or float32.")] = "float64",
    save_case: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Save the smallest problem that fails in DIR.")
    ] = None,
    json: JsonOption = None,
    svg: SvgOption = None,
) -> None:
    """Judge a gradient that you derived by hand.

    The function gets (params, inputs, targets, h0), an LSTM's c0 too, and returns (loss, gradients), with the gradients
    as a dict of arrays: {"U": dU, "W": dW, "b": db, "V": dV, "c": dc}. It may leave some out, and may return the
    adjoints of every step as a third value. Everything is time-major; inputs are (T, B, D).

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
