"""Slips in the backward passes of programs in many styles: which of them are found on their lines."""

from __future__ import annotations

import numpy as np
import pytest
from gradparity.compare import check_gradients
from gradparity.compare.check.loading import module_from_file
from measure import PROGRAMS, measured, told
from sampling import case

PLACED = {
    "attention": 15,
    "columns": 15,
    "deep_relu": 14,
    "einsum_sequences": 18,
    "flat_buffer": 15,
    "gru": 18,
    "layer_norm": 18,
    "lstm_four_matrices": 13,
    "lstm_one_matrix": 17,
    "model_class": 18,
    "rows": 16,
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
def test_a_slip_is_found_on_its_line(tmp_path, name):
    said = told(*EDITS[name], tmp_path)
    assert said.outcome == "placed", str(said)


def test_a_mean_over_samples_in_the_end_is_not_blamed(tmp_path):
    said = told("samples", "dstate = R.T @ dpre", "dstate = R @ dpre", tmp_path)
    assert not any("in the end" in one.says for one in said.localization.located), str(said)


def test_a_right_line_behind_a_wrong_one_is_not_blamed(tmp_path):
    said = told("flat_buffer", "dh = da @ W", "dh = da @ W.T", tmp_path)
    assert 39 not in {one.line for one in said.localization.located}, str(said)


@pytest.mark.parametrize("slip", [("R.T @ dpre", "R @ dpre"), ("1 - states[t] ** 2", "1 - states[t]")])
def test_the_steps_of_samples_of_other_lengths_are_not_mixed_up(tmp_path, monkeypatch, slip):
    mean = "return loss / n, {name: total / n for name, total in sums.items()}"
    path = tmp_path / "sums.py"
    path.write_text(PROGRAMS["samples"].read_text().replace(mean, "return loss, sums"))
    monkeypatch.setitem(PROGRAMS, "sums", path)
    (tmp_path / "edited").mkdir()
    said = told("sums", *slip, tmp_path / "edited")
    assert (said.outcome, len(said.localization.located)) == ("placed", 1), str(said)


@pytest.mark.parametrize("name", [case(name, campaign=name != "rows") for name in PROGRAMS])
def test_the_programs_are_right(name):
    module = module_from_file(PROGRAMS[name])
    arguments = module.arguments(np.random.default_rng(0))
    check = check_gradients(module.gradients, *arguments, wrt=getattr(module, "WRT", None), ordinary_only=True)
    assert check.verdict == "agree"


@pytest.mark.campaign
@pytest.mark.parametrize("name", PROGRAMS)
def test_as_many_slips_are_found_on_their_lines_as_were(name):
    said = list(measured(name))
    placed = [one for one in said if one.outcome == "placed"]
    assert len(placed) >= PLACED[name], "\n".join(map(str, said))
