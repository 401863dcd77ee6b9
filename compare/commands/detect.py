"""`gradparity detect`: every mistake before five gradient checks, and slips in programs of our own."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ...backends import RequestError
from ..detection import (
    CHECKS,
    OWN_CHECK,
    PROGRAMS,
    CorrectCase,
    MistakeCase,
    OwnCase,
    choose_checks,
    correct_cases,
    detect,
    mistake_cases,
    own_cases,
)
from ..detection.display import show_detection
from ..detection.export import detection_page, detection_values
from ..output import console, listing_json, progress_bar, working
from .options import STANDARD_OUTPUT, JsonOption, require_targets, write

CORRECT_PER_KIND, QUICK_CORRECT_PER_KIND = 20, 5  # right gradients of each kind
SLIPS_PER_PROGRAM, QUICK_SLIPS_PER_PROGRAM = 20, 5


class Part(StrEnum):
    """What can be shown alone."""

    CATALOGUE = "catalogue"
    OWN = "own"


def detect_command(
    context: typer.Context,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick",
            help=f"Plant one variant of each mistake, show {QUICK_CORRECT_PER_KIND} right gradients of each kind, and "
            f"plant {QUICK_SLIPS_PER_PROGRAM} slips in each program.",
        ),
    ] = False,
    everywhere: Annotated[
        bool, typer.Option("--all", help="Plant each mistake on every system to which it applies.")
    ] = False,
    check: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help=f"A check: {', '.join(CHECKS)}. Repeat. Default: all that are installed."),
    ] = None,
    only: Annotated[
        Part | None, typer.Option(help="Show the mistakes of the catalogue alone, or the programs of our own alone.")
    ] = None,
    program: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help=f"A program of our own, alone: {', '.join(PROGRAMS)}. Repeat. Default: all."),
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
    right gradients that a check calls wrong. The third shows slips in the
    source text of programs of our own to gradparity: whether it sees them, and
    finds the line.

    It takes some 20 minutes, with --quick four. The exit code is 1 if
    gradparity misses a mistake, calls a right gradient wrong, or says of a
    program of our own what is not so.

    [bold]Examples[/bold]

    gradparity detect --quick

    gradparity detect --check gradcheck --check gradparity --markdown detection.md

    gradparity detect --only own --program rows
    """
    require_targets(json, markdown)
    checks = check or ()
    cases: list[MistakeCase | CorrectCase | OwnCase] = []
    with working("planting the mistakes"):
        has_catalogue, has_own = _parts(only, program or (), choose_checks(checks)[0])
        if has_catalogue:
            cases += mistake_cases(everywhere=everywhere, quick=quick)
            cases += correct_cases(QUICK_CORRECT_PER_KIND if quick else CORRECT_PER_KIND)
        if has_own:
            cases += own_cases(QUICK_SLIPS_PER_PROGRAM if quick else SLIPS_PER_PROGRAM, program or ())
    with progress_bar(len(cases)) as progress:
        detection = detect(cases, checks if has_catalogue else [OWN_CHECK], progress=progress)
    show_detection(detection, console(stderr=json == STANDARD_OUTPUT))
    if markdown is not None:
        write(str(markdown), detection_page(detection, _command_line(context.obj, json, markdown)))
    if json is not None:
        write(json, listing_json(detection_values(detection)))
    if detection.missed or detection.own_false_positives or detection.own_faults:
        raise typer.Exit(1)


def _parts(only: Part | None, programs: Sequence[str], checks: Sequence[str]) -> tuple[bool, bool]:
    """Whether the catalogue is shown, and whether programs of our own are: to gradparity alone.

    Raises:
        RequestError: nothing is left of what was asked for.
    """
    if programs and only is Part.CATALOGUE:
        raise RequestError("--program names a program of our own, and --only catalogue leaves these out")
    wants_own = bool(programs) or only is Part.OWN
    if wants_own and OWN_CHECK not in checks:
        raise RequestError(f"programs of our own are shown to gradparity alone: expected --check {OWN_CHECK}")
    return not wants_own, OWN_CHECK in checks and only is not Part.CATALOGUE


def _command_line(arguments: Sequence[str], json: str | None, markdown: Path) -> str:
    """The command as it was typed, without the options that say where results are written."""
    options = [argument for argument in arguments if not argument.startswith(("--json", "--markdown"))]
    return shlex.join(["gradparity", *(option for option in options if option not in (json, str(markdown)))])
