"""What the detection matrix is made of: mistakes on problems, and problems whose gradients are right.

Planted is every variant of every mistake whose answer is not the right one, on systems of sizes that nothing else here
uses: each on the first system to which it applies, and once more where the read-out makes most gradients small.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, cast

import numpy as np

from ...backends import Evaluation, FeedForward, OrderedSystem, Problem, Recurrent, Window
from ..answers import quantities
from ..mistakes import Mistake, Values, Variant, attempt, run, variants_to_plant
from ..systems import SYSTEMS, System
from .checks import Program, problem_at, varied

SEED = 101
SMALL = 1e-4  # multiplies V, or the last layer's weights: gradients vanish, or learning is nearly over
ROUNDING = 1e-12  # of the largest entry of a block: what differs by less is no mistake
NUMBER = re.compile(r"-?\d+\.\d+(e[+-]?\d+)?")
T, B, LAYER_SIZES = 6, 2, (3, 5, 4)  # D, H and K: all different, and none the catalogue's
SYSTEMS_TO_PLANT = (
    "elman-softmax",
    "elman-sigmoid",
    "elman-squared-error",
    "elman-lengths",
    "elman-window",
    "lstm",
    "gru",
    "gru-reset-before",
    "mlp",
    "logistic-regression",
    "ordered-derivatives",
)


@dataclass(frozen=True, eq=False)
class MistakeCase:
    """A planted mistake: one of its variants, on a problem.

    Attributes:
        mistake: of the catalogue.
        variant: of the mistake.
        system: the system's name.
        problem: the model with its numbers.
        small: whether the gradients were made small.
        program: the program of a person who made the mistake.
    """

    mistake: Mistake
    variant: Variant
    system: str
    problem: Problem
    small: bool
    program: Program


@dataclass(frozen=True, eq=False)
class CorrectCase:
    """A problem on which the checks are shown a right gradient.

    Attributes:
        kind: of problem, in words.
        system: the system's name, or the model in words.
        seed: of the problem's numbers.
        problem: the model with its numbers.
    """

    kind: str
    system: str
    seed: int
    problem: Problem


def systems_to_plant() -> dict[str, System]:
    """The systems on which mistakes are planted, in sizes of their own, and three that some mistakes need."""
    systems = {name: _resized(SYSTEMS[name]) for name in SYSTEMS_TO_PLANT}
    elman, mlp = systems["elman-softmax"], systems["mlp"]
    square: dict[str, Any] = dict.fromkeys(("input_size", "hidden_size", "output_size"), LAYER_SIZES[1])
    for name, system, changes in (  # where sizes differ, NumPy refuses the product with a transposed V
        ("elman-softmax, D = H = K", elman, square),
        ("mlp, layers of one size", mlp, {"sizes": (LAYER_SIZES[1],) * 4}),
        ("elman-softmax, loss at the last step", elman, {"loss_at": "last_step"}),
    ):
        systems[name] = replace(system, name=name, model=replace(system.model, **changes))
    return systems


def _resized(system: System) -> System:
    model = system.model
    if isinstance(model, Recurrent):
        D, H, K = LAYER_SIZES
        truncation = Window(3) if model.truncation else None
        model = replace(model, input_size=D, hidden_size=H, output_size=K, truncation=truncation)
        return replace(system, model=model, seq_len=T, batch_size=B, lengths=(T, T // 2) if system.lengths else None)
    if isinstance(model, FeedForward):
        has_layers = len(model.sizes) > 2
        model = replace(model, sizes=(3, 5, 6, 4) if has_layers else (5, 1))
        return replace(system, model=model, batch_size=B if has_layers else T)
    rng = np.random.default_rng(SEED)
    A, c = np.tril(rng.standard_normal((5, 5)), -1), rng.standard_normal(5)
    return replace(system, model=OrderedSystem(A, c))  # type: ignore[arg-type]


def with_small_gradients(problem: Problem) -> Problem | None:
    """The same, but that little reaches the network from its read-out; of an ordered system there is none."""
    if isinstance(problem.model, OrderedSystem):
        return None
    last = f"W{len(problem.model.sizes) - 1}" if isinstance(problem.model, FeedForward) else "V"
    return problem.with_unchecked(params={**problem.params, last: SMALL * problem.params[last]})


def mistake_cases(*, everywhere: bool = False, quick: bool = False) -> Iterator[MistakeCase]:
    """The planted mistakes.

    Args:
        everywhere: on every system to which a mistake applies, and not on the first alone.
        quick: only the first variant of each mistake.

    Yields:
        Every variant whose answer is not the right one; first with ordinary gradients, then with small ones.
    """
    for small in (False, True):
        seen: set[tuple[object, ...]] = set()
        for name, system in systems_to_plant().items():
            problem: Problem | None = system.problem(seed=SEED)
            problem = with_small_gradients(cast(Problem, problem)) if small else problem
            if problem is None:
                continue
            right = RightLoss(problem)
            same: Counter[tuple[object, ...]] = Counter()
            for mistake, variant in variants_to_plant(problem):
                words = NUMBER.sub("#", variant.words)  # which is read off the answer
                key: tuple[object, ...] = (mistake.name, words, *(text for _, text in variant.changed_lines(problem)))
                same[key] += 1
                key = (mistake.name,) if quick else (*key, same[key], name if everywhere else "")
                predicted = None if key in seen else attempt(variant, problem)
                if predicted is not None and _differs(predicted, problem):
                    seen.add(key)
                    yield MistakeCase(mistake, variant, name, problem, small, _program(variant, predicted, right))


def _differs(predicted: Values, problem: Problem) -> bool:
    """Whether an answer is not the right one, by more than rounding in some block."""
    answered, right = (_block_values(values, problem) for values in (predicted, run(problem).values))
    return any(
        not (np.abs(answered[name] - right[name]).max(axis=1) <= ROUNDING * np.abs(right[name]).max(axis=1)).all()
        for name in right
    )


def _block_values(values: Values, problem: Problem) -> dict[str, np.ndarray]:
    gradients = {name: values[name] for name in problem.differentiable}
    answered = quantities(Evaluation(float(values["loss"]), gradients, None), problem)
    return {name: quantity.blocks for name, quantity in answered.items()}


class RightLoss:
    """The right loss of a problem at other numbers, kept: most mistakes have it, and need it at the same numbers.

    Attributes:
        problem: the problem; only its numbers that have a gradient are changed.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self._known: dict[bytes, float] = {}

    def __call__(self, problem: Problem) -> float:
        key = b"".join(array.tobytes() for array in problem.differentiable.values())
        if key not in self._known:
            self._known[key] = float(run(problem).values["loss"])
        return self._known[key]


