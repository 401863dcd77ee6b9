"""A system of ordered variables (Werbos) as a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..checks import as_array
from ..errors import InvalidProblemError
from .array_spec import ArraySpec, Variable


@dataclass(frozen=True)
class OrderedSystem:
    """Variables that depend on earlier ones: z_i = Σ_{j<i} A_ij z_j for i > 1, with z_1 given, and E = Σ_i c_i z_i.

    Asked for are E, the total derivatives d⁺E/dz_i of all variables, and dE/dA.

    Source: P. J. Werbos, "Backpropagation through time: what it does and how to do it", Proceedings of the IEEE 78
    (1990), where the total derivative is called ordered.

    Attributes:
        weights: A, (N, N), zero on and above the diagonal; kept as tuples.
        objective: c, (N,), the partial derivatives ∂E/∂z_i.

    Raises:
        InvalidProblemError: a shape is wrong, a number is not finite, or A is not zero on and above the diagonal.

    Example:
        >>> from gradparity.backends import OrderedSystem, Problem, get_backend
        >>> system = OrderedSystem(weights=((0, 0), (3, 0)), objective=(1, 2))
        >>> problem = Problem(system, {"A": system.weights}, inputs=[5.0])
        >>> evaluation = get_backend("manual").evaluate(problem)
        >>> evaluation.loss, evaluation.gradients["inputs"].tolist()  # E = z_1 + 2 · 3 z_1
        (35.0, [7.0])
    """

    LEADING: ClassVar[dict[str, str]] = {}

    weights: tuple[tuple[float, ...], ...]
    objective: tuple[float, ...]

    def __post_init__(self) -> None:
        A, c = as_array("weights", self.weights), as_array("objective", self.objective)
        if c.ndim != 1 or not len(c):
            raise InvalidProblemError(f"objective has shape {c.shape}, expected (N,) with N at least 1")
        if A.shape != (len(c), len(c)):
            raise InvalidProblemError(f"weights has shape {A.shape}, expected (N, N) = {(len(c), len(c))}")
        if not (np.isfinite(A).all() and np.isfinite(c).all()):
            raise InvalidProblemError("weights or objective holds a NaN or an infinity, expected finite numbers")
        if np.triu(A).any():
            i, j = (int(index) for index in np.argwhere(np.triu(A))[0])
            raise InvalidProblemError(
                f"weights[{i}, {j}] = {A[i, j]}, expected 0: a variable depends on earlier ones only"
            )
        object.__setattr__(self, "weights", tuple(tuple(float(number) for number in row) for row in A))
        object.__setattr__(self, "objective", tuple(float(number) for number in c))

    @property
    def size(self) -> int:
        """N, the number of variables."""
        return len(self.objective)

    @property
    def differentiable(self) -> tuple[str, ...]:
        """The arrays of a batch that have a gradient: z_1."""
        return ("inputs",)

    @property
    def parameter_specs(self) -> dict[str, ArraySpec]:
        """A."""
        return {"A": ArraySpec((self.size, self.size), "(N, N)")}

    @property
    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of A."""
        return {name: spec.shape for name, spec in self.parameter_specs.items()}

    def state_specs(self) -> dict[str, ArraySpec]:
        """There is no state."""
        return {}

    def input_spec(self) -> ArraySpec:
        """z_1."""
        return ArraySpec((1,), "(1,)")

    def target_spec(self) -> None:
        """There are no targets."""

    def output_spec(self) -> Variable:
        """All z_i."""
        return Variable((self.size,), steps=True)

    def variables(self) -> dict[str, Variable]:
        """All z_i, whose adjoints are the total derivatives."""
        return {"z": Variable((self.size,), steps=True)}

    @property
    def size_summary(self) -> str:
        """The size in a few words."""
        return f"N={self.size}"

    @property
    def summary(self) -> str:
        """What the model is, in a few words."""
        return "ordered system"
