"""`gradparity detect`: every mistake before five gradient checks."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from ..detection import CHECKS, choose_checks, correct_cases, detect, mistake_cases
from ..detection.display import show_detection
from ..detection.export import detection_page, detection_values
from ..output import console, listing_json, progress_bar, working
from .options import STANDARD_OUTPUT, JsonOption, require_targets, write

CORRECT_PER_KIND, QUICK_CORRECT_PER_KIND = 20, 5  # right gradients of each kind


def detect_command(
    context: typer.Context,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick",
            help=f"Plant one variant of each mistake, and show {QUICK_CORRECT_PER_KIND} right gradients of each kind.",
        ),
    ] = False,
    everywhere: Annotated[
        bool, typer.Option("--all", help="Plant each mistake on every system to which it applies.")
    ] = False,
    check: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help=f"A check: {', '.join(CHECKS)}. Repeat. Default: all that are installed."),
    ] = None,
    markdown: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the tables as a page in Markdown.")
    ] = None,
    json: JsonOption = None,
) -> None:
    """Plant every mistake of the catalogue, and show which checks detect it.

    The checks: PyTorch's gradcheck, JAX's check_grads, NumPy's assert_allclose
    with PyTorch's autograd, the central differences that tutorials teach, and
    gradparity with its diagnosis. A second table counts the false positives:
    right gradients that a check calls wrong.

    It takes some 15 minutes, with --quick two or three. The exit code is 1 if
    gradparity misses a mistake or calls a right gradient wrong.

    [bold]Examples[/bold]

    gradparity detect --quick

    gradparity detect --check gradcheck --check gradparity --markdown detection.md
    """
    require_targets(json, markdown)
    with working("planting the mistakes"):
        choose_checks(check or ())
        planted = list(mistake_cases(everywhere=everywhere, quick=quick))
        correct = list(correct_cases(QUICK_CORRECT_PER_KIND if quick else CORRECT_PER_KIND))
    with progress_bar(len(planted) + len(correct)) as progress:
        detection = detect([*planted, *correct], check or (), progress=progress)
    show_detection(detection, console(stderr=json == STANDARD_OUTPUT))
    if markdown is not None:
        write(str(markdown), detection_page(detection, _command_line(context.obj, json, markdown)))
    if json is not None:
        write(json, listing_json(detection_values(detection)))
    if detection.missed or detection.own_false_positives:
        raise typer.Exit(1)


def _command_line(arguments: Sequence[str], json: str | None, markdown: Path) -> str:
    """The command as it was typed, without the options that say where results are written."""
    options = [argument for argument in arguments if not argument.startswith(("--json", "--markdown"))]
    return shlex.join(["gradparity", *(option for option in options if option not in (json, str(markdown)))])
