"""Whether an installed library computes what its layout says: its outputs beside those of the derivation by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..errors import RequestError
from ..layouts import LAYOUTS, Layout
from ..models import Recurrent
from ..problems import Problem
from ..registry import get_backend
from .layer_objects import from_params, wrap_layer, wrap_library_weights
from .layout_versions import CHECKED, changed_layout, changed_values, is_checked_version

# Of outputs of about 1, in float32: rounding moves them by 1e-6 at most, gates in another order by 1e-2 or more.
MOST_BY_ROUNDING = 1e-4


def changed_library(layout: Layout, model: Recurrent, *, other_version: bool = False) -> str:
    """The line that says that an installed library is another one than its layout knows, by names, shapes or values.

    Args:
        layout: the library's.
        model: of the layer that is asked for.
        other_version: whether to ask only a version that is not the one with which the layout was checked.

    Returns:
        The line; empty if the library is as it is known, or cannot be asked.

    Example:
        >>> from gradparity.backends.layouts import get_layout
        >>> changed_library(get_layout("equinox"), Recurrent("lstm", 3, 5, 2))
        ''
    """
    library = next((name for name, known in LAYOUTS.items() if known is layout and name in CHECKED), "")
    if not library or (other_version and is_checked_version(library)):
        return ""
    single = Recurrent(model.cell, 3, 4, 2, activation=model.activation, reset=model.reset, loss="squared_error")
    try:
        changed = changed_layout(library)
        return changed or changed_values(library, *value_difference(library, single))
    except RequestError:  # such as a library that is not installed
        return ""


def value_difference(library: str, model: Recurrent) -> tuple[str, float]:
    """How far the outputs of an installed cell are from those of the layout's equations, on the same random weights.

    Args:
        library: with a layout.
        model: a layer in one direction.

    Returns:
        The name of the cell's class, and the largest difference; 0 if rounding explains it.

    Raises:
        RequestError: the library is not installed, or has no such layer.

    Example:
        >>> value_difference("equinox", Recurrent("gru", 3, 4, 2, loss="squared_error"))
        ('equinox GRUCell', 0.0)
    """
    problem = Problem.from_seed(model, seed=0, seq_len=3, batch_size=2, dtype="float32")
    params = dict(problem.params)
    if library == "flax-nnx" and "b_hn" in params:
        params["b_hn"] = np.zeros_like(params["b_hn"])  # which it has not
    weights = LAYOUTS[library].from_params(model, params)
    if library == "onnx":
        wrapped = wrap_library_weights(library, model, weights)
    else:
        wrapped = wrap_layer(from_params(library, model, params), activation=model.activation)
    asked = replace(problem, params=params)
    outputs = [backend.evaluate(asked).outputs for backend in (wrapped, get_backend("manual"))]
    assert outputs[0] is not None
    assert outputs[1] is not None
    difference = float(np.abs(outputs[0] - outputs[1]).max())
    return wrapped.name, 0.0 if difference < MOST_BY_ROUNDING else difference
