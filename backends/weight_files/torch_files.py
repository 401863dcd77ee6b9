"""PyTorch's `.pt`, `.pth`, `.ckpt` and `.bin`: tensors by names, loaded by `torch.load(weights_only=True)` alone.

Such a file is a ZIP of a pickle and of the tensors' bytes, or, before PyTorch 1.6, one pickle after another. With
`weights_only`, the pickle may name tensors and plain containers only; PyTorch before 2.6 could be made to run code all
the same (CVE-2025-32434), and is refused. A dictionary in a dictionary, such as `state_dict` in a checkpoint, is looked
through. Source: `torch/serialization.py` and `torch/_weights_only_unpickler.py`.
"""

from __future__ import annotations

import pickletools
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InvalidProblemError, MissingFrameworkError, RequestError, first_line, printable
from ..frameworks import require
from ..npz_files import MAX_BYTES
from .formats import ZIP
from .layers_by_name import layers_by_name
from .limits import Budget
from .weight_file import WeightFile

WRAPPERS = {"state_dict", "model", "model_state_dict", "model_state", "module", "net", "network", "params", "weights"}
OPTIMIZERS = ("optim", "opt_", "ema_optim", "scheduler", "lr_")
LEGACY_PICKLES = 4  # a number, the protocol, the system and what was saved
SAFE_SINCE = (2, 6)
ANOTHER_CLASS = re.compile(r"(?:GLOBAL|[Cc]lass) ([\w.]+)")
STATE_DICT = 'torch.save(held["state_dict"] if isinstance(held, dict) else held.state_dict(), "weights.pt")'


def read_torch(path: Path, library: str = "") -> WeightFile:
    """Reads the tensors of a PyTorch file; nothing that is in it runs.

    Args:
        path: the file.
        library: whose names the tensors have, if it is not PyTorch.

    Returns:
        Its tensors as arrays, bfloat16 as float32, and the layers among them.

    Raises:
        InvalidProblemError: the file is damaged or too large.
        RequestError: it holds more than tensors, numbers and text.
        MissingFrameworkError: torch is not installed, or is too old to be safe.
    """
    require("torch", needed_by="a file of PyTorch", extra="torch")
    _require_safe(version("torch"))
    import torch

    is_zip = _require_within_limit(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            held = torch.load(path, map_location="cpu", weights_only=True, mmap=is_zip)
    except Exception as error:  # whatever torch and pickle make of it
        raise _refusal(path, error) from error
    budget = Budget(path)
    arrays = {name: _array(tensor) for name, tensor in _tensors(held, budget) if _is_plain(tensor)}
    arrays = _without_wrapper(arrays)
    return WeightFile(path, "tensors of PyTorch", arrays, layers_by_name(arrays, library))


def _require_safe(torch_version: str) -> None:
    numbers = tuple(int(part) for part in re.findall(r"\d+", torch_version)[:2])
    if numbers < SAFE_SINCE:
        raise MissingFrameworkError(
            f"a file of PyTorch needs torch 2.6 or later, and {torch_version} is installed, whose weights_only loading "
            'can be made to run code (CVE-2025-32434): pip install "torch>=2.6"'
        )


def _require_within_limit(path: Path) -> bool:
    """Whether the file is a ZIP; refused if it, or what is in it, is too large."""
    size = path.stat().st_size
    with path.open("rb") as file:
        is_zip = file.read(4) == ZIP
    if is_zip:
        try:
            with zipfile.ZipFile(path) as archive:
                size = max(size, sum(entry.file_size for entry in archive.infolist()))
        except Exception as error:  # whatever zip makes of damaged bytes
            raise InvalidProblemError(f"{path}: damaged, or not a file of PyTorch") from error
    if size > MAX_BYTES:
        raise InvalidProblemError(
            f"{path}: unpacks to {size / 2**30:.3g} GiB, expected at most {MAX_BYTES / 2**30:.3g} GiB"
        )
    return is_zip


def _refusal(path: Path, error: Exception) -> RequestError:
    """What is wrong with a file that torch does not load: other classes in it, or damage."""
    text = str(error)
    if ("weights_only" in text or "Unsupported" in text) and _is_complete(path):
        classes = ANOTHER_CLASS.search(text)
        what = f"objects of {printable(classes[1])}" if classes else "other objects than tensors"
        return RequestError(
            f"{path}: it holds {what}, which are code, beside or around its tensors. Where you trust it: import torch; "
            f"held = torch.load({str(path)!r}, weights_only=False); {STATE_DICT}"
        )
    return InvalidProblemError(f"{path}: damaged, or not a file of PyTorch: {first_line(error)}")


def _is_complete(path: Path) -> bool:
    """Whether the pickles of the file, or of the ZIP, reach their ends; nothing of them is carried out."""
    try:
        with path.open("rb") as file:
            if file.read(4) == ZIP:
                with zipfile.ZipFile(path) as archive:
                    pickled = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
                    for _ in pickletools.genops(archive.read(pickled)):
                        pass
                return True
            file.seek(0)
            for _ in range(LEGACY_PICKLES):
                for _ in pickletools.genops(file):
                    pass
    except Exception:  # whatever pickletools makes of damaged bytes
        return False
    return True


def _tensors(held: Any, budget: Budget) -> Iterator[tuple[str, Any]]:
    """All tensors in dictionaries and lists, by the keys on the way to them, joined by points.

    What is held several times is looked through once: dictionaries may hold each other, also in a circle.
    """
    import torch

    to_do: list[tuple[str, Any]] = [("", held)]
    seen: set[int] = set()
    while to_do:
        name, value = to_do.pop()
        if isinstance(value, torch.Tensor):
            budget.take_entry()
            budget.take_array(name, tuple(value.shape), max(4, value.element_size()))
            yield name, value.detach()
        elif isinstance(value, Mapping | list | tuple) and id(value) not in seen:
            seen.add(id(value))
            inner = value.items() if isinstance(value, Mapping) else enumerate(value)
            named = [
                (f"{name}.{key}" if name else str(key), entry) for key, entry in inner if _is_looked_through(entry)
            ]
            to_do += reversed(named)


def _is_looked_through(value: object) -> bool:
    import torch

    return isinstance(value, torch.Tensor | Mapping | list | tuple)


def _is_plain(tensor: Any) -> bool:
    """Whether NumPy has such a tensor: dense, not quantized, and with its numbers in it."""
    import torch

    return bool(tensor.layout == torch.strided and not tensor.is_quantized and tensor.device.type == "cpu")


def _array(tensor: Any) -> np.ndarray:
    import torch

    has_no_numpy = tensor.dtype in (torch.bfloat16,) or "float8" in str(tensor.dtype)
    return np.asarray((tensor.float() if has_no_numpy else tensor).resolve_conj().resolve_neg().numpy())


def _without_wrapper(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays without the one key under which all of them stand, such as `state_dict`."""
    tops = {name.partition(".")[0] for name in arrays if not name.startswith(OPTIMIZERS)}
    kept = [name for name in arrays if name.partition(".")[0] in tops]
    if len(tops) != 1 or not all("." in name for name in kept) or not (tops & WRAPPERS):
        return arrays
    return {name.partition(".")[2]: arrays[name] for name in kept}
