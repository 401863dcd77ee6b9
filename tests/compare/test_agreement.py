"""The claim of the project: three independent answers to one question agree."""

from __future__ import annotations

import pytest
from drawing import problems
from gradparity.backends.model import LOSSES
from gradparity.backends.validation import DTYPES
from gradparity.compare import SYSTEMS, assert_agree
from hypothesis import given, settings


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("loss", LOSSES)
def test_the_references_agree_on_random_problems(loss, dtype):
    """Six parts of 50: 300 problems over activation, read-out, reduction, bias, lengths, sizes and both dtypes."""
    answered = []

    @settings(max_examples=50)
    @given(problem=problems(loss=loss, dtype=dtype))
    def agree(problem):
        comparison = assert_agree(problem)
        answered.append(set(comparison.answers))

    agree()
    assert len(answered) >= 50
    assert all({"manual", "torch", "jax"} <= names for names in answered)
    assert any("torch-nn" in names for names in answered)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", SYSTEMS)
def test_the_references_agree_on_the_catalogue(name, dtype):
    comparison = assert_agree(SYSTEMS[name].problem(seed=0, dtype=dtype))
    assert comparison.strength == "rounding"
    assert {block.name for block in comparison.blocks} >= {"loss", "outputs", "dU", "dh0", "dinputs", "do", "dh", "da"}
