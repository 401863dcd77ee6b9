"""The claim of the project: three independent answers to one question agree."""

from __future__ import annotations

import pytest
from drawing import problems
from gradparity.backends import Problem
from gradparity.backends.checks import DTYPES
from gradparity.backends.recurrent import CELLS
from gradparity.compare import SYSTEMS, assert_agree
from hypothesis import given, settings

MODELS = {"Recurrent": 7, "FeedForward": 8, "OrderedSystem": 8}
NUMBERS = 4  # drawn for each model, which JAX compiles once; that takes longer than all the rest
KINDS = [*(("Recurrent", cell) for cell in CELLS), ("FeedForward", None), ("OrderedSystem", None)]


def with_other_numbers(problem: Problem, seed: int) -> Problem:
    """The same question of the same sizes; of sequences, the lengths change places."""
    sizes = {name: getattr(problem, name) for name in problem.model.LEADING}
    lengths = None if problem.lengths is None else problem.lengths[::-1]
    return Problem.from_seed(problem.model, seed=seed, dtype=problem.dtype, lengths=lengths, **sizes)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("family", "cell"), KINDS)
def test_the_references_agree_on_random_problems(family, cell, dtype):
    """In all 37 models in each dtype with four sets of numbers: 296 problems over options, truncations and sizes."""
    answered = []

    @settings(max_examples=MODELS[family])
    @given(problem=problems(family=family, cell=cell, dtype=dtype, most_steps=5))
    def agree(problem):
        others = [with_other_numbers(problem, seed) for seed in range(1, NUMBERS)]
        answered.extend(set(assert_agree(each).answers) for each in (problem, *others))

    agree()
    assert len(answered) >= MODELS[family] * NUMBERS
    assert all({"manual", "torch", "jax"} <= names for names in answered)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", SYSTEMS)
def test_the_references_agree_on_the_catalogue_with_each_other_and_with_the_truth(name, dtype):
    system = SYSTEMS[name]
    comparison = assert_agree(system.problem(seed=0, dtype=dtype), training=system.training, certify=True)
    assert {"manual", "torch", "jax"} <= set(comparison.answers)
    assert comparison.strength == "certified"
    assert all(block.truth and not block.truth.wrong for block in comparison.blocks)
