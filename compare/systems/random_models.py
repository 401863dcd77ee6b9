"""Random models of all families: the one description of what a sweep and the Hypothesis strategies draw.

`random_model` asks for one option after another, and offers the values that are defined for what was chosen before.
Who answers decides how the values are drawn: a sweep by a seeded generator, a strategy by Hypothesis. An option with
one value is asked for too: a strategy counts the draws, and shrinks to the smallest problem only if these do not depend
on the choices.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np

from ...backends import FeedForward, Model, OrderedSystem, Recurrent
from ...backends.checks import DTYPES
from ...backends.models import ACTIVATIONS, CELLS, DIFFERENTIATIONS, LOSS_AT, LOSSES, REDUCTIONS, RESETS, TRUNCATIONS

Value = TypeVar("Value")
Range = tuple[int, int]  # the smallest and the largest

FAMILY_NAMES = (*CELLS, "feed-forward", "ordered")
WEIGHTED_FAMILIES = ("rnn", "rnn", "rnn", "lstm", "lstm", "gru", "gru", "feed-forward", "ordered")
KINDS_OF_STACK = ("single", "truncated", "stacked")
STACKS = ((2, False), (1, True), (2, True))  # the number of layers, and whether there are two directions
LONG_STEPS, LONG_UNITS = 30, 16  # T and H of a model that is long: a large gain is chaotic there


class Chooser(Protocol):
    """Who draws."""

    def one_of(self, option: str, values: Sequence[Value]) -> Value:
        """One of the values of an option, all hashable; a value that stands there twice is twice as likely."""

    def integer(self, low: int, high: int) -> int:
        """A size, both ends included."""

    def numbers(self, *shape: int) -> np.ndarray:
        """Weights of that shape, float64."""


@dataclass(frozen=True)
class ModelSpace:
    """The sizes that are drawn, from the smallest to the largest.

    Attributes:
        batch_sizes: B.
        seq_lens: T.
        widths: D, H and K, and the sizes of a feed-forward network's layers.
        depths: how many sizes a feed-forward network has: its layers and one.
        variables: N of an ordered system.
        with_long: whether one recurrent model in eight has `LONG_STEPS` and `LONG_UNITS`.
    """

    batch_sizes: Range = (1, 3)
    seq_lens: Range = (1, 12)
    widths: Range = (1, 6)
    depths: Range = (2, 4)
    variables: Range = (2, 5)
    with_long: bool = False


class RandomModel(NamedTuple):
    """A model with the sizes and the dtype of its problems.

    Attributes:
        family: of `FAMILY_NAMES`.
        dtype: `float64` or `float32`.
        model: what is computed.
        seq_len: T, where there is time.
        batch_size: B, where there is a batch.
    """

    family: str
    dtype: str
    model: Model
    seq_len: int | None = None
    batch_size: int | None = None


def random_model(choose: Chooser, space: ModelSpace) -> RandomModel:
    """Draws a model, option by option.

    Args:
        choose: who draws. The options and their order are part of what a sweep's seed means.
        space: the sizes.

    Returns:
        The model, with every combination of options that is defined.
    """
    family, dtype = choose.one_of("family", WEIGHTED_FAMILIES), choose.one_of("dtype", DTYPES)
    if family == "ordered":
        N = choose.integer(*space.variables)
        weights, objective = np.tril(choose.numbers(N, N), -1), choose.numbers(N)
        return RandomModel(family, dtype, OrderedSystem(weights, objective))  # type: ignore[arg-type] # makes tuples
    B = choose.integer(*space.batch_sizes)
    readout: dict[str, Any] = {
        "loss": choose.one_of("loss", LOSSES),
        "reduction": choose.one_of("reduction", REDUCTIONS),
    }
    if family == "feed-forward":
        sizes = tuple(choose.integer(*space.widths) for _ in range(choose.integer(*space.depths)))
        activation = choose.one_of("activation", ACTIVATIONS)
        return RandomModel(family, dtype, FeedForward(sizes, activation, **readout), batch_size=B)
    is_long = space.with_long and choose.integer(1, 8) == 1
    T = LONG_STEPS if is_long else choose.integer(*space.seq_lens)
    model = _recurrent_model(choose, space, family, T, readout)
    model = replace(model, hidden_size=LONG_UNITS) if is_long else model
    return RandomModel(family, dtype, model, T, B)


def _recurrent_model(choose: Chooser, space: ModelSpace, cell: str, T: int, readout: dict[str, Any]) -> Recurrent:
    options: dict[str, Any] = {"loss_at": choose.one_of("loss_at", LOSS_AT), "bias": choose.one_of("bias", _FLAGS)}
    kind = choose.one_of("kind", KINDS_OF_STACK)
    is_plain, is_single, is_truncated = cell == "rnn", kind != "stacked", kind == "truncated"
    stack = choose.one_of("stack", ((1, False),) if is_single else STACKS)
    truncation = choose.one_of("truncation", tuple(TRUNCATIONS.values()) if is_truncated else (None,))
    options["truncation"] = truncation and truncation(choose.integer(1, T + 1))
    options["reset"] = choose.one_of("reset", RESETS if cell == "gru" else RESETS[:1])
    options["activation"] = choose.one_of("activation", ACTIVATIONS if is_plain else ACTIVATIONS[:1])
    options["concatenated"] = choose.one_of("concatenated", _FLAGS if is_plain and is_single else _FLAGS[:1])
    has_choice = is_plain and is_single and not is_truncated
    differentiations = DIFFERENTIATIONS if has_choice else DIFFERENTIATIONS[:1]
    options["differentiation"] = choose.one_of("differentiation", differentiations)
    if options["differentiation"] == "closed_form":  # which is defined for the identity alone
        options["activation"] = "identity"
    D, H, K = (choose.integer(*space.widths) for _ in "DHK")
    return Recurrent(cell, D, H, K, num_layers=stack[0], bidirectional=stack[1], **readout, **options)


_FLAGS = (False, True)


def every_combination() -> Iterator[tuple[tuple[Hashable, ...], RandomModel]]:
    """Every combination of options that `random_model` draws, in the smallest sizes.

    Yields:
        The values in the order in which they are asked for, and the model that they make.
    """
    smallest = ModelSpace((1, 1), (1, 1), (1, 1), depths=(2, 2), variables=(1, 1))
    pending: list[tuple[Hashable, ...]] = [()]
    while pending:
        path = _Path(pending.pop())
        model = random_model(path, smallest)
        yield tuple(path.taken), model
        pending += path.branches


class _Path:
    """A chooser that takes given values, then the first ones, and remembers what else could have been taken."""

    def __init__(self, values: tuple[Hashable, ...]) -> None:
        self.taken: list[Hashable] = []
        self.branches: list[tuple[Hashable, ...]] = []
        self._values = values

    def one_of(self, option: str, values: Sequence[Any]) -> Any:
        number = len(self.taken)
        if number < len(self._values):
            self.taken.append(self._values[number])
        else:
            first, *others = dict.fromkeys(values)
            self.branches += [(*self.taken, other) for other in others]
            self.taken.append(first)
        return self.taken[-1]

    def integer(self, low: int, high: int) -> int:
        return low

    def numbers(self, *shape: int) -> np.ndarray:
        return np.zeros(shape)
