"""Cells as their users write them: with peepholes, and layer-normalised; in PyTorch, JAX and Flax."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import pytest
import torch
from flax import linen, nnx
from gradparity.compare import DisagreementError, OwnLayer
from gradparity.compare import assert_same_layer as assert_same_layer_on
from gradparity.compare.layers.cell_definitions import lstm_with_peepholes

PEEPHOLES = {"U": "x2h.weight", "W": "h2h.weight", "b": "x2h.bias", "p_i": "p_i", "p_f": "p_f", "p_o": "p_o"}
NORMALIZED = {"U": "x2h.weight", "W": "h2h.weight"}
NORMALIZED |= {f"gain_{x}": f"norm_{x}.weight" for x in "xhc"} | {f"bias_{x}": f"norm_{x}.bias" for x in "xhc"}
SIZES = {"input_size": 3, "states": {"h": 5, "c": 5}}


def assert_same_layer(*layers, seq_len=4, **options):
    return assert_same_layer_on(*layers, seq_len=seq_len, batch_size=2, **options)


def report(*layers, **options):
    with pytest.raises(DisagreementError) as error:
        assert_same_layer(*layers, **options)
    return str(error.value)


def projected(layer_class=torch.nn.LSTM, **options):
    torch.manual_seed(0)
    return layer_class(3, 5, proj_size=2, **options)


def own(cell, **options):
    return OwnLayer(cell, names=PEEPHOLES if isinstance(cell, PeepholeCell) else NORMALIZED, **SIZES | options)


class PeepholeCell(torch.nn.Module):
    """As users write it; `sees` is what the output gate sees."""

    def __init__(self, sees="new"):
        super().__init__()
        torch.manual_seed(0)
        self.x2h, self.h2h = torch.nn.Linear(3, 20), torch.nn.Linear(5, 20, bias=False)
        self.p_i, self.p_f, self.p_o = (torch.nn.Parameter(torch.randn(5)) for _ in range(3))
        self.sees = sees

    def forward(self, x, state):
        h, c = state
        i, f, g, o = (self.x2h(x) + self.h2h(h)).chunk(4, dim=1)
        new = torch.sigmoid(f + self.p_f * c) * c + torch.sigmoid(i + self.p_i * c) * torch.tanh(g)
        seen = {"new": new, "old": c, "detached": new.detach()}[self.sees]
        return torch.sigmoid(o + self.p_o * seen) * torch.tanh(new), new


class NormalizedCell(torch.nn.Module):
    def __init__(self, keeps_normalized=False, epsilon=1e-5):
        super().__init__()
        torch.manual_seed(0)
        self.x2h, self.h2h = torch.nn.Linear(3, 20, bias=False), torch.nn.Linear(5, 20, bias=False)
        self.norm_x, self.norm_h = torch.nn.LayerNorm(20, eps=epsilon), torch.nn.LayerNorm(20, eps=epsilon)
        self.norm_c, self.keeps_normalized = torch.nn.LayerNorm(5, eps=epsilon), keeps_normalized
        for parameter in self.parameters():
            torch.nn.init.normal_(parameter, std=0.5)

    def forward(self, x, state):
        h, c = state
        i, f, g, o = (self.norm_x(self.x2h(x)) + self.norm_h(self.h2h(h))).chunk(4, dim=1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        normalized = self.norm_c(c)
        return torch.sigmoid(o) * torch.tanh(normalized), normalized if self.keeps_normalized else c


def peephole_step(weights, x, h, c):
    i, f, g, o = jnp.split(x @ weights["U"].T + h @ weights["W"].T + weights["b"], 4, axis=1)
    i, f = jax.nn.sigmoid(i + weights["p_i"] * c), jax.nn.sigmoid(f + weights["p_f"] * c)
    c = f * c + i * jnp.tanh(g)
    return jax.nn.sigmoid(o + weights["p_o"] * c) * jnp.tanh(c), c


class NnxCell(nnx.Module):
    def __init__(self):
        rngs = nnx.Rngs(0)
        self.i, self.h = nnx.Linear(3, 20, rngs=rngs), nnx.Linear(5, 20, use_bias=False, rngs=rngs)
        self.p = nnx.Param(jnp.full((3, 5), 0.3))

    def __call__(self, carry, x):
        c, h = carry
        weights = {"U": self.i.kernel.T, "W": self.h.kernel.T, "b": self.i.bias[...]}
        h, c = peephole_step(weights | dict(zip(("p_i", "p_f", "p_o"), self.p[...], strict=True)), x, h, c)
        return (c, h), h


class LinenCell(linen.Module):
    @linen.compact
    def __call__(self, carry, x):
        c, h = carry
        p = self.param("p", linen.initializers.normal(), (3, 5))
        a = linen.Dense(20, name="i")(x) + linen.Dense(20, use_bias=False, name="h")(h)
        i, f, g, o = jnp.split(a, 4, axis=1)
        new = jax.nn.sigmoid(f + p[1] * c) * c + jax.nn.sigmoid(i + p[0] * c) * jnp.tanh(g)
        h = jax.nn.sigmoid(o + p[2] * new) * jnp.tanh(new)
        return (new, h), h


def flax_names(w, x, h, c):
    """The definition on the weights as Flax's cells of one's own have them here."""
    weights = {"U": w["i.kernel"].T, "W": w["h.kernel"].T, "b": w["i.bias"]}
    return lstm_with_peepholes(weights | dict(zip(("p_i", "p_f", "p_o"), w["p"], strict=True)), x, h, c)
