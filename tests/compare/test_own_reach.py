"""What a function of one's own reaches in several ways, and what it draws."""

from __future__ import annotations

import numpy as np
import pytest
from gradparity.backends.errors import DerivationError
from gradparity.backends.tracing.recorder import NotRecordableError
from gradparity.compare import check_gradients


class TwoWays:
    """One array under two names."""

    def __init__(self):
        self.layers = [{"W": np.ones(2)}]
        self.params = {"W1": self.layers[0]["W"]}

    def both(self, x):
        y = self.layers[0]["W"] @ x
        return y * y, {"W1": 2 * y * x}


@pytest.mark.parametrize("wrt", [None, {"W1": "self.params['W1']"}, {"W1": "self.layers[0]['W']"}])
def test_an_array_has_all_the_names_by_which_it_is_reached(wrt):
    assert check_gradients(TwoWays().both, np.array([1.0, 3.0]), wrt=wrt).verdict == "agree"


def test_of_the_arrays_that_a_gradient_may_belong_to_those_with_its_words_are_named_first():
    layers = {f"layer{number}": {"beta": np.ones(3), "gamma": np.ones(3)} for number in range(5)}

    def step(layers):
        return sum(one["beta"].sum() for one in layers.values()), {"layer4_norm_gamma": np.zeros(3)}

    with pytest.raises(DerivationError, match=r"of that shape are layers\['layer4'\]\['gamma'\], .* and 2 more"):
        check_gradients(step, layers)


def test_gradients_are_read_out_of_a_dict_that_the_call_fills_and_that_is_empty_again_after_it():
    grads = {}

    def step(w):
        grads["w"] = 2 * w
        return (w * w).sum(), grads

    assert check_gradients(step, np.array([1.0, 3.0]), ordinary_only=True).verdict == "agree"
    assert grads == {}


def test_whole_numbers_are_drawn_by_probabilities_that_are_recorded_and_it_is_said():
    def sampled(w, p):
        chosen = np.random.choice(3, p=p / p.sum())  # noqa: NPY002 # as many people write it
        return (w[chosen] ** 2).sum(), {"w": 2 * w * (np.arange(3) == chosen)}

    check = check_gradients(sampled, np.ones(3), np.array([0.0, 1.0, 0.0]), wrt={"w": "w"}, ordinary_only=True)
    assert check.verdict == "agree"
    assert any(
        "drawn depends on recorded numbers by np.random.choice: no derivative goes" in one for one in check.notes
    )
    with pytest.raises(NotRecordableError, match=r"np.random.normal\(w\)"):
        check_gradients(lambda w: (np.random.normal(w).sum(), {"w": w}), np.ones(3))  # noqa: NPY002
