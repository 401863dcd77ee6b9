"""A person's own function, judged as it stands: are these the gradients of the loss that it returns?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from inspect import Parameter, signature
from typing import Any

import numpy as np

from ...backends import Backend, Evaluation, MissingFrameworkError, Problem, get_backend
from ...backends.errors import DerivationError, describe_error
from ...backends.tracing.recorder import NotRecordableError
from ...backends.tracing.trace import Trace, call, trace, verify
from ..referee import DisagreementError, compare_certified_if_possible
from ..referee import compare as compare_backends
from .matching import last_name, match
from .results import FunctionCheck
from .returned import Returned, mapped, read_returned

ENGINES = ("tape", "torch", "jax")  # who differentiates the recording
MOST_FOR_JAX = 3000  # operations: JAX compiles them one by one


class OwnAnswer:
    """The gradients that a function returned, as a backend's answer."""

    def __init__(self, name: str, answer: Evaluation) -> None:
        self.name = name
        self._answer = answer

    def supports(self, model: Any, dtype: str) -> str:
        return ""

    def evaluate(self, problem: Problem, *, trace: bool = False) -> Evaluation:
        return self._answer

    def prepare(self, problem: Problem) -> Callable[[], object]:
        return lambda: (self._answer.loss, self._answer.gradients)


def check_gradients(
    function: Callable[..., Any],
    *arguments: Any,
    wrt: Mapping[str, str] | None = None,
    returns: Sequence[str] | None = None,
    certify: bool | None = None,
    **options: Any,
) -> FunctionCheck:
    """Judges a function in plain NumPy that returns a loss and its gradients. Its own loss is the truth.

    The function runs as it stands: twice on its arguments, and once on arrays that remember what is done to them. What
    was recorded is differentiated by gradparity's own rules, enclosed in balls if `python-flint` is there, and
    differentiated by PyTorch and JAX if they are. Nothing that the function can reach is other afterwards.

    Args:
        function: `function(*arguments) -> (loss, gradients)`, or with more after these. The gradients are a dict by the
            arguments' names, nested or not, or a tuple in the arguments' order.
        *arguments: what it is called with: arrays in float64 or float32, and whatever else it takes.
        wrt: for gradients whose name does not say it, the argument, such as `{"dWxh": "Wxh"}`; or a global of the
            function's module, or an attribute, such as `{"dW": "model.W"}`.
        returns: the names of all values if they are returned in a row, such as `("loss", "dWxh", "dWhh")`.
        certify: whether the exact gradient is enclosed; None encloses it where that is possible.
        **options: keyword arguments of the function.

    Returns:
        The judgement: its `verdict`, `rows()` and `summary`. It never raises for gradients that are wrong.

    Raises:
        NotRecordableError: the function does something that cannot be followed; the message says what and where.
        DerivationError: it fails, or returns something of another form, or a gradient whose argument is not clear.

    Examples:
        >>> import numpy as np
        >>> from gradparity.compare import check_gradients
        >>> def least_squares(w, x, y):
        ...     e = x @ w - y
        ...     return (e * e).sum(), {"w": x.T @ e}
        >>> check = check_gradients(least_squares, np.ones(2), np.eye(2), np.zeros(2))
        >>> check.verdict, [(row["gradient"], row["verdict"]) for row in check.rows()]
        ('disagree', [('loss', 'agree'), ('dw', 'disagree')])
    """
    given = _named(function, arguments, options)
    first = _plain(function, given, returns)
    again = _plain(function, given, returns)
    traced, recorded = _recorded(function, given, first, returns)
    shapes = {path: argument.values.shape for path, argument in traced.arguments.items()}
    returned_shapes = {name: np.shape(array) for name, array in first.gradients.items()}
    paths = match(returned_shapes, shapes, wrt, is_positional=first.is_positional)
    names = _parameter_names(paths)
    differentiated = {names[name]: path for name, path in paths.items()}
    model = traced.model(recorded.loss, differentiated)
    notes = list(traced.recording.notes)
    notes += verify(traced, model, function, given, lambda value: read_returned(value, returns).loss)
    problem = Problem(model, {name: traced.arguments[path].values for name, path in differentiated.items()})
    answer = Evaluation(first.loss, {names[name]: array for name, array in first.gradients.items()}, None)
    own = OwnAnswer(getattr(function, "__name__", "function"), answer)
    asked, missing = _engines(own, len(model.operations))
    if certify is None:
        comparison = compare_certified_if_possible(problem, asked)
    else:
        comparison = compare_backends(problem, asked, certify=certify)
    matched = {f"d{names[name]}": (name, path) for name, path in paths.items()}
    return FunctionCheck(own.name, comparison, matched, _same(first, again), tuple(notes + missing))


