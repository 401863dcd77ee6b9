"""One function with its arguments, as it is told apart, called and timed in a process of its own."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...backends.errors import DerivationError, located
from ...backends.quiet_numpy import without_warnings
from ..bench.worker import average_seconds, forget_peak_memory, peak_memory
from ..functions.calls import Function
from ..functions.returned import Returned, in_numpy, mapped, read_returned
from .frameworks import JAX, NUMPY, arrays_in, awaited, converted, fingerprint, framework_of, loaded_frameworks

Arguments = Callable[[], Mapping[str, Any]]
BY_NAME = "**"


def called(function: Function, arguments: Mapping[str, Any]) -> Any:
    """One call: by position, and what follows a `*` among the parameters by name."""
    positional = [value for name, value in arguments.items() if not name.startswith(BY_NAME)]
    return function(*positional, **{name[2:]: value for name, value in arguments.items() if name.startswith(BY_NAME)})


def told_framework(function: Function, draw: Arguments, returns: Sequence[str] | None) -> str:
    """Of which framework a function is: that whose arrays it returns when it is called with arrays of NumPy.

    If it takes none of NumPy, it is called with those of PyTorch and of JAX, as far as they are loaded by now.

    Args:
        function: what is called.
        draw: gives its arguments, anew for each call.
        returns: the names of what it returns in a row.

    Returns:
        `numpy`, `torch` or `jax`.

    Raises:
        DerivationError: it fails with all of them, or returns something of another form.

    Example:
        >>> import numpy as np
        >>> told_framework(lambda w: ((w * w).sum(), 2 * w), lambda: {"w": np.ones(2)}, None)
        'numpy'
    """
    failures: dict[str, str] = {}
    tried = [NUMPY]
    while tried:
        framework = tried.pop(0)
        try:
            value = called(function, {name: converted(one, framework) for name, one in draw().items()})
        except (Exception, SystemExit) as error:
            failures[framework] = located(error)
            tried = [name for name in loaded_frameworks() if name not in failures]
        else:
            return framework_of(read(value, returns))
    if len(failures) == 1:
        raise DerivationError(f"it raised {failures[NUMPY]}")
    how = "; ".join(f"with arrays of {name} it raised {failure}" for name, failure in failures.items())
    raise DerivationError(f"{how}: if it is of one of these, say so: jax:FILE.py:FUNCTION")


def read(value: Any, returns: Sequence[str] | None) -> Returned:
    """The loss and the gradients in what a function returned; `returns` is for those that return them in a row."""
    is_row = isinstance(value, (tuple, list)) and returns is not None and len(value) == len(returns)
    return read_returned(value, returns if is_row else None)


class TimedFunction:
    """A function of which the framework is known, with arguments in this framework.

    Attributes:
        prepare_seconds: of the conversion of the arguments.
    """

    def __init__(self, function: Function, draw: Arguments, framework: str, returns: Sequence[str] | None) -> None:
        """Converts the arguments, and calls nothing.

        Args:
            function: what is timed.
            draw: gives its arguments in NumPy's arrays.
            framework: `numpy`, `torch` or `jax`.
            returns: the names of what it returns in a row.
        """
        self._function, self._framework, self._returns = function, framework, returns
        gc.collect()
        forget_peak_memory()
        self._base = peak_memory()
        drawn = draw()
        started = time.perf_counter()
        self._arguments = {name: converted(value, framework) for name, value in drawn.items()}
        if framework == JAX:
            import jax

            jax.block_until_ready(list(arrays_in(self._arguments)))
        self.prepare_seconds = time.perf_counter() - started
        self._before = {path: fingerprint(array) for path, array in self._arrays()}
        self._await: Callable[[Any], Any] | None = None
        self._last: Any = None
        self._peak = 0
        del drawn
        gc.collect()
        forget_peak_memory()

    def first(self) -> float:
        """The first call, with all that is compiled in it.

        Returns:
            Its seconds.
        """
        with without_warnings():
            started = time.perf_counter()
            value = called(self._function, self._arguments)
            self._await = awaited(self._framework, value)
            self._last = self._await(value)
            return time.perf_counter() - started

    def average(self, calls: int) -> tuple[float, float]:
        """Some calls, each waited for.

        Args:
            calls: how many.

        Returns:
            The seconds of a call on average, and how many cores were busy meanwhile.
        """
        function, wait = self._function, self._await
        assert wait
        positional = [value for name, value in self._arguments.items() if not name.startswith(BY_NAME)]
        by_name = {name[2:]: value for name, value in self._arguments.items() if name.startswith(BY_NAME)}

        def run() -> None:
            self._last = wait(function(*positional, **by_name))

        with without_warnings():
            processor, started = time.process_time(), time.perf_counter()
            seconds = average_seconds(run, calls)
            elapsed = time.perf_counter() - started
            return seconds, (time.process_time() - processor) / elapsed

    def answer(self) -> Returned:
        """What the last call returned, in NumPy's arrays."""
        self._peak = max(self._peak, peak_memory())
        returned = mapped(in_numpy, read(self._last, self._returns))
        if framework_of(read(self._last, self._returns)) != self._framework:
            other = framework_of(read(self._last, self._returns))
            raise DerivationError(f"it returned arrays of {other}, expected those of {self._framework}")
        if returned.loss.size != 1:
            raise DerivationError(f"its loss has shape {returned.loss.shape}, expected one number")
        return returned

    def memory(self) -> int:
        """The bytes by which the process grew at its peak, from before its arguments on."""
        return max(self._peak, peak_memory()) - self._base

    def forget_answer(self) -> None:
        """Lets the peak of the memory begin anew: what the answer's copies took is no part of it."""
        gc.collect()
        forget_peak_memory()

    def changed(self) -> list[str]:
        """How the arguments are reached that are no longer as they were."""
        return [path for path, array in self._arrays() if fingerprint(array) != self._before.get(path)]

    def float_dtypes(self) -> dict[str, str]:
        """The dtypes of the floating-point arguments, by how they are reached."""
        dtypes = {path: str(array.dtype).rpartition(".")[2] for path, array in self._arrays()}
        return {path: dtype for path, dtype in dtypes.items() if dtype.startswith("float")}

    def _arrays(self) -> list[tuple[str, Any]]:
        return [found for name, value in self._arguments.items() for found in arrays_in(value, name.lstrip("*"))]
