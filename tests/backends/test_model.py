from dataclasses import replace

import numpy as np
import pytest
from gradparity.backends import (
    Chunks,
    FeedForward,
    InvalidProblemError,
    LastSteps,
    OrderedSystem,
    Recurrent,
    UnknownNameError,
    Window,
)
from gradparity.backends.models.model import describe, model_from
from gradparity.compare import SYSTEMS
from gradparity.compare.testing.strategies import models
from hypothesis import given


def recurrent(cell="rnn", **options):
    return Recurrent(cell, 3, 5, 4, **options)


def test_a_model_is_a_value():
    assert recurrent() == Recurrent(cell="rnn", input_size=3, hidden_size=5, output_size=4)
    assert len({recurrent(), recurrent(), recurrent(bias=False), recurrent(truncation=Window(3))}) == 3
    assert len({FeedForward((3, 4)), FeedForward([3, 4]), FeedForward((3, 4, 4))}) == 2
    assert OrderedSystem(((0, 0), (2, 0)), (1, 2)) == OrderedSystem([[0.0, 0.0], [2.0, 0.0]], np.array([1, 2]))


@given(model=models())
def test_every_model_comes_back_from_its_description(model):
    assert model_from(describe(model)) == model
    assert hash(model_from(describe(model))) == hash(model)


@pytest.mark.parametrize("truncation", [Window, Chunks, LastSteps])
def test_a_truncation_comes_back_as_the_one_that_it_was(truncation):
    model = recurrent(truncation=truncation(3))
    assert model_from(describe(model)).truncation == truncation(3)


@given(model=models())
def test_a_model_in_a_few_words_is_one_line(model):
    assert "\n" not in model.summary + model.size_summary


def test_the_words_tell_what_distinguishes_a_model():
    werbos = SYSTEMS["ordered-derivatives"].model
    assert (recurrent().summary, recurrent().size_summary) == ("rnn (tanh, softmax_cross_entropy)", "D=3 H=5 K=4")
    mlp = FeedForward((3, 4))
    assert (mlp.summary, mlp.size_summary) == ("feed-forward (sigmoid, squared_error)", "3-4")
    assert (werbos.summary, werbos.size_summary) == ("ordered system", "N=4")


@pytest.mark.parametrize(
    ("option", "word"),
    [
        ({"truncation": Window(5)}, "Window(5)"),
        ({"truncation": Chunks(5)}, "Chunks(5)"),
        ({"truncation": LastSteps(5)}, "LastSteps(5)"),
        ({"bidirectional": True}, "bidirectional"),
        ({"num_layers": 2}, "2 layers"),
        ({"concatenated": True}, "concatenated"),
        ({"bias": False}, "no biases"),
        ({"reduction": "mean"}, "mean"),
        ({"loss_at": "last_step"}, "last_step"),
        ({"differentiation": "forward"}, "forward"),
        ({"cell": "gru", "reset": "before"}, "reset before"),
    ],
)
def test_every_option_that_is_not_the_usual_one_has_its_word(option, word):
    assert recurrent(**option).summary.endswith(f", {word})")


