"""How long a verdict on a derivation takes beside what is called instead: `python tests/time_to_verdict.py`.

A gradient by hand in NumPy, of a recurrent layer with a read-out in float64, is judged by gradparity and, as a
`torch.autograd.Function` or a `jax.custom_vjp`, by PyTorch's `gradcheck` and JAX's `check_grads`. All run in this
process with one thread, in rounds, after each was called on a small problem; what is printed is the medians of their
time on the clock, in seconds, with a ✗ where the derivation, which is right, is called wrong. What would take more than
a minute is not called, and a time with ≈ is reckoned: `gradcheck` varies every entry of the parameters, and so needs
two forward passes for each; a certificate takes as long for each product as one of a smaller problem did.
Last comes what pytest's plugin adds to an empty run. `nox --sessions verdicts` runs this.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from gradparity.backends import Problem
from gradparity.compare import assert_agree, check_derivation
from gradparity.compare.bench import workloads
from gradparity.compare.certificate.enclosure import number_of_products
from gradparity.manual import Buffers, loss_and_gradients, losses, readout, stack
from threadpoolctl import threadpool_limits

SIZES = ("2,5,3,4", "1,25,64,100", "20,30,100,100", "20,35,200,200", "32,100,64,128")
LONGEST = 60.0  # seconds of a contestant that is called
ROUNDS = 3
STARTS = 15  # of pytest

Verdict = Callable[[], bool]  # whether it is called right


class Derivation:
    """A gradient by hand, as it is handed in: its forward pass alone, and the loss with all gradients."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.cell = problem.model.cell
        self.names = list(problem.params)
        self.arrays = tuple(problem.params.values())

    def gradients(self, params, inputs, targets, *states):
        found = loss_and_gradients(params, inputs, targets, *states, cell=self.cell, params_only=True)
        return found.loss, {name: found.gradients[name] for name in params}

    def loss(self, *arrays: np.ndarray) -> np.ndarray:
        params, problem = dict(zip(self.names, arrays, strict=True)), self.problem
        everywhere = np.ones(problem.inputs.shape[:2], dtype=bool)
        states = tuple(problem.states.values())
        h, _ = stack.forward(
            params, problem.inputs, states, everywhere, Buffers(), cell=self.cell, num_layers=1, bidirectional=False
        )
        step_loss, _ = losses.LOSSES["softmax_cross_entropy"](
            readout.forward(params["V"], params["c"], h), problem.targets
        )
        return step_loss.sum()

    def gradients_at(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        problem = self.problem
        params = dict(zip(self.names, arrays, strict=True))
        return tuple(self.gradients(params, problem.inputs, problem.targets, *problem.states.values())[1].values())


def with_gradcheck(derivation: Derivation, *, fast: bool) -> Verdict:
    """PyTorch's check of the derivation as a function of PyTorch."""
    import torch

    class Derived(torch.autograd.Function):
        @staticmethod
        def forward(ctx, *inputs):
            ctx.save_for_backward(*inputs)
            return torch.tensor(derivation.loss(*(tensor.numpy() for tensor in inputs)))

        @staticmethod
        def backward(ctx, upstream):
            arrays = (tensor.numpy() for tensor in ctx.saved_tensors)
            return tuple(upstream * torch.from_numpy(array) for array in derivation.gradients_at(*arrays))

    inputs = tuple(torch.from_numpy(array.copy()).requires_grad_() for array in derivation.arrays)
    return lambda: torch.autograd.gradcheck(Derived.apply, inputs, fast_mode=fast, raise_exception=False)


def with_check_grads(derivation: Derivation) -> Verdict:
    """JAX's check of the derivation as a function of JAX."""
    import jax
    from jax.test_util import check_grads

    scalar = jax.ShapeDtypeStruct((), "float64")
    shapes = tuple(jax.ShapeDtypeStruct(array.shape, "float64") for array in derivation.arrays)

    @jax.custom_vjp
    def derived(*arrays):
        return jax.pure_callback(lambda *values: derivation.loss(*map(np.asarray, values)), scalar, *arrays)

    def forward(*arrays):
        return derived(*arrays), arrays

    def backward(arrays, upstream):
        gradients = jax.pure_callback(
            lambda *values: derivation.gradients_at(*map(np.asarray, values)), shapes, *arrays
        )
        return tuple(upstream * gradient for gradient in gradients)

    derived.defvjp(forward, backward)
    arrays = tuple(map(jax.numpy.asarray, derivation.arrays))

    def judge() -> bool:
        try:
            check_grads(derived, arrays, order=1, modes=("rev",))
        except AssertionError:
            return False
        return True

    return judge


def contestants(problem: Problem) -> dict[str, Verdict]:
    """What is called, by its name in the table."""
    derivation = Derivation(problem)

    def check(certify: bool) -> bool:
        found = check_derivation(derivation.gradients, cases=[problem], certify=certify, name="mine")
        return found.verdict == "agree"

    def agree(certify: bool) -> bool:
        return assert_agree(problem, ["manual", "torch"], certify=certify).verdict == "agree"

    return {
        "gradcheck": with_gradcheck(derivation, fast=False),
        "fast gradcheck": with_gradcheck(derivation, fast=True),
        "check_grads": with_check_grads(derivation),
        "check": lambda: check(False),
        "assert_agree": lambda: agree(False),
        "check certified": lambda: check(True),
        "assert_agree certified": lambda: agree(True),
    }


def slow_seconds(problem: Problem) -> float:
    """What `gradcheck` takes at least: two forward passes for each entry, at the time of one that is measured."""
    derivation = Derivation(problem)
    derivation.loss(*derivation.arrays)
    taken = []
    for _ in range(5):
        started = time.perf_counter()
        derivation.loss(*derivation.arrays)
        taken.append(time.perf_counter() - started)
    return 2 * sum(array.size for array in derivation.arrays) * statistics.median(taken)


def children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def plugin_seconds() -> tuple[float, float]:
    """The processor's time of an empty run of pytest without the plugin, and with it."""
    plugins = [(), ("-p", "gradparity.compare.testing.pytest_plugin")]
    taken: list[list[float]] = [[], []]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "test_nothing.py").write_text("def test_nothing(): pass\n")
        for number in range(2 * STARTS):
            command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *plugins[number % 2]]
            environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
            before = children_seconds()
            subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, check=True)
            taken[number % 2].append(children_seconds() - before)
    return statistics.median(taken[0]), statistics.median(taken[1])


