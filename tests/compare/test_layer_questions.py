"""What `assert_same_layer` asks, each with a planted difference that only this question finds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from gradparity.backends import Problem, Recurrent, RequestError
from gradparity.backends.adapters import from_params, to_params, wrap_layer
from gradparity.backends.adapters.keras_engine import keras_on
from gradparity.compare import DisagreementError
from gradparity.compare import assert_same_layer as assert_same_layer_on
from gradparity.compare.differences.weight_differences import weight_differences
from gradparity.compare.layers.questions import ask_with_lengths, ask_without_states
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

LSTM = Recurrent("lstm", 3, 5, 2)
GRU = Recurrent("gru", 3, 5, 2)
RELU = Recurrent("rnn", 3, 5, 2, activation="relu")
PROBLEM = Problem.from_seed(replace(LSTM, loss="squared_error"), seed=1, seq_len=4, batch_size=2, dtype="float32")


def assert_same_layer(*layers, seq_len=2, **options):
    """On a small batch, which costs little."""
    return assert_same_layer_on(*layers, seq_len=seq_len, batch_size=2, **options)


def layer(library, model=LSTM, dtype="float32", **changed):
    params = Problem.from_seed(model, seed=1, seq_len=1, batch_size=1, dtype=dtype).params
    return from_params(library, model, {**params, **{name: change(params[name]) for name, change in changed.items()}})


def in_class(layer_class, original=None):
    """A torch layer of that class, with the weights of another."""
    original = layer("torch") if original is None else original
    made = layer_class(3, 5)
    made.load_state_dict(original.state_dict(), strict=False)
    return made


def report(*layers, **options):
    with pytest.raises(DisagreementError) as error:
        assert_same_layer(*layers, **options)
    assert error.value.comparison.verdict == "disagree"
    return str(error.value)


class ZeroCell(torch.nn.LSTM):
    def forward(self, x, hx=None):
        h, (h_n, c_n) = super().forward(x, hx)
        return h, (h_n, 0 * c_n)


class DetachedStates(torch.nn.LSTM):
    def forward(self, x, hx=None):
        h, (h_n, c_n) = super().forward(x, hx)
        return h, (h_n.detach(), c_n.detach())


class NoCell(torch.nn.LSTM):
    def forward(self, x, hx=None):
        h, (h_n, _) = super().forward(x, hx)
        return h, h_n


class BeginsWithOnes(torch.nn.LSTM):
    def forward(self, x, hx=None):
        ones = torch.ones(1, 2, 5)
        return super().forward(x, (ones, ones) if hx is None else hx)


class LearnedState(torch.nn.LSTM):
    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.first = torch.nn.Parameter(torch.zeros(1, 2, 5))

    def forward(self, x, hx=None):
        return super().forward(x, (self.first, self.first) if hx is None else hx)


class WantsState(torch.nn.LSTM):
    def forward(self, x, hx):
        return super().forward(x, hx)


class ReadsThePadding(torch.nn.LSTM):
    """The states that it returns are those after the padding, not after each sequence's last step."""

    def forward(self, x, hx=None):
        if not isinstance(x, PackedSequence):
            return super().forward(x, hx)
        padded, lengths = pad_packed_sequence(x)
        h, states = super().forward(padded, hx)
        return pack_padded_sequence(h, lengths, enforce_sorted=False), states


class WholeSequencesOnly(torch.nn.LSTM):
    def forward(self, x, hx=None):
        assert x.shape[-1] == 3
        return super().forward(x, hx)


def test_a_tanh_layer_is_not_a_relu_layer():
    relu, tanh = layer("torch", RELU), torch.nn.RNN(3, 5)
    tanh.load_state_dict(relu.state_dict())
    text = report(tanh, relu)
    assert "The forward pass differs already, first in o_1." in text
    assert "activation: torch RNN 1 has tanh, torch RNN 2 has relu." in text


def test_an_identity_is_no_relu_even_where_all_sums_are_positive():
    identity = Recurrent("rnn", 3, 5, 2, activation="identity")
    positive = {"U": np.zeros_like, "W": np.zeros_like, "b": np.ones_like}
    text = report(layer("torch", RELU, **positive), layer("flax-nnx", identity, **positive))
    assert "Within rounding, whatever they were asked agrees." in text
    assert "activation: torch RNN has relu, flax-nnx SimpleCell has identity." in text


