"""Functions of SciPy on recorded arrays; SciPy itself, which need not be installed, gives the values."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from .array import as_recorded, plain
from .entrywise import computed
from .own_values import with_values_of
from .recorder import IMPLEMENTED
from .scipy_signal import SIGNAL


def erf(x: Any) -> Any:
    """The error function."""
    source = as_recorded(x)
    return computed("erf", np.vectorize(math.erf)(source.value).astype(source.dtype)[()], source)


def _sigmoid(x: Any) -> Any:
    source = as_recorded(x)
    with np.errstate(over="ignore"):
        return computed("sigmoid", 1 / (1 + np.exp(-source.value)), source)


def _logsumexp(a: Any, axis: Any = None, b: Any = None, keepdims: bool = False) -> Any:
    source = as_recorded(a)
    shift = np.max(source.numbers, axis=axis, keepdims=True)
    shift = np.where(np.isfinite(shift), shift, 0)
    terms = np.exp(source - shift)
    total = np.log(np.sum(terms if b is None else terms * b, axis=axis, keepdims=keepdims))
    return total + (shift if keepdims else np.squeeze(shift, axis=axis))


def _softmax(x: Any, axis: Any = None) -> Any:
    source = as_recorded(x)
    return np.exp(source - _logsumexp(source, axis, keepdims=True))


def _xlogy(x: Any, y: Any) -> Any:
    is_zero = plain(x) == 0
    return np.where(is_zero, 0.0, x * np.log(np.where(is_zero, 1.0, y)))


SPECIAL: dict[str, Callable[..., Any]] = {
    "expit": _sigmoid,
    "logit": lambda x: np.log(x / (1 - x)),
    "log_expit": lambda x: -np.logaddexp(0.0, -x),
    "logsumexp": _logsumexp,
    "softmax": _softmax,
    "log_softmax": lambda x, axis=None: x - _logsumexp(x, axis, keepdims=True),
    "erf": erf,
    "erfc": lambda x: 1 - erf(x),
    "xlogy": _xlogy,
    "xlog1py": lambda x, y: x * np.log1p(y),
    "entr": lambda x: -_xlogy(x, x),
    "log1p": np.log1p,
    "expm1": np.expm1,
    "exp2": np.exp2,
    "cbrt": np.cbrt,
    "exprel": lambda x: np.expm1(x) / x,
}


@cache
def of_scipy(function: Any) -> Callable[..., Any] | None:
    """What stands for a function of `scipy.special` or `scipy.signal` where an argument is recorded; else None."""
    name = getattr(function, "__name__", "")
    module = getattr(function, "__module__", "") or ""
    is_ufunc = isinstance(function, np.ufunc) and getattr(np, name, None) is not function
    known = SIGNAL if module.startswith("scipy.signal") else SPECIAL
    if name not in known or not (is_ufunc or module.startswith(("scipy.special", "scipy.signal"))):
        return None
    return with_values_of(function, known[name])


IMPLEMENTED["of SciPy"] = of_scipy
