"""Five ways to ask whether a gradient is wrong, behind one interface: a program in, a verdict out.

Four are what people use: the checks that come with PyTorch and JAX, NumPy's comparison with another answer, and the
differences that tutorials teach. Each is used as it is documented, at its own defaults. The fifth is this project's.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import numpy as np

from ...backends import OrderedSystem, Problem, get_backend
from ...backends.frameworks.loading import require
from ..check import Derivation
from ..diagnosis import diagnose, wrong_values
from ..mistakes import Diagnosis, Values, values_of
from ..referee import Comparison, compare

STEP, LIMIT = 1e-5, 1e-4  # of the differences in tutorials
Answer = Literal["wrong", "right", "undecided", "failed"]


@dataclass(frozen=True, eq=False)
class Program:
    """A derivation as a person's program: what it answers to a problem, and its loss at other numbers.

    Attributes:
        problem: the question.
        answer: its loss and its gradients.
        loss: its loss on the problem with other parameters, states and inputs.
    """

    problem: Problem
    answer: Values
    loss: Callable[[Problem], float]

    @property
    def at(self) -> dict[str, np.ndarray]:
        """The numbers that have a gradient."""
        return _free(self.problem, self.problem.differentiable)

    @property
    def gradients(self) -> dict[str, np.ndarray]:
        """Those that it hands out, of the same shapes."""
        return _free(self.problem, self.answer)

    def loss_at(self, arrays: Mapping[str, np.ndarray]) -> float:
        """Its loss at other numbers."""
        return self.loss(moved(self.problem, arrays))


class Verdict(NamedTuple):
    """What a check says, and if it raised something, that."""

    answer: Answer
    error: str = ""


class Check(NamedTuple):
    """A check: whether it calls a program wrong, the package that it needs, and what it does in a line."""

    ask: Callable[[Program], Answer]
    needs: str
    does: str


def moved(problem: Problem, arrays: Mapping[str, np.ndarray]) -> Problem:
    """The problem with other numbers in place of those of `Program.at`."""
    given = dict(arrays)
    if isinstance(problem.model, OrderedSystem):
        A = np.zeros_like(problem.params["A"])
        A[_below(problem)] = given["A"]
        given["A"] = A
    params = {name: given.pop(name) for name in problem.params}
    return problem.with_unchecked(params=params, **given)


def _free(problem: Problem, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Of every array what can be varied: of an ordered system's A, what lies below the diagonal, in one row."""
    found = {name: arrays[name] for name in problem.differentiable}
    if isinstance(problem.model, OrderedSystem):
        found["A"] = found["A"][_below(problem)]
    return found


def _below(problem: Problem) -> tuple[np.ndarray, ...]:
    return np.tril_indices(len(problem.params["A"]), -1)