def test_a_relu_cell_is_asked_with_its_own_weights():
    original = layer("torch", RELU)
    sevens = {name: 0 * array + 7 for name, array in to_params(original).items()}
    with pytest.raises(DisagreementError, match=r"their weights differ in U, W, b\.$") as error:
        assert_same_layer(original, from_params("haiku", RELU, sevens))
    assert list(error.value.comparison.answers) == ["torch RNN", "haiku VanillaRNN"]


def test_one_weight_of_many_is_named_with_its_index_and_values():
    original, changed = torch.nn.LSTM(3, 64), torch.nn.LSTM(3, 64)
    changed.load_state_dict(original.state_dict())
    with torch.no_grad():
        changed.weight_hh_l0[130, 2] *= 1.001
    one, other = (str(to_params(each)["W"][130, 2]) for each in (original, changed))
    text = report(original, changed)
    assert f"differs in one entry of 16384, W[130, 2] by 0.1 %: {other}, and by torch LSTM 1 {one}." in text


def test_a_bias_is_compared_to_the_last_bit_but_where_haiku_adds_one_to_it():
    nudged = layer("torch", b=lambda b: np.nextafter(b, np.float32(9)))
    assert "b[" in report(layer("torch"), nudged)
    torch_layer, haiku_layer, more = (
        wrap_layer(each)
        for each in (
            layer("torch"),
            layer("haiku"),
            layer("haiku", b=lambda b: b + np.float32(1e-5) * (np.arange(20) == 7)),
        )
    )
    assert (torch_layer.params["b"] != haiku_layer.params["b"]).any()
    assert weight_differences([torch_layer, haiku_layer]) == ()
    assert [difference.index for difference in weight_differences([torch_layer, more])] == [(7,)]


def test_the_cell_state_after_the_last_step_is_compared():
    text = report(layer("torch"), in_class(ZeroCell))
    assert "c_n: torch LSTM and torch ZeroCell differ at " in text
    assert "The outputs agree, but after the last step c_n differs." in text
    assert "h_n" not in text


def test_gradients_flow_through_the_states_that_are_handed_over():
    text = report(layer("torch"), in_class(DetachedStates))
    assert "Called without an initial state, and again after step 1 from the states returned:" in text
    assert "The forward pass agrees. Going backwards, the gradient of the inputs differs first in dx_1." in text


def test_the_states_of_a_stack_are_handed_over():
    class Detached(torch.nn.GRU):
        def forward(self, x, hx=None):
            h, h_n = super().forward(x, hx)
            return h, torch.cat([h_n[:1].detach(), h_n[1:]])  # of the lower layer alone

    stack = layer("torch", replace(GRU, num_layers=2))
    detached = Detached(3, 5, num_layers=2)
    detached.load_state_dict(stack.state_dict())
    text = report(stack, detached)
    assert "Called from given" not in text
    assert "layer0.dU_" in text
    assert "layer1.d" not in text


def test_a_state_that_is_missing_is_no_agreement():
    assert "torch NoCell: names: it returned h_n, expected h_n, c_n." in report(layer("torch"), in_class(NoCell))


def test_layers_that_begin_with_other_states_differ_where_none_is_given():
    text = report(layer("torch"), in_class(BeginsWithOnes))
    assert "Called without an initial state" in text
    assert "Called from given" not in text
    assert text.endswith("their weights are the same: the layers compute something else.")


def test_the_first_state_of_a_flax_cell_is_its_own():
    import flax.linen as nn

    _, variables = layer("flax-linen")
    ones = nn.OptimizedLSTMCell(5, carry_init=nn.initializers.ones_init()), variables
    asked = ask_without_states([wrap_layer(layer("torch")), wrap_layer(ones)], PROBLEM)
    assert asked.comparison.verdict == "disagree"
    assert {"o_1", "c_n"} <= {block.label for block in asked.comparison.blocks if block.verdict == "disagree"}


