"""A reading of weights in sentences: the gates in the library's own order, and what was done to each array."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...backends.models import LayerDirection, Recurrent
from .block_matches import BlockMatch
from .weight_differences import LayerWithWeights
from .weight_readings import ArrayReading, Reading

MOST_UNITS = 8  # of an order of units that is written out
OPPOSITE = -1.0


def reading_sentences(
    first: LayerWithWeights, second: LayerWithWeights, place: LayerDirection, reading: Reading
) -> list[str]:
    """What makes a layer's weights of another's.

    Args:
        first: the layer that is read.
        second: the layer that is explained.
        place: which layer and direction; the sentences of a few entries have its names.
        reading: of its weights.

    Returns:
        Sentences; none if the weights are the same.
    """
    gates = first.model.gates
    sentences = [_units_sentence(first, second, reading.units)] if reading.units is not None else []
    by_order: dict[tuple[int, ...], list[str]] = {}
    for name, array in reading.arrays.items():
        if array.order != tuple(range(len(array.order))):
            by_order.setdefault(array.order, []).append(name)
    for order, names in by_order.items():
        only = "" if {"U", "W"} <= set(names) else f" of {_and(names)}"
        sentences.append(_order_sentence(first, second, order, only))
    by_words: dict[str, list[str]] = {}
    for name, array in reading.arrays.items():
        for words in _array_words(first, name, array, gates):
            by_words.setdefault(words, []).append(name)
    sentences += [_conjugated(words, names, second.name) for words, names in by_words.items()]
    for name, array in reading.arrays.items():
        sentences += _exceptions(first, second, place.name(name), array)
    return sentences


def native_gates(layer: LayerWithWeights) -> str:
    """The gates in the order in which the library of a layer has their rows; empty if it has no one order.

    Args:
        layer: of a cell with gates.

    Returns:
        Letters, such as `iofg` for ONNX.
    """
    gates = layer.model.gates
    model = Recurrent(layer.model.cell, 1, 1, 1, reset=layer.model.reset)
    numbers = np.arange(1.0, 1 + len(gates))
    params = {name: np.zeros(shape) for name, shape in model.parameter_shapes.items()}
    params |= {"U": numbers[:, None]}
    (packed,) = layer.layout.from_params(model, params)
    for array in packed.values():
        found = [int(abs(number)) for number in array.reshape(-1) if abs(number) in numbers]
        if sorted(found) == list(range(1, 1 + len(gates))):
            return "".join(gates[k - 1] for k in found)
    return ""


def _order_sentence(first: LayerWithWeights, second: LayerWithWeights, order: tuple[int, ...], of_arrays: str) -> str:
    gates = first.model.gates
    held = dict(zip(gates, (gates[k] for k in order), strict=True))
    native = native_gates(second)
    if native:
        found = " ".join(held[gate] for gate in native)
        return (
            f"The gates{of_arrays} of {second.name} are in the order {found}, where {' '.join(native)} belongs, by the "
            f"numbers of {first.name}."
        )
    moved = [f"{gate} is {held[gate]}" for gate in gates if held[gate] != gate]
    return f"The gates{of_arrays} of {second.name} are exchanged, by the numbers of {first.name}: its {_and(moved)}."


def _units_sentence(first: LayerWithWeights, second: LayerWithWeights, units: np.ndarray) -> str:
    shown = " ".join(str(k) for k in units[:MOST_UNITS]) + (" …" if len(units) > MOST_UNITS else "")
    return f"The hidden units of {second.name} are those of {first.name} in another order: {shown}."


def _array_words(first: LayerWithWeights, name: str, array: ArrayReading, gates: str) -> list[str]:
    """What is true of an array, as in `{is} {that} of A, transposed`, for the names of those of which it is."""
    sentences = []
    block_order = f", {array.block_order}" if array.block_order else ""
    block_order = block_order if len(gates) > 1 else block_order.removesuffix(" gate by gate")
    if array.words or block_order:
        source = (
            array.words if array.words and not array.words.startswith(",") else f"{{that}} of {first.name}{array.words}"
        )
        sentences.append(f"{{is}} {source.replace('{first}', first.name)}{block_order}.")
    by_match: dict[str, list[int]] = {}
    for number, match in enumerate(array.matches):
        if match is not None and (words := _match_words(match, first, name, _gate(gates, array, number))):
            by_match.setdefault(words, []).append(number)
    for words, numbers in by_match.items():
        letters = [_gate(gates, array, number) for number in numbers]
        everywhere = len(numbers) == len(array.matches)
        where = "" if everywhere or not any(letters) else f" in the gate{'s' * (len(letters) > 1)} {_and(letters)}"
        sentences.append(f"{words.replace('{where}', where)}.")
    unexplained = [_gate(gates, array, number) for number, match in enumerate(array.matches) if match is None]
    if unexplained and len(unexplained) < len(array.matches):
        gate = "gate" if len(unexplained) == 1 else "gates"
        sentences.append(f"{{differ}} in the {gate} {_and(unexplained)} alone, and no convention explains it.")
    return sentences


def _conjugated(sentence: str, names: Sequence[str], layer: str) -> str:
    """The sentence about one array, or about several."""
    several = len(names) > 1
    verbs = {
        "is": "are" if several else "is",
        "that": "those" if several else "that",
        "has": "have" if several else "has",
        "differ": "differ" if several else "differs",
    }
    for verb, form in verbs.items():
        sentence = sentence.replace(f"{{{verb}}}", form)
    return f"{_and(names)} of {layer} {sentence}"


def _gate(gates: str, array: ArrayReading, number: int) -> str:
    """The letter of a gate; of `b_hn`, which belongs to one, nothing."""
    return gates[number] if len(array.matches) == len(gates) else ""


def _match_words(match: BlockMatch, first: LayerWithWeights, name: str, gate: str) -> str:
    others = f"{{that}} of {first.name}"
    match match.kind:
        case "same":
            return ""
        case "rounded":
            return f"{{is}} {others}, rounded to {match.rounded_to}{{where}}"
        case "zero":
            return f"{{is}} zero{{where}}, and not {others}"
        case "times" if match.number == OPPOSITE:
            meaning = f": its {gate} is 1 − {gate} of {first.name}" if gate == "z" else ""
            return f"{{has}} the opposite sign{{where}}{meaning}"
        case "times":
            twice = ", as a bias is that was added twice" if match.number == 2 and name.startswith("b") else ""
            return f"{{is}} {match.number:.6g} times {others}{{where}}{twice}"
        case _:
            size = f"{'exactly ' if match.is_exact else ''}{abs(match.number):.6g}"
            forget = ", as by the forget bias that some libraries add when they run" if gate == "f" else ""
            return f"{{is}} {'larger' if match.number > 0 else 'smaller'} by {size}{{where}}{forget}"


def _exceptions(first: LayerWithWeights, second: LayerWithWeights, name: str, array: ArrayReading) -> list[str]:
    """The entries that a reading does not explain, of the blocks that it explains else."""
    rows = len(array.held) // len(array.matches)
    if not any(match is not None and match.differs is not None for match in array.matches):
        return []
    before = array.before
    count, farthest = 0, -1.0
    index: tuple[int, ...] = ()
    for number, match in enumerate(array.matches):
        if match is None or match.differs is None:
            continue
        block = slice(rows * number, rows * (number + 1))
        distance = np.abs(array.held[block].astype("float64") - before[block])
        distance = np.where(match.differs, distance, -1.0)
        count += int(np.count_nonzero(match.differs))
        place = np.unravel_index(int(np.argmax(distance)), distance.shape)
        if distance[place] > farthest:
            farthest, index = float(distance[place]), (int(place[0]) + rows * number, *(int(k) for k in place[1:]))
    expected, held = before[index], array.held[index]
    by = f" by {100 * farthest / abs(float(expected)):.2g} %" if expected else ""
    where = f"{name}{list(index)}{by}: {held!s}, and by {first.name} {expected!s}"
    if count == 1:
        return [f"{name} of {second.name} differs in one entry of {array.held.size}, {where}."]
    return [f"{name} of {second.name} differs in {count} entries of {array.held.size}, the most in {where}."]


def _and(names: Sequence[str]) -> str:
    *before, last = names
    return f"{', '.join(before)} and {last}" if before else last
