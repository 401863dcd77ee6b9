"""Hypothesis strategies for models and problems, sizes of 1 included."""

from __future__ import annotations

from gradparity.backends import Problem, Recurrent
from gradparity.backends.model import ACTIVATIONS, LOSSES, REDUCTIONS
from gradparity.backends.validation import DTYPES
from hypothesis import strategies as st


@st.composite
def recurrent_models(draw: st.DrawFn, *, loss: str | None = None) -> Recurrent:
    return Recurrent(
        cell="rnn",
        input_size=draw(st.integers(1, 5)),
        hidden_size=draw(st.integers(1, 9)),
        output_size=draw(st.integers(1, 5)),
        activation=draw(st.sampled_from(ACTIVATIONS)),
        loss=loss or draw(st.sampled_from(LOSSES)),
        reduction=draw(st.sampled_from(REDUCTIONS)),
        bias=draw(st.booleans()),
    )


@st.composite
def problems(draw: st.DrawFn, *, most_steps: int = 20, loss: str | None = None, dtype: str | None = None) -> Problem:
    T, B = draw(st.integers(1, most_steps)), draw(st.integers(1, 4))
    return Problem.from_seed(
        draw(recurrent_models(loss=loss)),
        seq_len=T,
        batch_size=B,
        seed=draw(st.integers(0, 2**32)),
        dtype=dtype or draw(st.sampled_from(DTYPES)),
        lengths=draw(st.none() | st.lists(st.integers(1, T), min_size=B, max_size=B)),
        recurrent_gain=draw(st.sampled_from((0.5, 1.0, 1.5))),
    )
