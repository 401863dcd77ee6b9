"""The states after the last step, and other values of the forward pass, as quantities that are compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ...backends import Problem, Recurrent
from ...backends.models import LayerDirection
from ..answers import Quantity, QuantityName
from ..definitions import Floats, final_states
from ..referee import WORST_FIRST, Comparison, Failure
from ..referee.judgement import bitwise_equal, judge_values
from ..tolerance import Tolerance


def state_quantities(places: Sequence[LayerDirection], states: Mapping[str, np.ndarray]) -> dict[str, Quantity]:
    """Final states, a block for each layer and direction.

    Args:
        places: the layers and directions.
        states: `h_n`, and of an LSTM `c_n`, (P, B, ·).

    Returns:
        The quantities by the same names; of one layer in one direction (B, ·).
    """
    quantities = {}
    for name, array in states.items():
        symbol = name.removesuffix("_n")
        blocks = tuple(QuantityName.of_array(place.name(symbol), index="n") for place in places)
        quantities[name] = Quantity(QuantityName(symbol, index="n"), array if len(places) > 1 else array[0], blocks)
    return quantities


def defined_states(problem: Problem, floats: Floats) -> list[dict[str, Quantity]]:
    """The final states by the definition, of every computation that runs in these numbers.

    Args:
        problem: of a recurrent network.
        floats: the numbers.

    Returns:
        The quantities of each computation; of one if they have no leading axes.
    """
    assert isinstance(problem.model, Recurrent)
    places, states = problem.model.places, final_states(problem, floats)
    if not floats.leading:
        return [state_quantities(places, states)]
    by_computation = ({name: array[i] for name, array in states.items()} for i in range(*floats.leading))
    return [state_quantities(places, of_one) for of_one in by_computation]


def with_forward_blocks(
    comparison: Comparison, compared: Mapping[str, Mapping[str, Quantity]], tolerance: Tolerance
) -> Comparison:
    """A comparison, with further quantities of the forward pass judged as blocks before the derivatives.

    Args:
        comparison: of layers alone.
        compared: the quantities of each of them.
        tolerance: what rounding can do to these.

    Returns:
        The comparison, which agrees if these do, too.
    """
    judged = judge_values(compared, tolerance)
    blocks = [*(block for block in comparison.blocks if not block.quantity.is_derivative), *judged]
    blocks += [block for block in comparison.blocks if block.quantity.is_derivative]
    verdicts = {comparison.verdict, *(block.verdict for block in judged)}
    verdict = next(verdict for verdict in WORST_FIRST if verdict in verdicts)
    bitwise = comparison.bitwise and bitwise_equal(compared.values())
    return replace(comparison, blocks=tuple(blocks), verdict=verdict, bitwise=bitwise, without_reference=True)


def unfit(
    name: str, arrays: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[int, ...]], dtype: np.dtype
) -> Failure | None:
    """The reason to refuse final states before their values are compared.

    Args:
        name: of who returned them.
        arrays: what was returned; nothing is fit, too.
        shapes: what was expected.
        dtype: likewise.

    Returns:
        The reason; None if they are fit.
    """
    if arrays and list(arrays) != list(shapes):
        return Failure(name, "names", f"it returned {', '.join(arrays)}, expected {', '.join(shapes)}")
    for label, array in arrays.items():
        if array.shape != shapes[label]:
            return Failure(name, "shape", f"{label} has shape {array.shape}, expected {shapes[label]}")
        if array.dtype != dtype:
            return Failure(name, "dtype", f"{label} is {array.dtype}, expected {dtype}")
        if not np.isfinite(array).all():
            return Failure(name, "non-finite", f"{label} has numbers that are not finite")
    return None
