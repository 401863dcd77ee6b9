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
from sampling import case, chequered, examples

NUMBERS = 4  # drawn for each model, which JAX compiles once; that takes longer than all the rest
KINDS = [
    *(({"cell": cell, "truncated": truncated}, 3) for cell in CELLS for truncated in (False, True)),
    *(({"family": family}, 6) for family in ("FeedForward", "OrderedSystem")),
]
IN_BOTH_DTYPES = [  # of which the campaign alone has each in the other dtype, and each cell in the other truncation
    case(
        kind, models, dtype, campaign=(i + j) % 2 == 1 or i in (1, 2, 5), id="-".join(map(str, [*kind.values(), dtype]))
    )
    for i, (kind, models) in enumerate(KINDS)
    for j, dtype in enumerate(DTYPES)
]
NO_SHRINKING = [phase for phase in Phase if phase is not Phase.shrink]  # it compiles for minutes


def with_other_numbers(problem: Problem, seed: int) -> Problem:
    """The same model and sizes with other numbers; of sequences, the lengths change places."""
    sizes = {name: getattr(problem, name) for name in problem.model.LEADING}
    lengths = None if problem.lengths is None else problem.lengths[::-1]
    return Problem.from_seed(problem.model, seed=seed, dtype=problem.dtype, lengths=lengths, **sizes)


@pytest.mark.hypothesis
@pytest.mark.parametrize(("kind", "models", "dtype"), IN_BOTH_DTYPES)
def test_the_references_agree_on_random_problems(kind, models, dtype):
    """Over options, truncations and sizes; with four sets of numbers each."""
    answered, models = [], examples(models, least=2)

    @settings(max_examples=models, phases=NO_SHRINKING)
    @given(problem=problems(dtype=dtype, most_steps=5, **kind))
    def agree(problem):
        others = [with_other_numbers(problem, seed) for seed in range(1, NUMBERS)]
        answered.extend(set(assert_agree(asked).answers) for asked in (problem, *others))

    agree()
    assert len(answered) >= models * NUMBERS
    assert all({"manual", "torch", "jax"} <= names for names in answered)


@pytest.mark.hypothesis
def test_the_hand_derivation_and_torch_agree_on_many_more_truncations():
    """Without JAX, which compiles every number of steps anew. A few problems may lose their digits by cancellation."""
    verdicts, asked = [], examples(40)

    @settings(max_examples=asked)
    @given(problem=problems(most_steps=6, truncated=True))
    def ask(problem):
        comparison = compare(problem, ["manual", "torch"])
        assert comparison.verdict != "disagree", explain(comparison)
        verdicts.append(comparison.verdict)

    ask()
    assert len(verdicts) >= asked
    assert verdicts.count("undecidable") <= max(1, asked // 13)


@pytest.mark.parametrize(("name", "dtype"), chequered(SYSTEMS, DTYPES, every=6))
def test_the_references_agree_on_the_catalogue_with_each_other_and_with_the_truth(name, dtype):
    system = SYSTEMS[name]
    comparison = assert_agree(system.problem(seed=0, dtype=dtype), training=system.training, certify=True)
    assert {"manual", "torch", "jax"} <= set(comparison.answers)
    assert comparison.strength == "certified"
    assert all(block.truth and not block.truth.wrong for block in comparison.blocks)