@pytest.mark.parametrize(
    ("model", "shapes"),
    [
        (recurrent(), {"U": (5, 3), "W": (5, 5), "b": (5,), "V": (4, 5), "c": (4,)}),
        (recurrent(bias=False), {"U": (5, 3), "W": (5, 5), "V": (4, 5)}),
        (recurrent(concatenated=True), {"Wcat": (5, 8), "b": (5,), "V": (4, 5), "c": (4,)}),
        (recurrent("lstm"), {"U": (20, 3), "W": (20, 5), "b": (20,), "V": (4, 5), "c": (4,)}),
        (recurrent("gru"), {"U": (15, 3), "W": (15, 5), "b": (15,), "b_hn": (5,), "V": (4, 5), "c": (4,)}),
        (recurrent("gru", reset="before"), {"U": (15, 3), "W": (15, 5), "b": (15,), "V": (4, 5), "c": (4,)}),
        (recurrent("gru", bias=False), {"U": (15, 3), "W": (15, 5), "V": (4, 5)}),
        (
            recurrent(num_layers=2, bias=False),
            {"layer0.U": (5, 3), "layer0.W": (5, 5), "layer1.U": (5, 5), "layer1.W": (5, 5), "V": (4, 5)},
        ),
        (
            recurrent(bidirectional=True, bias=False),
            {"U": (5, 3), "W": (5, 5), "U.reverse": (5, 3), "W.reverse": (5, 5), "V": (4, 10)},
        ),
        (FeedForward((3, 5, 4)), {"W1": (5, 3), "b1": (5,), "W2": (4, 5), "b2": (4,)}),
        (OrderedSystem(((0, 0), (2, 0)), (1, 2)), {"A": (2, 2)}),
    ],
)
def test_parameter_shapes_follow_the_mathematics(model, shapes):
    assert model.parameter_shapes == shapes


def test_a_second_layer_takes_the_states_of_both_directions():
    assert recurrent("lstm", num_layers=2, bidirectional=True).parameter_shapes["layer1.U.reverse"] == (20, 10)


def test_sizes_may_be_numpy_integers():
    assert Recurrent("rnn", np.int64(3), 5, 4) == recurrent()
    assert FeedForward((np.int64(3), 4)) == FeedForward((3, 4))


@pytest.mark.parametrize("size", [0, -1, 2.0, True, "3"])
@pytest.mark.parametrize("name", ["input_size", "hidden_size", "output_size", "num_layers"])
def test_a_size_is_an_integer_of_at_least_one(name, size):
    sizes = {"input_size": 3, "hidden_size": 5, "output_size": 4} | {name: size}
    with pytest.raises(InvalidProblemError, match=f"^{name} = {size!r}, expected an integer of at least 1$"):
        Recurrent("rnn", **sizes)


@pytest.mark.parametrize("steps", [0, -1, 2.0, True, None])
@pytest.mark.parametrize("truncation", [Window, Chunks, LastSteps])
def test_a_truncation_has_at_least_one_step(truncation, steps):
    with pytest.raises(InvalidProblemError, match=f"^steps = {steps!r}, expected an integer of at least 1$"):
        truncation(steps)


