import numpy as np
import pytest
from gradparity.backends import InvalidProblemError, Recurrent, UnknownNameError


def test_a_model_is_a_value():
    assert Recurrent("rnn", 3, 5, 4) == Recurrent(cell="rnn", input_size=3, hidden_size=5, output_size=4)
    assert len({Recurrent("rnn", 3, 5, 4), Recurrent("rnn", 3, 5, 4), Recurrent("rnn", 3, 5, 4, bias=False)}) == 2


def test_parameter_shapes_follow_the_mathematics():
    assert Recurrent("rnn", 3, 5, 4).parameter_shapes == {"U": (5, 3), "W": (5, 5), "b": (5,), "V": (4, 5), "c": (4,)}
    assert Recurrent("rnn", 3, 5, 4, bias=False).parameter_shapes == {"U": (5, 3), "W": (5, 5), "V": (4, 5)}


def test_sizes_may_be_numpy_integers():
    assert Recurrent("rnn", np.int64(3), 5, 4) == Recurrent("rnn", 3, 5, 4)


@pytest.mark.parametrize("size", [0, -1, 2.0, True, "3"])
@pytest.mark.parametrize("name", ["input_size", "hidden_size", "output_size"])
def test_a_size_is_an_integer_of_at_least_one(name, size):
    sizes = {"input_size": 3, "hidden_size": 5, "output_size": 4} | {name: size}
    with pytest.raises(InvalidProblemError, match=f"^{name} = {size!r}, expected an integer of at least 1$"):
        Recurrent("rnn", **sizes)


@pytest.mark.parametrize(
    ("choice", "nearest"),
    [
        ({"cell": "rn"}, "unknown cell 'rn': did you mean 'rnn'?"),
        ({"activation": "than"}, "unknown activation 'than': did you mean 'tanh'?"),
        ({"loss": "cross_entropy"}, "unknown loss 'cross_entropy': did you mean 'softmax_cross_entropy'?"),
        ({"reduction": "average"}, "unknown reduction 'average': expected one of sum, mean"),
    ],
)
def test_an_unknown_choice_is_answered_with_the_nearest(choice, nearest):
    with pytest.raises(UnknownNameError) as error:
        Recurrent(**({"cell": "rnn", "input_size": 3, "hidden_size": 5, "output_size": 4} | choice))
    assert str(error.value) == nearest
