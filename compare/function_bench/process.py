"""The process of a function that is timed: it loads it, tells its framework, calls it, and sends times and answers.

It knows nothing that is right.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...backends import RequestError
from ...backends.errors import DerivationError, UnknownNameError, located
from ..bench.worker import stay_on_cores
from ..check.function_process import Message
from ..check.function_process import main as serve_requests
from ..check.user_function import load_function
from ..functions.calls import Function, name_of, shown
from ..functions.drawn_arguments import DRAWS, drawn, from_npz, in_dtype, sizes_of
from ..functions.recorded_function import Setting
from ..functions.returned import Returned
from ..jobs import StageProgress
from .float_rounding import FLOAT32, FLOAT64, spread_between
from .sources import digests_of
from .timed_function import Arguments, TimedFunction, told_framework

SEED = 0  # from which the arguments are drawn


class FunctionRequests:
    """What is asked: `load`, `tell` the framework, `begin`, `average` over calls, `end`, and the `rounding`."""

    def __init__(self) -> None:
        self._function: Function | None = None
        self._timed: TimedFunction | None = None
        self._fixed: Path | None = None  # where its arguments are, if they are not drawn
        self._draw: Function | None = None
        self._returns: Sequence[str] | None = None

    def __call__(self, header: dict[str, Any], arrays: list[np.ndarray], progress: StageProgress) -> Message:
        if header["do"] == "load":
            return self._load(header), []
        try:
            match header["do"]:
                case "tell":
                    return self._told(header), []
                case "begin":
                    return self._begun(header)
                case "average":
                    assert self._timed
                    seconds, cores = self._timed.average(header["calls"])
                    return {"seconds": seconds, "cores": cores}, []
                case "end":
                    return self._ended()
                case _:
                    return {"spread": self._rounding(header)}, []
        except DerivationError as error:
            return {"failed": str(error)}, []
        except (Exception, SystemExit) as error:  # in one line
            return {"failed": f"it raised {located(error)}"}, []

    def _load(self, header: Mapping[str, Any]) -> dict[str, Any]:
        stay_on_cores(header["threads"])
        started = time.perf_counter()
        self._function = load_function(header["target"])
        seconds = time.perf_counter() - started
        self._returns = header["returns"]
        sizes: dict[str, int] = {}
        if header["arguments"].endswith(".npz"):
            self._fixed = Path(header["arguments"])
        else:
            self._draw = _drawing(header["arguments"], self._function, is_stated=header["is_stated"])
            sizes = sizes_of(self._draw)
        sources = digests_of([header["target"], header["arguments"]])
        return {"name": name_of(self._function), "import_seconds": seconds, "sizes": sizes, "sources": sources}

    def _arguments(self, header: Mapping[str, Any], dtype: str = "") -> Arguments:
        """Gives the arguments, anew each time."""
        function, dtype = self._function, dtype or header["dtype"]
        assert function
        if self._fixed:
            made = from_npz(function, self._fixed)
            return lambda: in_dtype(made, dtype) if dtype else made
        assert self._draw
        draw = drawn(function, self._draw, dtype)
        setting = Setting("drawn", SEED, tuple((name, size) for name, size in header["sizes"]))
        return lambda: draw(setting)

    def _told(self, header: Mapping[str, Any]) -> dict[str, Any]:
        assert self._function
        draw = self._arguments(header)
        timed = TimedFunction(self._function, draw, "numpy", self._returns)
        framework = header["framework"] or told_framework(self._function, draw, self._returns)
        return {"framework": framework, "dtypes": timed.float_dtypes()}

    def _begun(self, header: Mapping[str, Any]) -> Message:
        assert self._function
        self._timed = TimedFunction(self._function, self._arguments(header), header["framework"], self._returns)
        first = self._timed.first()
        answered, arrays = sent(self._timed.answer())
        self._timed.forget_answer()
        return answered | {"prepare_seconds": self._timed.prepare_seconds, "first_seconds": first}, arrays

    def _ended(self) -> Message:
        assert self._timed
        memory = self._timed.memory()
        answered, arrays = sent(self._timed.answer())
        self._timed.forget_answer()
        return answered | {"memory": memory, "changed": self._timed.changed()}, arrays

    def _rounding(self, header: Mapping[str, Any]) -> dict[str, float]:
        """How far its results in float32 are from those in float64, at the same numbers."""
        assert self._function
        answers = []
        narrow = self._arguments(header, FLOAT32)
        for draw in (narrow, lambda: {name: in_dtype(value, FLOAT64) for name, value in narrow().items()}):
            timed = TimedFunction(self._function, draw, header["framework"], self._returns)
            timed.first()
            answers.append(timed.answer())
        return spread_between(*answers)


def _drawing(target: str, function: Function, *, is_stated: bool) -> Function:
    """The function that draws the arguments."""
    try:
        return load_function(target)
    except UnknownNameError:
        if is_stated:
            raise
        raise RequestError(
            f"nothing says what {shown(function)} is called with: give --arguments FILE.py:FUNCTION, which draws them "
            f"from a NumPy generator, or --arguments FILE.npz; or write {DRAWS}(rng) beside it"
        ) from None


def sent(returned: Returned) -> Message:
    """An answer as plain values and arrays."""
    names = list(returned.gradients)
    header = {"names": names, "loss_dtype": str(returned.loss.dtype)}
    return header, [returned.loss.reshape(()), *returned.gradients.values()]


def main(arguments: Sequence[str]) -> None:
    """Serves on the socket whose number is the first argument."""
    serve_requests(arguments, FunctionRequests())
