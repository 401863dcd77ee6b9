"""Mistakes in what is made of a gradient: its size, its sign, its shape, and how it was got."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import combinations

import numpy as np

from ...backends import OrderedSystem, Problem
from .execution import run
from .mistake import Mistake, Values, Variant, with_model

STEPS = [10.0**-k for k in range(3, 11)]  # of finite differences
LEAST_DECAY = 1e-10  # less is what rounding leaves
FEW = 8  # entries, below which a coincidence is possible
EXACT = 2.0**46  # a larger multiple cannot be told from its neighbours


def _scaled(values: Values, problem: Problem, *, factor: float, names: tuple[str, ...]) -> Values:
    return values | {name: values[name] * np.asarray(factor, values[name].dtype) for name in names}


def _gradients(problem: Problem) -> tuple[str, ...]:
    return tuple(problem.differentiable)


def _factors(problem: Problem, answered: Values) -> Iterator[Variant]:
    if isinstance(problem.model, OrderedSystem):
        return
    T, B, K = problem.seq_len, problem.batch_size, problem.model.output_spec(*problem.leading).shape[-1]
    named: dict[str, float] = {"B": B, "T": T, "T B": T * B, "K": K, "2": 2}
    if problem.lengths is not None:
        named["T B / the number of counted steps"] = T * B / int(problem.lengths.sum())
    for words, factor in named.items():
        if factor != 1:
            inverse = f"1/({words})" if " " in words else f"1/{words}"
            for shown, by in ((words, factor), (inverse, 1 / factor)):
                only = partial(_scaled, factor=by, names=_gradients(problem))
                both = partial(_scaled, factor=by, names=("loss", *_gradients(problem)))
                yield Variant(f"{shown}, the gradients", answer=only, equations=(22,))
                yield Variant(f"{shown}, loss and gradients", answer=both, equations=(22,))
                loss = partial(_scaled, factor=by, names=("loss",))
                yield Variant(f"{shown}, the loss alone", answer=loss, equations=(23,))


def _single_factors(problem: Problem, answered: Values) -> Iterator[Variant]:
    """A factor of one gradient alone, which is read off the answer."""
    right = run(problem).values
    for name in _gradients(problem):
        gradient = answered.get(name)
        if gradient is None or gradient.shape != right[name].shape or gradient.size == 1 or not right[name].any():
            continue
        factor = float(np.vdot(right[name], gradient) / np.vdot(right[name], right[name]))
        if np.isfinite(factor) and abs(factor - 1) > 1e-6:
            words = "zeros" if abs(factor) < 1e-12 else f"{factor:.6g}"
            factor = 0.0 if words == "zeros" else factor
            yield Variant(f"d{name} by {words}", answer=partial(_scaled, factor=factor, names=(name,)))


def _signs(problem: Problem, answered: Values) -> Iterator[Variant]:
    names = _gradients(problem)
    yield Variant("all gradients", answer=partial(_scaled, factor=-1.0, names=names), equations=(28,))
    yield Variant("of the loss", answer=partial(_scaled, factor=-1.0, names=("loss",)), equations=(23,))
    yield Variant(
        "of the loss and all gradients", answer=partial(_scaled, factor=-1.0, names=("loss", *names)), equations=(23,)
    )


def _clipped(problem: Problem, answered: Values) -> Iterator[Variant]:
    """Where all are clipped at the same value, it is the largest that was answered."""
    gradients = [array for name, array in answered.items() if name != "loss" and array.size]
    largest = max(map(_largest, gradients), default=0.0)
    if largest > 0 and np.isfinite(largest):

        def clip(values: Values, asked: Problem, names: tuple[str, ...]) -> Values:
            return values | {name: np.clip(values[name], -largest, largest) for name in names}

        yield Variant(f"at ±{largest:.6g}", answer=partial(clip, names=_gradients(problem)))
        for name in answered.keys() & problem.differentiable.keys():
            of_one = _largest(answered[name])
            if of_one > 0 and answered[name].size > 1:
                yield Variant(f"d{name} at ±{of_one:.6g}", answer=partial(_clipped_one, name=name, at=of_one))
        if problem.params.keys() != problem.differentiable.keys():
            yield Variant(f"at ±{largest:.6g}, the parameters'", answer=partial(clip, names=tuple(problem.params)))


def _clipped_one(values: Values, problem: Problem, name: str, at: float) -> Values:
    return values | {name: np.clip(values[name], -at, at)}


def _largest(array: np.ndarray) -> float:
    return float(np.abs(array).max(initial=0))


def _norm_clipped(problem: Problem, answered: Values) -> Iterator[Variant]:
    answered_params = [name for name in problem.params if name in answered]
    norm = _norm(answered, answered_params)
    for limit in {norm, float(f"{norm:.3g}")} if norm > 0 and np.isfinite(norm) else ():
        for names in (tuple(problem.params), _gradients(problem)):

            def clip(values: Values, asked: Problem, norm: float = limit, names: tuple[str, ...] = names) -> Values:
                reached = _norm(values, answered_params)  # which may be 0
                return _scaled(values, asked, factor=norm / reached, names=names) if norm < reached else values

            yield Variant(f"to a norm of {limit:.6g}", answer=clip)


def _norm(values: Values, names: list[str]) -> float:
    return float(np.sqrt(sum(float((values[name].astype("f8") ** 2).sum()) for name in names)))


def _penalized(values: Values, problem: Problem, by: float, of: tuple[str, ...], in_loss: bool) -> Values:
    """With λ/2 ‖θ‖², λ = `by`, in the gradients of these parameters, and perhaps in the loss."""
    kind = problem.dtype.type
    penalized = values | {name: values[name] + kind(by) * problem.params[name] for name in of}
    if in_loss:
        penalized["loss"] = values["loss"] + sum(kind(by / 2) * (problem.params[name] ** 2).sum() for name in of)
    return penalized


def _penalties(problem: Problem, answered: Values) -> Iterator[Variant]:
    """λθ added to every gradient, to the matrices' or to one, where λ is read off each of them."""
    right = run(problem).values
    for name in problem.params:
        if name not in answered or answered[name].shape != right[name].shape or problem.params[name].ndim < 2:
            continue
        theta = problem.params[name]
        strength = float(np.vdot(theta, answered[name] - right[name]) / np.vdot(theta, theta))
        if not np.isfinite(strength) or abs(strength) < LEAST_DECAY:
            continue
        matrices = tuple(param for param, array in problem.params.items() if array.ndim > 1)
        for of in dict.fromkeys([tuple(problem.params), matrices, (name,)]):
            to = f"{strength:.6g} to {', '.join(f'd{param}' for param in of)}"
            yield Variant(to, answer=partial(_penalized, by=strength, of=of, in_loss=False))
            yield Variant(f"{to} and the loss", answer=partial(_penalized, by=strength, of=of, in_loss=True))