def main(*sizes: str) -> None:
    """Prints the table: a line for each cell and size."""
    import jax
    import torch

    threadpool_limits(1)
    torch.set_num_threads(1)
    jax.config.update("jax_enable_x64", True)
    jax.config.update(
        "jax_cpu_enable_async_dispatch", False
    )  # a callback that waits for its arguments would wait for itself
    for workload in workloads(dtypes=["float64"], sizes=["2,3,2,3"]):
        for run in contestants(workload.problem()).values():
            run()
    print(f"{'seconds':34}" + "".join(f"{name:>24}" for name in contestants(workload.problem())))
    seconds_of_product: dict[str, float] = {}
    for workload in workloads(dtypes=["float64"], sizes=sizes or SIZES):
        called = contestants(workload.problem())
        products = number_of_products(workload.problem())
        predicted = {"gradcheck": slow_seconds(workload.problem())}
        predicted |= {name: of_product * products for name, of_product in seconds_of_product.items()}
        shown = {name: f"≈ {seconds:.2g}" for name, seconds in predicted.items() if seconds > LONGEST}
        rounds: dict[str, list[float]] = {name: [] for name in called if name not in shown}
        right: dict[str, bool] = {}
        for number in range(ROUNDS):
            for name in list(rounds)[:: 1 if number % 2 == 0 else -1]:
                if sum(rounds[name]) < LONGEST / ROUNDS:
                    started = time.perf_counter()
                    right[name] = called[name]()
                    rounds[name].append(time.perf_counter() - started)
        for name, taken in rounds.items():
            shown[name] = f"{statistics.median(taken):.3g}{'' if right[name] else ' ✗'}"
            if name.endswith("certified"):
                seconds_of_product[name] = statistics.median(taken) / products
        print(f"{workload.label:34}" + "".join(f"{shown[name]:>24}" for name in called), flush=True)
    without, with_plugin = plugin_seconds()
    added = with_plugin - without
    print(f"an empty run of pytest: {1e3 * without:.0f} ms, and {1e3 * added:.1f} ms more with the plugin")


if __name__ == "__main__":
    main(*sys.argv[1:])
