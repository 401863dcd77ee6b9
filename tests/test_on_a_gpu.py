"""The script for a machine with a GPU, as far as it goes without one: its measures and its report, on the processor."""

from __future__ import annotations

import types

import jax
import numpy as np
import on_a_gpu
import pytest
import torch
from gradparity.backends import get_backend
from gradparity.compare.bench import Bench, Measurement, Timing, Workload, libraries
from gradparity.compare.bench.display import show_measurement
from rich.console import Console

TINY = Workload("lstm", "float32", 2, 3, 4, 5)


@pytest.fixture(autouse=True)
def not_its_own_process(monkeypatch):
    monkeypatch.setattr(jax.config, "update", lambda *_: None)


@pytest.fixture
def without_a_gpu(monkeypatch):
    def refuse(*_):
        raise RuntimeError("Unknown backend cuda")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(jax, "devices", refuse)


@pytest.mark.usefixtures("without_a_gpu")
def test_without_a_gpu_one_line_says_what_is_missing_and_the_code_is_2(capsys):
    assert on_a_gpu.main() == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("no GPU: PyTorch")
    assert captured.err.count("\n") == 1
    assert f"JAX {jax.__version__} finds no CUDA device" in captured.err


@pytest.mark.campaign
def test_answers_on_a_device_are_compared_and_a_wrong_one_is_told(monkeypatch, capsys):
    assert on_a_gpu.compared(TINY, ["torch", "jax"], "cpu") == []
    assert "manual, torch on cpu, jax on cpu agree" in capsys.readouterr().out
    right = get_backend("torch")

    class Wrong:
        @staticmethod
        def prepare(problem, **options):
            loss, gradients = right.prepare(problem, **options)()
            return lambda: (loss, gradients | {"W": gradients["W"] * 1.01})

    monkeypatch.setattr(on_a_gpu, "get_backend", lambda name: Wrong if name == "torch" else get_backend(name))
    (line,) = on_a_gpu.compared(TINY, ["torch", "jax"], "cpu")
    assert "torch on cpu: disagrees: dW" in line


def test_the_error_is_in_units_of_the_largest_entry():
    exact = np.array([1.0, 0.25])
    answer = exact.astype("float32") + np.array([0, 2.0**-22], "float32")
    assert on_a_gpu.errors_in_ulp((0.0, {"W": answer}), (0.0, {"W": exact})) == {"W": 2.0}


def test_the_report_on_tf32_has_a_line_for_each_gradient_of_each_way():
    lines = on_a_gpu.tf32_report(TINY, "cpu")
    assert len(lines) == 1 + 3 * 5
    errors = np.array([line.split()[-2:] for line in lines[1:]], float)
    assert (errors < 50).all()  # it is rounding: TF32 would be 2¹³ times as much
    assert (errors > 0).any()


def test_rounding_factors_to_the_digits_of_tf32_shows_in_the_report(monkeypatch):
    """A stand-in for TF32: eleven significant bits of W, in the place of twenty-four."""
    exact = on_a_gpu.exact_answer(TINY)
    coarse = TINY.problem()
    params = dict(coarse.params)
    bits = params["W"].view("uint32") & np.uint32(0xFFFFE000)
    params["W"] = bits.view("float32")
    changed = type(coarse)(coarse.model, params, coarse.inputs, coarse.targets, **coarse.states)
    answer = on_a_gpu.prepared_answer(get_backend("manual").prepare(changed)())
    assert max(on_a_gpu.errors_in_ulp(answer, exact).values()) > 100


def test_tf32_is_switched_and_put_back():
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    with on_a_gpu.torch_tf32(True):
        assert torch.backends.cuda.matmul.allow_tf32
        assert torch.backends.cudnn.allow_tf32
    assert (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32) == before
    with on_a_gpu.jax_tf32(True):
        assert jax.config.jax_default_matmul_precision == "tensorfloat32"


def loss_of(module, **attributes):
    """A stand-in for a loss on a device, of a framework."""
    return type("Loss", (), {"__module__": module, **attributes})()


def test_the_memory_of_a_device_is_what_its_framework_says(monkeypatch):
    cuda = types.SimpleNamespace(max_memory_allocated=lambda: 3 * 2**20)
    monkeypatch.setitem(libraries.sys.modules, "torch", types.SimpleNamespace(cuda=cuda))
    assert libraries.peak_device_memory(loss_of("torch"), "cuda") == 3 * 2**20

    def on_jax(stats):
        device = types.SimpleNamespace(memory_stats=lambda: stats)
        return loss_of("jaxlib._jax", devices=lambda self: [device])

    assert libraries.peak_device_memory(on_jax({"peak_bytes_in_use": 5}), "cuda") == 5
    assert libraries.peak_device_memory(on_jax(None), "cuda") is None
    assert libraries.peak_device_memory(np.float64(1), "cuda") is None
    assert libraries.peak_device_memory(loss_of("torch"), "cpu") is None


def test_the_memory_of_a_device_stands_beside_that_of_the_process(capsys):
    times = {"calls": 1, "seconds": (1.0,), "memory": 2**20}
    timings = (Timing("floor", "accepted", **times), Timing("torch", "accepted", **times, device_memory=340 * 2**20))
    show_measurement(Measurement(TINY, timings), Console(width=200))
    assert "1 + 340 MiB" in capsys.readouterr().out


def test_the_library_of_a_gpu_is_named(monkeypatch):
    stand_in = types.SimpleNamespace(
        version=types.SimpleNamespace(cuda="12.8"), cuda=types.SimpleNamespace(get_device_name=lambda device: "H100")
    )
    monkeypatch.setitem(libraries.sys.modules, "torch", stand_in)
    assert libraries.products_by(loss_of("torch", device=types.SimpleNamespace(type="cuda"))) == "cuBLAS 12.8 (H100)"


@pytest.mark.campaign
def test_all_of_it_runs_where_the_processor_stands_in_for_the_gpu(monkeypatch, capsys):
    """Each step as on a GPU, in order, but for the device's name, and with one tiny size and no processes."""
    monkeypatch.setattr(on_a_gpu, "missing", lambda name: "")
    monkeypatch.setattr(on_a_gpu, "SIZES", ("2,3,4,5",))
    for step in ("compared", "tf32_report"):
        real = getattr(on_a_gpu, step)
        monkeypatch.setattr(on_a_gpu, step, lambda *arguments, real=real: real(*arguments[:-1], "cpu"))
    timed = []

    def run_bench(workloads, names, **options):
        timed.append((list(names), options["device"], options["rounds"]))
        return Bench([], {}, [], False, 1.0)

    monkeypatch.setattr(on_a_gpu, "run_bench", run_bench)
    assert on_a_gpu.main() == 0
    assert timed == [(["torch", "torch-nn", "jax"], "cuda", on_a_gpu.ROUNDS)]
    out = capsys.readouterr().out
    assert out.count(" agree\n") == 6
    assert out.count("TF32 off and on") == 2
