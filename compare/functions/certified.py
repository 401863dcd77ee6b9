"""The right gradient of any loss in NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...backends.errors import DerivationError, describe_error
from ...backends.tracing.trace import call
from ..certificate.correct_rounding import correctly_rounded
from .calls import Function, name_of, named_arguments
from .matching import path_of
from .recorded_loss import TracedLoss


def certified_gradients(
    loss_function: Function, *arguments: Any, wrt: Sequence[str] | None = None, **options: Any
) -> tuple[float, dict[str, np.ndarray]]:
    """The loss and its gradients in exact arithmetic, each number rounded once.

    The function runs as it stands, on arrays that remember what is done to them. What was recorded is enclosed in balls
    (interval arithmetic at rising precision), forward and back.

    Args:
        loss_function: `loss_function(*arguments) -> loss`, in NumPy; of a tuple, its first value is the loss.
        *arguments: what it is called with.
        wrt: the names or paths of arrays, such as `W`, `params['W']` or, of a global of its module, its name; None
            means all floating-point arrays with an axis among the arguments.
        **options: keyword arguments of the function.

    Returns:
        The loss, and the gradients by the arrays' names: the last name of a path where that tells them apart.

    Raises:
        MissingFrameworkError: python-flint is not installed.
        NotRecordableError: the function does something that cannot be followed; the message says what and where.
        UncertifiableError: it would take too long, or exact arithmetic takes another branch of the program.
        DerivationError: the function raises, or a name in `wrt` is not there, or its loss is not finite.

    Examples:
        >>> import numpy as np
        >>> from gradparity.compare import certified_gradients
        >>> def loss(w, x):
        ...     return np.logaddexp(0, -(x @ w)).sum()
        >>> value, gradients = certified_gradients(loss, np.zeros(2), np.eye(2))
        >>> value, gradients["w"]
        (1.3862943611198906, array([-0.5, -0.5]))
    """
    given = named_arguments(loss_function, arguments, options)
    try:
        call(loss_function, given)
    except Exception as error:
        raise DerivationError(f"{name_of(loss_function)} raised {describe_error(error)}") from error
    traced = TracedLoss(loss_function, given, _loss_in)
    if wrt is None:
        paths = {path: path for path in traced.arguments if traced.shapes[path]}
    else:
        paths = {name: path_of(name, traced.shapes) for name in wrt}
    if not paths:
        raise DerivationError(f"{name_of(loss_function)} has no floating-point array among its arguments")
    answer = correctly_rounded(traced.as_problem(paths).problem)
    return answer.loss, answer.gradients


def _loss_in(returned: Any) -> Any:
    return returned[0] if isinstance(returned, tuple) else returned
