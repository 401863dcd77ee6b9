"""The command line: `gradparity`, or `python -m gradparity.compare`."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Sequence
from importlib import metadata
from typing import Annotated

import typer
from typer.exceptions import TyperException

from ..backends import RequestError
from .commands.bench import bench_command
from .commands.check import check_command
from .commands.compare import compare_command
from .commands.convert import convert_command
from .commands.detect import detect_command
from .commands.flow import flow_command
from .commands.listings import backends_command, mistakes_command, systems_command
from .commands.sweep import sweep_command

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
    "flow": flow_command,
    "sweep": sweep_command,
    "detect": detect_command,
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
    sys.path.insert(0, "")  # the current folder, so that module:object finds a module that lies here, as with python -m
    try:
        code = app(argv or ["--help"], prog_name="gradparity", standalone_mode=False, obj=argv)
    except TyperException as error:
        code = _refuse(error.format_message())
    except RequestError as error:
        code = _refuse(str(error))
    except (typer.Abort, KeyboardInterrupt):
        code = 130
    if code == 130:
        print("gradparity: interrupted", file=sys.stderr)
    sys.exit(code)


def _refuse(message: str) -> int:
    print(f"gradparity: {' '.join(message.split())}", file=sys.stderr)
    return 2
