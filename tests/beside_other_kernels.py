"""Whether another kernel of OpenBLAS is faster on this processor: `python tests/beside_other_kernels.py`.

OpenBLAS takes one for the processor that it finds, or the one that OPENBLAS_CORETYPE names. The floor and `manual` run
with each, in a process of its own, in rounds that turn round, after all answers were verified. Shown is the median of
their times by that of the kernel that OpenBLAS takes by itself; what the same kernel shows beside itself is noise.
`nox --sessions kernels` does it.
"""

from __future__ import annotations

import os
import platform
import statistics
import sys
from contextlib import ExitStack, suppress

from gradparity.compare.bench import workloads
from gradparity.compare.bench.verification import verify
from gradparity.compare.bench.worker import work
from gradparity.compare.jobs import end_process, start_process
from gradparity.compare.output import environment

CORETYPE = "OPENBLAS_CORETYPE"
KERNELS = {  # of OpenBLAS's builds for any processor
    "x86_64": ("Haswell", "Zen", "SkylakeX", "Cooperlake", "SapphireRapids"),
    "aarch64": ("ARMV8", "NEOVERSEN1", "NEOVERSEV1", "NEOVERSEN2"),
}
SIZES = ("1,25,64,100", "20,35,200,200", "64,25,512,512")
ROUNDS = 5
BACKENDS = ("floor", "manual")


def main(*sizes: str) -> None:
    """Prints for each size, cell and dtype how long each kernel takes beside the one that is in use."""
    found = environment()
    kernels = KERNELS.get(platform.machine(), ())
    if "openblas" not in found["blas"] or not kernels:
        raise SystemExit(
            f"NumPy computes with {found['blas']} on {platform.machine()}, expected OpenBLAS on a known one"
        )
    print(f"{found['processor']}: NumPy computes with {found['blas']}")
    sums: dict[str, list[float]] = {}
    for workload in workloads(["rnn", "lstm"], (), sizes or SIZES):
        for backend in BACKENDS:
            medians = timed(backend, workload, ("", *kernels))
            in_use = medians.pop("in use")
            for kernel, seconds in medians.items():
                sums.setdefault(kernel, []).append(seconds / in_use)
            shown = "  ".join(f"{kernel} {seconds / in_use:.2f}" for kernel, seconds in medians.items())
            print(f"{workload.label:36} {backend:7} {1e3 * in_use:9.3f} ms  {shown}", flush=True)
    for kernel, ratios in sums.items():
        mean = statistics.geometric_mean(ratios)
        print(f"{kernel}: {mean:.2f} times on average, {min(ratios):.2f} to {max(ratios):.2f}")
    if without := [kernel for kernel in kernels if kernel not in sums]:
        print(f"not in this OpenBLAS, or not for this processor: {', '.join(without)}")


def timed(backend: str, workload, kernels) -> dict[str, float]:
    """The median seconds by the kernel's own name; `in use` is that which OpenBLAS takes by itself."""
    with ExitStack() as stack:
        workers, starts = {}, {}
        for kernel in kernels:
            workers[kernel] = stack.enter_context(Worker(backend, workload, kernel))
            with suppress(EOFError):  # a processor without the kernel's instructions ends it
                workers[kernel].recv()
                workers[kernel].send(True)
                starts[kernel] = workers[kernel].recv()
        taken = {kernel: start.timing.products for kernel, start in starts.items()}
        running = [kernel for kernel in taken if not kernel or f"({kernel.lower()})" in taken[kernel].lower()]
        answers = {kernel or "in use": starts[kernel].answer for kernel in running if starts[kernel].answer}
        if len(answers) > 1 and (refused := verify(workload.problem(), answers)):
            raise SystemExit(f"{workload.label}: {refused}")
        seconds: dict[str, list[float]] = {kernel: [] for kernel in running}
        for number in range(ROUNDS):
            for kernel in running[:: 1 if number % 2 == 0 else -1]:
                workers[kernel].send(True)
                seconds[kernel].append(workers[kernel].recv())
        return {kernel or "in use": statistics.median(found) for kernel, found in seconds.items()}


class Worker:
    """A worker of the benchmark whose OpenBLAS is told a kernel; gives the pipe to it."""

    def __init__(self, backend: str, workload, kernel: str) -> None:
        self.arguments, self.kernel = (backend, workload, "cpu", 1), kernel

    def __enter__(self):
        if self.kernel:
            os.environ[CORETYPE] = self.kernel
        try:
            self.started = start_process(work, *self.arguments)
        finally:
            os.environ.pop(CORETYPE, None)
        return self.started[1]

    def __exit__(self, *_) -> None:
        end_process(*self.started)


if __name__ == "__main__":
    main(*sys.argv[1:])
