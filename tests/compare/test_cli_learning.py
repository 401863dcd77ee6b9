"""`gradparity compare` with learning: `--steps`, `--learning-rate`, `--batch-size` and `--until`."""

from __future__ import annotations

import json

import pytest
from gradparity.compare import SYSTEMS

WRONG_BACKEND = """
from faults import Faulty, in_gradients
import numpy as np
backend = Faulty(in_gradients("W", np.transpose))
"""
BOTH = ("--backend", "manual", "--backend", "torch", "--seed", 0, "--dtype", "float64")


def test_a_system_that_learns_is_compared_along_its_trajectory(gradparity):
    code, out, _ = gradparity("compare", "elman-sgd", "--steps", 3, *BOTH)
    assert code == 0
    assert "elman-sgd learned: in 3 steps the loss fell from " in out
    blocks = 3 * (1 + len(SYSTEMS["elman-sgd"].model.parameter_shapes))
    assert f"1 problem from seed 0, {blocks} blocks: 1 agree (" in out


def test_any_system_learns_if_a_number_of_steps_is_stated(gradparity):
    options = ("--steps", 2, "--learning-rate", 0.25, "--batch-size", 2)
    code, out, _ = gradparity("compare", "gru-bidirectional", *options, *BOTH, "--json", "-")
    assert code == 0
    (result,) = json.loads(out)["results"]
    assert result["training"] == {"learning_rate": 0.25, "steps": 2, "batch_size": 2, "until": None, "seed": 0}
    assert result["model"]["reduction"] == "mean"
    assert [block["block"] for block in result["blocks"]][:4] == ["loss_1", "loss_2", "U_1", "U_2"]
    losses = {answer["loss"] for answer in result["backends"].values()}
    assert max(losses) == pytest.approx(min(losses), rel=1e-12)  # some thousand roundings


def test_learning_alone_asks_for_the_systems_that_learn(gradparity):
    code, out, _ = gradparity("compare", "--steps", 2, *BOTH, "--json", "-")
    assert code == 0
    assert [result["system"] for result in json.loads(out)["results"]] == ["elman-sgd", "mlp-minibatch-sgd"]


def test_learning_ends_when_the_loss_has_settled(gradparity):
    _, out, _ = gradparity("compare", "elman-sgd", "--steps", 50, "--until", 0.9, *BOTH)
    assert "learned: in 2 steps" in out


def test_on_real_input_the_accuracy_is_shown(gradparity):
    options = ("--data", "digits", "--steps", 2, "--learning-rate", 0.5, "--batch-size", 16)
    code, out, _ = gradparity("compare", "lstm", *options, *BOTH)
    assert code == 0
    assert "lstm on digits learned: in 2 steps the loss fell from " in out
    assert "training accuracy" in out


def test_a_wrong_trajectory_is_reported_and_can_be_computed_again(gradparity, tmp_path):
    (tmp_path / "wrong_backend.py").write_text(WRONG_BACKEND)
    options = ("--backend", "wrong_backend:backend", "--backend", "torch", "--seed", 0, "--dtype", "float64")
    code, out, _ = gradparity("compare", "elman-softmax", "--steps", 3, *options, "--save-case", "cases")
    assert code == 1
    assert "The trajectories part at step 1, first in W_1." in out
    (again,) = (line for line in out.splitlines() if line.startswith("Try: gradparity compare --case cases/"))
    arguments = again.removeprefix("Try: gradparity ").split()
    assert arguments[-4:] == ["--steps", "3", "--learning-rate", "0.5"]
    assert gradparity(*arguments)[0] == 0
    code, out, _ = gradparity(*arguments, "--backend", "wrong_backend:backend")
    assert code == 1
    assert "The trajectories part at step 1, first in W_1." in out
