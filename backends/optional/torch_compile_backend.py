"""PyTorch's compiler: one time step of the cell, compiled for its shape, and called in a loop under autograd.

Loop, read-out, losses and cells are those of the backend `torch`: it is one framework, asked for its own speed, and
no independent answer. A compiled loop would be compiled anew for every T, for longer than anything is computed.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection
from functools import lru_cache, partial
from types import FunctionType

import torch
from torch import Tensor
from torch._dynamo.exc import BackendCompilerFailed

from ..errors import UnsupportedProblemError, first_line
from ..frameworks.torch_isolation import isolated
from ..interface import Evaluation
from ..models import Model, Recurrent
from ..problems import Problem
from ..references.devices import DEVICES
from ..references.torch_recurrent import CELL_FUNCTIONS, CellFunction, State, forward
from ..references.torch_tensors import (
    Batch,
    Tensors,
    batch_of,
    descend,
    gradient,
    require_torch_device,
    synchronized,
    tensor,
    with_gradients,
    within_lengths,
)


class TorchCompileBackend:
    """`torch.compile` of one time step. It has no adjoints."""

    name = "torch-compile"
    devices = DEVICES
    descend = staticmethod(descend)

    def supports(self, model: Model, dtype: str) -> str:
        if not isinstance(model, Recurrent):
            return "torch-compile compiles the time step of a recurrent network only"
        if model.truncation is not None:
            return "torch-compile has no truncation: its step always passes the gradient on"
        if model.concatenated:
            return "torch-compile has U and W as two matrices, not concatenated"
        if model.differentiation == "forward":
            return "torch-compile differentiates in reverse mode only"
        return ""

    def evaluate(self, problem: Problem, *, trace: bool = False) -> Evaluation:
        with isolated():
            loss_and_outputs, leaves, batch = _converted(problem, "cpu", problem.differentiable)
            loss, outputs = loss_and_outputs()
            loss.backward()
            return Evaluation(
                loss=loss.item(),
                gradients={name: gradient(leaf) for name, leaf in leaves.items()},
                outputs=within_lengths(outputs, batch).detach().numpy(),
            )

    def prepare(self, problem: Problem, *, device: str = "cpu") -> Callable[[], tuple[Tensor, Tensors]]:
        require_torch_device(self.name, device)
        with isolated(device):
            differentiated = (*problem.params, *problem.states)
            loss_and_outputs, leaves, _ = _converted(problem, device, differentiated)
        leaves = {name: leaves[name] for name in differentiated}

        def compute() -> tuple[Tensor, Tensors]:
            loss, gradients = with_gradients(loss_and_outputs()[0], leaves)
            return loss, {name: gradients[name] for name in problem.params}

        return synchronized(compute, device)


IN_A_STEP = ("W", "b_hn")  # the parameters that it uses; it is compiled for the shapes of all that it is given


def _converted(
    problem: Problem, device: str, differentiated: Collection[str]
) -> tuple[Callable[[], tuple[Tensor, Tensor]], Tensors, Batch]:
    """The forward pass with a compiled cell, and the tensors on which it runs.

    The states always have to be differentiated: a first step without a gradient of its state would be compiled on its
    own.
    """
    model = problem.model
    assert isinstance(model, Recurrent)
    batch = batch_of(problem, device)
    leaves = {
        name: tensor(array, requires_grad=name in differentiated, device=device)
        for name, array in problem.differentiable.items()
    }
    smallest = Recurrent(
        model.cell, 1, model.hidden_size, 1, activation=model.activation, reset=model.reset, bias=model.bias
    )
    cell = _compiled_step(smallest, problem.batch_size, leaves["V"].dtype, device, torch.get_num_threads())
    return lambda: forward(model, leaves, batch, cell=cell), leaves, batch


@lru_cache(maxsize=64)
def _compiled_step(model: Recurrent, B: int, dtype: torch.dtype, device: str, threads: int) -> CellFunction:
    """The cell, compiled forward and backward for one shape, and for the number of threads that PyTorch has now.

    Args:
        model: the smallest that has the cell; other sizes, options and losses do not matter to a step.
        B: the batch size.
        dtype: of all tensors.
        device: where they are.
        threads: only tells one compiled form from another: the compiler reads PyTorch's own number.

    Raises:
        UnsupportedProblemError: there is nothing to compile with, such as no C++ compiler.
    """

    def step(p: Tensors, from_x: Tensor, state: State) -> State:
        return CELL_FUNCTIONS[model.cell](model, p)(from_x, state)

    # PyTorch keeps the compiled forms with the function's code, and at most eight: so each has a copy of its own.
    own_step = FunctionType(step.__code__.replace(), step.__globals__, closure=step.__closure__)
    compiled = torch.compile(own_step, fullgraph=True, dynamic=False)

    def zeros(*shape: int) -> Tensor:
        return torch.zeros(shape, dtype=dtype, device=device, requires_grad=True)

    p = {name: zeros(*shape) for name, shape in model.parameter_shapes.items() if name in IN_A_STEP}
    with warnings.catch_warnings():  # the compiler's own, which a host may have made errors
        warnings.simplefilter("ignore")
        try:
            state = compiled(
                p, zeros(B, model.linear_size), tuple(zeros(B, model.hidden_size) for _ in model.state_names)
            )
            torch.stack(state).sum().backward()
        except BackendCompilerFailed as error:
            raise UnsupportedProblemError(f"torch.compile cannot compile here: {first_line(error)}") from error
    return lambda _, p: partial(compiled, {name: p[name] for name in IN_A_STEP if name in p})