def _of_last_sample(values: Values, problem: Problem, names: tuple[str, ...]) -> Values:
    """The gradients of the last sample's part of the loss."""
    arrays = {name: getattr(problem, name) for name in ("inputs", "targets", "h0", "c0", "lengths")}
    axes = {"h0": -2, "c0": -2, "lengths": 0} | dict.fromkeys(
        ("inputs", "targets"), 1 if len(problem.leading) > 1 else 0
    )
    last = {name: np.take(a, [-1], axis=axes[name]) for name, a in arrays.items() if a is not None}
    in_sum = with_model(problem, reduction="sum")
    alone = run(in_sum.with_unchecked(**last)).values
    weight = values["loss"] / run(in_sum).values["loss"]  # of a mean; the loss is no sum of zeros
    return values | {name: (weight * alone[name]).astype(values[name].dtype) for name in names}


def _last_sample_alone(problem: Problem, answered: Values) -> Iterator[Variant]:
    """Where a loop over the samples assigns to a gradient: all of them, those of a layer, or one."""
    if isinstance(problem.model, OrderedSystem) or problem.batch_size == 1:
        return
    names = tuple(problem.params)
    weights = tuple(name for name in names if problem.params[name].ndim > 1)
    biases = tuple(name for name in names if problem.params[name].ndim == 1)
    for group in dict.fromkeys([names, weights, biases, *((name,) for name in names)]):
        if group:
            yield Variant(", ".join(f"d{name}" for name in group), answer=partial(_of_last_sample, names=group))