def test_what_cannot_be_asked_is_told():
    original = wrap_layer(layer("torch"))
    wants, whole, learned = (
        replace(wrap_layer(in_class(layer_class)), name=layer_class.__name__)
        for layer_class in (WantsState, WholeSequencesOnly, LearnedState)
    )
    asked = ask_without_states([original, wants], PROBLEM)
    assert asked.comparison is None
    assert asked.not_asked[0].startswith("without an initial state, WantsState: it raised TypeError: ")
    asked = ask_with_lengths([original, whole], PROBLEM)
    assert asked.comparison is None
    assert asked.not_asked[0].startswith("with lengths, WholeSequencesOnly: it raised AttributeError: ")
    assert asked.not_asked[1] == "with lengths: so torch LSTM has none to be compared with"
    assert learned.remarks == ("the gradient of first, which a torch LearnedState has beside the weights",)
    one_step = Problem.from_seed(LSTM, seed=1, seq_len=1, batch_size=2, dtype="float32")
    assert ask_with_lengths([original, original], one_step).not_asked == ("with lengths: there is one step",)


def test_layers_that_take_lengths_return_the_states_after_each_sequence():
    text = report(layer("torch"), in_class(ReadsThePadding))
    assert text.splitlines()[1] == "Called with lengths:"
    assert "The outputs agree, but after the last step h_n and c_n differ." in text


class Unmasked:
    def call(self, sequences, initial_state=None, mask=None, training=False):
        return super().call(sequences, initial_state=initial_state, training=training)


def test_a_keras_layer_is_asked_with_its_mask():
    keras = keras_on("jax")
    unmasked = type("Unmasked", (Unmasked, keras.layers.LSTM), {})(5, return_sequences=True, return_state=True)
    unmasked.build((None, None, 3))
    unmasked.set_weights([variable.value for variable in layer("keras").weights])
    wrapped = wrap_layer(unmasked)
    assert (wrapped.gives_final_states, wrapped.takes_lengths) == (True, True)
    asked = ask_with_lengths([wrap_layer(layer("torch")), wrapped], PROBLEM)
    assert {block.label for block in asked.comparison.blocks if block.verdict == "disagree"} == {"h_n", "c_n"}


@pytest.mark.campaign
def test_a_keras_layer_that_returns_its_states_is_asked_everything():
    for model in (LSTM, GRU, RELU):
        returns_states = layer("keras", model)
        returns_states.return_state = True
        comparison = assert_same_layer(layer("torch", model), returns_states)
        assert list(comparison.questions) == ["from given initial states", "without an initial state", "with lengths"]
        assert (comparison.not_asked, comparison.handed_over_after) == ((), 1)


def test_a_stack_in_both_directions_is_compared_in_the_states_of_every_layer():
    class Swapped(torch.nn.LSTM):
        def forward(self, x, hx=None):
            h, (h_n, c_n) = super().forward(x, hx)
            return h, (h_n, c_n.flip(0))

    stack = layer("torch", Recurrent("lstm", 3, 5, 2, num_layers=2, bidirectional=True))
    swapped = Swapped(3, 5, num_layers=2, bidirectional=True)
    swapped.load_state_dict(stack.state_dict())
    text = report(stack, swapped, seq_len=1)
    assert "after the last step layer0.c_n, layer0.c_n.reverse, layer1.c_n and layer1.c_n.reverse differ." in text
    assert "Could not be asked: the returned states, handed over to a second call: both directions" in text


def test_a_plain_cell_of_ones_own_has_to_be_stated_with_its_activation():
    import haiku as hk
    import jax.numpy as jnp

    class Tanh(hk.VanillaRNN):
        def __call__(self, x, state):
            h = jnp.tanh(hk.Linear(5)(x) + hk.Linear(5)(state))
            return h, h

    _, params = layer("haiku", RELU)
    core = lambda: Tanh(5, name="core")  # noqa: E731 # a function without a name of its own
    tanh = torch.nn.RNN(3, 5)
    tanh.load_state_dict(layer("torch", RELU).state_dict())
    with pytest.raises(RequestError, match="is a plain cell that does not tell its activation: state it"):
        assert_same_layer(tanh, (core, params))
    comparison = assert_same_layer(tanh, (core, params), activation="tanh")
    assert comparison.reservation.startswith(f"{' and '.join(comparison.answers)} agree with each other only")
