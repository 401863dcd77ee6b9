"""Memory that is used again changes no answer, and no gradient that was handed out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from gradparity.backends import Chunks, Problem, Recurrent, Window
from gradparity.backends.references.manual_backend import ManualBackend, answer
from gradparity.manual import Buffers

MODELS = {
    "rnn": Recurrent("rnn", 3, 5, 4),
    "lstm": Recurrent("lstm", 3, 5, 4),
    "gru": Recurrent("gru", 3, 5, 4),
    "gru before": Recurrent("gru", 3, 5, 4, reset="before"),
    "stack": Recurrent("lstm", 3, 5, 4, num_layers=2, bidirectional=True),
    "chunks": Recurrent("gru", 3, 5, 4, truncation=Chunks(2)),
    "window": Recurrent("lstm", 3, 5, 4, truncation=Window(2)),
}
of_every_model = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)


def problems(model):
    """Of two shapes and both dtypes, with and without lengths."""
    long = Problem.from_seed(model, seq_len=6, batch_size=3, seed=0, lengths=[6, 1, 4])
    short = Problem.from_seed(model, seq_len=4, batch_size=1, seed=1)
    single = Problem.from_seed(model, seq_len=6, batch_size=3, seed=2, dtype="float32")
    return [long, short, replace(long, inputs=long.inputs[::-1].copy()), single, long]


@of_every_model
def test_an_answer_in_used_memory_is_the_same_to_the_last_bit(model):
    used = Buffers()
    for problem in problems(model):
        fresh, again = answer(problem), answer(problem, buffers=used)
        assert fresh.loss == again.loss
        for name, gradient in fresh.gradients.items():
            np.testing.assert_array_equal(again.gradients[name], gradient)
        for name, adjoint in fresh.adjoints.items():
            np.testing.assert_array_equal(again.adjoints[name], adjoint)


@of_every_model
def test_the_parameters_gradients_alone_are_the_same(model):
    for problem in problems(model):
        whole, alone = answer(problem), answer(problem, params_only=True)
        assert "inputs" not in alone.gradients
        for name in problem.params:
            np.testing.assert_array_equal(alone.gradients[name], whole.gradients[name])


@of_every_model
def test_a_second_run_leaves_the_first_ones_gradients_alone(model):
    run = ManualBackend().prepare(problems(model)[0])
    first, second = run()[1], run()[1]
    assert not any(np.shares_memory(first[name], second[name]) for name in first)


def test_memory_is_kept_for_the_same_shape_dtype_and_kind_alone():
    buffers, like = Buffers(), np.zeros(1)
    first = buffers.empty("a", (2, 3), like)
    assert buffers.empty("a", (2, 3), like) is first
    assert buffers.part("layer").empty("a", (2, 3), like) is not first
    assert buffers.empty("a", (2, 3), like.astype("float32")).dtype == "float32"
    assert buffers.empty("a", (3, 2), like).shape == (3, 2)