def _gradcheck(program: Program) -> Answer:
    import torch

    from ...backends.frameworks.torch_isolation import isolated
    from ...backends.references.torch_tensors import tensor

    names, gradients = list(program.at), program.gradients

    class Handed(torch.autograd.Function):
        """The derivation, as one would put it into PyTorch."""

        @staticmethod
        def forward(ctx: Any, *given: torch.Tensor) -> torch.Tensor:
            arrays = (each.detach().numpy().copy() for each in given)
            loss = program.loss_at(dict(zip(names, arrays, strict=True)))
            return torch.tensor(loss, dtype=given[0].dtype)

        @staticmethod
        def backward(ctx: Any, *from_above: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return tuple(from_above[0] * tensor(gradients[name]) for name in names)

    with isolated(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that float32 is not precise enough
        given = tuple(tensor(array, requires_grad=True) for array in program.at.values())
        is_right = torch.autograd.gradcheck(Handed.apply, given, raise_exception=False)
    return "right" if is_right else "wrong"


def _check_grads(program: Program) -> Answer:
    import jax
    from jax.test_util import check_grads

    from ...backends.frameworks.jax_isolation import isolated

    names, dtype = list(program.at), program.problem.dtype
    scalar = jax.ShapeDtypeStruct((), dtype)

    def loss(*given: Any) -> np.ndarray:
        arrays = map(np.asarray, given)
        return np.asarray(program.loss_at(dict(zip(names, arrays, strict=True))), dtype)

    with isolated(dtype):

        @jax.custom_vjp
        def handed(*given: Any) -> Any:
            return jax.pure_callback(loss, scalar, *given)

        def backward(_: None, from_above: Any) -> Any:
            return tuple(from_above * program.gradients[name] for name in names)

        handed.defvjp(lambda *given: (handed(*given), None), backward)
        try:
            check_grads(handed, tuple(map(jax.numpy.asarray, program.at.values())), order=1, modes=("rev",))
        except AssertionError:
            return "wrong"
    return "right"


@lru_cache(maxsize=4)
def torch_answer(problem: Problem) -> Values:
    """What PyTorch's autograd answers."""
    return values_of(get_backend("torch").evaluate(problem))


def _allclose(program: Program) -> Answer:
    reference = replace(program, answer=torch_answer(program.problem))
    try:
        np.testing.assert_allclose(program.answer["loss"], reference.answer["loss"])
        for name, gradient in program.gradients.items():
            np.testing.assert_allclose(gradient, reference.gradients[name])
    except AssertionError:
        return "wrong"
    return "right"


def _differences(program: Program) -> Answer:
    for name, given in program.gradients.items():
        for index in np.ndindex(given.shape):
            ahead, behind = (program.loss_at(_with_entry_moved(program, name, index, by)) for by in (STEP, -STEP))
            slope, handed = (ahead - behind) / (2 * STEP), float(given[index])
            if not abs(slope - handed) / max(1.0, abs(slope) + abs(handed)) < LIMIT:
                return "wrong"
    return "right"


def _with_entry_moved(program: Program, name: str, index: tuple[int, ...], by: float) -> dict[str, np.ndarray]:
    array = program.at[name].copy()
    array[index] += by
    return program.at | {name: array}


def _gradparity(program: Program) -> Answer:
    verdict = _compared(program).verdict_on("given")
    return {"agree": "right", "disagree": "wrong", "undecidable": "undecided"}[verdict]  # type: ignore[return-value]


@lru_cache(maxsize=1)  # for its diagnosis
def _compared(program: Program) -> Comparison:
    """With the hand derivation, without a certificate."""
    gradients = {name: program.answer[name] for name in program.problem.differentiable}
    given = Derivation(lambda *_: (program.answer["loss"], gradients), "given")
    return compare(program.problem, [given, "manual"])


def diagnosis_of(program: Program) -> Diagnosis:
    """Which mistake it is, by its answer to the one problem."""
    wrong = wrong_values([_compared(program)], "given")
    return diagnose([(program.problem, program.answer)], wrong)


CHECKS = {
    "gradcheck": Check(
        _gradcheck,
        "torch",
        "torch.autograd.gradcheck, on a torch.autograd.Function of the derivation's loss and gradients",
    ),
    "check_grads": Check(
        _check_grads, "jax", "jax.test_util.check_grads, in reverse mode, on a jax.custom_vjp of the same in x64"
    ),
    "allclose": Check(
        _allclose, "torch", "numpy.testing.assert_allclose of loss and gradients with those of PyTorch's autograd"
    ),
    "differences": Check(
        _differences,
        "",
        f"central differences with step {STEP:g}, wrong where |x − y| / max(1, |x| + |y|) reaches {LIMIT:g}",
    ),
    "gradparity": Check(_gradparity, "", "gradparity.compare with the hand derivation, without a certificate"),
}


def require_check(name: str) -> None:
    """Raises MissingFrameworkError if a check's package is not installed."""
    needs = CHECKS[name].needs
    if needs:
        require(needs, needed_by=f"check {name!r}", extra=needs)


def ask(name: str, program: Program) -> Verdict:
    """What a check says about a program; one that raises something has failed."""
    try:
        with np.errstate(all="ignore"):
            return Verdict(CHECKS[name].ask(program))
    except Exception as error:
        return Verdict("failed", f"{type(error).__name__}: {error}".splitlines()[0])
