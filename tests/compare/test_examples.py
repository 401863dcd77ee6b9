"""The example programs: one line of each is wrong, and the check says which."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest
from gradparity.compare import check_derivation
from gradparity.compare.check.user_function import load_function
from gradparity.compare.mistakes import MISTAKES
from sampling import case

FOLDER = Path(__file__).parents[1] / "examples"


class Example(NamedTuple):
    """A program, its system, its wrong line, and what is to be said of it."""

    file: str
    system: str
    wrong: str
    mended: str
    mistake: str
    equation: int
    wrong_gradient: str
    smallest: str


EXAMPLES = [
    Example(
        "elman_characters.py",
        "elman-softmax",
        'grad["Whh"] += da @ hs[t - 1].T',
        'grad["Whh"] += da @ (hs[t - 1] if t > 0 else h_init).T',
        "h_{−1} wraps round to the last state",
        36,
        "dW",
        "T=1 B=1 D=1 H=1 K=2",
    ),
    Example(
        "lstm_parity.py",
        "lstm",
        "df = dc * self.c[t + 1]",
        "df = dc * self.c[t]",
        "c_t for c_{t−1} in the forget gate",
        60,
        "dU",
        "T=1 B=1 D=1 H=1 K=2",
    ),
    Example(
        "gru_echo.py",
        "gru",
        'grads["Wn"] += h_prev.T @ dan',
        'grads["Wn"] += h_prev.T @ dq',
        "r forgotten behind the candidate",
        36,
        "dW",
        "T=1 B=1 D=1 H=1 K=2",
    ),
]


of_each_example = pytest.mark.parametrize("example", EXAMPLES, ids=[example.file for example in EXAMPLES])
of_one_in_every_run = pytest.mark.parametrize(
    "example", [case(example, campaign=number > 0, id=example.file) for number, example in enumerate(EXAMPLES)]
)


@of_each_example
def test_it_is_right_when_its_line_is_mended(example, tmp_path):
    text = (FOLDER / example.file).read_text()
    assert text.count(example.wrong) == 1
    path = tmp_path / example.file
    path.write_text(text.replace(example.wrong, example.mended))
    # ordinary problems: two of the programs take the logarithm of a probability, which is infinite of a confident one
    check = check_derivation(load_function(f"{path}:gradients"), example.system, seeds=[0], ordinary_only=True)
    assert check.verdict == "agree"
    assert check.diagnosis.suspects == check.diagnosis.partly == ()


@pytest.mark.campaign
@of_each_example
def test_its_mistake_is_named_with_its_equation_its_remedy_and_the_smallest_problem(example, gradparity):
    code, out, _ = gradparity("check", f"{FOLDER / example.file}:gradients", "--system", example.system)
    out = " ".join(out.split())  # lines may break anywhere
    assert code == 1
    assert example.mistake in out
    assert f"({example.equation})" in out
    (remedy,) = (mistake.remedy for mistake in MISTAKES if mistake.name == example.mistake)
    assert f"Remedy: {remedy}." in out
    assert example.smallest in out
    assert f"{example.wrong_gradient}: given " in out


@of_one_in_every_run
def test_its_mistake_is_the_first_suspect_and_explains_all_that_is_wrong(example):
    check = check_derivation(
        load_function(f"{FOLDER / example.file}:gradients"), example.system, seeds=[3], certify=False
    )
    first = check.diagnosis.suspects[0]
    assert first.mistakes == (example.mistake,)
    assert first.leaves == ()
    assert example.equation in first.equations


@of_each_example
def test_loading_it_does_not_train(example, capsys):
    load_function(f"{FOLDER / example.file}:gradients")
    assert capsys.readouterr().out == ""
    assert '\nif __name__ == "__main__":\n    main()\n' in (FOLDER / example.file).read_text()
