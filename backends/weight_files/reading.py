"""Reading a file of weights of any known format, told by its content before its name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..errors import RequestError
from .keras_files import read_keras, read_keras_h5
from .layers_by_name import layers_by_name
from .named_arrays import read_weights
from .onnx_graph import read_onnx
from .weight_file import WeightFile

OF_ONE_LIBRARY: dict[str, tuple[str, Callable[[Path], WeightFile]]] = {
    ".onnx": ("onnx", read_onnx),
    ".keras": ("keras", read_keras),
    ".h5": ("keras", read_keras_h5),
    ".hdf5": ("keras", read_keras_h5),
}
OF_ANY_LIBRARY = {".npz": "arrays of NumPy", ".safetensors": "safetensors"}


def read_weight_file(path: Path, library: str = "") -> WeightFile:
    """Reads a file of weights, and finds the recurrent layers in it. No code of the file is run.

    Args:
        path: the file.
        library: whose names the arrays have, if their names do not tell it; of a format that tells it, the same.

    Returns:
        Its arrays, and its layers with what the file says of them.

    Raises:
        InvalidProblemError: the file is missing, damaged, too large or of a format that cannot be read safely.
        MissingFrameworkError: its format needs a package that is not installed.
        RequestError: its format is not known, or is another library's.
    """
    suffix = path.suffix.lower()
    if suffix in OF_ONE_LIBRARY:
        own_library, read = OF_ONE_LIBRARY[suffix]
        if library not in ("", own_library):
            raise RequestError(f"{path}: a {suffix} file has weights of {own_library}, not of {library}")
        return read(path)
    arrays = read_weights(path)
    return WeightFile(path, OF_ANY_LIBRARY[suffix], arrays, layers_by_name(arrays, library))
