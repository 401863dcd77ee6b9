"""`gradparity convert`: what is in a file of weights; weights from one library to another, and the proof."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from ...backends import MissingFrameworkError, RequestError, UnsupportedProblemError
from ...backends.file_writing import require_writable, write_whole
from ...backends.frameworks import require
from ...backends.layouts import LAYOUTS, get_layout
from ...backends.weight_files import WeightFile, read_weight_file, write_weights
from ...backends.weight_files.named_arrays import require_suffix
from ...backends.weight_files.onnx_writing import onnx_model
from ..conversion import convert
from ..conversion.conversion import Conversion, convert_layer
from ..conversion.layers_of_files import choose_layer, layer_documents, layer_rows
from ..conversion.loading_lines import loading_lines
from ..output import SCHEMA, console, listing_json, listing_table, say, working
from ..referee import Comparison, explain
from .options import STANDARD_OUTPUT, ForgetBiasOption, JsonOption, require_targets, write

LIBRARIES = ", ".join(LAYOUTS)


def convert_command(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="The file with the weights.")],
    target: Annotated[
        Path | None,
        typer.Argument(
            metavar="OUT", help="The file to write: .safetensors, .npz or, for ONNX, .onnx. Without it, FILE is listed."
        ),
    ] = None,
    source_library: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="LIBRARY", help=f"The library of the weights, if FILE does not tell it: {LIBRARIES}."
        ),
    ] = None,
    target_library: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="LIBRARY",
            help="The library that is to load them, one of these; the same one changes the file alone.",
        ),
    ] = None,
    prefix: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The layer's name, such as encoder.lstm. Other weights are left out."),
    ] = None,
    reset: Annotated[
        str | None,
        typer.Option(
            metavar="WHERE",
            help="Where a GRU's reset gate is applied, after the product or before, if FILE does not tell.",
        ),
    ] = None,
    activation: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="The activation of a plain cell, such as tanh, or sigmoid,tanh, if FILE does not tell."
        ),
    ] = None,
    forget_bias: ForgetBiasOption = None,
    json: JsonOption = None,
    verify: Annotated[
        bool, typer.Option(help="Compare layers of both libraries, with these weights, before OUT is written.")
    ] = True,
    force: Annotated[bool, typer.Option("--force", help="Overwrite OUT if it exists.")] = False,
) -> None:
    """List the recurrent layers in a file, or convert one for another library and prove both the same.

    Order, transposition, signs and biases follow the two libraries. Then a new
    layer of each, with exactly these weights, computes outputs and gradients
    (ONNX: outputs) on a random sequence. OUT is written only if they agree.
    What FILE says of the layer is believed; nothing in it is ever run. Keras
    computes float64 in float32, which does not agree.

    [bold]Examples[/bold]

    gradparity convert model.onnx

    gradparity convert model.keras out.safetensors --to torch --prefix encoder
    """
    if source_library:
        get_layout(source_library)  # which raises an error for an unknown one
    if target is None:
        if target_library:
            raise RequestError("--to is for a conversion: add the file to write, such as out.safetensors")
        require_targets(json)
        _list(read_weight_file(source, source_library or ""), json)
        return
    if not target_library:
        raise RequestError(f"{target}: add --to LIBRARY, one of {LIBRARIES}")
    if json:
        raise RequestError("--json is for the list of what is in a file, without OUT")
    _require_target(target, target_library)
    if os.path.lexists(target) and not force:
        raise RequestError(f"{target}: exists already: --force overwrites it")
    file = read_weight_file(source, source_library or "")
    stated: dict[str, object] = {"reset": reset, "activation": activation, "forget_bias": forget_bias}
    conversion = _conversion(file, source_library, target_library, prefix, stated)
    comparison = _verified(conversion, target) if verify else None
    if target.suffix == ".onnx":
        write_whole(target, onnx_model(conversion.model, conversion.target_weights))
    else:
        write_weights(target, conversion.arrays)
    _report(source, target, conversion, comparison)


def _require_target(target: Path, library: str) -> None:
    """Checks that the file to write has a name that is known, and can be written."""
    if target.suffix == ".onnx" and library == "onnx":
        require("onnx", needed_by="an .onnx file", extra="onnx")
    elif target.suffix == ".onnx":
        raise RequestError(f"{target}: an .onnx file is written with --to onnx, not with --to {library}")
    else:
        require_suffix(target)
    require_writable(target)


def _list(file: WeightFile, json: str | None) -> None:
    if json != STANDARD_OUTPUT:
        terminal = console()
        count = f"{len(file.arrays)} array{'s' if len(file.arrays) != 1 else ''}"
        say(terminal, "; ".join([f"{file.path}: {file.format}, {count}", *file.notes]))
        if file.layers:
            terminal.print(listing_table(layer_rows(file)))
        else:
            say(terminal, "no recurrent layer is found in it")
    if json is not None:
        document = {"schema": SCHEMA, "file": str(file.path), "format": file.format, "notes": list(file.notes)}
        write(json, listing_json(document | {"layers": layer_documents(file)}))


def _conversion(
    file: WeightFile, source: str | None, target: str, prefix: str | None, stated: dict[str, object]
) -> Conversion:
    """The layer that is meant, for the target; every error has the file's name before it."""
    try:
        if source and not any(prefix in (None, layer.name) for layer in file.layers):
            return convert(file.arrays, source, target, prefix=prefix, **stated)  # type: ignore[arg-type]
        return convert_layer(choose_layer(file, prefix), target, **stated)  # type: ignore[arg-type]
    except RequestError as error:
        named = str(error) if str(error).startswith(f"{file.path}: ") else f"{file.path}: {error}"
        raise type(error)(named) from error


def _verified(conversion: Conversion, target: Path) -> Comparison:
    """The proof; exits with 1, and a report, if there is none."""
    with working("comparing the layers"):
        try:
            comparison = conversion.verify()
        except (MissingFrameworkError, UnsupportedProblemError) as error:
            raise RequestError(f"{error} (--no-verify converts without comparing the layers)") from error
    if comparison.verdict != "agree":
        not_written = f"{target} was not written; --no-verify converts without comparing the layers."
        say(console(), explain(comparison, next_step=not_written))
        for line in conversion.changed_libraries():
            say(console(), line)
        raise typer.Exit(1)
    return comparison


def _report(source: Path, target: Path, conversion: Conversion, comparison: Comparison | None) -> None:
    terminal, model, arrays = console(), conversion.model, conversion.arrays
    directions = ", both directions" if model.bidirectional else ""
    layers = f", {model.num_layers} layers" if model.num_layers > 1 else ""
    say(terminal, f"{model.cell} D={model.input_size} H={model.hidden_size}{layers}{directions}: {source} -> {target}")
    widths = max(map(len, arrays)), max(len(str(array.shape)) for array in arrays.values())
    for name, array in arrays.items():
        say(terminal, f"  {name:{widths[0]}}  {array.shape!s:{widths[1]}}  {array.dtype}")
    for remark in conversion.remarks:
        say(terminal, remark)
    say(terminal, "to load it:")
    for line in loading_lines(conversion, target):
        say(terminal, f"  {line}")
    if comparison is None:
        say(terminal, "not verified")
        return
    closest = comparison.closest
    used = f", at most {100 * closest.ratio:.0f} % of what rounding allows" if closest else ""
    what = "outputs, and no gradients" if comparison.forward_only else "outputs and gradients"
    names = " and ".join(comparison.answers)
    say(terminal, f"{names} agree in {len(comparison.blocks)} blocks of {what}{used}")
