"""How far rounding moves what a function returns, told from the function itself: it runs in float32 and in float64.

At the same numbers, in the two formats, a function differs from itself by what it rounds in float32: in its own
formulas and its own order. In float64 that is 2⁻²⁹ of it, to first order. No recording is needed, and it works for any
framework.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ...backends.errors import DerivationError
from ..answers import Quantity
from ..functions.returned import Returned
from ..tolerance import Tolerance
from ..tolerance.limits import limits_from

FLOAT32, FLOAT64 = "float32", "float64"
LOSS = "loss"
UNIT_RATIO = float(np.finfo(FLOAT64).eps / np.finfo(FLOAT32).eps)  # 2**-29


def spread_between(narrow: Returned, wide: Returned) -> dict[str, float]:
    """How far a function's results in float32 are from those in float64.

    Args:
        narrow: what it returned for arguments in float32.
        wide: what it returned for the same numbers in float64.

    Returns:
        The largest difference of an entry of the loss, as `loss`, and of each gradient.

    Raises:
        DerivationError: it computes in one format whatever it is given, so that nothing can be told.

    Example:
        >>> narrow = Returned(np.float32(1.5), {"w": np.float32([1.0, 2.0])})
        >>> spread_between(narrow, Returned(np.float64(1.5), {"w": np.float64([1.0, 2.5])}))
        {'loss': 0.0, 'w': 0.5}
    """
    for returned, dtype in ((narrow, FLOAT32), (wide, FLOAT64)):
        for name, array in returned.gradients.items():
            if array.dtype != dtype and array.ndim:  # that of a number of Python's has its own dtype
                raise DerivationError(f"of arguments in {dtype} it returns {name} in {array.dtype}")
    pairs = {LOSS: (narrow.loss, wide.loss)} | {
        name: (array, wide.gradients[name]) for name, array in narrow.gradients.items()
    }
    return {
        name: float(np.abs(one.astype(FLOAT64) - other.astype(FLOAT64)).max(initial=0.0))
        for name, (one, other) in pairs.items()
    }


def pairwise_tolerance(
    quantities: Sequence[Mapping[str, Quantity]], spreads: Sequence[Mapping[str, float]], dtype: np.dtype
) -> Tolerance:
    """How far two right functions may differ: by the larger of what each was measured to round, times the usual factor.

    Args:
        quantities: of every function, by the quantity's name.
        spreads: those that could be measured, between float32 and float64, by the quantity's name.
        dtype: in which the functions compute.

    Returns:
        The tolerance of every quantity.

    Example:
        >>> from gradparity.compare.answers import QuantityName
        >>> from gradparity.compare.answers.blocks import whole
        >>> one = {"dw": whole(QuantityName("dw"), np.array([1.0]))}
        >>> tolerance = pairwise_tolerance([one], [{"dw": 1e-6}], np.dtype("float64"))
        >>> bool(1e-14 < tolerance.allowed["dw"][0] < 1e-13)
        True
    """
    ratio = UNIT_RATIO if dtype == FLOAT64 else 1.0
    names = quantities[0].keys()
    with np.errstate(all="ignore"):
        largest = {name: [np.abs(one[name].values).max(initial=0) for one in quantities] for name in names}
    scale = {name: np.array([float(max(of_all))]) for name, of_all in largest.items()}
    spread = {name: np.array([ratio * max(one[name] for one in spreads)]) for name in names}
    zeros = {name: np.zeros(1) for name in names}
    by_source = {"rounding": spread, "kink": zeros, "cancellation": zeros, "own formulas": zeros, "underflow": zeros}
    return limits_from(dtype, scale, by_source, False, None)  # type: ignore[arg-type]
