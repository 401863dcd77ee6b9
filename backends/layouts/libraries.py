"""The layouts by the libraries' names."""

from __future__ import annotations

from types import MappingProxyType

from ..errors import unknown_name
from . import equinox, flax_linen, flax_nnx, haiku, keras, mlx, onnx, paddle, tf1, torch_nn
from .layout import Layout

LAYOUTS = MappingProxyType(
    {
        "torch": torch_nn.LAYOUT,
        "flax-linen": flax_linen.LAYOUT,
        "flax-nnx": flax_nnx.LAYOUT,
        "equinox": equinox.LAYOUT,
        "haiku": haiku.LAYOUT,
        "keras": keras.LAYOUT,
        "onnx": onnx.LAYOUT,
        "tf1": tf1.LAYOUT,
        "paddle": paddle.LAYOUT,
        "mlx": mlx.LAYOUT,
    }
)


def get_layout(name: str) -> Layout:
    """The layout of a library's weights.

    Args:
        name: one of `LAYOUTS`.

    Returns:
        The layout.

    Raises:
        UnknownNameError: there is no layout of that name; the message has the nearest one.

    Example:
        >>> from gradparity.backends import Recurrent
        >>> (weights,) = get_layout("keras").zeros(Recurrent("lstm", 3, 5, 4))
        >>> {name: array.shape for name, array in weights.items()}
        {'kernel': (3, 20), 'recurrent_kernel': (5, 20), 'bias': (20,)}
    """
    if name not in LAYOUTS:
        raise unknown_name("library", name, LAYOUTS)
    return LAYOUTS[name]
