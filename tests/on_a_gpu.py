"""Everything about a GPU that a machine without one cannot show, in a few minutes: `python tests/on_a_gpu.py`.

It compares PyTorch's and JAX's answers on the GPU with `manual`, says what TF32 does to the gradient, in units in the
last place of its largest entry, and times cuDNN's layers beside the loop, with the memory of the device. Without a GPU
it says what is missing, and ends with 2. `nox --sessions gpu` does it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from examples.plain_jax import PLAIN
from examples.plain_torch import LAYER, LOOP
from gradparity.backends import Problem, get_backend
from gradparity.backends.interface import prepared_answer
from gradparity.compare.bench import Workload, run_bench, workloads
from gradparity.compare.bench.display import show_bench, show_measurement
from gradparity.compare.bench.verification import verify
from gradparity.compare.output import console

SIZES = ("20,35,200,200", "64,100,512,512")
BACKENDS = ("torch", "torch-nn", "jax")
ROUNDS = 3
Answer = tuple[float, dict[str, np.ndarray]]


def main() -> int:
    """Prints the report; 2 without a GPU, 1 if an answer on it is not accepted."""
    names = [name for name in BACKENDS if not missing(name)]
    if not names:
        print(f"no GPU: {'; '.join(missing(name) for name in ('torch', 'jax'))}", file=sys.stderr)
        return 2
    for name in BACKENDS:
        if name not in names:
            print(f"left out: {missing(name)}")
    failed = [line for workload in workloads(sizes=SIZES[:1]) for line in compared(workload, names, "cuda")]
    for workload in workloads(["lstm", "gru"], ["float32"], SIZES[:1]):
        print("\n".join(tf32_report(workload, "cuda")))
    if len(names) == 1:
        print(f"not timed: {names[0]} alone cannot be verified on the GPU")
        return 1 if failed else 0
    terminal = console()
    bench = run_bench(
        workloads(["lstm", "gru"], ["float32", "float64"], SIZES),
        names,
        rounds=ROUNDS,
        device="cuda",
        measured=lambda measurement: show_measurement(measurement, terminal),
    )
    show_bench(bench, terminal)
    return 1 if failed or bench.refused else 0


def missing(name: str) -> str:
    """Why a backend has no GPU here; empty if it has one."""
    if name == "jax":
        import jax

        try:
            return "" if jax.devices("cuda") else f"JAX {jax.__version__} finds no CUDA device"
        except RuntimeError:
            return f"JAX {jax.__version__} finds no CUDA device"
    import torch

    return "" if torch.cuda.is_available() else f"PyTorch {torch.__version__} finds no CUDA device"


def compared(workload: Workload, names: list[str], device: str) -> list[str]:
    """Prints whether the answers on a device are accepted beside `manual`'s; returns those that are not."""
    problem = workload.problem()
    answers = {"manual": prepared_answer(get_backend("manual").prepare(problem)())}
    for name in names:
        answers[f"{name} on {device}"] = prepared_answer(get_backend(name).prepare(problem, device=device)())
    refused = verify(problem, answers)
    lines = [f"{workload.label}: {name}: {verdict}: {reason}" for name, (verdict, reason) in refused.items()]
    print("\n".join(lines or [f"{workload.label}: {', '.join(answers)} agree"]))
    return lines


def tf32_report(workload: Workload, device: str) -> list[str]:
    """A line for each way to compute and each gradient: its error with TF32 off and on, in units in the last place."""
    problem = workload.problem()
    exact = exact_answer(workload)
    lines = [f"{workload.label}: error in units in the last place of the largest entry, TF32 off and on"]
    for name, contestant, with_tf32 in (
        ("cuDNN", LAYER, torch_tf32),
        ("torch, loop", LOOP, torch_tf32),
        ("jax", PLAIN, jax_tf32),
    ):
        if device == "cuda" and missing("jax" if contestant is PLAIN else "torch"):
            continue
        options = {} if contestant is PLAIN else {"device": device}
        errors = []
        for on in (False, True):
            with with_tf32(on):
                answer = prepared_answer(contestant.prepare(problem, **options)())
            errors.append(errors_in_ulp(answer, exact))
        for quantity in exact[1]:
            off, on_error = (error[quantity] for error in errors)
            lines.append(f"  {name:12} d{quantity:5} {off:10.1f} {on_error:12.1f}")
    return lines


def exact_answer(workload: Workload) -> Answer:
    """The answer of `manual` in float64 to the problem whose numbers are those of float32."""
    rounded = workload.problem()
    arrays = {name: array.astype("float64") for name, array in rounded.params.items()}
    states = {name: array.astype("float64") for name, array in rounded.states.items()}
    wide = Problem(rounded.model, arrays, rounded.inputs.astype("float64"), rounded.targets, **states)
    return prepared_answer(get_backend("manual").prepare(wide)())


def errors_in_ulp(answer: Answer, exact: Answer) -> dict[str, float]:
    """By parameter, how far a gradient is from the exact one: in the unit in the last place of the latter's largest.

    Example:
        >>> one = np.array([1.0, 0.5], "float32")
        >>> errors_in_ulp((0.0, {"W": one + np.float32(2**-22)}), (0.0, {"W": one.astype("float64")}))
        {'W': 2.0}
    """
    _, gradients = answer
    return {
        name: float(np.abs(gradients[name] - right).max() / np.spacing(gradients[name].dtype.type(np.abs(right).max())))
        for name, right in exact[1].items()
    }


@contextmanager
def torch_tf32(on: bool) -> Iterator[None]:
    """PyTorch's products and cuDNN's in TF32, or not; afterwards as before."""
    import torch

    settings = torch.backends.cuda.matmul, torch.backends.cudnn
    before = [setting.allow_tf32 for setting in settings]
    try:
        for setting in settings:
            setting.allow_tf32 = on
        yield
    finally:
        for setting, value in zip(settings, before, strict=True):
            setting.allow_tf32 = value


@contextmanager
def jax_tf32(on: bool) -> Iterator[None]:
    """JAX's products in TF32, or in float32."""
    import jax

    with jax.default_matmul_precision("tensorfloat32" if on else "highest"):
        yield


if __name__ == "__main__":
    sys.exit(main())
