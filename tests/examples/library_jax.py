"""Recurrent layers of JAX's libraries as their users write them, to time the backend `jax` beside them.

`flax.nnx.RNN` and `flax.linen.RNN` over their cells, Equinox's cells in a `lax.scan`, Haiku's LSTM in its
`dynamic_unroll`, and the LSTM in plain JAX of `jax.experimental.rnn`; with the linear layer of the same library, and
the cross-entropy of optax. Each is a function of a tree of parameters under `jax.jit`, which costs less per call than
`nnx.jit` and `eqx.filter_jit`. In a folder that has this one in it, `nox --sessions plain` times all.
"""

import equinox as eqx
import flax.linen as nn
import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from flax.traverse_util import flatten_dict, unflatten_dict
from gradparity.backends import Evaluation, Recurrent
from gradparity.backends.layouts import get_layout
from jax.experimental.rnn import lstm_ref


def cross_entropy(o, y):
    return optax.softmax_cross_entropy_with_integer_labels(o, y).sum()


class NnxNetwork(nnx.Module):
    def __init__(self, cell, model, dtype, rngs):
        D, H, K = model.sizes
        self.layer = nnx.RNN(cell(D, H, dtype=dtype, param_dtype=dtype, rngs=rngs), time_major=True, rngs=False)
        self.readout = nnx.Linear(H, K, dtype=dtype, param_dtype=dtype, rngs=rngs)

    def __call__(self, x, carry):
        return self.readout(self.layer(x, initial_carry=carry))


def flax_nnx(model, weights, dtype):
    cell = {"rnn": nnx.SimpleCell, "lstm": nnx.OptimizedLSTMCell}[model.cell]
    graph, params = nnx.split(NnxNetwork(cell, model, dtype, nnx.Rngs(0)))
    nnx.replace_by_pure_dict(params, {"layer": {"cell": weights["cell"]}, "readout": weights["readout"]})

    def loss(params, x, y, *states):
        return cross_entropy(nnx.merge(graph, params)(x, as_carry(states)), y)

    def as_tree(params):
        tree = nnx.to_pure_dict(params)
        return {"cell": tree["layer"]["cell"], "readout": tree["readout"]}

    return loss, params, as_tree


class LinenNetwork(nn.Module):
    cell: str
    hidden_size: int
    output_size: int

    @nn.compact
    def __call__(self, x, carry):
        cell = {"rnn": nn.SimpleCell, "lstm": nn.OptimizedLSTMCell, "gru": nn.GRUCell}[self.cell]
        h = nn.RNN(cell(self.hidden_size, name="cell"), time_major=True)(x, initial_carry=carry)
        return nn.Dense(self.output_size, name="readout")(h)


def flax_linen(model, weights, dtype):
    network = LinenNetwork(model.cell, model.hidden_size, model.output_size)

    def loss(params, x, y, *states):
        return cross_entropy(network.apply({"params": params}, x, as_carry(states)), y)

    return loss, weights, lambda params: params


class EquinoxNetwork(eqx.Module):
    """Of one sequence, as Equinox has it."""

    cell: eqx.Module
    readout: eqx.nn.Linear

    def __call__(self, x, state):
        def step(state, x_t):
            state = self.cell(x_t, state)
            return state, state[0] if isinstance(state, tuple) else state

        return jax.vmap(self.readout)(jax.lax.scan(step, state, x)[1])


def equinox(model, weights, dtype):
    key = jax.random.key(0)
    cell = {"lstm": eqx.nn.LSTMCell, "gru": eqx.nn.GRUCell}[model.cell]
    D, H, K = model.sizes
    network = EquinoxNetwork(cell(D, H, dtype=dtype, key=key), eqx.nn.Linear(H, K, dtype=dtype, key=key))
    places = [(part, name) for part in weights for name in weights[part]]

    def arrays(network):
        return [getattr(getattr(network, part), name) for part, name in places]

    def loss(network, x, y, *states):
        o = jax.vmap(network, in_axes=(1, 0), out_axes=1)(x, states if len(states) > 1 else states[0])
        return cross_entropy(o, y)

    def as_tree(network):
        return unflatten_dict(dict(zip(places, arrays(network), strict=True)))

    held = [weights[part][name] for part, name in places]
    return loss, eqx.tree_at(arrays, network, held), as_tree


