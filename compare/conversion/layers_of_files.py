"""What is in a file of weights, in a table; and which of its layers is meant."""

from __future__ import annotations

from difflib import get_close_matches

from ...backends import RequestError
from ...backends.errors import printable
from ...backends.weight_files import LayerInFile, WeightFile
from .conversion import FORGET_BIAS_STATED, ONE_ACTIVATION

SHOWN = ("reset", "activation", "direction", "layout", "initial state")  # of what a file says, beside the library
MOST_NAMES = 6


def layer_rows(file: WeightFile) -> list[dict[str, object]]:
    """A row of plain values for each layer of a file.

    Args:
        file: as it was read.

    Returns:
        Rows with `layer`, `library`, `cell`, `size`, `layers`, `says` and `converted`, which is `yes` or the reason why
        not.
    """
    return [
        {
            "layer": printable(layer.name) or "(without a name)",
            "library": layer.library,
            "cell": layer.cell,
            "size": f"D={layer.input_size} H={layer.hidden_size}" if layer.hidden_size else "",
            "layers": f"{layer.num_layers}{', both directions' if layer.bidirectional else ''}",
            "the file says": "; ".join(_sayings(layer)),
            "converted": layer.unsupported or " ".join(["yes", *(f"with --{option}" for option in asked(layer))]),
        }
        for layer in file.layers
    ]


def layer_documents(file: WeightFile) -> list[dict[str, object]]:
    """The layers of a file as JSON has them.

    Args:
        file: as it was read.

    Returns:
        For each layer, its fields but for the arrays, whose shapes and dtypes stand there.
    """
    return [
        {
            "layer": layer.name,
            "library": layer.library,
            "cell": layer.cell or None,
            "input_size": layer.input_size or None,
            "hidden_size": layer.hidden_size or None,
            "num_layers": layer.num_layers,
            "bidirectional": layer.bidirectional,
            "says": {what: {"value": value, "how": how} for what, (value, how) in layer.says.items()},
            "unsupported": layer.unsupported or None,
            "asked": asked(layer),
            "remarks": list(layer.remarks),
            "arrays": {
                name: {"shape": list(array.shape), "dtype": array.dtype.name} for name, array in layer.arrays.items()
            },
        }
        for layer in file.layers
    ]


def asked(layer: LayerInFile) -> list[str]:
    """The options that a conversion of a layer needs, since neither the file nor the library tells what they state.

    Args:
        layer: of a file.

    Returns:
        Some of `reset`, `activation` and `forget-bias`.
    """
    activation = layer.says.get("activation")
    is_open = not activation.value if activation else layer.cell == "rnn" and layer.library not in ONE_ACTIVATION
    needed = {
        "reset": layer.cell == "gru" and "reset" not in layer.says,
        "activation": is_open,
        "forget-bias": layer.cell == "lstm" and layer.library == FORGET_BIAS_STATED,
    }
    return [option for option, is_needed in needed.items() if is_needed]


def choose_layer(file: WeightFile, prefix: str | None) -> LayerInFile:
    """The layer of that name; without a name, the only one.

    Args:
        file: as it was read.
        prefix: the layer's name, or its beginning if that is enough; a slash counts as a point.

    Returns:
        The layer.

    Raises:
        RequestError: there is none, or more than one; the message has the names.
    """
    if not file.layers:
        held = f"the arrays are {_quoted(list(file.arrays))}" if file.arrays else "it has no arrays that could be one's"
        raise RequestError(f"{file.path}: no recurrent layer is found in it: {held}")
    layers = list(file.layers)
    if prefix is not None:
        wanted = _point(prefix)
        layers = [layer for layer in file.layers if _point(layer.name) == wanted]
        layers = layers or [layer for layer in file.layers if f".{_point(layer.name)}".startswith(f".{wanted}.")]
    if len(layers) == 1:
        return layers[0]
    layer_names = [layer.name for layer in layers or file.layers]
    if not layers:
        near = get_close_matches(str(prefix), layer_names, n=1, cutoff=0.5)
        hint = f"did you mean {printable(near[0])!r}?" if near else f"expected one of {_quoted(layer_names)}"
        raise RequestError(f"{file.path}: no layer is called {prefix!r}: {hint}")
    raise RequestError(f"{file.path}: {len(layer_names)} layers, {_quoted(layer_names)}: choose one by --prefix")


def _sayings(layer: LayerInFile) -> list[str]:
    said = [(what, layer.says[what]) for what in SHOWN if what in layer.says]
    sayings = [f"{what} {statement.value or 'not told'} ({statement.how})" for what, statement in said]
    library = layer.says.get("library")
    return [*([f"{library.value} ({library.how})"] if library else []), *sayings, *layer.remarks]


def _point(name: str) -> str:
    return name.replace("/", ".").strip(".")


def _quoted(names: list[str]) -> str:
    quoted = [repr(printable(name)) for name in names]
    return ", ".join(quoted[:MOST_NAMES]) + (
        f" and {len(quoted) - MOST_NAMES} more" if len(quoted) > MOST_NAMES else ""
    )
