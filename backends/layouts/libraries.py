"""The layouts by the libraries' names."""

from __future__ import annotations

from types import MappingProxyType

from ..errors import unknown_name
from . import equinox, flax_linen, flax_nnx, haiku, keras, onnx, torch_nn
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
    }
)


def get_layout(name: str) -> Layout:
    """The layout of that library, or an UnknownNameError with the nearest one."""
    if name not in LAYOUTS:
        raise unknown_name("library", name, LAYOUTS)
    return LAYOUTS[name]
