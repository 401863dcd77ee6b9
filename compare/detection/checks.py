"""Five ways to ask whether a gradient is wrong, behind one interface: a program in, a verdict out.

Four are what people use: the checks that come with PyTorch and JAX, NumPy's comparison with another answer, and the
differences that tutorials teach, each as it is documented, at its defaults. The fifth is this project's.
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

STEP, LIMIT = 1e-5, 1e-4  # as tutorials teach: the step of the difference, the limit of the relative error
GIVEN = "given"  # the name of the program among the backends
CheckVerdict = Literal["wrong", "right", "undecided", "failed"]


@dataclass(frozen=True, eq=False)
class Program:
    """A derivation as a person's program: its answer to one problem, and its loss at other numbers.

    Attributes:
        problem: the model with its numbers.
        answer: the program's loss and gradients, by name, of the problem's shapes.
        loss: the program's loss on the problem with other parameters, states and inputs.
    """

    problem: Problem
    answer: Values
    loss: Callable[[Problem], float]

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """The numbers that have a gradient."""
        return varied(self.problem, self.problem.differentiable)

    @property
    def gradients(self) -> dict[str, np.ndarray]:
        """The program's gradients, of the shapes of `arrays`."""
        return varied(self.problem, self.answer)

    def loss_at(self, arrays: Mapping[str, np.ndarray]) -> float:
        """The program's loss at other numbers, of the shapes of `arrays`."""
        return self.loss(problem_at(self.problem, arrays))


class CheckResult(NamedTuple):
    """What a check says of a program.

    Attributes:
        verdict: `wrong`, `right`, `undecided`, or `failed` if it raised an exception.
        error: the exception, in one line.
    """

    verdict: CheckVerdict
    error: str = ""


class GradientCheck(NamedTuple):
    """A way to check a gradient.

    Attributes:
        judge: says whether a program's gradient is wrong.
        package: that it needs; empty for none.
        summary: what it does, in a line.
    """

    judge: Callable[[Program], CheckVerdict]
    package: str
    summary: str


def problem_at(problem: Problem, arrays: Mapping[str, np.ndarray]) -> Problem:
    """The problem at other numbers, of the shapes of `Program.arrays`."""
    changes = dict(arrays)
    if isinstance(problem.model, OrderedSystem):
        A = np.zeros_like(problem.params["A"])
        A[_below_diagonal(problem)] = changes["A"]
        changes["A"] = A
    params = {name: changes.pop(name) for name in problem.params}
    return problem.with_unchecked(params=params, **changes)