def _program(variant: Variant, predicted: Values, right: RightLoss) -> Program:
    """A person's program with a mistake; at other numbers, too, its loss is the mistake's."""

    def variant_loss(problem: Problem) -> float:
        return float(variant.predict(problem)["loss"])

    # Where three problems nearby have the right loss to the last bit, every other one has.
    is_right = variant.recognizes is not None or all(
        variant_loss(nearby) == right(nearby) for nearby in map(partial(_nearby, right.problem), range(3))
    )
    return Program(right.problem, predicted, right if is_right else variant_loss)


def _nearby(problem: Problem, seed: int) -> Problem:
    rng = np.random.default_rng(seed)
    arrays = varied(problem, problem.differentiable)
    return problem_at(problem, {name: array + rng.normal(0, 0.1, array.shape) for name, array in arrays.items()})


def _plain_cell(hidden_size: int = LAYER_SIZES[1], **options: Any) -> Callable[[int], Problem]:
    model = Recurrent("rnn", LAYER_SIZES[0], hidden_size, LAYER_SIZES[2])
    return lambda seed: Problem.from_seed(model, seed=seed, batch_size=B, **options)


def _confident(seed: int) -> Problem:
    problem = _plain_cell(seq_len=T)(seed)
    return problem.with_unchecked(params={**problem.params, "V": 30 * problem.params["V"]})


KINDS: Mapping[str, Callable[[int], Problem]] = {
    "vanishing: W × 0.1, T = 30": _plain_cell(seq_len=30, recurrent_gain=0.1),
    "chaotic: W × 4, T = 30, H = 16": _plain_cell(16, seq_len=30, recurrent_gain=4.0),
    "confident: V × 30": _confident,
}


def correct_cases(count: int) -> Iterator[CorrectCase]:
    """Problems on which a right gradient is shown: `count` of each kind."""
    systems = systems_to_plant()
    truncated = systems.pop("elman-window")
    turn = list(systems.values())
    seeds = range(1000, 1000 + count)
    for number, seed in enumerate(seeds):
        system = turn[number % len(turn)]
        yield CorrectCase("ordinary", system.name, seed, system.problem(seed=seed))
    for kind, draw in KINDS.items():
        for seed in seeds:
            problem = draw(seed)
            yield CorrectCase(kind, problem.summary, seed, problem)
    for number, seed in enumerate(seeds):
        system = turn[number % len(turn)]
        yield CorrectCase("ordinary, in float32", system.name, seed, system.problem(seed=seed, dtype="float32"))
    for seed in seeds:
        yield CorrectCase("truncated: at most 3 steps back", truncated.name, seed, truncated.problem(seed=seed))
