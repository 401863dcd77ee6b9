"""Hypothesis strategies for the models of all families, and for problems with them; sizes of 1 included."""

from __future__ import annotations

from typing import Any

from gradparity.backends import FeedForward, Model, OrderedSystem, Problem, Recurrent
from gradparity.backends.checks import DTYPES
from gradparity.backends.model import FAMILIES
from gradparity.backends.recurrent import ACTIVATIONS, CELLS, DIFFERENTIATIONS, LOSS_AT, LOSSES, REDUCTIONS, RESETS
from gradparity.backends.truncation import TRUNCATIONS, Truncation
from hypothesis import strategies as st

KINDS = ("single", "stacked", "truncated")
SHAPES = ((2, False), (1, True), (2, True))  # the number of layers of a stack, and whether it is bidirectional
SEVENTHS = st.integers(-14, 14).map(lambda n: n / 7)  # zeros, integers, and numbers that round


@st.composite
def truncations(draw: st.DrawFn, *, most_steps: int) -> Truncation:
    """All three, from one step to more than there are."""
    return draw(st.sampled_from(tuple(TRUNCATIONS.values())))(draw(st.integers(1, most_steps + 2)))


@st.composite
def recurrent_models(
    draw: st.DrawFn,
    *,
    cell: str | None = None,
    loss: str | None = None,
    truncated: bool | None = None,
    most_steps: int = 12,
) -> Recurrent:
    """Every combination of options that is defined.

    Args:
        draw: of Hypothesis.
        cell: the only one.
        loss: the only one.
        truncated: whether the model is; None means both.
        most_steps: T, which the steps of a truncation fall short of or exceed.
    """
    cell = cell or draw(st.sampled_from(tuple(CELLS)))
    kind = draw(st.sampled_from({None: KINDS, True: KINDS[2:], False: KINDS[:2]}[truncated]))
    options: dict[str, Any] = {}
    if cell == "rnn":
        options["activation"] = draw(st.sampled_from(ACTIVATIONS))
    if cell == "gru":
        options["reset"] = draw(st.sampled_from(RESETS))
    if kind == "stacked":
        options["num_layers"], options["bidirectional"] = draw(st.sampled_from(SHAPES))
    elif cell == "rnn":
        options["concatenated"] = draw(st.booleans())
    if kind == "truncated":
        options["truncation"] = draw(truncations(most_steps=most_steps))
    if cell == "rnn" and kind == "single":
        ways = [way for way in DIFFERENTIATIONS if way != "closed_form" or options["activation"] == "identity"]
        options["differentiation"] = draw(st.sampled_from(ways))
    return Recurrent(
        cell,
        input_size=draw(st.integers(1, 4)),
        hidden_size=draw(st.integers(1, 5)),
        output_size=draw(st.integers(1, 4)),
        loss=loss or draw(st.sampled_from(LOSSES)),
        reduction=draw(st.sampled_from(REDUCTIONS)),
        loss_at=draw(st.sampled_from(LOSS_AT)),
        bias=draw(st.booleans()),
        **options,
    )


@st.composite
def feedforward_models(draw: st.DrawFn, *, loss: str | None = None) -> FeedForward:
    return FeedForward(
        tuple(draw(st.lists(st.integers(1, 6), min_size=2, max_size=5))),
        activation=draw(st.sampled_from(ACTIVATIONS)),
        loss=loss or draw(st.sampled_from(LOSSES)),
        reduction=draw(st.sampled_from(REDUCTIONS)),
    )


@st.composite
def ordered_systems(draw: st.DrawFn) -> OrderedSystem:
    N = draw(st.integers(1, 6))
    weights = tuple(tuple(draw(SEVENTHS) if j < i else 0 for j in range(N)) for i in range(N))
    return OrderedSystem(weights, tuple(draw(SEVENTHS) for _ in range(N)))


def models(*, family: str | None = None, loss: str | None = None, **recurrent: Any) -> st.SearchStrategy[Model]:
    """Models of all families.

    Args:
        family: the only one, by its name in `FAMILIES`.
        loss: the only one; rules out the ordered systems, which have none.
        recurrent: what `recurrent_models` takes; rules out the other families.
    """
    narrowed = any(value is not None for name, value in recurrent.items() if name != "most_steps")
    strategies: dict[str, st.SearchStrategy[Model]] = {"Recurrent": recurrent_models(loss=loss, **recurrent)}
    if not narrowed:
        strategies["FeedForward"] = feedforward_models(loss=loss)
    if not narrowed and loss is None:
        strategies["OrderedSystem"] = ordered_systems()
    assert strategies.keys() <= FAMILIES.keys()
    if family:
        return strategies[family]
    return st.one_of(strategies["Recurrent"], *strategies.values())  # twice, since it has the most to vary


@st.composite
def problems(
    draw: st.DrawFn,
    *,
    most_steps: int = 12,
    dtype: str | None = None,
    family: str | None = None,
    cell: str | None = None,
    loss: str | None = None,
    truncated: bool | None = None,
) -> Problem:
    """Problems with a model as `models` draws it, of all sizes up to 4 (B) and `most_steps` (T)."""
    T, B = draw(st.integers(1, most_steps)), draw(st.integers(1, 4))
    model = draw(models(family=family, loss=loss, cell=cell, truncated=truncated, most_steps=T))
    sizes: dict[str, Any] = {name: {"T": T, "B": B}[letter] for name, letter in model.LEADING.items()}
    if isinstance(model, Recurrent):
        sizes["lengths"] = draw(st.none() | st.lists(st.integers(1, T), min_size=B, max_size=B))
        sizes["recurrent_gain"] = draw(st.sampled_from((0.5, 1.0, 1.5)))
    return Problem.from_seed(
        model, seed=draw(st.integers(0, 2**32)), dtype=dtype or draw(st.sampled_from(DTYPES)), **sizes
    )
