"""Whose answers to a workload are accepted, and what it takes to find out."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from gradparity.backends.references.manual_backend import ManualBackend
from gradparity.compare.bench import Workload
from gradparity.compare.bench.memory import OF_VERIFYING
from gradparity.compare.bench.verification import verify
from sampling import case

TINY = Workload("lstm", "float64", 2, 3, 4, 5)


def prepared_answer(problem):
    loss, gradients = ManualBackend().prepare(problem)()
    return float(loss), {name: array.copy() for name, array in gradients.items()}


def test_those_who_agree_are_accepted_and_a_wrong_one_is_not():
    problem = TINY.problem()
    right, wrong = prepared_answer(problem), prepared_answer(problem)
    wrong[1]["U"][0, 0] *= 1 + 1e-6
    assert verify(problem, {"one": right, "other": right}) == {}
    refused = verify(problem, {"one": right, "other": right, "third": wrong})
    assert list(refused) == ["third"]
    assert refused["third"][0] == "disagrees"
    assert refused["third"][1].startswith("dU_i differs, by up to ")


def test_the_hand_derivation_has_no_part_in_what_is_accepted(monkeypatch):
    problem = TINY.problem()
    right = prepared_answer(problem)
    answers = {
        "one": right,
        "other": right,
        "third": (right[0], {name: 1.001 * array for name, array in right[1].items()}),
    }
    before = verify(problem, answers)
    for module in ("manual.network", "manual.through_time", "manual.layer"):
        monkeypatch.setattr(f"gradparity.{module}.np", None, raising=False)  # whoever asks it fails
    with pytest.raises(AttributeError):
        prepared_answer(problem)
    assert verify(problem, answers) == before
    assert list(before) == ["third"]


def test_of_two_who_differ_neither_is_accepted():
    problem = TINY.problem()
    right, wrong = prepared_answer(problem), prepared_answer(problem)
    wrong[1]["U"][0, 0] *= 1 + 1e-6
    assert set(verify(problem, {"one": right, "other": wrong})) == {"one", "other"}
    assert len(verify(problem, {"a": right, "b": right, "c": wrong, "d": wrong})) == 4


@pytest.mark.parametrize(
    "change", [lambda g: g.pop("V"), lambda g: g.update(V=g["V"] * np.nan), lambda g: g.update(V=g["V"].T)]
)
def test_what_is_missing_not_finite_or_misshapen_is_not_accepted(change):
    problem = TINY.problem()
    right, changed = prepared_answer(problem), prepared_answer(problem)
    change(changed[1])
    assert list(verify(problem, {"one": right, "other": right, "third": changed})) == ["third"]


def test_where_rounding_can_change_everything_no_answer_is_accepted():
    chaotic = TINY.problem()
    params = {name: array * (40 if name in "UWV" else 1) for name, array in chaotic.params.items()}
    chaotic = replace(chaotic, params={**params, "V": np.full_like(params["V"], 1e307)})
    right = prepared_answer(chaotic)
    assert {verdict for verdict, _ in verify(chaotic, {"one": right, "other": right}).values()} <= {
        "undecidable",
        "disagrees",
    }
    assert set(verify(chaotic, {"one": right, "other": right})) == {"one", "other"}


@pytest.mark.parametrize(
    "cell", [case("rnn", campaign=False), *(case(cell, campaign=True) for cell in ("lstm", "gru"))]
)
def test_verifying_takes_no_more_than_was_estimated(cell):
    layer = Workload(cell, "float64", 16, 20, 64, 128)
    problem = layer.problem()
    answers = dict.fromkeys(("one", "other"), prepared_answer(problem))
    tracemalloc.start()
    try:
        assert verify(problem, answers) == {}
        assert 1 / 4 < tracemalloc.get_traced_memory()[1] / layer.layer_bytes / OF_VERIFYING < 1
    finally:
        tracemalloc.stop()