@pytest.mark.parametrize(
    ("choice", "nearest"),
    [
        ({"cell": "rn"}, "unknown cell 'rn': did you mean 'rnn'?"),
        ({"cell": "ltsm"}, "unknown cell 'ltsm': did you mean 'lstm'?"),
        ({"activation": "than"}, "unknown activation 'than': did you mean 'tanh'?"),
        ({"loss": "cross_entropy"}, "unknown loss 'cross_entropy': did you mean 'softmax_cross_entropy'?"),
        ({"reduction": "average"}, "unknown reduction 'average': expected one of sum, mean"),
        ({"reset": "befor"}, "unknown reset 'befor': did you mean 'before'?"),
        ({"loss_at": "last"}, "unknown loss_at 'last': did you mean 'last_step'?"),
        ({"differentiation": "revers"}, "unknown differentiation 'revers': did you mean 'reverse'?"),
    ],
)
def test_an_unknown_choice_is_answered_with_the_nearest(choice, nearest):
    with pytest.raises(UnknownNameError) as error:
        recurrent(**choice)
    assert str(error.value) == nearest


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cell": "lstm", "activation": "relu"}, "activation = 'relu' is only defined for the cell 'rnn'"),
        ({"cell": "lstm", "reset": "before"}, "reset = 'before' is only defined for the cell 'gru'"),
        ({"reset": "before"}, "reset = 'before' is only defined for the cell 'gru'"),
        *(
            (
                {"concatenated": True, **options},
                "concatenated = True is only defined for the cell 'rnn' in one layer and direction",
            )
            for options in ({"cell": "gru"}, {"num_layers": 2}, {"bidirectional": True})
        ),
        *(
            (
                {"truncation": Window(2), **options},
                "truncation = Window(steps=2) is only defined for one layer in one direction",
            )
            for options in ({"num_layers": 2}, {"bidirectional": True})
        ),
        *(
            (
                {"differentiation": "forward", **options},
                "differentiation = 'forward' is only defined for the cell 'rnn' in one layer and direction, "
                "not truncated",
            )
            for options in ({"cell": "lstm"}, {"num_layers": 2}, {"truncation": Chunks(2)})
        ),
        (
            {"differentiation": "closed_form"},
            "differentiation = 'closed_form' is only defined for the activation 'identity'",
        ),
        ({"truncation": 5}, "truncation = 5, expected None, Window(n), Chunks(n) or LastSteps(n)"),
        ({"truncation": ("window", 5)}, "truncation = ('window', 5), expected None, Window(n), "),
        ({"bias": 1}, "bias = 1, expected True or False"),
        ({"bidirectional": "yes"}, "bidirectional = 'yes', expected True or False"),
        ({"concatenated": None}, "concatenated = None, expected True or False"),
    ],
)
def test_what_is_not_defined_is_refused_with_where_it_is(options, message):
    with pytest.raises(InvalidProblemError) as error:
        recurrent(**options)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def test_the_options_of_a_recurrent_network_need_their_names():
    with pytest.raises(TypeError, match="positional"):
        Recurrent("rnn", 3, 5, 4, "tanh")


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((3,), "sizes = (3,), expected at least two, such as (4, 8, 5)"),
        ((), "sizes = (), expected at least two, such as (4, 8, 5)"),
        (3, "sizes = 3, expected at least two, such as (4, 8, 5)"),
        ("34", "sizes = '34', expected at least two, such as (4, 8, 5)"),
        ((3, 0, 2), "sizes[1] = 0, expected an integer of at least 1"),
        ((3, 4.0), "sizes[1] = 4.0, expected an integer of at least 1"),
    ],
)
def test_a_feed_forward_network_has_two_sizes_at_least(sizes, message):
    with pytest.raises(InvalidProblemError) as error:
        FeedForward(sizes)
    assert str(error.value) == message


@pytest.mark.parametrize("field", ["activation", "loss", "reduction"])
def test_the_choices_of_a_feed_forward_network_are_checked_too(field):
    with pytest.raises(UnknownNameError, match=f"unknown {field} 'none'"):
        FeedForward((3, 4), **{field: "none"})


@pytest.mark.parametrize(
    ("weights", "objective", "message"),
    [
        (((0, 0), (2, 1)), (1, 2), "weights[1, 1] = 1, expected 0: a variable depends on earlier ones only"),
        (((0, 0.5), (2, 0)), (1, 2), "weights[0, 1] = 0.5, expected 0: a variable depends on earlier ones only"),
        (((0, 0), (2, 0)), (1,), "weights has shape (2, 2), expected (N, N) = (1, 1)"),
        (((0, 0),), (1, 2), "weights has shape (1, 2), expected (N, N) = (2, 2)"),
        (((0,), (2, 0)), (1, 2), "weights is no array: "),
        ((), (), "objective has shape (0,), expected (N,) with N at least 1"),
        (((0,),), 1, "objective has shape (), expected (N,) with N at least 1"),
        (((0, 0), (np.inf, 0)), (1, 2), "weights or objective holds a NaN or an infinity, expected finite numbers"),
        (((0, 0), (2, 0)), (1, np.nan), "weights or objective holds a NaN or an infinity, expected finite numbers"),
        (((0, 0), (2, 0)), ("a", "b"), "objective is <U1, expected an array of numbers"),
    ],
)
def test_a_wrong_ordered_system_is_refused(weights, objective, message):
    with pytest.raises(InvalidProblemError) as error:
        OrderedSystem(weights, objective)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def test_a_model_cannot_be_changed_into_one_that_is_not_defined():
    with pytest.raises(InvalidProblemError, match="only defined for the cell 'rnn'"):
        replace(recurrent(activation="relu"), cell="lstm")
