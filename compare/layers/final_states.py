"""The states after the last step as quantities that are compared."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...backends import Problem, Recurrent
from ..answers import Quantity, QuantityName


def state_quantities(problem: Problem, states: Mapping[str, np.ndarray]) -> dict[str, Quantity]:
    """Final states, a block for each layer and direction.

    Args:
        problem: of a recurrent model.
        states: `h_n`, and of an LSTM `c_n`, (P, B, H).

    Returns:
        The quantities by the same names; of one layer in one direction (B, H).
    """
    assert isinstance(problem.model, Recurrent)
    places = problem.model.places
    quantities = {}
    for name, array in states.items():
        symbol = name.removesuffix("_n")
        blocks = tuple(QuantityName.of_array(place.name(symbol), index="n") for place in places)
        quantities[name] = Quantity(QuantityName(symbol, index="n"), array if len(places) > 1 else array[0], blocks)
    return quantities
