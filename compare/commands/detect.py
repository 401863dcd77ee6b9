"""`gradparity detect`: every mistake before five gradient checks."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from ..detection import CHECKS, choose_checks, detect, plants, right_problems
from ..detection.display import as_values, page, show_detection
from ..output import console, listing_json, progress_bar, working
from .options import STANDARD_OUTPUT, JsonOption, require_targets, write

SEEDS, QUICK_SEEDS = 20, 5  # of each kind of right gradient


def detect_command(
    context: typer.Context,
    quick: Annotated[
        bool, typer.Option("--quick", help=f"One form of each mistake, and {QUICK_SEEDS} right gradients of each kind.")
    ] = False,
    everywhere: Annotated[
        bool, typer.Option("--all", help="Plant on every system to which a mistake applies, not on the first alone.")
    ] = False,
    check: Annotated[list[str] | None, typer.Option(metavar="NAME", help=f"{', '.join(CHECKS)}. Repeat.")] = None,
    markdown: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the tables as a page, too.")] = None,
    json: JsonOption = None,
) -> None:
    """Plant every mistake of the catalogue, and see which gradient checks detect it; and how often they cry wolf.

    The checks: PyTorch's gradcheck, JAX's check_grads, NumPy's assert_allclose with PyTorch's autograd, the differences
    that tutorials teach, and gradparity with its diagnosis. Takes some 15 minutes; --quick takes two or three.

    The exit code is 1 if gradparity misses a mistake or calls a right gradient wrong.

    [bold]Examples[/bold]

    gradparity detect --quick

    gradparity detect --check gradcheck --check gradparity --markdown detection.md
    """
    require_targets(json, markdown)
    with working("planting"):
        choose_checks(check or ())
        planted = list(plants(everywhere=everywhere, quick=quick))
        right = list(right_problems(QUICK_SEEDS if quick else SEEDS))
    with progress_bar(len(planted) + len(right)) as progress:
        found = detect([*planted, *right], check or (), progress=progress)
    show_detection(found, console(stderr=json == STANDARD_OUTPUT))
    if markdown is not None:
        options = [each for each in context.obj if not each.startswith(("--json", "--markdown"))]
        command = shlex.join(["gradparity", *(each for each in options if each not in (json, str(markdown)))])
        write(str(markdown), page(found, command))
    if json is not None:
        write(json, listing_json(as_values(found)))
    if found.missed or found.false_alarms:
        raise typer.Exit(1)
