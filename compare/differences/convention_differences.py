"""How the weights of two layers differ, in words: by which convention the one would be the other.

The conventions of the libraries are tried on the numbers: the order of the gates, transposes, signs, biases that are
added, dropped or counted twice, directions and layers in another order, hidden units in another order, precision.
What is said has been carried out: with it, the first layer's numbers are the second's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np

from ...backends.models import LayerDirection, Recurrent
from .reading_words import native_gates, reading_sentences
from .weight_differences import LayerWithWeights
from .weight_readings import Reading, read_weights

MOST_LAYERS = 4  # of a stack, whose orders are all tried
LARGE_COST = 2.0  # of a reading, above which another order of layers or directions is tried


@dataclass(frozen=True)
class ConventionDifferences:
    """How the weights of two layers differ.

    Attributes:
        sentences: what would make the second layer's weights of the first one's; empty if they are the same, or nothing
            that is known does.
        explained: the parameters, by their names in a problem, that are explained, but perhaps for a few entries; not
            those that are the same to rounding alone.
        is_whole: whether all of both is.
    """

    sentences: tuple[str, ...]
    explained: tuple[str, ...]
    is_whole: bool


def convention_differences(first: LayerWithWeights, second: LayerWithWeights) -> ConventionDifferences:
    """How the weights of the second layer come from those of the first.

    Args:
        first: a layer or stack.
        second: another one, of the same cell, sizes, layers and directions.

    Returns:
        What was found, in sentences with the names of both.
    """
    places = first.model.places
    # What one library adds when it runs is in the weights of neither: it counts between two libraries alone.
    added = first.layout.added_to_forget_gate != second.layout.added_to_forget_gate
    one, other = ([_arrays(layer, k, added) for k in range(len(places))] for layer in (first, second))
    gates = max(1, len(first.model.gates))
    stored = _stored_order(first), _stored_order(second)
    known: dict[tuple[int, int], Reading] = {}
    best: tuple[float, tuple[int, ...], list[Reading]] | None = None
    for order in _orders_of_places(first.model):
        if any(one[k][name].shape != other[n][name].shape for n, k in enumerate(order) for name in ("U", "W")):
            continue
        for n, k in enumerate(order):
            if (k, n) not in known:
                known[k, n] = read_weights(one[k], other[n], gates, stored)
        readings = [known[k, n] for n, k in enumerate(order)]
        cost = sum(reading.cost for reading in readings) + (0 if order == tuple(range(len(places))) else LARGE_COST)
        if best is None or cost < best[0]:
            best = cost, order, readings
        if best[0] <= LARGE_COST:
            break
    if best is None:
        return ConventionDifferences((), (), False)
    _, order, readings = best
    sentences = [*_order_sentences(first, second, order), *_sentences(first, second, readings)]
    explained = [
        place.name(name)
        for place, reading in zip(places, readings, strict=True)
        for name, array in reading.arrays.items()
        if array.is_whole and not array.is_rounded
    ]
    is_whole = all(array.is_whole for reading in readings for array in reading.arrays.values())
    return ConventionDifferences(tuple(sentences), tuple(explained), is_whole)


def _arrays(layer: LayerWithWeights, number: int, added: bool) -> dict[str, np.ndarray]:
    """U, W, b and b_hn of a layer and direction; of two biases that are added both beside their sum."""
    model, place = layer.model, layer.model.places[number]
    layout = layer.layout if added else replace(layer.layout, added_to_forget_gate=0.0)
    params = layout.to_params(model, layer.weights)
    held = layer.layout.unpack(model, layer.weights[number])
    arrays = {name: params[place.name(name)] for name in ("U", "W", "b", "b_hn") if place.name(name) in params}
    G, H = arrays["W"].shape
    arrays.setdefault("b", np.zeros(G, arrays["W"].dtype))
    if model.cell == "gru" and model.reset == "after":
        arrays.setdefault("b_hn", np.zeros(H, arrays["W"].dtype))
    if "b_h" in held and np.any(held["b"]) and np.any(held["b_h"]):
        arrays |= {"first bias": held["b"], "second bias": held["b_h"]}
    return arrays


def _stored_order(layer: LayerWithWeights) -> tuple[int, ...] | None:
    """The numbers of the gates in the library's own order; None if it is that of the problem, or it has none."""
    gates, native = layer.model.gates, native_gates(layer) if layer.model.gates else ""
    return tuple(gates.index(gate) for gate in native) if native and native != gates else None


def _orders_of_places(model: Recurrent) -> list[tuple[int, ...]]:
    """The orders in which layers and directions may stand, the given one first."""
    directions = 2 if model.bidirectional else 1
    layers = range(model.num_layers)
    orders = list(permutations(layers)) if model.num_layers <= MOST_LAYERS else [tuple(layers)]
    return [
        tuple(directions * layer + (direction ^ exchanged) for layer in order for direction in range(directions))
        for order in orders
        for exchanged in ((0, 1) if model.bidirectional else (0,))
    ]


def _order_sentences(first: LayerWithWeights, second: LayerWithWeights, order: tuple[int, ...]) -> list[str]:
    directions = 2 if first.model.bidirectional else 1
    sentences = []
    if order[0] % directions:
        sentences.append(
            f"The two directions are exchanged: {second.name} reads from the first step on with the weights with which "
            f"{first.name} reads from the last one back."
        )
    layers = [number // directions for number in order[::directions]]
    if layers != sorted(layers):
        sentences.append(f"The layers of {second.name} are layers {_list(layers)} of {first.name}.")
    return sentences


def _sentences(first: LayerWithWeights, second: LayerWithWeights, readings: Sequence[Reading]) -> list[str]:
    """The sentences of every layer and direction; those that all have are said once."""
    places = first.model.places
    by_sentence: dict[str, list[LayerDirection]] = {}
    for place, reading in zip(places, readings, strict=True):
        for sentence in reading_sentences(first, second, place, reading):
            by_sentence.setdefault(sentence, []).append(place)
    sentences = []
    for sentence, where in by_sentence.items():
        in_places = "" if len(where) == len(places) else f"In {' and '.join(map(_place_label, where))}: "
        sentences.append(f"{in_places}{sentence}")
    return sentences


def _place_label(place: LayerDirection) -> str:
    layer = "" if place.layer is None else f"layer {place.layer}"
    direction = "the second direction" if place.is_reverse else ""
    return ", ".join(part for part in (layer, direction) if part) or "the first direction"


def _list(numbers: Sequence[int]) -> str:
    *before, last = map(str, numbers)
    return f"{', '.join(before)} and {last}" if before else last
