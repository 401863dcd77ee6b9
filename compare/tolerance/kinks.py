"""The kinks of a computation: where a relu's argument is 0 up to rounding, correct programs may take either side."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from ..definitions.numbers import Slopes

SIDES = 8  # computations that take one side or the other, or a derivative between them


class Kinks:
    """The arguments of every relu, and how far the probes moved them.

    Example:
        >>> kinks = Kinks([np.array([1e-17, 0.0, 0.5])])
        >>> kinks.add([np.array([[-2e-17, 0.0, 0.5]])])
        >>> (slopes,) = kinks.sides(8.0, SIDES)
        >>> slopes(0, np.ones((SIDES, 3)))[:2].tolist()
        [[0.0, 1.0, 1.0], [1.0, 1.0, 1.0]]
    """

    def __init__(self, arguments: Sequence[np.ndarray], *, at_zero: bool = False) -> None:
        """Takes the arguments of a computation.

        Args:
            arguments: of every relu.
            at_zero: whether an argument that is exactly 0 has two sides, too: of a network the definition says which
                derivative a relu has there; of somebody's program, NumPy, PyTorch and JAX choose one each.
        """
        self._arguments, self._at_zero = arguments, at_zero
        self._moved = [np.zeros_like(argument) for argument in arguments]

    def add(self, arguments: Sequence[np.ndarray]) -> None:
        """Takes in the arguments of several probes, along the first axis."""
        for moved, argument, probed in zip(self._moved, self._arguments, arguments, strict=True):
            np.maximum(moved, np.abs(probed - argument).max(axis=0), out=moved)

    def near(self, multiple: float) -> list[np.ndarray]:
        """Which arguments are no larger than a multiple of what moved them; one of 0 that nothing moved as stated."""
        pairs = zip(self._arguments, self._moved, strict=True)
        return [((moved > 0) | self._at_zero) & (np.abs(argument) <= multiple * moved) for argument, moved in pairs]

    def sides(self, multiple: float, beside: int) -> list[Slopes]:
        """The sides that correct programs may take where an argument is no larger than a multiple of what moved it.

        Args:
            multiple: of the probes' largest deviation.
            beside: how many computations run beside each other, a divisor of `SIDES`.

        Returns:
            The slopes of `SIDES` computations, so many beside each other along the first axis: at the kinks all 0, all
            1, drawn evenly, the opposite of what was drawn, and between 0 and 1, so that what two kinks do to one entry
            cannot cancel in all of them. Nothing where there is no kink.
        """
        near = self.near(multiple)
        if not any(kink.any() for kink in near):
            return []
        rng = np.random.Generator(np.random.PCG64(0))
        drawn = [rng.integers(0, 2, kink.shape) for kink in near]
        between = [rng.uniform(size=(SIDES - 4, *kink.shape)) for kink in near]

        def slopes(first: int, number: int, slope: np.ndarray) -> np.ndarray:
            some = drawn[number]
            sides = np.stack([np.zeros_like(some), np.ones_like(some), some, 1 - some, *between[number]])
            return np.where(near[number], sides[first : first + beside], slope).astype(slope.dtype)

        return [partial(slopes, first) for first in range(0, SIDES, beside)]
