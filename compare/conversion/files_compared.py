"""Two files of weights beside each other: which layers they share, and how these differ, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...backends import InvalidProblemError, Recurrent, RequestError, UnsupportedProblemError
from ...backends.adapters.wrapped_layer import infer_model
from ...backends.errors import printable
from ...backends.layouts import Layout
from ...backends.layouts.find_layer import find_layer
from ...backends.weight_files import LayerInFile, WeightFile
from ..differences import WeightDifference, convention_differences, plain_differences, weight_differences
from .conversion import CELL_NAMES, layout_with, single_or_double
from .layers_of_files import choose_layer

TOLD = ("reset", "activation", "direction", "layout", "initial state")  # by a file, beside the weights


@dataclass(frozen=True, eq=False)
class HeldLayer:
    """A layer of a file, with its weights in one order.

    Attributes:
        name: what it is called in a sentence.
        layout: of its library.
        model: what it computes.
        weights: of every layer and direction, in float32 or float64.
    """

    name: str
    layout: Layout
    model: Recurrent
    weights: Sequence[Mapping[str, np.ndarray]]

    @property
    def params(self) -> dict[str, np.ndarray]:
        """U, W, b and b_hn of every layer and direction, by their names in a problem."""
        return self.layout.to_params(self.model, self.weights)

    @property
    def dtype(self) -> str:
        """The dtype of the weights."""
        return next(iter(self.weights[0].values())).dtype.name


@dataclass(frozen=True)
class LayersCompared:
    """A layer of one file beside a layer of another.

    Attributes:
        layers: their names in the files.
        descriptions: what they are, such as `torch lstm D=3 H=5`.
        verdict: `same`, `differ`, or `not compared`.
        sentences: how they differ, or why they cannot be compared.
        differences: the entries that differ, of the parameters that the sentences do not explain.
    """

    layers: tuple[str, str]
    descriptions: tuple[str, str]
    verdict: str
    sentences: tuple[str, ...]
    differences: tuple[WeightDifference, ...] = ()


@dataclass(frozen=True)
class FilesCompared:
    """Two files of weights.

    Attributes:
        names: what the files are called in the sentences.
        layers: the layers that belong together.
        others: what differs in the arrays of one name that are of no recurrent layer, a sentence each.
        same_others: how many of these are the same.
        missing: the layers and arrays that one file alone has, a sentence each.
    """

    names: tuple[str, str]
    layers: tuple[LayersCompared, ...]
    others: tuple[str, ...]
    same_others: int
    missing: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """`differ` if anything does, `same` if something was compared and nothing does, otherwise `not compared`."""
        verdicts = {layer.verdict for layer in self.layers}
        if "differ" in verdicts or self.others or self.missing:
            return "differ"
        return "same" if verdicts == {"same"} or (not verdicts and self.same_others) else "not compared"


def compare_files(
    one: WeightFile,
    other: WeightFile,
    *,
    prefixes: tuple[str | None, str | None] = (None, None),
    reset: str | None = None,
    forget_bias: float | None = None,
) -> FilesCompared:
    """Compares the recurrent layers of two files, and their other arrays of one name.

    Args:
        one: the first file.
        other: the second; its layers are explained by those of the first.
        prefixes: which layer of each is meant; None compares all, those of one name with each other.
        reset: where the reset gate of a GRU is whose file does not tell it.
        forget_bias: what an LSTM of TensorFlow 1 adds to f when it runs.

    Returns:
        What differs, in words.

    Raises:
        RequestError: a layer that is asked for is not there.
    """
    names = _short_names(one, other)
    pairs, missing = _pairs(one, other, prefixes, names)
    layers = tuple(_compare_layers(pair, names, reset, forget_bias) for pair in pairs)
    if any(prefixes):
        return FilesCompared(names, layers, (), 0, ())
    plain = plain_differences(_of_no_layer(one), _of_no_layer(other), names)
    return FilesCompared(names, layers, plain.sentences, plain.same, (*missing, *plain.missing))


def _short_names(one: WeightFile, other: WeightFile) -> tuple[str, str]:
    """The ends of the paths, as long as they have to be to tell the files apart."""
    parts = one.path.parts, other.path.parts
    for length in range(1, 1 + max(map(len, parts))):
        first, second = ("/".join(of_file[-length:]) for of_file in parts)
        if first != second:
            return first, second
    return "the first", "the second"


def _pairs(
    one: WeightFile, other: WeightFile, prefixes: tuple[str | None, str | None], names: tuple[str, str]
) -> tuple[list[tuple[LayerInFile, LayerInFile]], list[str]]:
    """The layers that belong together: those that are asked for, the only ones, those of one name, or of one place."""
    if any(prefixes):
        return [(choose_layer(one, prefixes[0]), choose_layer(other, prefixes[1]))], []
    if len(one.layers) == len(other.layers) == 1:
        return [(one.layers[0], other.layers[0])], []
    by_name = {_point(layer.name): layer for layer in other.layers}
    shared = [(layer, by_name[_point(layer.name)]) for layer in one.layers if _point(layer.name) in by_name]
    in_order = list(zip(one.layers, other.layers, strict=False))
    if not shared and len(one.layers) == len(other.layers) and all(_like(*pair) for pair in in_order):
        return in_order, []
    taken = {_point(layer.name) for layer, _ in shared}
    left = [[layer for layer in file.layers if _point(layer.name) not in taken] for file in (one, other)]
    alike = [
        (layer, fitting[0]) for layer in left[0] if len(fitting := [of for of in left[1] if _like(layer, of)]) == 1
    ]
    alike = [pair for pair in alike if sum(_like(layer, pair[1]) for layer in left[0]) == 1]
    paired = {id(layer) for pair in alike for layer in pair}
    missing = [
        f"{name} alone has {f'the layer {printable(layer.name)!r}' if layer.name else 'a layer without a name'}."
        for name, layers in zip(names, left, strict=True)
        for layer in layers
        if id(layer) not in paired
    ]
    if all(any(id(layer) not in paired for layer in layers) for layers in left):
        missing.append("Layers of two names are compared with --prefix and --other-prefix.")
    return [*shared, *alike], missing


def _like(one: LayerInFile, other: LayerInFile) -> bool:
    """Whether two layers have one cell and size."""
    fields = ("cell", "input_size", "hidden_size", "num_layers", "bidirectional")
    return bool(one.cell) and all(getattr(one, field) == getattr(other, field) for field in fields)


def _compare_layers(
    pair: tuple[LayerInFile, LayerInFile], names: tuple[str, str], reset: str | None, forget_bias: float | None
) -> LayersCompared:
    layers = printable(pair[0].name), printable(pair[1].name)
    descriptions = _description(pair[0]), _description(pair[1])
    told = _told(pair, names)
    try:
        held = [_held(layer, name, reset, forget_bias) for layer, name in zip(pair, names, strict=True)]
    except RequestError as error:
        return LayersCompared(layers, descriptions, "not compared", (f"{error}.",))
    unlike = _unlike(held[0].model, held[1].model, names)
    if unlike:
        return LayersCompared(layers, descriptions, "differ", (*unlike, *told))
    if held[0].dtype != held[1].dtype:
        told.append(f"{names[0]} is in {held[0].dtype}, and {names[1]} in {held[1].dtype}.")
    differences = weight_differences(held)
    found = convention_differences(*held)
    sentences = [*told, *(found.sentences if differences else ())]
    left = tuple(difference for difference in differences if difference.parameter not in found.explained)
    verdict = "differ" if differences or told else "same"
    return LayersCompared(layers, descriptions, verdict, tuple(sentences), left)


def _held(layer: LayerInFile, name: str, reset: str | None, forget_bias: float | None) -> HeldLayer:
    """The layer of a file in the order of a problem.

    What the activations are is of no importance for its weights, and is told apart.
    """
    layout = layout_with(layer.library, forget_bias or 0.0)
    if not layer.cell:
        raise UnsupportedProblemError(layer.unsupported or f"the cell of {printable(layer.name)!r} is not told")
    try:
        found, stack = find_layer(layout, layer.arrays, "")
        weights = single_or_double(found)
        described = layout.model_fields(weights[0])
        options: dict[str, object] = dict(stack)
        if described["cell"] == "gru":
            said = layer.says.get("reset")
            options["reset"] = (said.value if said else "") or described.get("reset") or reset or "after"
        model = infer_model(layout, weights, **options)
    except InvalidProblemError as error:
        raise UnsupportedProblemError(f"{name}: {error}") from error
    return HeldLayer(name, layout, model, weights)


def _unlike(one: Recurrent, other: Recurrent, names: tuple[str, str]) -> list[str]:
    """Why the weights cannot be laid beside each other."""
    if one.cell != other.cell:
        return [f"{names[0]} is {CELL_NAMES[one.cell]}, and {names[1]} {CELL_NAMES[other.cell]}."]
    sizes = {"inputs": "input_size", "hidden units": "hidden_size", "layers": "num_layers"}
    lines = []
    for what, field in sizes.items():
        held = getattr(one, field), getattr(other, field)
        if held[0] != held[1]:
            lines.append(f"{names[0]} has {held[0]} {what}, and {names[1]} {held[1]}.")
    if one.bidirectional != other.bidirectional:
        both, single = names if one.bidirectional else names[::-1]
        lines.append(f"{both} has both directions, and {single} one.")
    return lines


def _told(pair: tuple[LayerInFile, LayerInFile], names: tuple[str, str]) -> list[str]:
    """In what the files say that they differ."""
    lines = []
    for what in TOLD:
        said = [layer.says.get(what) for layer in pair]
        values = [statement.value if statement else "" for statement in said]
        if all(values) and values[0] != values[1] and what != "layout":
            lines.append(f"The {what} of {names[0]} is {values[0]}, and that of {names[1]} {values[1]}.")
    return lines


def _description(layer: LayerInFile) -> str:
    sizes = f" D={layer.input_size} H={layer.hidden_size}" if layer.hidden_size else ""
    more = f", {layer.num_layers} layers" if layer.num_layers > 1 else ""
    both = ", both directions" if layer.bidirectional else ""
    return f"{layer.library} {layer.cell or 'layer'}{sizes}{more}{both}"


def _of_no_layer(file: WeightFile) -> dict[str, np.ndarray]:
    """The arrays of a file that are of none of its layers."""
    of_layers = [array for layer in file.layers for array in layer.arrays.values()]
    return {
        name: array
        for name, array in file.arrays.items()
        if not any(np.may_share_memory(array, of_layer) for of_layer in of_layers)
    }


def _point(name: str) -> str:
    return name.replace("/", ".").strip(".")
