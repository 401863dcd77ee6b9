"""The interface behind which every backend answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from .model import Model
from .problem import Problem

if TYPE_CHECKING:
    from jaxtyping import Float


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A backend's answer to a problem. All arrays are NumPy's, of the problem's dtype.

    Attributes:
        loss: L.
        gradients: dL/d· for every parameter by its name, for `h0` (B, H) and for `inputs` (T, B, D).
        outputs: the linear outputs o_t, (T, B, K); zero past a sequence's length.
        adjoints: with `trace`, the total derivatives dL/d· of every step by the name of what they are
            taken with respect to: `o` (T, B, K), `h` and `a` (T, B, H). Zero past a sequence's length.
            A backend leaves out what it cannot see.
    """

    loss: float
    gradients: dict[str, np.ndarray]
    outputs: Float[np.ndarray, "T B K"]
    adjoints: dict[str, np.ndarray] = field(default_factory=dict)


@runtime_checkable
class Backend(Protocol):
    """One way to compute the loss and the gradients of a problem.

    A backend leaves its arguments and the global state of its framework as they were.
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
        """Converts and compiles once; each call of the result computes the loss and the parameters'
        gradients anew, and returns them, in the framework's own types, when they are there.
        """
