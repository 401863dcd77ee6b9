"""The certificate: a truth that is independent of all candidates."""

from __future__ import annotations

import importlib.machinery
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from extended import extended_answer
from faults import Faulty, in_gradients, move_one_entry
from flint import ctx
from gradparity.backends import Evaluation, Problem, Recurrent
from gradparity.backends.frameworks import loading as frameworks
from gradparity.backends.references import jax_compilation, jax_recurrent, torch_recurrent
from gradparity.compare import DisagreementError, assert_agree, cli, compare
from gradparity.compare.answers.blocks import quantities
from gradparity.compare.answers.training import Training
from gradparity.compare.certificate import enclosure as certificate
from gradparity.compare.certificate.enclosure import UncertifiableError, _enclose, certify
from gradparity.compare.referee.explanation import explain
from gradparity.compare.systems.catalogue import SYSTEMS
from gradparity.compare.testing.strategies import problems
from gradparity.manual import network
from hypothesis import given, settings
from sampling import examples

SMALL = Problem.from_seed(Recurrent("rnn", 3, 5, 4), seq_len=7, batch_size=2, seed=0)


@settings(max_examples=examples(60))
@given(problem=problems(most_steps=8))
def test_the_enclosure_contains_what_extended_precision_finds(problem):
    """At 40 bits: its radii are then far larger than the rounding of extended precision, with its 64."""
    extended = extended_answer(problem)
    right = quantities(Evaluation(extended.loss, extended.gradients, extended.outputs, extended.adjoints), problem)
    with ctx.workprec(40):
        enclosed = _enclose(problem, lambda part: None)
    for name, quantity in right.items():
        for label, values, block in zip(quantity.labels, quantity.blocks, enclosed[name].blocks, strict=True):
            slack = 1e-18 * float(np.abs(values).max())  # extended precision's own rounding, at the ball's edge
            for value, ball in zip(values.ravel(), block, strict=True):
                gap = abs(float(value - np.longdouble(float(ball.mid()))))
                assert gap <= float(ball.rad()) + 2.0**-52 * abs(float(value)) + slack, (label, value, ball)


def test_when_two_disagree_it_is_told_who_is_wrong():
    with pytest.raises(DisagreementError, match=r"dW: mine is wrong .* manual is right \(certified\)") as error:
        assert_agree(SMALL, ["manual", Faulty(in_gradients("W", np.transpose))], certify=True)
    assert "Likely cause: transposed" in str(error.value)


def test_one_entry_moved_by_1e_12_is_certified_to_be_wrong():
    comparison = compare(SMALL, [Faulty(move_one_entry("U", 1e-12)), "torch"], certify=True)
    assert {(block.label, block.outliers) for block in comparison.blocks if block.verdict == "disagree"} == {
        ("dU", ("mine",))
    }


def test_a_backend_alone_can_be_certified():
    assert compare(SMALL, ["manual"], certify=True).strength == "certified"
    assert assert_agree(SMALL, ["manual"], certify=True).strength == "certified"


@pytest.fixture
def a_common_bug(monkeypatch):
    """The square without its half, as document 004 does not mean it, in the forward pass of all three references."""

    def by_hand(o, y):
        error = o - y
        return (error * error).sum(axis=-1), 2 * error

    monkeypatch.setitem(network.LOSSES, "squared_error", by_hand)
    monkeypatch.setattr(torch_recurrent, "reduced_loss", lambda loss, o, y, reduction: (o - y).square().sum())
    monkeypatch.setattr(jax_recurrent, "unreduced_loss", lambda loss, o, y: ((o - y) ** 2).sum(axis=-1))
    jax_compilation.value_and_grad.cache_clear()
    yield
    jax_compilation.value_and_grad.cache_clear()


@pytest.mark.usefixtures("a_common_bug")
def test_a_bug_that_all_references_share_is_caught():
    problem = SYSTEMS["elman-squared-error"].problem(seed=0)
    assert compare(problem, ["manual", "torch", "jax"]).verdict == "agree"
    with pytest.raises(DisagreementError, match="All of them are wrong: what they agree on is not the truth") as error:
        assert_agree(problem, ["manual", "torch", "jax"], certify=True)
    assert "loss: manual, torch and jax are wrong" in str(error.value)


