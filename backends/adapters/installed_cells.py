"""The cells of the installed libraries as they come, freshly made: the names and shapes of their weights.

They are made by the libraries alone, without a layout, so that a layout can be held to them. No numbers are drawn.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from ..models import Recurrent
from .keras_engine import engine, keras_on

D, H = 3, 4
Shapes = dict[str, tuple[int, ...]]
RNN, LSTM = Recurrent("rnn", D, H, 1, activation="relu"), Recurrent("lstm", D, H, 1)
GRU, GRU_BEFORE = Recurrent("gru", D, H, 1), Recurrent("gru", D, H, 1, reset="before")


class InstalledCell(NamedTuple):
    """A class of a library.

    Attributes:
        class_name: its name, `flax.nnx.GRUCell`.
        model: what it computes.
        shapes: of its weights, by the library's names in a single layer.
    """

    class_name: str
    model: Recurrent
    shapes: Shapes


def installed_cells(library: str) -> Iterator[InstalledCell]:
    """The cells of a library that is installed.

    Args:
        library: one that has layers in Python.

    Returns:
        Each class of cells and of layers with weights of their own; none of a library that has no such classes.

    Example:
        >>> [cell.class_name for cell in installed_cells("equinox")]
        ['equinox.nn.LSTMCell', 'equinox.nn.GRUCell']
    """
    return MAKERS[library]() if library in MAKERS else iter(())


def _torch() -> Iterator[InstalledCell]:
    from torch import nn

    for name, model in (("RNN", RNN), ("LSTM", LSTM), ("GRU", GRU)):
        for class_name in (name, f"{name}Cell"):
            module = getattr(nn, class_name)(D, H, device="meta")  # where no random number is drawn
            shapes = {key.removesuffix("_l0"): tuple(tensor.shape) for key, tensor in module.named_parameters()}
            yield InstalledCell(f"torch.nn.{class_name}", model, shapes)


def _linen() -> Iterator[InstalledCell]:
    import flax.linen as nn
    import jax
    import jax.numpy as jnp
    from flax.traverse_util import flatten_dict

    for name, model in (("SimpleCell", RNN), ("LSTMCell", LSTM), ("OptimizedLSTMCell", LSTM), ("GRUCell", GRU)):
        cell: Any = getattr(nn, name)(H)
        state = jnp.zeros((1, H), "float32")
        carry = (state, state) if model.cell == "lstm" else state
        variables = jax.eval_shape(cell.init, jax.random.PRNGKey(0), carry, jnp.zeros((1, D), "float32"))
        shapes = {".".join(key): tuple(array.shape) for key, array in flatten_dict(variables["params"]).items()}
        yield InstalledCell(f"flax.linen.{name}", model, shapes)


def _nnx() -> Iterator[InstalledCell]:
    from flax import nnx
    from flax.traverse_util import flatten_dict

    for name, model in (("SimpleCell", RNN), ("LSTMCell", LSTM), ("OptimizedLSTMCell", LSTM), ("GRUCell", GRU)):
        made = nnx.eval_shape(lambda name=name: getattr(nnx, name)(D, H, rngs=nnx.Rngs(0)))
        params = flatten_dict(nnx.to_pure_dict(nnx.state(made, nnx.Param)))
        shapes = {".".join(map(str, key)): tuple(array.shape) for key, array in params.items()}
        yield InstalledCell(f"flax.nnx.{name}", model, shapes)


def _equinox() -> Iterator[InstalledCell]:
    import equinox as eqx
    import jax

    for name, model in (("LSTMCell", LSTM), ("GRUCell", GRU)):
        cell = eqx.filter_eval_shape(getattr(eqx.nn, name), D, H, key=jax.random.PRNGKey(0))
        held = {field.name: getattr(cell, field.name) for field in dataclasses.fields(cell)}
        shapes = {key: tuple(array.shape) for key, array in held.items() if isinstance(array, jax.ShapeDtypeStruct)}
        yield InstalledCell(f"equinox.nn.{name}", model, shapes)


def _haiku() -> Iterator[InstalledCell]:
    import haiku as hk
    import jax
    import jax.numpy as jnp

    for name, model in (("VanillaRNN", RNN), ("LSTM", LSTM), ("GRU", GRU_BEFORE)):

        def step(x: Any, name: str = name) -> Any:
            core = getattr(hk, name)(H, name="core")
            return core(x, core.initial_state(1))

        params = jax.eval_shape(hk.transform(step).init, jax.random.PRNGKey(0), jnp.zeros((1, D), "float32"))
        shapes = {
            f"{module}/{key}".removeprefix("core/").replace("/", "."): tuple(array.shape)
            for module, arrays in params.items()
            for key, array in arrays.items()
        }
        yield InstalledCell(f"haiku.{name}", model, shapes)


def _keras() -> Iterator[InstalledCell]:
    from .keras import layer_for

    keras = keras_on(engine())
    for name, model in (("SimpleRNN", RNN), ("LSTM", LSTM), ("GRU", GRU), ("GRU", GRU_BEFORE)):
        layer = layer_for(keras, model, D, "float32")
        yield InstalledCell(
            f"keras.layers.{name}", model, {weight.name: tuple(weight.shape) for weight in layer.weights}
        )


MAKERS: dict[str, Callable[[], Iterator[InstalledCell]]] = {
    "torch": _torch,
    "flax-linen": _linen,
    "flax-nnx": _nnx,
    "equinox": _equinox,
    "haiku": _haiku,
    "keras": _keras,
}
