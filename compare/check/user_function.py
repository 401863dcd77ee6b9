"""A function that a person wrote: a derivation on NumPy arrays, judged like a backend.

The function takes and returns NumPy arrays:

    def my_gradients(params, inputs, targets, h0):
        ...
        return loss, {"U": dU, "W": dW, "b": db, "V": dV, "c": dc}

An LSTM's takes c0 after h0, and where sequences differ in length, the lengths come last. A feed-forward network's takes
params, inputs and targets; an ordered system's takes params, z_1 and the objective c. It may leave gradients out, and
may return the adjoints of every step as a third value.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...backends import Evaluation, Model, OrderedSystem, Problem, RequestError
from ...backends.errors import DerivationError, UnknownNameError, describe_error, located, unknown_name
from ...backends.quiet_numpy import without_warnings
from ..systems import System
from .loading import module_from_file

Function = Callable[..., Any]


class Derivation:
    """A function behind the interface of a backend.

    Attributes:
        name: under which it is shown.
        function: takes arrays, and returns a loss and gradients.
        partial: it may leave gradients and outputs out.
        stopped: why the last call has no answer, if the process that the function runs in died of it.
        timed_out: whether a call took too long.
        output: what it printed, where that is held apart.
    """

    partial = True
    stopped = ""
    timed_out = False
    output = ""

    def __init__(self, function: Function, name: str = "") -> None:
        if not callable(function):
            raise RequestError(f"{function!r} is not a function")
        self.function = function
        self.name = name or getattr(function, "__name__", "derivation")
        if self.name == "manual":  # which is the name of the hand derivation that it is compared with
            self.name = "yours"

    def supports(self, model: Model, dtype: str) -> str:
        return ""

    def evaluate(self, problem: Problem, *, trace: bool = False) -> Evaluation:
        return call_function(self.function, arguments_of(problem), trace=trace)

    def prepare(self, problem: Problem) -> Callable[[], Evaluation]:
        return lambda: self.evaluate(problem)


def arguments_of(problem: Problem) -> list[Any]:
    """What a function gets: the parameters as a dict of its own, and then the problem's arrays."""
    model = problem.model
    objective = np.array(model.objective, problem.dtype) if isinstance(model, OrderedSystem) else None
    arguments = [dict(problem.params), problem.inputs, problem.targets if objective is None else objective]
    return [*arguments, *problem.states.values(), *([] if problem.lengths is None else [problem.lengths])]


def call_function(function: Function, arguments: Sequence[Any], *, trace: bool) -> Evaluation:
    """Calls a function, and takes what it returned for an evaluation.

    Args:
        function: a person's.
        arguments: those that `arguments_of` made.
        trace: whether its adjoints are kept.

    Returns:
        The evaluation, in whatever arrays it returned.

    Raises:
        DerivationError: it raised, or returned something of another form.
    """
    try:
        with without_warnings():
            returned = function(*arguments)
    except (Exception, SystemExit) as error:
        raise DerivationError(f"it raised {describe_error(error)}") from error
    return _evaluation(returned, trace=trace)


def _evaluation(returned: object, *, trace: bool) -> Evaluation:
    if returned is None:
        raise DerivationError("it returned None, expected loss, or loss and gradients: is there a return?")
    parts = tuple(returned) if isinstance(returned, tuple | list) else (returned,)
    loss, gradients, adjoints = (*parts, {}, {})[:3]
    what = "loss, loss and gradients, or loss, gradients and adjoints"
    if len(parts) > 3 or not isinstance(gradients, Mapping) or not isinstance(adjoints, Mapping):
        kinds = ", ".join(type(part).__name__ for part in parts)
        raise DerivationError(f"it returned ({kinds}), expected {what}, the latter two as dicts of arrays by name")
    number = np.asarray(loss)
    if number.size != 1 or number.dtype.kind not in "fiu":
        raise DerivationError(f"its loss is {first_words(loss)}, expected a number")
    return Evaluation(float(number.item()), dict(gradients), None, dict(adjoints) if trace else {})


def first_words(value: object) -> str:
    """A value in a few words, for a message."""
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    return repr(value) if len(repr(value)) < 60 else f"a {type(value).__name__}"


def load_function(target: str) -> Function:
    """The function at `module:function`, or `FILE.py:function`.

    Raises:
        RequestError: there is no such file, module or function, or it fails to load.
    """
    function = _load(target, "function")
    if not callable(function):
        kind = type(function).__name__
        raise RequestError(f"{target}: {target.rpartition(':')[2]} is a {kind}, expected a function")
    return function


def load_system(target: str) -> System:
    """The system at `module:NAME`, or `FILE.py:NAME`.

    Raises:
        RequestError: there is no such file, module or system, or it fails to load.
    """
    system = _load(target, "System")
    if not isinstance(system, System):
        kind = type(system).__name__
        raise RequestError(f"{target}: {target.rpartition(':')[2]} is a {kind}, expected a gradparity.compare.System")
    return system


def _load(target: str, kind: str) -> Any:
    """What stands at `module:NAME`, or `FILE.py:NAME`; the kind of thing is looked for if there is none such."""
    source, colon, name = target.rpartition(":")
    expected = f"MODULE:{kind.upper()} or FILE.py:{kind.upper()}"
    if not colon or not source or not name:
        raise RequestError(f"{target!r} names no {kind}: expected {expected}")
    path = Path(source)
    try:
        module = module_from_file(path) if path.suffix == ".py" else importlib.import_module(source)
    except ModuleNotFoundError as error:
        if error.name and f"{source}.".startswith(f"{error.name}."):
            raise RequestError(f"there is no module {error.name!r}: expected {expected}") from None
        raise RequestError(f"{source} fails to load: {located(error)}") from error
    except (Exception, SystemExit) as error:
        if isinstance(error, RequestError):
            raise
        raise RequestError(f"{source} fails to load: {located(error)}") from error
    if not hasattr(module, name):
        known = [
            attribute
            for attribute, value in vars(module).items()
            if attribute[0] != "_" and (callable(value) if kind == "function" else isinstance(value, System))
        ]
        raise UnknownNameError(f"{source}: {unknown_name(kind, name, known)}")
    return getattr(module, name)