def haiku(model, weights, dtype):
    def network(x, *states):
        h, _ = hk.dynamic_unroll(hk.LSTM(model.hidden_size, name="cell"), x, hk.LSTMState(*states))
        return hk.Linear(model.output_size, name="readout")(h)

    apply = hk.without_apply_rng(hk.transform(network)).apply

    def loss(params, x, y, *states):
        return cross_entropy(apply(params, x, *states), y)

    params = {"cell/linear": weights["cell"]["linear"], "readout": weights["readout"]}
    return loss, params, lambda tree: {"cell": {"linear": tree["cell/linear"]}, "readout": tree["readout"]}


def jax_lstm_ref(model, weights, dtype):
    """It takes both biases, x by sequences, and lengths."""
    D, H, _ = model.sizes

    def loss(params, x, y, h0, c0):
        cell, readout = params["cell"], params["readout"]
        arrays = ({0: cell[name]} for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
        lengths = jnp.full(x.shape[1], x.shape[0], jnp.int32)
        h, _, _ = lstm_ref(x.swapaxes(0, 1), h0[None], c0[None], *arrays, lengths, D, H, 1, 0.0, False)
        return cross_entropy(h.swapaxes(0, 1) @ readout["weight"].T + readout["bias"], y)

    return loss, weights, lambda params: params


def as_carry(states):
    """Flax carries (c, h), or h alone."""
    return states[::-1] if len(states) > 1 else states[0]


def turned(matrix, name):
    """A weight (K, H) as a kernel (H, K), or the other way round; as it is for who has it as we do."""
    return matrix if name == "weight" else matrix.T


class Library:
    """The layers of a library, which compute with its weights, and answer with our gradients."""

    partial = True

    def __init__(self, program, layout, cells, readout):
        self.name = program.__name__.replace("_", "-")
        self.program, self.layout, self.cells, self.readout = program, get_layout(layout), cells, readout

    def supports(self, model, dtype):
        usual = isinstance(model, Recurrent) and model == Recurrent(model.cell, *model.sizes)
        return "" if usual and model.cell in self.cells else f"a single layer of {' or '.join(self.cells)} only"

    def prepare(self, problem):
        """It says once, for the whole process, whether there is float64, as one's own program would."""
        jax.config.update("jax_enable_x64", problem.dtype == np.float64)
        compute, params, data, _ = self.compiled(problem)
        return lambda: jax.block_until_ready(compute(params, *data))

    def compiled(self, problem):
        (of_cell,) = self.layout.from_params(problem.model, problem.params)
        V, c = self.readout
        of_readout = {V: turned(problem.params["V"], V), c: problem.params["c"]}
        weights = jax.tree.map(jnp.array, {"cell": unflatten_dict(of_cell, sep="."), "readout": of_readout})
        loss, params, as_tree = self.program(problem.model, weights, problem.dtype)
        data = [jnp.array(array) for array in (problem.inputs, problem.targets, *problem.states.values())]
        return jax.jit(jax.value_and_grad(loss)), params, data, as_tree

    def evaluate(self, problem, *, trace=False):
        jax.config.update("jax_enable_x64", problem.dtype == np.float64)
        compute, params, data, as_tree = self.compiled(problem)
        value, gradients = compute(params, *data)
        tree = jax.tree.map(np.array, as_tree(gradients))
        ours = self.layout.gradients(problem.model, [flatten_dict(tree["cell"], sep=".")])
        V, c = self.readout
        ours |= {"V": turned(tree["readout"][V], V), "c": tree["readout"][c]}
        return Evaluation(float(value), {name: ours[name] for name in problem.params}, None)


NNX = Library(flax_nnx, "flax-nnx", ("rnn", "lstm"), ("kernel", "bias"))  # its GRU has no b_hn
LINEN = Library(flax_linen, "flax-linen", ("rnn", "lstm", "gru"), ("kernel", "bias"))
EQUINOX = Library(equinox, "equinox", ("lstm", "gru"), ("weight", "bias"))  # it has no plain cell
HAIKU = Library(haiku, "haiku", ("lstm",), ("w", "b"))  # its plain cell has relu, and its GRU the reset before
LSTM_REF = Library(jax_lstm_ref, "torch", ("lstm",), ("weight", "bias"))
