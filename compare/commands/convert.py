"""`gradparity convert`: weights from one library to another, and the proof."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from ...backends import InvalidProblemError, MissingFrameworkError, RequestError, UnsupportedProblemError
from ...backends.file_writing import require_writable
from ...backends.layouts import LAYOUTS
from ...backends.layouts.weight_files import read_weights, require_suffix, write_weights
from ..layers import convert
from ..output import console, say, working
from ..referee import explain

LIBRARIES = ", ".join(LAYOUTS)


def convert_command(
    source: Annotated[Path, typer.Argument(metavar="IN", help="The file with the weights: .safetensors or .npz.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="The file to write: .safetensors or .npz.")],
    source_library: Annotated[
        str, typer.Option("--from", metavar="LIBRARY", help=f"The library of the weights: {LIBRARIES}.")
    ],
    target_library: Annotated[
        str, typer.Option("--to", metavar="LIBRARY", help="The library that is to load them, another one of these.")
    ],
    prefix: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The layer's name, such as encoder.lstm. Other weights are left out."),
    ] = None,
    reset: Annotated[
        str | None,
        typer.Option(
            metavar="WHERE",
            help="Where a GRU's reset gate is applied, after the product or before, if the weights do not tell.",
        ),
    ] = None,
    verify: Annotated[
        bool, typer.Option(help="Compare layers of both libraries, with these weights, before OUT is written.")
    ] = True,
    force: Annotated[bool, typer.Option("--force", help="Overwrite OUT if it exists.")] = False,
) -> None:
    """Convert the weights of an LSTM or a GRU, and prove both layers the same.

    Order, transposition, signs and biases follow the two libraries. Then a new
    layer of each, with exactly these weights, computes outputs and gradients
    (ONNX: outputs) on a random sequence. OUT is written only if they agree.
    Keras computes float64 in float32, which does not agree.

    [bold]Examples[/bold]

    gradparity convert --from torch --to flax-nnx weights.safetensors out.safetensors

    gradparity convert --from torch --to keras model.safetensors lstm.npz --prefix encoder.lstm
    """
    require_suffix(target)
    require_writable(target)
    if os.path.lexists(target) and not force:
        raise RequestError(f"{target}: exists already: --force overwrites it")
    weights = read_weights(source)
    try:
        conversion = convert(weights, source_library, target_library, prefix=prefix, reset=reset)
    except InvalidProblemError as error:
        raise InvalidProblemError(f"{source}: {error}") from error
    terminal = console()
    if verify:
        with working("comparing the layers"):
            try:
                comparison = conversion.verify()
            except (MissingFrameworkError, UnsupportedProblemError) as error:
                raise RequestError(f"{error} (--no-verify converts without comparing the layers)") from error
        if comparison.verdict != "agree":
            not_written = f"{target} was not written; --no-verify converts without comparing the layers."
            say(terminal, explain(comparison, next_step=not_written))
            raise typer.Exit(1)
    arrays = conversion.arrays
    write_weights(target, arrays)
    model = conversion.model
    directions = ", both directions" if model.bidirectional else ""
    layers = f", {model.num_layers} layers" if model.num_layers > 1 else ""
    say(terminal, f"{model.cell} D={model.input_size} H={model.hidden_size}{layers}{directions}: {source} -> {target}")
    widths = max(map(len, arrays)), max(len(str(array.shape)) for array in arrays.values())
    for name, array in arrays.items():
        say(terminal, f"  {name:{widths[0]}}  {array.shape!s:{widths[1]}}  {array.dtype}")
    if verify:
        closest = comparison.closest
        used = f", at most {100 * closest.ratio:.0f} % of what rounding allows" if closest else ""
        what = "outputs, and no gradients" if comparison.forward_only else "outputs and gradients"
        names = " and ".join(comparison.answers)
        say(terminal, f"{names} agree in {len(comparison.blocks)} blocks of {what}{used}")
    else:
        say(terminal, "not verified")