def chaotic(hidden_size, gain, seq_len):
    model = Recurrent("rnn", 3, hidden_size, 4)
    return Problem.from_seed(model, seq_len=seq_len, batch_size=1, seed=0, dtype="float32", recurrent_gain=gain)


def test_chaos_becomes_decided_and_precision_rises_as_far_as_it_needs():
    problem = chaotic(16, 2.0, 60)
    assert compare(problem, ["manual", "torch"]).verdict == "undecidable"
    comparison = compare(problem, ["manual", "torch"], certify=True)
    assert (comparison.verdict, comparison.strength) == ("agree", "within 1 %")
    assert comparison.bits > certify(SMALL).bits


def test_what_rounding_has_spoilt_is_called_so_and_not_a_mistake():
    comparison = compare(chaotic(32, 3.0, 80), ["manual", "torch"], certify=True)
    assert comparison.verdict == "undecidable"
    report = explain(comparison)
    assert re.search(r"manual and torch are off by .* \(certified\), in \d+ of \d+ blocks", report)
    assert "It may be no error: rounding alone moves it by" in report
    assert not any(block.truth.wrong for block in comparison.blocks)


def test_a_problem_that_would_take_too_long_is_refused_with_an_estimate():
    problem = Problem.from_seed(Recurrent("lstm", 64, 512, 10), seq_len=100, batch_size=32, seed=0, dtype="float32")
    with pytest.raises(
        UncertifiableError, match=r"too large to certify: about \d+ minutes at 128 bits, expected at most 5"
    ):
        certify(problem)


def test_progress_rises_within_an_enclosure_and_never_falls():
    """At the first precision and at the next, forward and backward, in single steps and along a trajectory."""
    parts = []
    certify(chaotic(16, 2.0, 60), progress=parts.append)
    assert len(parts) > 100
    assert parts == sorted(parts)
    assert 0 < parts[0] < 0.05
    assert 0.9 < parts[-1] < 1  # it took a second precision

    along = []
    certify(SMALL, Training(0.1, 3), along.append)
    assert along == sorted(along)
    assert len(set(along)) > 2


def test_the_precision_of_the_host_is_left_alone():
    before = ctx.prec
    certify(replace(SMALL))
    assert ctx.prec == before


def run(*arguments):
    with pytest.raises(SystemExit) as exit_:
        cli.main(arguments)
    return exit_.value.code or 0


def test_the_command_line_shows_true_errors(capsys):
    assert run("compare", "gru", "--certify", "--seed", "0", "--dtype", "float64", "--json", "-") == 0
    out, err = capsys.readouterr()
    assert "agree (certified)" in err
    (result,) = json.loads(out)["results"]
    assert result["strength"] == "certified"
    assert result["certificate_bits"] == 128
    assert all(0 < backend["error_ulp"] < 100 for backend in result["backends"].values())
    assert all(block["wrong"] == [] for block in result["blocks"])


def test_a_case_that_is_too_large_is_compared_without_and_said_so(capsys, monkeypatch):
    monkeypatch.setattr(certificate, "MAX_SECONDS", 1e-3)
    assert run("compare", "lstm", "--certify", "--seed", "0", "--dtype", "float64") == 0
    out = capsys.readouterr().out
    assert "agree (rounding)" in out
    assert "note: lstm: too large to certify: about" in out


def test_without_python_flint_the_extra_is_named(capsys, monkeypatch):
    def find_spec(name, *rest):
        return None if name == "flint" else importlib.machinery.ModuleSpec(name, None)

    frameworks.require.cache_clear()
    monkeypatch.setattr(frameworks.importlib.util, "find_spec", find_spec)
    assert run("compare", "--certify") == 2
    frameworks.require.cache_clear()
    expected = 'gradparity: --certify needs python-flint, which is not installed: pip install "gradparity[certify]"\n'
    assert capsys.readouterr().err == expected
