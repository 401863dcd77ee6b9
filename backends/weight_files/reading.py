"""Reading a file of weights of any known format."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..errors import RequestError
from .formats import format_of
from .keras_files import read_hdf5_weights, read_keras
from .layers_by_name import layers_by_name
from .msgpack_files import read_msgpack
from .named_arrays import read_npz_weights, read_safetensors
from .onnx_graph import read_onnx
from .torch_files import read_torch
from .weight_file import WeightFile

OF_ONE_LIBRARY: dict[str, tuple[str, Callable[[Path], WeightFile]]] = {
    "onnx": ("onnx", read_onnx),
    "keras": ("keras", read_keras),
}
OF_ANY_LIBRARY: dict[str, Callable[[Path, str], WeightFile]] = {
    "hdf5": read_hdf5_weights,
    "msgpack": read_msgpack,
    "torch": read_torch,
}
NAMED_ARRAYS = {"npz": ("arrays of NumPy", read_npz_weights), "safetensors": ("safetensors", read_safetensors)}


def read_weight_file(path: Path, library: str = "") -> WeightFile:
    """Reads a file of weights, and finds the recurrent layers in it. No code of the file is run.

    Args:
        path: the file.
        library: whose names the arrays have, if their names do not tell it; of a format that tells it, the same.

    Returns:
        Its arrays, and its layers with what the file says of them.

    Raises:
        InvalidProblemError: the file is missing, damaged or too large.
        MissingFrameworkError: its format needs a package that is not installed.
        RequestError: its format cannot be read safely, is not known, or is another library's.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> file = Path(tempfile.mkdtemp()) / "weights.npz"
        >>> np.savez(file, weight_ih_l0=np.ones((12, 3)), weight_hh_l0=np.ones((12, 4)))
        >>> (layer,) = read_weight_file(file).layers
        >>> layer.library, layer.cell, layer.input_size, layer.hidden_size
        ('torch', 'gru', 3, 4)
    """
    kind = format_of(path)
    if kind in OF_ONE_LIBRARY:
        own_library, read = OF_ONE_LIBRARY[kind]
        if library not in ("", own_library):
            raise RequestError(f"{path}: its weights are of {own_library}, not of {library}")
        return read(path)
    if kind in OF_ANY_LIBRARY:
        return OF_ANY_LIBRARY[kind](path, library)
    format_, read_arrays = NAMED_ARRAYS[kind]
    arrays = read_arrays(path)
    return WeightFile(path, format_, arrays, layers_by_name(arrays, library))
