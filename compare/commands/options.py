"""The options that several commands share, and how results are written."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from ...backends import RequestError
from ...backends.file_writing import require_writable, write_whole
from ..output import write_output

JsonOption = Annotated[
    str | None, typer.Option("--json", metavar="FILE", help="Write the results as JSON; - is standard output.")
]
ForgetBiasOption = Annotated[
    float | None,
    typer.Option(metavar="NUMBER", help="What an LSTM of TensorFlow 1 adds to its forget gate when it runs."),
]
SvgOption = Annotated[
    Path | None, typer.Option("--svg", metavar="FILE", help="Draw the output as a picture of the terminal.")
]
ReportOption = Annotated[
    Path | None,
    typer.Option("--report", metavar="FILE.html", help="Write a page for the browser, which needs no network."),
]
LogOption = Annotated[
    Path | None,
    typer.Option("--log", metavar="FILE.jsonl", help="Write each result as it comes; an existing log is continued."),
]
JobsOption = Annotated[
    int | None,
    typer.Option("--jobs", min=1, metavar="N", help="Worker processes, with one thread each. Default: one a core."),
]
ShardOption = Annotated[
    str | None,
    typer.Option(metavar="k/n", help="Do the k-th of n parts alone; `gradparity merge` makes one log of theirs."),
]
ExecutorOption = Annotated[
    str | None,
    typer.Option(
        metavar="MODULE:FACTORY", help="Let an executor work, such as concurrent.futures:ProcessPoolExecutor."
    ),
]
DaskOption = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS", help="Let a cluster of Dask work: its scheduler's address, or `local` for one here."
    ),
]
BackendOption = Annotated[
    list[str] | None,
    typer.Option("--backend", metavar="NAME", help="A backend, by name or as FILE.py:object. Repeat. Default: all."),
]
STANDARD_OUTPUT = "-"
# Options that change nothing but where results go.
WRITES = ("--json", "--svg", "--report", "--plot", "--markdown", "--pyperf")


def parse_sizes(text: str) -> tuple[int, ...]:
    """The numbers of `--sizes`.

    Raises:
        RequestError: they are no whole numbers with commas between them.

    Example:
        >>> parse_sizes("12,3,4,8,5")
        (12, 3, 4, 8, 5)
    """
    try:
        return tuple(int(size) for size in text.split(","))
    except ValueError:
        raise RequestError(f"--sizes {text}: expected whole numbers with commas between them, as 12,3,4,8,5") from None


def require_targets(*targets: str | Path | None, report: Path | None = None) -> None:
    """Checks that files can be written, before anything is computed.

    Args:
        targets: files of any kind; `-` is standard output, and None nothing.
        report: a page.

    Raises:
        RequestError: one cannot.
    """
    if report is not None:
        from ..report import require_report  # which takes time, and few ask for a page

        require_report(report)
    for target in targets:
        if target is not None and target != STANDARD_OUTPUT:
            require_writable(Path(target))


def typed_arguments(arguments: Sequence[str]) -> list[str]:
    """Those of a command that say what it does, without `--json`, `--report` and their like, and their files.

    Example:
        >>> typed_arguments(["compare", "lstm", "--report", "page.html", "--json=-", "--seed", "7"])
        ['compare', 'lstm', '--seed', '7']
    """
    kept: list[str] = []
    is_file = False
    for argument in arguments:
        if not is_file and argument.partition("=")[0] not in WRITES:
            kept.append(argument)
        is_file = not is_file and argument in WRITES
    return kept


def typed_command(arguments: Sequence[str]) -> str:
    """The line that was typed, without the options that say where results go, see `typed_arguments`.

    Example:
        >>> typed_command(["flow", "lstm", "--plot=flow.svg", "--scale", "1"])
        'gradparity flow lstm --scale 1'
    """
    return shlex.join(["gradparity", *typed_arguments(arguments)])


@contextmanager
def refusal_on_page(report: Path | None, arguments: Sequence[str]) -> Iterator[None]:
    """What is refused inside stands on the page, too: an older page would say what is no longer so.

    Args:
        report: the page; None writes nothing.
        arguments: of the command.

    Raises:
        RequestError: as it is raised inside.
    """
    try:
        yield
    except RequestError as error:
        if report is not None:
            from ..report import Copyable, Mark, Page, Section, write_report
            from ..report.origin import environment_section, made_by

            asked = Copyable(typed_command(arguments), "The command of this page")
            verdict = Mark(f"Nothing was judged: {error}", "unsure")
            parts = (Section("What was asked", (asked,)), environment_section())
            write_report(report, Page(f"gradparity {arguments[0]}", verdict, parts, made_by()))
        raise


def write(target: str | None, text: str) -> None:
    """Writes a text, whole or not at all.

    Args:
        target: a file, or `-` for standard output; None writes nothing.
        text: with its last newline.
    """
    if target == STANDARD_OUTPUT:
        write_output(text)
    elif target is not None:
        write_whole(Path(target), text.encode())
