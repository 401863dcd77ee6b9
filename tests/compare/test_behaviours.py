"""What a layer of one's own computes with the right weights, planted, is said in words."""

from __future__ import annotations

import pytest
import torch
from gradparity.compare import DisagreementError, assert_same_layer

sigmoid = torch.sigmoid


class Gated(torch.nn.GRU):
    """A GRU written step by step."""

    def forward(self, x, hx=None):
        h = torch.zeros(x.shape[1], self.hidden_size, dtype=x.dtype) if hx is None else hx[0]
        steps = []
        for x_t in x:
            U, W, b, c = self.weight_ih_l0, self.weight_hh_l0, self.bias_ih_l0, self.bias_hh_l0
            a_r, a_z, a_n = (x_t @ U.T + b).chunk(3, dim=-1)
            h = self.step((a_r, a_z, a_n), W.chunk(3), c.chunk(3), h)
            steps.append(h)
        return torch.stack(steps), h[None]

    def gates(self, a, W, c, h):
        return sigmoid(a[0] + h @ W[0].T + c[0]), sigmoid(a[1] + h @ W[1].T + c[1])


class Right(Gated):
    def step(self, a, W, c, h):
        r, z = self.gates(a, W, c, h)
        return (1 - z) * torch.tanh(a[2] + r * (h @ W[2].T + c[2])) + z * h


class ResetBefore(Gated):
    def step(self, a, W, c, h):
        r, z = self.gates(a, W, c, h)
        return (1 - z) * torch.tanh(a[2] + (r * h) @ W[2].T + c[2]) + z * h


class Flipped(Gated):
    def step(self, a, W, c, h):
        r, z = self.gates(a, W, c, h)
        return (1 - z) * h + z * torch.tanh(a[2] + r * (h @ W[2].T + c[2]))


class FlippedBefore(Gated):
    def step(self, a, W, c, h):
        r, z = self.gates(a, W, c, h)
        return (1 - z) * h + z * torch.tanh(a[2] + (r * h) @ W[2].T + c[2])


class NoResetBias(Gated):
    def step(self, a, W, c, h):
        r, z = self.gates(a, W, c, h)
        return (1 - z) * torch.tanh(a[2] + r * (h @ W[2].T)) + z * h


class BiasOutside(Gated):
    def step(self, a, W, c, h):
        r, z = self.gates(a, W, c, h)
        return (1 - z) * torch.tanh(a[2] + r * (h @ W[2].T) + c[2]) + z * h


class OnesForNone(torch.nn.GRU):
    def forward(self, x, hx=None):
        return super().forward(x, torch.ones(1, x.shape[1], self.hidden_size) if hx is None else hx)


class StateForgotten(torch.nn.GRU):
    def forward(self, x, hx=None):
        return super().forward(x)


class Backwards(torch.nn.GRU):
    def forward(self, x, hx=None):
        return super().forward(x.flip(0), hx)


class BackwardsInOrder(torch.nn.GRU):
    def forward(self, x, hx=None):
        y, h = super().forward(x.flip(0), hx)
        return y.flip(0), h


class AxesExchanged(torch.nn.GRU):
    def forward(self, x, hx=None):
        y, h = super().forward(x.swapaxes(0, 1))
        return y.swapaxes(0, 1), h[:, : x.shape[1]]


class StatesExchanged(torch.nn.LSTM):
    def forward(self, x, hx=None):
        return super().forward(x, None if hx is None else (hx[1], hx[0]))


class ForgetBias(torch.nn.LSTM):
    def forward(self, x, hx=None):
        zeros = torch.zeros(x.shape[1], self.hidden_size, dtype=x.dtype)
        h, c = (zeros, zeros) if hx is None else (hx[0][0], hx[1][0])
        steps = []
        for x_t in x:
            a = x_t @ self.weight_ih_l0.T + self.bias_ih_l0 + h @ self.weight_hh_l0.T + self.bias_hh_l0
            i, f, g, o = a.chunk(4, dim=-1)
            c = sigmoid(f + 1) * c + sigmoid(i) * torch.tanh(g)
            h = sigmoid(o) * torch.tanh(c)
            steps.append(h)
        return torch.stack(steps), (h[None], c[None])


class Relu(torch.nn.RNN):
    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.inner = [torch.nn.RNN(*sizes, nonlinearity="relu")]

    def forward(self, x, hx=None):
        return torch.func.functional_call(self.inner[0], dict(self.named_parameters()), (x, hx))


PLANTED = {
    ResetBefore: "with the reset before the product",
    Flipped: "with z and 1 − z exchanged",
    FlippedBefore: "with z and 1 − z exchanged, and with the reset before the product",
    NoResetBias: "without b_hn",
    BiasOutside: "with b_hn outside of the reset",
    OnesForNone: "with initial states of one",
    StateForgotten: "with initial states of zero",
    Backwards: "from the last step to the first, its outputs in this order",
    BackwardsInOrder: "from the last step to the first",
    AxesExchanged: "with the axis of the steps taken for that of the sequences, from states of zero",
    StatesExchanged: "with h and c exchanged in the initial states",
    ForgetBias: "with 1 added to b_f",
    Relu: "with relu",
}


def pair(layer_class):
    """A layer of torch, and one of that class with its weights."""
    base = next(base for base in layer_class.__mro__ if base.__module__.startswith("torch.nn"))
    torch.manual_seed(0)
    original, other = base(3, 4), layer_class(3, 4)
    other.load_state_dict(original.state_dict())
    return original, other


@pytest.mark.parametrize("layer_class", PLANTED)
def test_what_it_computes_instead_is_said(layer_class):
    original, other = pair(layer_class)
    with pytest.raises(DisagreementError) as error:
        assert_same_layer(original, other, seq_len=5, batch_size=2)
    found = error.value.comparison.conventions
    assert found == (f"The outputs of torch {layer_class.__name__} are what its weights give {PLANTED[layer_class]}.",)
    assert found[0] in str(error.value)


def test_the_same_steps_written_out_are_the_same_layer():
    assert assert_same_layer(*pair(Right), seq_len=5, batch_size=2).conventions == ()


def test_of_a_behaviour_that_is_not_known_nothing_is_said():
    class Doubled(torch.nn.LSTM):
        def forward(self, x, hx=None):
            y, states = super().forward(x, hx)
            return 2 * y, states

    with pytest.raises(DisagreementError) as error:
        assert_same_layer(*pair(Doubled), seq_len=5, batch_size=2)
    assert error.value.comparison.conventions == ()
