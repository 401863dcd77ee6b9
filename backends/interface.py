"""The interface of every backend: what it is asked, and what it returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from .models import Model
from .problems import Problem

if TYPE_CHECKING:
    from jaxtyping import Float


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A backend's answer to a problem. All arrays are NumPy's, of the problem's dtype.

    Attributes:
        loss: L; of an ordered system, E.
        gradients: dL/d· for every array of `problem.differentiable`, by its name and of its shape: the parameters,
            the initial states `h0` and `c0`, and `inputs`.
        outputs: the linear outputs: o_t (T, B, K), zero past a sequence's length; of a feed-forward network z^L
            (B, K); of an ordered system all z_i (N,). None only in a derivation that does not give them.
        adjoints: with `trace`, the total derivatives dL/d· by the name of what they are taken with respect to, of the
            shapes of `model.variables`: at every step `o` (T, B, K), `h` (T, B, H), `a` (T, B, G) and of an LSTM `c`
            (T, B, H), zero past a sequence's length; `layer0.h`, `layer0.h.reverse` … in a stack; `z1`, `z2` … of a
            feed-forward network; `z` of an ordered system. A backend leaves out what it cannot see.

    Example:
        >>> from gradparity.backends import Problem, Recurrent, get_backend
        >>> problem = Problem.from_seed(Recurrent("rnn", 3, 5, 4), seed=0, seq_len=7, batch_size=2)
        >>> evaluation = get_backend("manual").evaluate(problem, trace=True)
        >>> evaluation.gradients["W"].shape, evaluation.outputs.shape, evaluation.adjoints["h"].shape
        ((5, 5), (7, 2, 4), (7, 2, 5))
    """

    loss: float
    gradients: dict[str, np.ndarray]
    outputs: Float[np.ndarray, "*leading K"] | None
    adjoints: dict[str, np.ndarray] = field(default_factory=dict)


@runtime_checkable
class Backend(Protocol):
    """One way to compute the loss and the gradients of a problem.

    A backend leaves its arguments and the global state of its framework as they were. One that also has
    `descend(params, gradients, learning_rate)`, which returns the parameters after one step of gradient descent,
    learns by it; for the others the referee does the step. One that also has `devices`, such as `("cpu", "cuda")`,
    takes a `device` among these: `prepare(problem, device="cuda")`; a device that is not there is a RequestError.
    The others compute on the processor. One with `partial = True` may leave gradients and outputs out of its answer,
    which are then not compared.
    """

    @property
    def name(self) -> str:
        """The name under which the answers are shown."""

    def supports(self, model: Model, dtype: str) -> str:
        """Empty if this backend can compute the model in the dtype; otherwise the reason why not."""

    def evaluate(self, problem: Problem, *, trace: bool = False) -> Evaluation:
        """The loss, the gradients and the outputs; with `trace`, the adjoints of every step too.

        Raises:
            UnsupportedProblemError: this one problem is beyond the backend, such as one with `lengths`.
        """

    def prepare(self, problem: Problem) -> Callable[[], object]:
        """Converts and compiles once; each call of the result computes the loss and the gradients anew.

        It returns them when they are there, in the framework's own types: L, and dL/d· of the parameters alone,
        by the names of `problem.params`.
        """


PreparedAnswer = tuple[float, dict[str, np.ndarray]]


def prepared_answer(result: Any) -> PreparedAnswer:
    """What a run returned, copied into NumPy's arrays; a tensor of PyTorch may be on another device.

    Args:
        result: what a call of a prepared run returned.

    Returns:
        The loss, and the gradients by the parameters' names.

    Raises:
        TypeError: it is no pair of a loss and gradients by name.
    """
    if not (isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], Mapping)):
        raise TypeError(f"its run returned a {type(result).__name__}, expected (loss, gradients by name)")
    loss, gradients = result

    def array(value: Any) -> np.ndarray:
        return np.array(value.detach().cpu().numpy() if hasattr(value, "detach") else value)

    return float(array(loss)), {name: array(gradient) for name, gradient in gradients.items()}
