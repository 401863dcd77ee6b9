"""The command line: `gradparity`, or `python -m gradparity.compare`."""

from __future__ import annotations

import io
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer
from typer.exceptions import TyperException

from ..backends import RequestError
from ..backends.errors import first_line, printable
from .commands.bench import bench_command
from .commands.check import check_command
from .commands.compare import compare_command
from .commands.convert import convert_command
from .commands.detect import detect_command
from .commands.diff import diff_command
from .commands.flow import flow_command
from .commands.listings import backends_command, mistakes_command, systems_command
from .commands.merge import merge_command
from .commands.sweep import sweep_command
from .output import print_error, require_standard_streams
from .output.streams import can_write_output, unwritable

TRACEBACK = "GRADPARITY_TRACEBACK"  # the variable that asks for the traceback of what should not happen
MAX_MESSAGE = 2000  # characters: enough for every name that there is

app = typer.Typer(
    name="gradparity",
    help="A referee for gradients: compares those derived by hand with those of PyTorch and JAX.",
    epilog="Exit codes: 0 all agree · 1 something disagrees or is undecidable · 2 nothing was judged.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
COMMANDS: dict[str, Callable[..., None]] = {
    "compare": compare_command,
    "check": check_command,
    "bench": bench_command,
    "convert": convert_command,
    "diff": diff_command,
    "flow": flow_command,
    "sweep": sweep_command,
    "detect": detect_command,
    "merge": merge_command,
    "systems": systems_command,
    "mistakes": mistakes_command,
    "backends": backends_command,
}
for name, command in COMMANDS.items():
    app.command(name)(command)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"gradparity {metadata.version('gradparity')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """What `gradparity` itself takes; the help is the application's."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line and exits with its code; a wrong request is one line on standard error.

    Args:
        arguments: those after the program's name; None means those of this process.
    """
    argv = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # an ASCII terminal gets a question mark for a dash
    sys.path.append("")  # the current folder, for module:object; last, so that a copy.py here hides nothing of Python's
    try:
        require_standard_streams()
        code = app(argv or ["--help"], prog_name="gradparity", standalone_mode=False, obj=argv)
    except TyperException as error:
        code = _refuse(error.format_message())
    except RequestError as error:
        code = _refuse(str(error))
    except (typer.Abort, KeyboardInterrupt):
        code = 130
    except BaseException as error:  # a bug, here or in a backend, is no verdict: code 1 would say "disagrees"
        code = _refuse_unexpected(error)
    if code == 130:
        print_error("gradparity: interrupted")
    sys.exit(code)


def _refuse(message: str) -> int:
    print_error(f"gradparity: {printable(' '.join(message.split()), MAX_MESSAGE)}")
    return 2


def _refuse_unexpected(error: BaseException) -> int:
    if os.environ.get(TRACEBACK):
        traceback.print_exception(error)
    failed = error.__context__ if isinstance(error, SystemExit) else error  # which Typer makes of a reader that left
    if isinstance(failed, OSError) and not can_write_output(failed):
        return _refuse(str(unwritable("output", failed)))
    frames = traceback.extract_tb(error.__traceback__)[-1:]
    where = "".join(f" ({Path(frame.filename).name}:{frame.lineno}, in {frame.name})" for frame in frames)
    return _refuse(f"ended without a verdict by {first_line(error)}{where}; {TRACEBACK}=1 shows the traceback")
