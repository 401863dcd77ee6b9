"""How far rounding moves what a function returns, in its own formulas.

`f * (1 - f)` is the derivative of a sigmoid, and loses all digits where f is close to 1. Who writes it is not wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ...backends.errors import DerivationError
from ...backends.models.traced import ENTRY_DTYPES, Traced
from ...backends.tracing.array import as_recorded
from ...backends.tracing.pruning import entries_behind
from ...backends.tracing.recorder import NotRecordableError
from ...backends.tracing.trace import traced_call
from ..answers import Quantity, QuantityName
from ..answers.blocks import whole
from ..definitions import Floats
from ..definitions.recorded import outputs_of
from ..localization.precision import rounded_at
from ..tolerance import measure_definition
from .calls import Function

MOST_OPERATIONS = 20_000  # of a program whose roundings are measured
PROBES = 2  # of each writing


def own_rounding(
    function: Function,
    arguments: Mapping[str, Any],
    read: Callable[[Any], Mapping[str, Any]],
    dtype: np.dtype,
    *,
    defines_loss: bool = True,
) -> dict[str, float]:
    """Measures how far rounding moves each array that a function returns.

    Args:
        function: in NumPy.
        arguments: by the names of its parameters.
        read: takes the arrays out of what it returns, by any names.
        dtype: of its numbers.
        defines_loss: whether what it returns as `loss` is what is differentiated.

    Returns:
        By these names, how far the entry is moved that is moved the furthest; nothing of a function that cannot be
        recorded, or does too much, or rounds to float32 where what is differentiated does not: that is no rounding in
        the dtype of its numbers.

    Example:
        >>> def nearly_one(w):
        ...     return 1 - 1 / (1 + np.exp(-w))
        >>> spread = own_rounding(nearly_one, {"w": np.array([30.0])}, lambda y: {"y": y}, np.dtype("float64"))
        >>> 1e-17 < spread["y"] < 1e-14, nearly_one(np.array([30.0])) < 1e-12
        (True, array([ True]))
    """
    try:
        traced = traced_call(function, arguments)
        returned = {name: as_recorded(array) for name, array in read(traced.returned).items()}
    except (DerivationError, NotRecordableError):  # it computes in something else, or does what cannot be followed
        return {}
    model = traced.model(returned.get("loss", 0.0) if defines_loss else 0.0, {})
    if len(model.operations) > MOST_OPERATIONS or _is_rounded_further(model, dtype):
        return {}
    outputs = {
        name: traced.recording.operand(array.numbers, array.origin)
        for name, array in returned.items()
        if array.numbers.dtype in ENTRY_DTYPES  # whole numbers are not rounded
    }

    def computed(floats: Floats) -> list[dict[str, Quantity]]:
        arrays = outputs_of(model, list(outputs.values()), floats)
        return [
            {name: whole(QuantityName(name), array[place]) for name, array in zip(outputs, arrays, strict=True)}
            for place in np.ndindex(floats.leading)
        ]

    measured = measure_definition(dtype, computed, probes=PROBES)
    spreads = [spread for source, spread in measured.spread_by_source.items() if source != "kink"]
    return {name: float(max(spread[name].max() for spread in spreads)) for name in outputs}


def _is_rounded_further(model: Traced, dtype: np.dtype) -> bool:
    """Whether something that is no part of the model's loss is rounded to float32 in a function of float64."""
    behind = entries_behind(model, model.loss)
    beside = (one for one in model.operations if not behind[one.dtype][one.start : one.stop].any())
    return dtype == np.dtype("float64") and bool(rounded_at(beside))
