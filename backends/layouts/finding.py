"""A recurrent layer in a file of weights: its arrays among others, by their names."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..errors import InvalidProblemError
from ..recurrent import CELLS, Recurrent
from .layout import Layout

MOST_LAYERS = 64
Known = dict[str, tuple[tuple[int, bool], str]]
Found = dict[tuple[int, bool], dict[str, np.ndarray]]  # by the layer's number, and whether it goes backwards


def find_layer(
    layout: Layout, arrays: Mapping[str, np.ndarray], prefix: str | None = None
) -> tuple[list[dict[str, np.ndarray]], dict[str, int | bool]]:
    """The weights of every layer and direction, and how many there are: `num_layers` and `bidirectional`.

    Args:
        layout: of the library that wrote the names. A slash in a name counts as a point.
        arrays: the file's.
        prefix: what stands before the weights' own names, such as `encoder.lstm`; then all other arrays are left
            alone. None means that there is one layer, and nothing else.

    Raises:
        InvalidProblemError: there is no such layer, or more than one; there are arrays that are not part of it; or
            its weights are not finite numbers, or not the same in all layers.
    """
    known = _known_names(layout)
    by_prefix: dict[str, Found] = {}
    others = []
    for full_name, array in arrays.items():
        before, place, name = _split(full_name.replace("/", "."), known)
        if place is None or (prefix is not None and before != prefix.replace("/", ".").strip(".")):
            others.append(full_name)
            continue
        of_place = by_prefix.setdefault(before, {}).setdefault(place, {})
        if name in of_place:
            raise InvalidProblemError(f"{full_name!r} is there twice, in two spellings")
        of_place[name] = _finite(full_name, array)
    if not by_prefix:
        where = f" after the prefix {prefix!r}" if prefix is not None else ""
        raise InvalidProblemError(f"no weights of a layer{where}: the arrays are {_listed(arrays)}")
    if prefix is None and len(by_prefix) > 1:
        raise InvalidProblemError(f"several layers, {_listed(by_prefix)}: choose one by --prefix")
    if prefix is None and others:
        raise InvalidProblemError(f"{others[0]!r} is no weight of the layer: to leave the rest alone, add --prefix")
    (found,) = by_prefix.values()
    return _in_order(found)


def _known_names(layout: Layout) -> Known:
    """Every name that a weight can have: its layer and direction, and its name in a single layer."""
    own: dict[str, None] = dict.fromkeys(layout.unused)
    for cell in CELLS:
        model = Recurrent(cell, 1, 1, 1)
        if not layout.refusal(model) or cell == "gru":
            zeros = {name: np.zeros(shape) for name, shape in model.parameter_shapes.items()}
            own |= dict.fromkeys(layout.from_params(model, zeros)[0])
    known: Known = {}
    for stack in (
        Recurrent("rnn", 1, 1, 1, num_layers=MOST_LAYERS, bidirectional=True),
        Recurrent("rnn", 1, 1, 1, bidirectional=True),
    ):
        for k, layer in enumerate(stack.layers):
            for place in layer:
                known |= {layout.placed(place, name): ((k, bool(place.suffix)), name) for name in own}
    return known | {name: ((0, False), name) for name in own}


def _split(full_name: str, known: Known) -> tuple[str, tuple[int, bool] | None, str]:
    """What stands before the longest known name at the end, the place that it tells, and the weight's own name."""
    parts = full_name.split(".")
    for k in range(len(parts)):
        if (name := ".".join(parts[k:])) in known:
            return ".".join(parts[:k]), *known[name]
    return "", None, ""


def _in_order(found: Found) -> tuple[list[dict[str, np.ndarray]], dict[str, int | bool]]:
    num_layers, bidirectional = 1 + max(layer for layer, _ in found), any(backwards for _, backwards in found)
    places = [(layer, backwards) for layer in range(num_layers) for backwards in ((False, True)[: 1 + bidirectional])]
    for layer, backwards in places:
        if (layer, backwards) not in found:
            raise InvalidProblemError(f"no weights of {_words(layer, backwards)}")
        if found[layer, backwards].keys() != found[places[0]].keys():
            here, first = (_listed(dict.fromkeys(sorted(found[each]))) for each in ((layer, backwards), places[0]))
            raise InvalidProblemError(f"{_words(layer, backwards)} has {here}, and the first has {first}")
    return [found[place] for place in places], {"num_layers": num_layers, "bidirectional": bidirectional}


def _finite(name: str, array: np.ndarray) -> np.ndarray:
    if array.dtype.kind != "f":
        raise InvalidProblemError(f"{name} is {array.dtype}, expected floating-point numbers")
    if not np.isfinite(array).all():
        index = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise InvalidProblemError(f"{name}{list(index)} is {array[index]}, expected finite numbers")
    return array


def _words(layer: int, backwards: bool) -> str:
    return f"layer {layer}{' in its second direction' if backwards else ''}"


def _listed(names: Mapping[str, object]) -> str:
    shown = [repr(name) for name in names]
    return ", ".join(shown[:6]) + (f" and {len(shown) - 6} more" if len(shown) > 6 else "") if shown else "none"
