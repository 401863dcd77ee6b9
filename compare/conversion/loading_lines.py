"""The lines of Python by which a target loads converted weights, by its own call. Tests run them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from ...backends import Recurrent
from ...backends.layouts import get_layout
from ...backends.layouts.tf1 import FORGET_BIAS
from .conversion import Conversion

Lines = list[str]
KERAS = {"rnn": "SimpleRNN", "lstm": "LSTM", "gru": "GRU"}
TORCH = {"rnn": "RNN", "lstm": "LSTM", "gru": "GRU"}
PADDLE = {"rnn": "SimpleRNN", "lstm": "LSTM", "gru": "GRU"}
FLAX = {"rnn": "SimpleCell", "lstm": "OptimizedLSTMCell", "gru": "GRUCell"}
EQUINOX = {"lstm": "LSTMCell", "gru": "GRUCell"}
HAIKU = {"rnn": "VanillaRNN", "lstm": "LSTM", "gru": "GRU"}
HAIKU_MODULES = {"rnn": "vanilla_rnn", "lstm": "lstm", "gru": "gru"}
TF1 = {"lstm": "LSTMCell", "gru": "GRUCell"}


def loading_lines(conversion: Conversion, path: Path) -> list[str]:
    r"""The lines that load what was written into a new layer of the target.

    Args:
        conversion: what was converted.
        path: the file to which its arrays were written.

    Returns:
        Lines of Python. They use the libraries by their full names, as after `import safetensors.torch`. Of a stack in
        a library that has none, `layers` is the list of its layers.

    Example:
        >>> import numpy as np
        >>> from gradparity.compare.conversion import convert
        >>> weights = {"weight_ih_l0": np.ones((16, 3)), "weight_hh_l0": np.ones((16, 4))}
        >>> print(*loading_lines(convert(weights, "torch", "keras"), Path("out.npz")), sep="\n")
        weights = dict(numpy.load("out.npz"))
        layer = keras.layers.LSTM(4, return_sequences=True)
        layer.build((None, None, 3))
        layer.set_weights([weights[name] for name in ("kernel", "recurrent_kernel", "bias")])
    """
    file = json.dumps(str(path), ensure_ascii=False)
    if path.suffix == ".onnx":
        return [f"layer = onnxruntime.InferenceSession({file})"]
    is_safetensors = path.suffix == ".safetensors"
    weights = f"weights = {f'safetensors.numpy.load_file({file})' if is_safetensors else f'dict(numpy.load({file}))'}"
    if conversion.target == "torch" and is_safetensors:
        return [_torch_layer(conversion), f"layer.load_state_dict(safetensors.torch.load_file({file}))"]
    if conversion.target in WHOLE:
        return [weights, *WHOLE[conversion.target](conversion)]
    layers = [_one(conversion, k) for k in range(conversion.model.num_layers)]
    if len(layers) == 1:
        return [weights, *layers[0]]
    lines = [weights, "layers = []"]
    for k, of_layer in enumerate(layers):
        lines += [f"# layer {k}", *of_layer, "layers.append(layer)"]
    return lines


def _one(conversion: Conversion, k: int) -> Lines:
    """The lines for one layer, which make `layer` of `weights`."""
    model = conversion.model
    size = model.input_size if k == 0 else model.hidden_size * (1 + model.bidirectional)
    names = [name for name in conversion.arrays if model.num_layers == 1 or name.startswith(f"layer{k}.")]
    return SINGLE[conversion.target](model, size, names, f"layer{k}." if model.num_layers > 1 else "")


def _torch(conversion: Conversion) -> Lines:
    tensors = "{name: torch.from_numpy(array) for name, array in weights.items()}"
    return [_torch_layer(conversion), f"layer.load_state_dict({tensors})"]


def _torch_layer(conversion: Conversion) -> str:
    model = conversion.model
    options = f"{model.input_size}, {model.hidden_size}"
    options += f", num_layers={model.num_layers}" if model.num_layers > 1 else ""
    options += ", bidirectional=True" if model.bidirectional else ""
    options += f', nonlinearity="{model.activation}"' if model.cell == "rnn" and model.activation != "tanh" else ""
    in_double = next(iter(conversion.arrays.values())).dtype == "float64"
    return f"layer = torch.nn.{TORCH[model.cell]}({options}){'.double()' if in_double else ''}"


def _paddle(conversion: Conversion) -> Lines:
    model = conversion.model
    direction = ', direction="bidirect"' if model.bidirectional else ""
    stack = f", num_layers={model.num_layers}" if model.num_layers > 1 else ""
    activation = f', activation="{model.activation}"' if model.cell == "rnn" and model.activation != "tanh" else ""
    sizes = f"{model.input_size}, {model.hidden_size}"
    return [
        f"layer = paddle.nn.{PADDLE[model.cell]}({sizes}{stack}{direction}{activation}, time_major=True)",
        "layer.set_state_dict(weights)",
    ]


def _onnx(conversion: Conversion) -> Lines:
    return ["tensors = [onnx.numpy_helper.from_array(array, name) for name, array in weights.items()]"]


def _keras(model: Recurrent, size: int, names: list[str], prefix: str) -> Lines:
    options = "return_sequences=True"
    if model.cell == "gru" and model.reset == "before":
        options += ", reset_after=False"
    if model.cell == "rnn" and model.activation != "tanh":
        activation = {"identity": "linear"}.get(model.activation, model.activation)
        options += f', activation="{activation}"'
    layer = f"keras.layers.{KERAS[model.cell]}({model.hidden_size}, {options})"
    layer = f"keras.layers.Bidirectional({layer})" if model.bidirectional else layer
    return [
        f"layer = {layer}",
        f"layer.build((None, None, {size}))",
        f"layer.set_weights([weights[name] for name in {_tuple(names)}])",
    ]


def _nnx(model: Recurrent, size: int, names: list[str], prefix: str) -> Lines:
    activation = _flax_activation(model)
    cell = f"flax.nnx.{FLAX[model.cell]}({size}, {model.hidden_size}{activation}, rngs=flax.nnx.Rngs(0))"
    return [
        f"layer = {_both('flax.nnx', cell, model)}",
        f'flax.nnx.update(layer, flax.traverse_util.unflatten_dict({_own(prefix)}, sep="."))',
    ]


def _linen(model: Recurrent, size: int, names: list[str], prefix: str) -> Lines:
    cell = f"flax.linen.{FLAX[model.cell]}({model.hidden_size}{_flax_activation(model)})"
    return [
        f"layer = {_both('flax.linen', cell, model)}",
        f'layer = layer.bind({{"params": flax.traverse_util.unflatten_dict({_own(prefix)}, sep=".")}})',
    ]


def _flax_activation(model: Recurrent) -> str:
    if model.cell != "rnn" or model.activation == "tanh":
        return ""
    name = {"identity": "lambda a: a"}.get(model.activation, f"jax.nn.{model.activation}")
    return f", activation_fn={name}"


def _both(module: str, cell: str, model: Recurrent) -> str:
    return f"{module}.Bidirectional({module}.RNN({cell}), {module}.RNN({cell}))" if model.bidirectional else cell


def _own(prefix: str) -> str:
    """The weights of one layer of a stack, without what stands before their names."""
    if not prefix:
        return "weights"
    names = f'name.removeprefix("{prefix}")'
    return f'{{{names}: array for name, array in weights.items() if name.startswith("{prefix}")}}'


def _equinox(model: Recurrent, size: int, names: list[str], prefix: str) -> Lines:
    lines: Lines = []
    for reverse in (False, True)[: 1 + model.bidirectional]:
        before = prefix + ("reverse." if reverse else "")
        own = [name.removeprefix(before) for name in names if (".reverse." in f".{name}") == reverse]
        attributes = ", ".join(f"cell.{name}" for name in own)
        made = f"equinox.nn.{EQUINOX[model.cell]}({size}, {model.hidden_size}, key=jax.random.key(0))"
        values = f"[jax.numpy.asarray(weights[name]) for name in {_tuple([before + name for name in own])}]"
        variable = "backward" if reverse else "layer"
        lines.append(f"{variable} = equinox.tree_at(lambda cell: [{attributes}], {made}, {values})")
    return lines + (["layer = (layer, backward)"] if model.bidirectional else [])


def _haiku(model: Recurrent, size: int, names: list[str], prefix: str) -> Lines:
    lines: Lines = []
    for reverse in (False, True)[: 1 + model.bidirectional]:
        modules: dict[str, list[str]] = {}
        for name in names:
            if (".reverse." in f".{name}") == reverse:
                *inner, weight = name.removeprefix(prefix).removeprefix("reverse.").split(".")
                module = "/".join([HAIKU_MODULES[model.cell], *inner])
                modules.setdefault(module, []).append(f'"{weight}": weights["{name}"]')
        entries = ", ".join(f'"{module}": ' + "{" + ", ".join(of) + "}" for module, of in modules.items())
        lines.append(f"{'backward' if reverse else 'params'} = {{{entries}}}")
    both = "(params, backward)" if model.bidirectional else "params"
    core = f"lambda x, state: haiku.dynamic_unroll(haiku.{HAIKU[model.cell]}({model.hidden_size}), x, state)"
    unroll = f"haiku.without_apply_rng(haiku.transform({core}))"
    return [*lines, f"layer = {unroll}, {both}  # its apply takes the parameters, x and the state"]


def _mlx(model: Recurrent, size: int, names: list[str], prefix: str) -> Lines:
    made = f"mlx.nn.{TORCH[model.cell]}({size}, {model.hidden_size})"
    lines: Lines = []
    for reverse in (False, True)[: 1 + model.bidirectional]:
        variable, before = ("backward", f"{prefix}reverse.") if reverse else ("layer", prefix)
        own = [name for name in names if (".reverse." in f".{name}") == reverse]
        pairs = ", ".join(f'("{name.removeprefix(before)}", mlx.core.array(weights["{name}"]))' for name in own)
        lines += [f"{variable} = {made}", f"{variable}.load_weights([{pairs}])"]
    return lines + (["layer = (layer, backward)"] if model.bidirectional else [])


def _tf1(conversion: Conversion) -> Lines:
    """A cell for each layer and direction; the forget bias stands in the program, and not among the weights."""
    model, layout = conversion.model, get_layout("tf1")
    options = ""
    if model.cell == "lstm":
        options += "" if conversion.forget_bias == FORGET_BIAS else f", forget_bias={conversion.forget_bias}"
        options += ", use_peepholes=True" if "w_f_diag" in conversion.target_weights[0] else ""
    made = f"tensorflow.compat.v1.nn.rnn_cell.{TF1[model.cell]}({model.hidden_size}{options})"
    lines = ["layers = []"] if model.num_layers > 1 else []
    for k, layer in enumerate(model.layers):
        lines += [f"# layer {k}"] if model.num_layers > 1 else []
        size = model.input_size if k == 0 else model.hidden_size * len(layer)
        for place in layer:
            own = conversion.target_weights[place.number]
            names = [layout.name_in_file(place, name, model.bidirectional) for name in own]
            variable = "backward" if place.is_reverse else "layer"
            lines += [
                f"{variable} = {made}",
                f"{variable}.build((None, {size}))",
                f"{variable}.set_weights([weights[n] for n in {_tuple(names)}])",
            ]
        lines += ["layer = (layer, backward)"] if model.bidirectional else []
        lines += ["layers.append(layer)"] if model.num_layers > 1 else []
    return lines


def _tuple(names: list[str]) -> str:
    quoted = ", ".join(f'"{name}"' for name in names)
    return f"({quoted},)" if len(names) == 1 else f"({quoted})"


WHOLE: dict[str, Callable[[Conversion], Lines]] = {"torch": _torch, "paddle": _paddle, "onnx": _onnx, "tf1": _tf1}
SINGLE: dict[str, Callable[[Recurrent, int, list[str], str], Lines]] = {
    "keras": _keras,
    "flax-nnx": _nnx,
    "flax-linen": _linen,
    "equinox": _equinox,
    "haiku": _haiku,
    "mlx": _mlx,
}
