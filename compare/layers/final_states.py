"""The states after the last step as quantities that are compared, and whether they are fit for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ...backends.models import LayerDirection
from ..answers import Quantity, QuantityName
from ..referee import Failure


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
