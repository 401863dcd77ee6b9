"""A recurrent layer in a file of weights: its arrays among others, by their names."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from functools import cache

import numpy as np

from ..errors import InvalidProblemError
from ..models import RESETS, Recurrent
from .layout import Arrays, Layout

MOST_LAYERS = 64  # whose names are known
LayerKey = tuple[int, bool]  # the layer's number, and whether it goes backwards
KnownNames = Mapping[str, tuple[LayerKey, str]]


def find_layer(
    layout: Layout, arrays: Mapping[str, np.ndarray], prefix: str | None = None, *, others: bool = False
) -> tuple[list[Arrays], dict[str, int | bool]]:
    """Finds the weights of every layer and direction among the arrays of a file.

    Args:
        layout: of the library that wrote the names. A slash in a name counts as a point.
        arrays: the file's.
        prefix: what stands before the weights' own names, such as `encoder.lstm`. What has another prefix is left
            alone; what has this one belongs to the layer, but for what is no floating-point number, such as a random
            state. If it is empty, names in several parts that are not the layer's are left alone. None means that there
            is one layer, and nothing else.
        others: whether the layer may have weights that no model has, see `Layout.others`.

    Returns:
        The weights of every layer and direction by their names in a single layer, in the order of
        `Recurrent.places`; and `num_layers` and `bidirectional`.

    Raises:
        InvalidProblemError: there is no such layer, or more than one; there are arrays that are not part of it; or
            its weights are not finite numbers, or not the same in all layers.
    """
    known = _known_names(layout)
    if prefix is None:
        prefix = _only_prefix(layout, arrays)
    before = prefix.replace("/", ".").strip(".")
    weights: dict[LayerKey, Arrays] = {}
    unknown, beside = [], dict(layout.others)
    for full_name, array in arrays.items():
        name = _without_prefix(before, spelled(layout, full_name))
        if name in known:
            key, weight_name = known[name]
            same = weights.setdefault(key, {}).get(weight_name)
            if same is not None and not np.array_equal(same, array):
                raise InvalidProblemError(f"{full_name!r} appears twice, as one weight under two names")
            weights[key][weight_name] = _require_finite(full_name, array)
            if weight_name in beside and not others:
                raise InvalidProblemError(is_not_converted(full_name, beside[weight_name]))
        elif name and array.dtype.kind == "f" and (before or "." not in name):
            unknown.append(full_name)
    if not weights:
        raise InvalidProblemError(
            f"no weights of a layer after the prefix {prefix!r}: the arrays are {_quoted(arrays)}"
        )
    if unknown:
        raise InvalidProblemError(f"{unknown[0]!r} is among the layer's weights, but the library has no such weight")
    return _ordered(_split_directions(weights) if layout.directions_in_one else weights)


def is_not_converted(name: str, what: str) -> str:
    """Why a layer with a weight that no model has is refused.

    Args:
        name: of the weight.
        what: it is, see `Layout.others`.
    """
    return f"{name!r} is among the layer's weights: {what}. Such a cell is not converted; assert_same_layer compares it"


def prefixes(layout: Layout, names: Iterable[str]) -> tuple[dict[str, dict[str, str]], list[str]]:
    """The layers among the names of a file: what stands before the weights of each.

    Args:
        layout: of the library that wrote the names.
        names: all of them.

    Returns:
        Of every layer, by its prefix, the names that its weights have in a single layer by those that they have in the
        file; and the names that are no weight's.
    """
    known = _known_names(layout)
    layers: dict[str, dict[str, str]] = {}
    others = []
    for full_name in names:
        parts = spelled(layout, full_name).split(".")
        fitting = next((k for k in range(len(parts)) if ".".join(parts[k:]) in known), None)
        if fitting is None:
            others.append(full_name)
        else:
            weights = layers.setdefault(".".join(parts[:fitting]), {})
            weights[full_name] = known[".".join(parts[fitting:])][1]
    return layers, others


def spelled(layout: Layout, name: str) -> str:
    """A name in a file as the layout has it, its parts joined by points."""
    return layout.spelled(name.replace("/", "."))


@cache
def _known_names(layout: Layout) -> KnownNames:
    """Every name that a weight can have: its layer and direction, and its name in a single layer."""
    beside = [name for name, _ in layout.others]
    weight_names: dict[str, None] = dict.fromkeys([*layout.other_names, *layout.names_of_other_versions, *beside])
    grus = [Recurrent("gru", 1, 1, 1, reset=reset) for reset in RESETS]
    for model in (Recurrent("rnn", 1, 1, 1, activation="relu"), Recurrent("lstm", 1, 1, 1), *grus):
        if not layout.unsupported(model):
            weight_names |= dict.fromkeys(layout.zeros(model)[0])
    known: dict[str, tuple[LayerKey, str]] = {}
    for stack in (
        Recurrent("rnn", 1, 1, 1, num_layers=MOST_LAYERS, bidirectional=True),
        Recurrent("rnn", 1, 1, 1, bidirectional=True),
    ):
        for k, layer in enumerate(stack.layers):
            for place in layer[:1] if layout.directions_in_one else layer:
                key = k, place.is_reverse
                known |= {layout.placed(place, name): (key, name) for name in weight_names}
                known |= {layout.name_in_file(place, name, True): (key, name) for name in weight_names}
    return known | {name: ((0, False), name) for name in weight_names}


def _only_prefix(layout: Layout, arrays: Mapping[str, np.ndarray]) -> str:
    """What stands before the weights of the only layer, if there is nothing else."""
    layers, other_names = prefixes(layout, arrays)
    if not layers:
        example = list(_known_names(layout))[-1]
        raise InvalidProblemError(
            f"no weights of a layer: the arrays are {_quoted(arrays)}, expected names such as {example!r}"
        )
    if len(layers) > 1:
        raise InvalidProblemError(f"several layers, {_quoted(layers)}: choose one by --prefix")
    (prefix,) = layers
    for full_name in other_names:
        name = spelled(layout, full_name)
        if not _without_prefix(prefix, name) or (not prefix and "." in name):
            raise InvalidProblemError(
                f"{full_name!r} is no weight of the layer: to leave the rest alone, add --prefix {shlex.quote(prefix)}"
            )
    return prefix


def _without_prefix(prefix: str, name: str) -> str:
    """What follows the prefix; nothing if the name has another."""
    if not prefix:
        return name
    return name.removeprefix(f"{prefix}.") if name.startswith(f"{prefix}.") else ""


def _split_directions(weights: Mapping[LayerKey, Arrays]) -> dict[LayerKey, Arrays]:
    """The weights with an array for each direction, where the file has one array for both."""
    split: dict[LayerKey, Arrays] = {}
    for (layer, _), both_directions in weights.items():
        are_two = all(array.shape[:1] == (2,) for array in both_directions.values())
        for k in range(1 + are_two):
            split[layer, bool(k)] = {
                name: array[k : k + 1] if are_two else array for name, array in both_directions.items()
            }
    return split


def _ordered(weights: Mapping[LayerKey, Arrays]) -> tuple[list[Arrays], dict[str, int | bool]]:
    num_layers, bidirectional = 1 + max(layer for layer, _ in weights), any(backwards for _, backwards in weights)
    places = [(layer, backwards) for layer in range(num_layers) for backwards in ((False, True)[: 1 + bidirectional])]
    for layer, backwards in places:
        if (layer, backwards) not in weights:
            raise InvalidProblemError(f"no weights of {_layer_label(layer, backwards)}")
        if weights[layer, backwards].keys() != weights[places[0]].keys():
            names, first_names = (
                _quoted(dict.fromkeys(sorted(weights[key]))) for key in ((layer, backwards), places[0])
            )
            raise InvalidProblemError(f"{_layer_label(layer, backwards)} has {names}, and the first has {first_names}")
    return [weights[place] for place in places], {"num_layers": num_layers, "bidirectional": bidirectional}


def _require_finite(name: str, array: np.ndarray) -> np.ndarray:
    if array.dtype.kind != "f":
        raise InvalidProblemError(f"{name} is {array.dtype}, expected floating-point numbers")
    if not np.isfinite(array).all():
        index = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise InvalidProblemError(f"{name}{list(index)} is {array[index]}, expected finite numbers")
    return array


def _layer_label(layer: int, backwards: bool) -> str:
    return f"layer {layer}{' in its second direction' if backwards else ''}"


def _quoted(names: Mapping[str, object]) -> str:
    quoted = [repr(name) for name in names]
    return ", ".join(quoted[:6]) + (f" and {len(quoted) - 6} more" if len(quoted) > 6 else "") if quoted else "none"
