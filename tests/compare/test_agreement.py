"""The claim of the project: three independent answers to one problem agree."""

from __future__ import annotations

import pytest
from gradparity.backends import Problem
from gradparity.backends.checks import DTYPES
from gradparity.backends.models import CELLS
from gradparity.compare import SYSTEMS, assert_agree, compare
from gradparity.compare.referee.explanation import explain
from gradparity.compare.testing.strategies import problems
from hypothesis import Phase, given, settings

NUMBERS = 4  # drawn for each model, which JAX compiles once; that takes longer than all the rest
KINDS = [
    *(({"cell": cell, "truncated": truncated}, 3) for cell in CELLS for truncated in (False, True)),
    *(({"family": family}, 6) for family in ("FeedForward", "OrderedSystem")),
]
NO_SHRINKING = [phase for phase in Phase if phase is not Phase.shrink]  # it compiles for minutes


def with_other_numbers(problem: Problem, seed: int) -> Problem:
    """The same model and sizes with other numbers; of sequences, the lengths change places."""
    sizes = {name: getattr(problem, name) for name in problem.model.LEADING}
    lengths = None if problem.lengths is None else problem.lengths[::-1]
    return Problem.from_seed(problem.model, seed=seed, dtype=problem.dtype, lengths=lengths, **sizes)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("kind", "models"), KINDS, ids=["-".join(map(str, kind.values())) for kind, _ in KINDS])
def test_the_references_agree_on_random_problems(kind, models, dtype):
    """In all 30 models in each dtype with four sets of numbers: 240 problems over options, truncations and sizes."""
    answered = []

    @settings(max_examples=models, phases=NO_SHRINKING)
    @given(problem=problems(dtype=dtype, most_steps=5, **kind))
    def agree(problem):
        others = [with_other_numbers(problem, seed) for seed in range(1, NUMBERS)]
        answered.extend(set(assert_agree(asked).answers) for asked in (problem, *others))

    agree()
    assert len(answered) >= models * NUMBERS
    assert all({"manual", "torch", "jax"} <= names for names in answered)


def test_the_hand_derivation_and_torch_agree_on_many_more_truncations():
    """Without JAX, which compiles every number of steps anew. A few problems may lose their digits by cancellation."""
    verdicts = []

    @settings(max_examples=40)
    @given(problem=problems(most_steps=6, truncated=True))
    def ask(problem):
        comparison = compare(problem, ["manual", "torch"])
        assert comparison.verdict != "disagree", explain(comparison)
        verdicts.append(comparison.verdict)

    ask()
    assert len(verdicts) >= 40
    assert verdicts.count("undecidable") <= 3


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", SYSTEMS)
def test_the_references_agree_on_the_catalogue_with_each_other_and_with_the_truth(name, dtype):
    system = SYSTEMS[name]
    comparison = assert_agree(system.problem(seed=0, dtype=dtype), training=system.training, certify=True)
    assert {"manual", "torch", "jax"} <= set(comparison.answers)
    assert comparison.strength == "certified"
    assert all(block.truth and not block.truth.wrong for block in comparison.blocks)
