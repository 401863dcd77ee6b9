"""The catalogue holds what it must, in sizes on which a mistake shows."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest
from gradparity.backends import (
    Chunks,
    FeedForward,
    LastSteps,
    OrderedSystem,
    Problem,
    Recurrent,
    UnknownNameError,
    Window,
    get_backend,
)
from gradparity.compare import SYSTEMS
from gradparity.compare.commands.listings import system_rows
from gradparity.compare.systems.catalogue import SEEDS, WERBOS, get_system

# Every name that the project promises, with the tutorial documents that it comes from.
PROMISED = {
    "elman-softmax": "000 001 003 004",
    "elman-sigmoid": "000",
    "elman-relu": "001 004",
    "elman-logistic": "001 004",
    "elman-squared-error": "001 004",
    "elman-expanded": "000 001 004",
    "elman-concat": "003",
    "elman-window": "000",
    "elman-chunks": "000",
    "elman-last-steps": "000",
    "linear-mean": "002",
    "linear-closed-form": "002",
    "ordered-derivatives": "003",
    "mlp": "004",
    "logistic-regression": "004",
    "elman-forward-mode": "004",
    "lstm": "004",
    "gru": "004",
    "gru-reset-before": "004",
    "elman-sgd": "000 004",
    "mlp-minibatch-sgd": "004",
    "elman-stacked": "",
    "elman-bidirectional": "",
    "lstm-stacked": "",
    "gru-bidirectional": "",
    "elman-lengths": "",
}
# What makes each recurrent system another one than the plain cell with tanh, softmax cross-entropy and a sum.
OPTIONS = {
    "elman-softmax": {},
    "elman-sigmoid": {"loss": "sigmoid_cross_entropy"},
    "elman-relu": {"activation": "relu"},
    "elman-logistic": {"activation": "sigmoid"},
    "elman-squared-error": {"loss": "squared_error"},
    "elman-expanded": {"differentiation": "expanded"},
    "elman-concat": {"concatenated": True},
    "elman-window": {"truncation": Window(5)},
    "elman-chunks": {"truncation": Chunks(5)},
    "elman-last-steps": {"truncation": LastSteps(5)},
    "linear-mean": {"activation": "identity", "loss": "squared_error", "reduction": "mean", "bias": False},
    "linear-closed-form": {
        "activation": "identity",
        "loss": "squared_error",
        "reduction": "mean",
        "bias": False,
        "differentiation": "closed_form",
    },
    "elman-forward-mode": {"differentiation": "forward"},
    "lstm": {"cell": "lstm"},
    "gru": {"cell": "gru"},
    "gru-reset-before": {"cell": "gru", "reset": "before"},
    "elman-sgd": {"reduction": "mean"},
    "elman-stacked": {"num_layers": 2},
    "elman-bidirectional": {"bidirectional": True},
    "lstm-stacked": {"cell": "lstm", "num_layers": 2},
    "gru-bidirectional": {"cell": "gru", "bidirectional": True},
    "elman-lengths": {"reduction": "mean"},
}
RECURRENT = [name for name, system in SYSTEMS.items() if isinstance(system.model, Recurrent)]


def test_every_name_that_is_promised_is_there_in_its_order_and_no_other():
    assert list(SYSTEMS) == list(PROMISED)
    assert all(system.name == name for name, system in SYSTEMS.items())


@pytest.mark.parametrize(("name", "documents"), PROMISED.items())
def test_a_system_names_its_documents(name, documents):
    assert " ".join(SYSTEMS[name].documents) == documents


@pytest.mark.parametrize("name", RECURRENT)
def test_a_recurrent_system_is_what_its_name_says(name):
    cell, *sizes = "rnn", 4, 8, 5
    options = dict(OPTIONS[name])
    assert SYSTEMS[name].model == Recurrent(options.pop("cell", cell), *sizes, **options)


def test_the_other_systems_are_what_their_names_say():
    assert list(OPTIONS) == RECURRENT
    rest = {name: system.model for name, system in SYSTEMS.items() if name not in OPTIONS}
    assert rest == {
        "ordered-derivatives": WERBOS,
        "mlp": FeedForward((4, 8, 6, 5)),
        "logistic-regression": FeedForward((4, 1), loss="sigmoid_cross_entropy", reduction="mean"),
        "mlp-minibatch-sgd": FeedForward((4, 8, 5), loss="softmax_cross_entropy", reduction="mean"),
    }


def test_the_ordered_system_is_the_documents_own():
    """z2 = 2 z1; z3 = 3 z2 + z1; z4 = 4 z3 + 2 z2 + z1; E = 4 z4 + 2 z2."""
    answer = get_backend("manual").evaluate(SYSTEMS["ordered-derivatives"].problem(seed=0), trace=True)
    assert answer.adjoints["z"].tolist() == [136, 58, 16, 4]
    assert isinstance(WERBOS, OrderedSystem)


@pytest.mark.parametrize("name", SYSTEMS)
def test_all_sizes_of_a_system_differ_so_that_a_transposed_array_has_another_shape(name):
    system = SYSTEMS[name]
    sizes = [*system.leading.values()]
    if isinstance(system.model, Recurrent):
        sizes += system.model.sizes
    if isinstance(system.model, FeedForward):
        sizes += system.model.sizes
    assert len(set(sizes)) == len(sizes)
    H = getattr(system.model, "hidden_size", 0)  # W alone is square
    shapes = {name: shape for name, shape in system.model.parameter_shapes.items() if shape != (H, H)}
    assert all(len(set(shape)) == len(shape) for name, shape in shapes.items() if name != "A")


@pytest.mark.parametrize("name", RECURRENT)
def test_a_truncation_and_the_lengths_fall_short_of_the_steps(name):
    system = SYSTEMS[name]
    if system.model.truncation:
        assert 1 < system.model.truncation.steps < system.seq_len
        assert system.seq_len % system.model.truncation.steps  # the last chunk is a shorter one
    if system.lengths:
        assert max(system.lengths) == system.seq_len > min(system.lengths) == 1


def test_the_systems_that_learn_and_no_others_have_a_training():
    assert [name for name, system in SYSTEMS.items() if system.training] == ["elman-sgd", "mlp-minibatch-sgd"]
    training = SYSTEMS["mlp-minibatch-sgd"].training
    assert SYSTEMS["elman-sgd"].training.batch_size is None
    assert 1 < training.batch_size < SYSTEMS["mlp-minibatch-sgd"].batch_size
    assert all(system.model.reduction == "mean" for system in SYSTEMS.values() if system.training)


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_system_gives_one_problem_for_each_seed_and_dtype(name):
    system = SYSTEMS[name]
    again, first = system.problem(seed=0), system.problem(seed=0)
    assert isinstance(first, Problem)
    assert again.fingerprint == first.fingerprint
    assert len({system.problem(seed=seed).fingerprint for seed in SEEDS}) == len(SEEDS)
    assert system.problem(seed=0, dtype="float32").dtype == "float32"
    assert first.leading == tuple(system.leading.values())
    assert (first.lengths is None) == (system.lengths is None)


def test_the_catalogue_cannot_be_changed():
    with pytest.raises(TypeError):
        SYSTEMS["mine"] = SYSTEMS["lstm"]
    with pytest.raises(FrozenInstanceError):
        SYSTEMS["lstm"].batch_size = 7


def test_an_unknown_system_is_answered_with_the_nearest():
    with pytest.raises(UnknownNameError, match="unknown system 'lstm-staked': did you mean 'lstm-stacked'"):
        get_system("lstm-staked")


def test_the_listing_has_a_line_for_each_system_with_its_documents_model_and_sizes():
    rows = {row["system"]: row for row in system_rows()}
    assert list(rows) == list(PROMISED)
    assert rows["elman-expanded"]["documents"] == "000 001 004"
    assert rows["elman-window"]["model"] == "rnn (tanh, softmax_cross_entropy, Window(5))"
    assert rows["gru-reset-before"]["sizes"] == "T=12 B=3 D=4 H=8 K=5"
    assert rows["mlp"]["sizes"] == "B=3 4-8-6-5"
    assert rows["ordered-derivatives"]["sizes"] == "N=4"
    assert len({row["model"] + row["sizes"] + row["what"] for row in rows.values()}) == len(rows)
