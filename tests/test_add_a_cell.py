"""`docs/add-a-cell.md`, followed to the letter: what it says is all that has to be touched."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from sampling import case

pytestmark = pytest.mark.docs
ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "add-a-cell.md").read_text()
ALONE = "mgu_gradients.py"
FLOORS = ("manual", "backends", "compare")
BLOCK = re.compile(r"^```python\n# (\S+?)(?:, (before|after|instead of): (.*?))?\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """A copy of the code with the page's cell in it."""
    root = tmp_path_factory.mktemp("house") / "gradparity"
    for floor in FLOORS:
        shutil.copytree(ROOT / floor, root / floor, ignore=shutil.ignore_patterns("__pycache__"))
    first, *blocks = BLOCK.findall(PAGE)
    assert first[0] == ALONE
    assert len(blocks) == 13
    for name, how, anchor, code in blocks:
        path = root / name
        if not how:
            assert not path.exists()
            path.write_text(code)
            continue
        lines = path.read_text().splitlines(keepends=True)
        (at,) = (number for number, line in enumerate(lines) if line.strip() == anchor)
        lines[at] = {"before": code + "\n\n" + lines[at], "after": lines[at] + code, "instead of": code}[how]
        path.write_text("".join(lines))
    return root.parent


def run(house, *arguments):
    environment = {**os.environ, "PYTHONPATH": str(house)}
    return subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True)


def alone(folder, *options, change=("", "")):
    """What the command says of the derivation that needs no line in the project."""
    (code,) = (code for name, _, _, code in BLOCK.findall(PAGE) if name == ALONE)
    assert change[0] in code
    (folder / ALONE).write_text(code.replace(*change, 1) if change[0] else code)
    command = ["-m", "gradparity.compare", "check", f"{ALONE}:gradients", "--of", f"{ALONE}:forward", *options]
    return subprocess.run([sys.executable, *command], cwd=folder, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("options", "problems"),
    [
        case((), "10 problems", campaign=True, id="all numbers"),
        case(("--seed", "0", "--ordinary-only"), "1 problem", campaign=False, id="one seed"),
    ],
)
def test_a_derivation_of_the_cell_is_judged_by_a_forward_pass_alone(tmp_path, options, problems):
    done = alone(tmp_path, *options)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.rstrip().endswith(
        f"gradients is right on the loss that forward returns, {problems} (certified)."
    )


@pytest.mark.campaign
def test_a_mistake_in_that_derivation_is_found(tmp_path):
    done = alone(tmp_path, change=("dh * (1 - f) + from_product * f", "dh * (1 - f) + from_product"))
    assert done.returncode == 1, done.stdout + done.stderr
    assert "tape, torch and jax are right (certified)" in done.stdout


@pytest.mark.campaign
def test_the_cell_of_the_page_is_compared_and_agrees(house):
    done = run(house, "-m", "gradparity.compare", "compare", "mgu", "--certify", "--seed", "0")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 agree" in done.stdout
    assert "agree (certified)" in done.stdout
    assert "torch-nn: torch.nn has no layer of the cell mgu" in done.stdout


OPTIONS = """
import gradparity.manual, sys
assert gradparity.manual.__file__.startswith(sys.argv[1])
from gradparity.backends import *
from gradparity.compare import assert_agree
from gradparity.compare.mistakes import run
class Lines:
    name = "lines"
    def supports(self, model, dtype): return ""
    def evaluate(self, problem, *, trace=False):
        values = run(problem).values
        return Evaluation(float(values.pop("loss")), values, get_backend("manual").evaluate(problem).outputs)
    def prepare(self, problem): return lambda: self.evaluate(problem)
for options in (dict(num_layers=2, bidirectional=True), dict(truncation=Window(3)), dict(truncation=Chunks(3))):
    model = Recurrent("mgu", 3, 5, 4, **options)
    problem = Problem.from_seed(model, seq_len=7, batch_size=3, seed=0, dtype=sys.argv[2], lengths=[7, 1, 4])
    assert_agree(problem, ["manual", Lines()])
    others = ["torch"] if model.truncation else ["torch", "jax"]  # which compiles each model anew
    names = {block.name for block in assert_agree(problem, ["manual", *others]).blocks}
    assert "dh_t" in names or "layer1.dh_t.reverse" in names
"""


@pytest.mark.parametrize("dtype", [case("float64", campaign=False), case("float32", campaign=True)])
def test_everything_else_comes_with_it(house, dtype):
    done = run(house, "-c", OPTIONS, str(house), dtype)
    assert done.returncode == 0, done.stderr


CERTIFIED = ("--seed", "0", "--dtype", "float64", "--certify", "--backend", "manual", "--backend", "torch")


def with_a_mistake(house, tmp_path, right, wrong):
    """The comparison of the cell, once its derivation has a mistake."""
    copy = shutil.copytree(house, tmp_path / "copy")
    path = copy / "gradparity" / "manual" / "mgu.py"
    code = path.read_text()
    assert code.count(right) == 1
    path.write_text(code.replace(right, wrong))
    done = run(copy, "-m", "gradparity.compare", "compare", "mgu", *CERTIFIED)
    assert done.returncode == 1
    return done.stdout


@pytest.mark.campaign
def test_a_mistake_in_its_derivation_is_found(house, tmp_path):
    out = with_a_mistake(house, tmp_path, "dh * of_f + d_fh * of_f_through_n", "dh * of_f")
    assert re.search(r"^dU_f: manual is wrong at .*; torch is right \(certified\)", out, re.MULTILINE)


@pytest.mark.campaign
def test_a_mistake_that_any_cell_can_have_is_named_in_it(house, tmp_path):
    out = with_a_mistake(house, tmp_path, "+ da_f @ W_f", "+ da_f @ W_f\n    dh_before *= 0")
    assert "recurrent path dropped" in out
    assert "wrong: dh = dh_above\n" in out
