"""A recurrent layer in JAX as one writes it for oneself, to time the backend `jax` beside it.

The products with the inputs stand outside the scan, W is one matrix for all gates, and parameters and data are
arguments of the compiled function. In a folder that has this one in it, `nox --sessions plain` times both, or:

    gradparity bench --backend jax --backend tests.examples.plain_jax:PlainJax
"""

import jax
import jax.numpy as jnp
import numpy as np
from gradparity.backends import Evaluation, Recurrent


def rnn(p, x, h0):
    def step(h, from_x):
        h = jnp.tanh(from_x + h @ p["W"].T)
        return h, h

    return jax.lax.scan(step, h0, x @ p["U"].T + p["b"])[1]


def lstm(p, x, h0, c0):
    def step(state, from_x):
        h, c = state
        i, f, g, o = jnp.split(from_x + h @ p["W"].T, 4, axis=-1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    return jax.lax.scan(step, (h0, c0), x @ p["U"].T + p["b"])[1]


def gru(p, x, h0):
    def step(h, from_x):
        x_r, x_z, x_n = jnp.split(from_x, 3, axis=-1)
        h_r, h_z, h_n = jnp.split(h @ p["W"].T, 3, axis=-1)
        r, z = jax.nn.sigmoid(x_r + h_r), jax.nn.sigmoid(x_z + h_z)
        h = (1 - z) * jnp.tanh(x_n + r * (h_n + p["b_hn"])) + z * h
        return h, h

    return jax.lax.scan(step, h0, x @ p["U"].T + p["b"])[1]


def gru_reset_before(p, x, h0):
    H = h0.shape[-1]
    W_rz, W_n = p["W"][: 2 * H], p["W"][2 * H :]

    def step(h, from_x):
        x_r, x_z, x_n = jnp.split(from_x, 3, axis=-1)
        h_r, h_z = jnp.split(h @ W_rz.T, 2, axis=-1)
        r, z = jax.nn.sigmoid(x_r + h_r), jax.nn.sigmoid(x_z + h_z)
        h = (1 - z) * jnp.tanh(x_n + (r * h) @ W_n.T) + z * h
        return h, h

    return jax.lax.scan(step, h0, x @ p["U"].T + p["b"])[1]


def loss(layer, p, x, y, *state):
    log_p = jax.nn.log_softmax(layer(p, x, *state) @ p["V"].T + p["c"])
    return -jnp.take_along_axis(log_p, y[..., None], axis=-1).sum()


class PlainJax:
    """It says once, for the whole process, whether there is float64, as one's own program would."""

    name = "plain-jax"
    partial = True

    def supports(self, model, dtype):
        usual = isinstance(model, Recurrent) and model == Recurrent(model.cell, *model.sizes, reset=model.reset)
        return "" if usual else "a single layer with the usual options only"

    def prepare(self, problem):
        jax.config.update("jax_enable_x64", problem.dtype == np.float64)
        model = problem.model
        layer = gru_reset_before if model.reset == "before" else {"rnn": rnn, "lstm": lstm, "gru": gru}[model.cell]
        p = {name: jnp.array(array) for name, array in problem.params.items()}
        data = [jnp.array(array) for array in (problem.inputs, problem.targets, *problem.states.values())]
        compute = jax.jit(jax.value_and_grad(lambda p, *data: loss(layer, p, *data)))
        return lambda: jax.block_until_ready(compute(p, *data))

    def evaluate(self, problem, *, trace=False):
        value, gradients = self.prepare(problem)()
        return Evaluation(float(value), {name: np.array(gradient) for name, gradient in gradients.items()}, None)


PLAIN = PlainJax()