def _exchanged(values: Values, problem: Problem, one: str, other: str) -> Values:
    return values | {one: values[other], other: values[one]}


def _exchanges(problem: Problem, answered: Values) -> Iterator[Variant]:
    shapes = {name: array.shape for name, array in problem.differentiable.items()}
    for one, other in combinations(shapes, 2):
        if shapes[one] == shapes[other]:
            yield Variant(f"d{one} and d{other}", answer=partial(_exchanged, one=one, other=other))


def _reversed_in_time(problem: Problem, answered: Values) -> Iterator[Variant]:
    if problem.seq_len > 1:
        yield Variant("", answer=lambda values, asked: values | {"inputs": values["inputs"][::-1]}, equations=(38,))


def _differences(problem: Problem, answered: Values) -> Iterator[Variant]:
    """Differences of two losses are whole multiples of a loss's last place, which no derivative is."""
    for step in STEPS:
        for back in (step, 0.0):
            recognizes = partial(_are_differences, step=step)
            yield Variant(f"steps of {step:.0e}", answer=partial(_taken, step=step, back=back), recognizes=recognizes)


def _taken(values: Values, problem: Problem, *, step: float, back: float) -> Values:
    """Differences of the loss, by which each number is moved in its turn."""

    def loss(name: str, index: tuple[int, ...], by: float) -> float:
        moved = problem.differentiable[name].copy()
        moved[index] += by
        if name in problem.params:
            return float(run(problem.with_unchecked(params={**problem.params, name: moved})).values["loss"])
        return float(run(problem.with_unchecked(**{name: moved})).values["loss"])

    differences = {name: np.empty_like(array) for name, array in problem.differentiable.items()}
    for name, array in differences.items():
        for index in np.ndindex(array.shape):
            array[index] = (loss(name, index, step) - loss(name, index, -back)) / (step + back)
    return values | differences


def _are_differences(answered: Values, problem: Problem, *, step: float) -> bool:
    """Whether this is the smallest step of which they can be."""
    return _are_multiples(answered, problem, step) and not _are_multiples(answered, problem, step / 10)


def _are_multiples(answered: Values, problem: Problem, step: float) -> bool:
    if "loss" not in answered:
        return False
    gradients = [array.ravel() for name, array in answered.items() if name != "loss"]
    values = np.concatenate(gradients).astype("f8") if gradients else np.zeros(0)
    values = values[values != 0]
    unit = float(np.spacing(np.abs(answered["loss"]).astype(problem.dtype))) / 4
    with np.errstate(all="ignore"):
        multiples = (
            values * step / unit
        )  # quarters, since a loss may have been smaller, and a step is half a difference
        away = np.abs(multiples - np.round(multiples))
    exact = np.abs(multiples) < EXACT
    different = len(np.unique(np.round(np.abs(multiples[exact]))))
    return different >= FEW and bool((away[exact] < 0.02).all())


CHANGED_ANSWERS = (
    Mistake(
        "multiplied by T, B or K",
        "the loss is a sum, or a mean, over what the system says: look for a mean too many or too few",
        _factors,
    ),
    Mistake("sign", "the gradient points uphill: the minus of gradient descent belongs into the update", _signs),
    Mistake("clipped", "clip after the gradient was checked, not inside its function", _clipped),
    Mistake("clipped by norm", "clip after the gradient was checked, not inside its function", _norm_clipped),
    Mistake("weight decay added", "the loss has no penalty on the weights", _penalties),
    Mistake(
        "assigned in place of added up over the samples",
        "every sample has a part in a weight's gradient: += and not =",
        _last_sample_alone,
    ),
    Mistake("two gradients exchanged", "look at the names under which they are returned", _exchanges),
    Mistake(
        "in backward order of time",
        "what is collected in the backward pass comes last step first: turn it round",
        _reversed_in_time,
    ),
    Mistake(
        "finite differences in place of the derivative", "derive it: differences lose half of the digits", _differences
    ),
    Mistake("a single gradient multiplied", "look at the line that returns it, or sums it", _single_factors),
)
