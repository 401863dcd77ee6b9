"""`gradparity diff`: how the weights of two files differ, in words."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ...backends import RequestError
from ...backends.layouts import LAYOUTS, get_layout
from ...backends.weight_files import read_weight_file
from ..conversion.files_compared import FilesCompared, LayersCompared, compare_files
from ..output import SCHEMA, console, listing_json, say, working
from .options import STANDARD_OUTPUT, ForgetBiasOption, JsonOption, require_targets, write

LIBRARIES = ", ".join(LAYOUTS)
NOTHING_JUDGED = 2


def diff_command(
    one: Annotated[Path, typer.Argument(metavar="A", help="A file with weights, of any format that convert reads.")],
    other: Annotated[Path, typer.Argument(metavar="B", help="Another one, which is explained by A.")],
    library: Annotated[
        str | None,
        typer.Option("--from", metavar="LIBRARY", help=f"The library of A, if A does not tell it: {LIBRARIES}."),
    ] = None,
    other_library: Annotated[
        str | None, typer.Option("--to", metavar="LIBRARY", help="The library of B, if B does not tell it.")
    ] = None,
    prefix: Annotated[
        str | None, typer.Option(metavar="NAME", help="The layer of A that is meant, such as encoder.lstm.")
    ] = None,
    other_prefix: Annotated[
        str | None, typer.Option(metavar="NAME", help="The layer of B, if it has another name there.")
    ] = None,
    reset: Annotated[
        str | None,
        typer.Option(metavar="WHERE", help="Where the reset of a GRU is, after or before, if its file does not tell."),
    ] = None,
    forget_bias: ForgetBiasOption = None,
    json: JsonOption = None,
) -> None:
    """Say how the weights of two files differ: by which convention the one would be the other.

    Layers of one library or of two: the order of the gates, transposes, signs, a
    forget bias, biases dropped or counted twice, directions, half precision, and
    single entries are told from the numbers. What is said was carried out: with
    it, the numbers of A are those of B. Other arrays of one name are compared,
    too. Exit code 0: the same. 1: they differ. 2: nothing could be compared.

    [bold]Examples[/bold]

    gradparity diff before.safetensors after.safetensors

    gradparity diff model.keras exported.onnx --prefix encoder
    """
    for name in (library, other_library):
        if name:
            get_layout(name)  # which raises an error for an unknown one
    require_targets(json)
    if reset not in (None, "after", "before"):
        raise RequestError(f"reset = {reset!r}, expected 'after' or 'before'")
    with working("comparing the weights"):
        files = read_weight_file(one, library or ""), read_weight_file(other, other_library or "")
        second = (
            other_prefix if other_prefix is not None else _if_there(prefix, [layer.name for layer in files[1].layers])
        )
        found = compare_files(*files, prefixes=(prefix, second), reset=reset, forget_bias=forget_bias)
    if json != STANDARD_OUTPUT:
        _report(found)
    if json is not None:
        write(json, listing_json({"schema": SCHEMA, "files": [str(one), str(other)]} | _document(found)))
    if found.verdict != "same":
        raise typer.Exit(1 if found.verdict == "differ" else NOTHING_JUDGED)


def _if_there(prefix: str | None, names: list[str]) -> str | None:
    """The name in A as that in B, unless B has one layer only, which is then meant."""
    return None if len(names) == 1 else prefix


def _report(found: FilesCompared) -> None:
    terminal = console()
    for layer in found.layers:
        say(terminal, _heading(layer, found.names))
        for line in _lines(layer):
            say(terminal, f"  {line}")
    for line in (*found.others, *found.missing):
        say(terminal, line)
    if found.same_others:
        others = "other array is" if found.same_others == 1 else "other arrays are"
        say(terminal, f"{found.same_others} {others} the same.")
    if found.verdict == "not compared":
        say(terminal, "nothing could be compared: no recurrent layer, and no array of one name")
    else:
        say(
            terminal,
            f"{found.names[0]} and {found.names[1]}: {'the same' if found.verdict == 'same' else 'they differ'}",
        )


def _heading(layer: LayersCompared, names: tuple[str, str]) -> str:
    one, other = (
        f"{name}, {description}" if name else description
        for description, name in zip(layer.descriptions, layer.layers, strict=True)
    )
    return f"{names[0]}: {one}; {names[1]}: {other}" if one != other else one


def _lines(layer: LayersCompared) -> list[str]:
    if layer.verdict == "same":
        return ["The same weights."]
    if layer.verdict == "not compared":
        return [f"Not compared: {line}" for line in layer.sentences]
    unexplained = ["No convention of the libraries explains that."] if layer.differences else []
    return [*layer.sentences, *(difference.summary for difference in layer.differences), *unexplained]


def _document(found: FilesCompared) -> dict[str, object]:
    document = asdict(found)
    for layer in document["layers"]:
        for difference in layer["differences"]:
            difference["values"] = [None if value is None else float(value) for value in difference["values"]]
    return {"verdict": found.verdict} | document
