"""The evidence: how near a variant of a mistake comes to what was answered on one problem.

How close the two have to be is measured by stochastic arithmetic, as the tolerance is.
"""

from __future__ import annotations

import numpy as np

from ...backends import Evaluation, Problem, Recurrent
from ..answers import Quantity, are_singles, gradient_name, quantities
from ..mistakes import Values, Variant, attempt, run
from ..tolerance import measure_rounding

NEAR = 1e-3  # of the deviation, or of a right block: worth a measurement
ROUNDED = 1e3  # units in the last place of that: nearer than this, rounding may be what is left
DIAGNOSIS_PROBES = 3  # of a measurement
COARSE = 0.05  # how far differences may be from the derivative
SMALL_NOISE, LARGE_NOISE = 0.05, 100.0  # in units of float32's rounding, as a root mean square


class Submission:
    """The answer to one problem, beside the right one.

    Attributes:
        problem: what was computed.
        answered: the loss, and gradients by name; some may be missing.
        wrong: the names of what is wrong, here or on another problem.
        right: the right loss and gradients.
        largest: the magnitude of the largest entry of each of these.
    """

    def __init__(self, problem: Problem, answered: Values, wrong: frozenset[str]) -> None:
        self.problem, self.answered, self.wrong = problem, answered, wrong
        self.right = run(problem).values
        self.largest = {name: largest_entry(array) for name, array in self.right.items()}

    def near(self, variant: Variant) -> frozenset[str]:
        """The names of what a variant seems to give, before it is measured: of what is wrong, the deviation itself."""
        if variant.recognizes:
            return self._near_right() if variant.recognizes(self.answered, self.problem) else frozenset()
        if variant.rounds_more and not self._is_rounded_to_singles():
            return frozenset()
        predicted = attempt(variant, self.problem)
        if predicted is None:
            return frozenset()
        near = set()
        for name, array in self.answered.items():
            if array.shape != predicted[name].shape:
                continue
            limit = NEAR * max(self.largest[name], largest_entry(array))
            if name in self.wrong and not variant.rounds_more:
                limit = NEAR * largest_entry(array - self.right[name]) + ROUNDED * float(np.spacing(limit))
            if largest_entry(array - predicted[name].astype("f8")) <= limit:
                near.add(name)
        return frozenset(near)

    def _near_right(self) -> frozenset[str]:
        """The names of what differs little from what is right, as finite differences do; the loss has to be right."""
        parts = dict.fromkeys(self.answered, COARSE) | {"loss": COARSE if "loss" in self.wrong else 1e-6}
        return frozenset(
            name
            for name, array in self.answered.items()
            if array.shape == self.right[name].shape
            and largest_entry(array - self.right[name].astype("f8")) <= parts[name] * self.largest[name]
        )

    def _is_rounded_to_singles(self) -> bool:
        """Whether whatever is wrong is off by as much as float32's rounding, and a gradient consists of its numbers.

        Another error may be as large; of numbers of float32 so many come from nothing but float32.
        """
        if not any(are_singles(array) for name, array in self.answered.items() if name != "loss"):
            return False
        unit = float(np.finfo("f4").eps)
        for name in self.wrong & self.answered.keys():
            apart = np.abs(self.answered[name] - self.right[name].astype("f8")) / (unit * self.largest[name])
            spread = float(np.sqrt((apart**2).mean()))
            if not (SMALL_NOISE <= spread <= LARGE_NOISE and (apart > SMALL_NOISE / 100).mean() > 0.5):
                return False
        return True

    def is_changed_by(self, variant: Variant) -> bool:
        """Whether a variant makes a difference on this problem."""
        return self._differ(attempt(variant, self.problem), self.right)

    def tells_apart(self, one: Variant, other: Variant) -> bool:
        """Whether two variants give different answers to this problem."""
        return self._differ(attempt(one, self.problem), attempt(other, self.problem))

    def _differ(self, one: Values | None, other: Values | None) -> bool:
        """Whether two answers differ by more than rounding may; one that is missing does not."""
        if one is None or other is None:
            return False
        return any(
            largest_entry(one[name] - other[name]) > ROUNDED * float(np.spacing(largest))
            for name, largest in self.largest.items()
        )

    def measured(self, variant: Variant) -> dict[str, float]:
        """What a variant gives to the last digits, by name: the part of the block by which rounding may move it."""
        if variant.recognizes:
            return dict.fromkeys(self.near(variant), float(np.finfo(self.problem.dtype).eps))
        predicted = attempt(variant, self.problem)
        if predicted is None:
            return {}
        tolerance = measure_rounding(
            self.problem, lambda on: self._quantities(variant.predict(on)), probes=DIAGNOSIS_PROBES
        )
        answered, made = self._quantities(self.answered), self._quantities(predicted)
        measured = {}
        for name, quantity in self._names().items():
            apart = np.abs(answered[quantity].blocks.astype("f8") - made[quantity].blocks).max(axis=1)
            if (apart <= tolerance.allowed[quantity]).all():
                scale = tolerance.scale[quantity]
                parts = np.where(scale > 0, tolerance.allowed[quantity] / scale, np.finfo(self.problem.dtype).eps)
                measured[name] = float(parts.min())
        return measured

    def _names(self) -> dict[str, str]:
        """The names of what was answered, with the name of its quantity."""
        quantity = quantity_names(self.problem)
        return {name: quantity[name] for name in self.answered}

    def _quantities(self, values: Values) -> dict[str, Quantity]:
        gradients = {name: array for name, array in values.items() if name != "loss"}
        return quantities(Evaluation(float(values.get("loss", np.nan)), gradients, None), self.problem)


def quantity_names(problem: Problem) -> dict[str, str]:
    """The name of the quantity under which the loss and each gradient is judged."""
    has_steps = isinstance(problem.model, Recurrent)
    gradients = {name: str(gradient_name(name, has_steps=has_steps)) for name in problem.differentiable}
    return gradients | {"loss": "loss"}


def largest_entry(array: np.ndarray) -> float:
    """The magnitude of the largest entry; 0 of an empty array."""
    return float(np.abs(array).max(initial=0))
