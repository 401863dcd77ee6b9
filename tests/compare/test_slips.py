"""Slips in the backward passes of programs in many styles: which of them are found on their lines."""

from __future__ import annotations

import numpy as np
import pytest
from gradparity.compare import check_gradients
from gradparity.compare.check.loading import module_from_file
from gradparity.compare.detection.own import PROGRAMS, ask, edited, own_cases
from sampling import case

PLACED = {
    "attention": 15,
    "columns": 16,
    "deep_relu": 14,
    "einsum_sequences": 18,
    "flat_buffer": 15,
    "gru": 19,
    "layer_norm": 18,
    "lstm_four_matrices": 14,
    "lstm_one_matrix": 18,
    "model_class": 18,
    "rows": 17,
    "samples": 0,  # its gradients, and its loss, are divided by the number of samples in the end
}
EDITS = {
    "a part of a flat buffer": ("flat_buffer", "da = dh * h[t + 1] * (1 - h[t + 1])", "da = dh * (1 - h[t + 1])"),
    "a gate in a stacked array": ("lstm_one_matrix", "dc * g * i * (1 - i)", "dc * g * i * (1 + i)"),
    "one number of an array": ("columns", "dy[targets[t]] -= 1", "dy[targets[t]] -= 0.5"),
    "arrays for each layer": ("deep_relu", "acts[layer].T @ delta + decay", "acts[layer].T @ delta - decay"),
    "a sum that is subtracted": ("rows", "dc += dout.sum(axis=0)", "dc -= dout.sum(axis=0)"),
    "a term of what is carried on": ("columns", "np.dot(Why.T, dy) + dhnext", "np.dot(Why.T, dy)"),
}


@pytest.mark.parametrize("name", EDITS)
def test_a_slip_is_found_on_its_line(name):
    result = ask(edited(*EDITS[name]))
    assert (result.outcome, result.contradicted) in [("named", ()), ("among several", ())], str(result)


def test_a_mean_over_samples_in_the_end_is_not_blamed():
    result = ask(edited("samples", "dstate = R.T @ dpre", "dstate = R @ dpre"))
    assert not any("in the end" in one.says for one in result.localization.located), str(result)


def test_a_right_line_behind_a_wrong_one_is_not_blamed():
    result = ask(edited("flat_buffer", "dh = da @ W", "dh = da @ W.T"))
    assert 39 not in {one.line for one in result.localization.located}, str(result)


@pytest.mark.parametrize("slip", [("R.T @ dpre", "R @ dpre"), ("1 - states[t] ** 2", "1 - states[t]")])
def test_the_steps_of_samples_of_other_lengths_are_not_mixed_up(tmp_path, monkeypatch, slip):
    mean = "return loss / n, {name: total / n for name, total in sums.items()}"
    path = tmp_path / "sums.py"
    path.write_text(PROGRAMS["samples"].read_text().replace(mean, "return loss, sums"))
    monkeypatch.setitem(PROGRAMS, "sums", path)
    assert ask(edited("sums", *slip)).outcome == "named"


@pytest.mark.parametrize("name", [case(name, campaign=name != "rows") for name in PROGRAMS])
def test_the_programs_are_right(name, tmp_path):
    path = tmp_path / f"{name}.py"
    path.write_text(PROGRAMS[name].read_text())
    module = module_from_file(path)
    arguments = module.arguments(np.random.default_rng(0))
    check = check_gradients(module.gradients, *arguments, wrt=getattr(module, "WRT", None), ordinary_only=True)
    assert check.verdict == "agree"


@pytest.mark.campaign
@pytest.mark.parametrize("name", PROGRAMS)
def test_as_many_slips_are_found_on_their_lines_as_were_and_nothing_untrue_is_said(name):
    results = [ask(one) for one in own_cases(20, [name])]
    assert [one for one in results if one.is_fault] == []
    placed = [one for one in results if one.is_placed]
    assert len(placed) >= PLACED[name], "\n".join(map(str, results))
