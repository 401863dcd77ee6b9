"""One report of each kind, as the commands write it, of programs whose names try to be more than text."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

# A program by hand with a mistake in it, whose every name is an attempt to be more than text.
HOSTILE_NAME = '"><img src=x onerror=alert(1)>.py'
HOSTILE = """
import numpy as np

KEY = "</script><script>alert(2)</script>{{7*7}}"


def arguments(rng):
    return {KEY: rng.normal(size=(3, 3)), "<b>b</b>": rng.normal(size=3)}, rng.normal(size=(4, 3))


def gradients(params, x):
    W, b = params[KEY], params["<b>b</b>"]
    h = np.zeros((len(x) + 1, 3))
    for t in range(len(x)):
        h[t + 1] = np.tanh(W @ h[t] + x[t] + b)  # <img src=x onerror=alert(3)> \\u202e
    dW, db, dh = np.zeros_like(W), np.zeros_like(b), h[-1]
    for t in reversed(range(len(x))):
        da = dh * (1 - h[t + 1])
        dW += np.outer(da, h[t])
        db += da
        dh = W.T @ da
    return 0.5 * h[-1] @ h[-1], {KEY: dW, "<b>b</b>": db}
"""
WRONG_BACKEND = """
from dataclasses import replace

from gradparity.backends import get_backend


class Wrong:
    name = "</title><svg onload=alert(4)>"

    def supports(self, model, dtype):
        return ""

    def evaluate(self, problem, *, trace=False):
        answer = get_backend("manual").evaluate(problem, trace=trace)
        gradients = dict(answer.gradients)
        gradients["W"] = gradients["W"] * 1.01
        return replace(answer, gradients=gradients)

    def prepare(self, problem):
        return get_backend("manual").prepare(problem)


backend = Wrong()
"""
TESTS = """
import pytest


@pytest.mark.gradparity("elman-softmax", "gru")
def test_layers(gradparity):
    gradparity.assert_agree("torch")


@pytest.mark.gradparity("elman-softmax", seed=0, dtype="float64")
def test_a_mistake(gradparity):
    gradparity.assert_agree("wrong_backend.py:backend")
"""
RIGHT = HOSTILE.replace("(1 - h[t + 1])", "(1 - h[t + 1] ** 2)").replace(
    "def arguments(rng)", "def arguments(rng, T=4)"
)
RIGHT = RIGHT.replace("size=(4, 3)", "size=(T, 3)") + "\n\ndef again(params, x):\n    return gradients(params, x)\n"

SMALL_BENCH = (
    "bench",
    "--quick",
    "--cell",
    "rnn",
    "--cell",
    "gru",
    "--dtype",
    "float32",
    "--size",
    "2,3,4,5",
    "--size",
    "2,9,4,5",
    "--rounds",
    "2",
    "--backend",
    "manual",
)
COMMANDS: dict[str, tuple[list[str], int]] = {
    "agree": (["compare", "elman-softmax", "lstm", "gru", "--seed", "0"], 0),
    "disagree": (
        [
            "compare",
            "elman-softmax",
            "--seed",
            "0",
            "--dtype",
            "float64",
            "--backend",
            "manual",
            "--backend",
            "wrong_backend.py:backend",
        ],
        1,
    ),
    "own-right": (["check", "right.py:gradients"], 0),
    "own-wrong": (["check", f"{HOSTILE_NAME}:gradients"], 1),
    "system-wrong": (["check", "as_elman.py:elman", "--system", "elman-softmax", "--seed", "0"], 1),
    "bench": ([*SMALL_BENCH, "--backend", "torch", "--against", "older.json"], 0),
    "functions": (["bench", "right.py:gradients", "right.py:again", "--grow", "T=4,16,64", "--rounds", "3"], 0),
    "sweep": (["sweep", "--problems", "60"], 0),
    "detect": (
        ["detect", "--quick", "--check", "gradparity", "--only", "own", "--program", "rows", "--program", "gru"],
        0,
    ),
    "flow": (["flow", "elman-softmax", "lstm", "gru", "--seq-len", "30"], 0),
}


def written(name: str, folder: Path) -> Path:
    """The report of a kind.

    Args:
        name: of `COMMANDS`, or `pytest`.
        folder: where its command runs, and the report is written.

    Returns:
        The page.
    """
    folder.mkdir(parents=True, exist_ok=True)
    texts = {HOSTILE_NAME: HOSTILE, "right.py": RIGHT, "wrong_backend.py": WRONG_BACKEND, "test_layers.py": TESTS}
    programs = (Path(__file__).with_name("programs.py")).read_text(encoding="utf-8")
    texts["as_elman.py"] = programs.replace("dh = V.T @ do + dh_next", "dh = V.T @ do")
    for file, text in texts.items():
        (folder / file).write_text(text, encoding="utf-8")
    if name == "pytest":
        run(["pytest", "-q", "-p", "no:cacheprovider", "test_layers.py", f"--gradparity-report={name}.html"], folder, 1)
    else:
        if "older.json" in COMMANDS[name][0]:
            run(["gradparity.compare", *SMALL_BENCH, "--backend", "torch", "--json", "older.json"], folder, 0)
        arguments, code = COMMANDS[name]
        run(["gradparity.compare", *arguments, "--report", f"{name}.html"], folder, code)
    return folder / f"{name}.html"


def run(command: list[str], folder: Path, code: int) -> None:
    """Runs a module, which must end as is expected."""
    done = subprocess.run([sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True)
    assert done.returncode == code, done.stdout + done.stderr