def assert_gradients(
    function: Callable[..., Any],
    *arguments: Any,
    wrt: Mapping[str, str] | None = None,
    returns: Sequence[str] | None = None,
    certify: bool | None = None,
    **options: Any,
) -> FunctionCheck:
    """Passes if a function returns the gradients of the loss that it returns. For tests.

    Args:
        function: as for `check_gradients`.
        *arguments: as for `check_gradients`.
        wrt: as for `check_gradients`.
        returns: as for `check_gradients`.
        certify: as for `check_gradients`.
        **options: as for `check_gradients`.

    Returns:
        The judgement, whose verdict is `agree`.

    Raises:
        DisagreementError: a gradient is wrong, or cannot be decided, or another call gives another answer.
        NotRecordableError: as `check_gradients` does.
        DerivationError: as `check_gradients` does.

    Examples:
        >>> import numpy as np
        >>> from gradparity.compare import assert_gradients
        >>> assert_gradients(lambda w: ((w * w).sum(), (2 * w,)), np.ones(3)).verdict
        'agree'
    """
    check = check_gradients(function, *arguments, wrt=wrt, returns=returns, certify=certify, **options)
    if check.verdict != "agree":
        raise DisagreementError(check.comparison, report=check.summary)
    return check


def _named(function: Callable[..., Any], arguments: Sequence[Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments by the names of the parameters."""
    try:
        parameters = list(signature(function).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    named = {}
    for number, value in enumerate(arguments):
        parameter = parameters[number] if number < len(parameters) else None
        is_named = parameter is not None and parameter.kind is not Parameter.VAR_POSITIONAL
        named[parameter.name if is_named and parameter is not None else f"argument{number}"] = value
    return named | {f"**{name}": value for name, value in options.items()}


def _plain(function: Callable[..., Any], given: Mapping[str, Any], returns: Sequence[str] | None) -> Returned:
    """One call, in copies that no later call can change."""
    try:
        value = call(function, given)
    except Exception as error:
        raise DerivationError(f"the function raised {describe_error(error)}") from error
    returned = mapped(lambda array: np.array(array), read_returned(value, returns))
    if returned.loss.size != 1:
        raise DerivationError(f"its loss has shape {returned.loss.shape}, expected one number")
    return returned._replace(loss=float(returned.loss.reshape(())))


def _recorded(
    function: Callable[..., Any], given: Mapping[str, Any], first: Returned, returns: Sequence[str] | None
) -> tuple[Trace, Returned]:
    try:
        traced = trace(function, given)
    except NotRecordableError:
        raise
    except Exception as error:
        raise NotRecordableError(f"the function runs, but not while it is recorded: {describe_error(error)}") from error
    return traced, read_returned(traced.returned, returns)


def _parameter_names(paths: Mapping[str, str]) -> dict[str, str]:
    """A short name for each argument: its last name, or its path where another has the same."""
    short = {name: last_name(path) for name, path in paths.items()}
    counts = {name: list(short.values()).count(one) for name, one in short.items()}
    return {name: one if counts[name] == 1 else paths[name] for name, one in short.items()}


def _engines(own: OwnAnswer, operations: int) -> tuple[dict[str, Backend], list[str]]:
    asked: dict[str, Backend] = {own.name: own}
    notes = []
    for name in ENGINES:
        if name == "jax" and operations > MOST_FOR_JAX:
            notes.append(f"JAX was not asked: {operations} operations, and it compiles at most {MOST_FOR_JAX} here")
            continue
        try:
            asked[name] = get_backend(name)
        except MissingFrameworkError as error:
            notes.append(str(error))
    return asked, notes


def _same(one: Returned, other: Returned) -> bool:
    return one.loss == other.loss and all(
        name in other.gradients and np.array_equal(array, other.gradients[name], equal_nan=True)
        for name, array in one.gradients.items()
    )