def varied(problem: Problem, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What can be varied of every array: of an ordered system's A the entries below the diagonal, in one row."""
    entries = {name: arrays[name] for name in problem.differentiable}
    if isinstance(problem.model, OrderedSystem):
        entries["A"] = entries["A"][_below_diagonal(problem)]
    return entries


def _below_diagonal(problem: Problem) -> tuple[np.ndarray, ...]:
    return np.tril_indices(len(problem.params["A"]), -1)


def _gradcheck(program: Program) -> CheckVerdict:
    import torch

    from ...backends.frameworks.torch_isolation import isolated
    from ...backends.references.torch_tensors import tensor

    names, gradients = list(program.arrays), program.gradients

    class DerivedLoss(torch.autograd.Function):
        """The derivation, as one would put it into PyTorch."""

        @staticmethod
        def forward(ctx: Any, *inputs: torch.Tensor) -> torch.Tensor:
            arrays = (tensor.detach().numpy().copy() for tensor in inputs)
            loss = program.loss_at(dict(zip(names, arrays, strict=True)))
            return torch.tensor(loss, dtype=inputs[0].dtype)

        @staticmethod
        def backward(ctx: Any, *upstream: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return tuple(upstream[0] * tensor(gradients[name]) for name in names)

    with isolated(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that float32 is not precise enough
        inputs = tuple(tensor(array, requires_grad=True) for array in program.arrays.values())
        is_right = torch.autograd.gradcheck(DerivedLoss.apply, inputs, raise_exception=False)
    return "right" if is_right else "wrong"


def _check_grads(program: Program) -> CheckVerdict:
    import jax
    from jax.test_util import check_grads

    from ...backends.frameworks.jax_isolation import isolated

    names, dtype = list(program.arrays), program.problem.dtype
    scalar = jax.ShapeDtypeStruct((), dtype)

    def loss(*inputs: Any) -> np.ndarray:
        arrays = map(np.asarray, inputs)
        return np.asarray(program.loss_at(dict(zip(names, arrays, strict=True))), dtype)

    with isolated(dtype):

        @jax.custom_vjp
        def derived_loss(*inputs: Any) -> Any:
            return jax.pure_callback(loss, scalar, *inputs)

        def backward(_: None, upstream: Any) -> Any:
            return tuple(upstream * program.gradients[name] for name in names)

        derived_loss.defvjp(lambda *inputs: (derived_loss(*inputs), None), backward)
        try:
            check_grads(derived_loss, tuple(map(jax.numpy.asarray, program.arrays.values())), order=1, modes=("rev",))
        except AssertionError:
            return "wrong"
    return "right"


@lru_cache(maxsize=4)
def torch_answer(problem: Problem) -> Values:
    """The loss and gradients of PyTorch's autograd."""
    return values_of(get_backend("torch").evaluate(problem))


def _allclose(program: Program) -> CheckVerdict:
    reference = replace(program, answer=torch_answer(program.problem))
    try:
        np.testing.assert_allclose(program.answer["loss"], reference.answer["loss"])
        for name, gradient in program.gradients.items():
            np.testing.assert_allclose(gradient, reference.gradients[name])
    except AssertionError:
        return "wrong"
    return "right"


def _finite_differences(program: Program) -> CheckVerdict:
    for name, gradient in program.gradients.items():
        for index in np.ndindex(gradient.shape):
            ahead, behind = (program.loss_at(_with_entry_moved(program, name, index, by)) for by in (STEP, -STEP))
            slope, derived = (ahead - behind) / (2 * STEP), float(gradient[index])
            if not abs(slope - derived) / max(1.0, abs(slope) + abs(derived)) < LIMIT:  # also where it is NaN
                return "wrong"
    return "right"


def _with_entry_moved(program: Program, name: str, index: tuple[int, ...], by: float) -> dict[str, np.ndarray]:
    array = program.arrays[name].copy()
    array[index] += by
    return program.arrays | {name: array}


def _gradparity(program: Program) -> CheckVerdict:
    verdict = _compared(program).verdict_on(GIVEN)
    return {"agree": "right", "disagree": "wrong", "undecidable": "undecided"}[verdict]  # type: ignore[return-value]


@lru_cache(maxsize=1)  # for its diagnosis
def _compared(program: Program) -> Comparison:
    """The program compared with the hand derivation, without a certificate."""
    gradients = {name: program.answer[name] for name in program.problem.differentiable}
    derivation = Derivation(lambda *_: (program.answer["loss"], gradients), GIVEN)
    return compare(program.problem, [derivation, "manual"])


def diagnosis_of(program: Program) -> Diagnosis:
    """Which mistake a wrong program makes, by its answer to its one problem."""
    wrong = wrong_values([_compared(program)], GIVEN)
    return diagnose([(program.problem, program.answer)], wrong)


CHECKS = {
    "gradcheck": GradientCheck(
        _gradcheck,
        "torch",
        "torch.autograd.gradcheck, on a torch.autograd.Function of the derivation's loss and gradients",
    ),
    "check_grads": GradientCheck(
        _check_grads, "jax", "jax.test_util.check_grads, in reverse mode, on a jax.custom_vjp of the same in x64"
    ),
    "allclose": GradientCheck(
        _allclose, "torch", "numpy.testing.assert_allclose of loss and gradients with those of PyTorch's autograd"
    ),
    "differences": GradientCheck(
        _finite_differences,
        "",
        f"central differences with step {STEP:g}, wrong where |x − y| / max(1, |x| + |y|) reaches {LIMIT:g}",
    ),
    "gradparity": GradientCheck(_gradparity, "", "gradparity.compare with the hand derivation, without a certificate"),
}


def require_check(name: str) -> None:
    """Raises MissingFrameworkError if a check's package is not installed."""
    package = CHECKS[name].package
    if package:
        require(package, needed_by=f"check {name!r}", extra=package)


def run_check(name: str, program: Program) -> CheckResult:
    """What a check says of a program; a check that raises an exception has failed."""
    try:
        with np.errstate(all="ignore"):
            return CheckResult(CHECKS[name].judge(program))
    except Exception as error:
        return CheckResult("failed", f"{type(error).__name__}: {error}".splitlines()[0])
