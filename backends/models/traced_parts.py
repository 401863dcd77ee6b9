"""A recorded program as plain values and arrays: never code. `traced_reading` reads them.

The plain values name the operations, and say which operands they take; what is derived from these, such as the shapes
and the entries of the results, is left out. An operand of successive entries is known by its first one, and one of
constants alone by a 0. The arrays hold, one operand after the other, the entries of all others, and the constants.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from operator import index
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import printable
from .decided import UNDERSTOOD, result_dtype
from .numbering import without_gaps
from .operations import PARAMETERS
from .traced import CONSTANT, ENTRY_DTYPES, Decision, Operand, Operation, Traced

Parts = tuple[dict[str, Any], dict[str, np.ndarray]]
BITS: dict[np.dtype, int] = {np.dtype("float64"): 64, np.dtype("float32"): 32}
LISTED = -1  # in the place of the first entry: the entries stand one by one in `origins`


@dataclass(frozen=True)
class SavedPlace:
    """A place in a program, without its text.

    Attributes:
        file: its name, without the folder.
        function: in which it is.
        line: from 1.
        columns: the first one and one more than the last; None if they are not known.
    """

    file: str
    function: str
    line: int
    columns: tuple[int, int] | None = None

    def __str__(self) -> str:
        return f"{self.file}:{self.line}, in {self.function}"


@dataclass(frozen=True)
class NamedFunction:
    """Stands for a function that decided something in a saved program, of which the name alone is known."""

    name: str

    def __str__(self) -> str:
        return self.name


def parts_of(model: Traced) -> Parts:
    """A recording as plain values and arrays.

    Args:
        model: the recording.

    Returns:
        The values, which JSON can hold, and the arrays by name.

    Example:
        >>> import numpy as np
        >>> from gradparity.backends.tracing.trace import trace
        >>> traced = trace(lambda w: (w * w[::-1]).sum(), {"w": np.ones(2)})
        >>> values, arrays = parts_of(traced.model(traced.returned, {"w": "w"}))
        >>> values["operands"], arrays["origins"].tolist()
        ([[64, [2], 1], [64, [2], -1], [64, [2], 3]], [2, 1])
        >>> [operation[:3] for operation in values["operations"]]
        [['multiply', [0, 1], None], ['sum', [2], [-1]]]
    """
    return _Writer(model).parts()


def digest_of(model: Traced) -> str:
    """A digest of all that a recording holds but places; the same on machines of either byte order."""
    values, arrays = parts_of(model)
    del values["places"]
    without_places = {**values, **{name: [one[:-1] for one in values[name]] for name in ("operations", "decisions")}}
    digest = sha256(json.dumps(without_places, sort_keys=True).encode())
    for name, array in arrays.items():
        digest.update(f"{name} {array.dtype.name} {array.shape}\n".encode())
        digest.update(array.astype(array.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()


def packed(model: Traced) -> dict[str, np.ndarray]:
    """A recording as arrays alone: those of `parts_of`, and the JSON of its values as bytes."""
    values, arrays = parts_of(model)
    return {"values": np.frombuffer(json.dumps(values, separators=(",", ":")).encode(), "uint8"), **arrays}


class _Writer:
    """Takes a recording apart; what several take stands in it once."""

    def __init__(self, model: Traced) -> None:
        self._model = without_gaps(model)
        self._operands: dict[int, int] = {}  # by identity, the place in `_described`
        self._described: list[list[Any]] = []
        self._listed: list[np.ndarray] = []
        self._constants: dict[np.dtype, list[np.ndarray]] = {dtype: [] for dtype in ENTRY_DTYPES}
        self._places: dict[SavedPlace, int] = {}
        self._known_places: dict[Any, int | None] = {}

    def parts(self) -> Parts:
        model = self._model
        operations = [self._operation(one) for one in model.operations]
        decisions = [self._decision(one) for one in model.decisions]
        differentiated = [
            [name, BITS[model.dtypes[name]], list(origin.shape), self._entries(origin)]
            for name, origin in model.differentiated.items()
        ]
        values: dict[str, Any] = {
            "function": model.function,
            "arguments": [[BITS[block.dtype], block.stop - block.start] for block in model.arguments],
            "operands": self._described,
            "operations": operations,
            "decisions": [fields for fields, _ in decisions],
            "places": [[one.file, one.function, one.line, one.columns and [*one.columns]] for one in self._places],
            "differentiated": differentiated,
            "loss": [BITS[model.loss.dtype], model.loss.number],
        }
        arrays = {
            "origins": _joined(self._listed, "int64"),
            "results": _joined([result for _, result in decisions], "float64"),
            "loss": np.array([model.constant_loss], "float64"),
        }
        for dtype in ENTRY_DTYPES:
            arrays[f"constants.{dtype.name}"] = _joined(self._constants[dtype], dtype)
            arrays[f"fixed.{dtype.name}"] = _joined([model.fixed.get(dtype, np.zeros(0))], dtype)
        return values, arrays

    def _operation(self, one: Operation) -> list[Any]:
        operands = [self._operand(operand) for operand in one.operands]
        parameter = one.parameters[PARAMETERS[one.primitive]] if one.primitive in PARAMETERS else None
        return [one.primitive, operands, _plain(parameter), self._place(one.place)]

    def _decision(self, one: Decision) -> tuple[list[Any], np.ndarray]:
        name, result = name_of_decision(one.function), np.zeros(0)
        if name in UNDERSTOOD:
            result = np.asarray(one.result).astype(result_dtype(name)).astype("float64")
        operands = [self._operand(operand) for operand in one.operands]
        axis = _axis(one.arguments.get("axis", -1 if name == "argsort" else None))
        described = [name, operands, axis, list(result.shape), one.is_fragile, one.after, self._place(one.place)]
        return described, result

    def _operand(self, operand: Operand) -> int:
        known = self._operands.get(id(operand))
        if known is None:
            known = self._operands[id(operand)] = len(self._described)
            self._described.append([BITS[operand.dtype], list(operand.shape), self._entries(operand.origin)])
            if operand.constants is not None:
                self._constants[operand.dtype].append(operand.constants[operand.origin == CONSTANT])
        return known

    def _entries(self, origin: np.ndarray) -> int:
        """What says which entries an array holds; those that are none in a row are listed."""
        flat = origin.reshape(-1)
        if not flat.any():
            return CONSTANT
        first = int(flat[0])
        if first > CONSTANT and np.array_equal(flat, np.arange(first, first + flat.size)):
            return first
        self._listed.append(flat)
        return LISTED

    def _place(self, place: Any) -> int | None:
        """The number of a place in the list of all."""
        if place is None:
            return None
        key = place if isinstance(place, SavedPlace) else (id(place.code), place.instruction)
        if key not in self._known_places:
            saved = place if isinstance(place, SavedPlace) else _saved(place)
            self._known_places[key] = self._places.setdefault(saved, len(self._places))
        return self._known_places[key]


def name_of_decision(function: Callable[..., Any] | NamedFunction) -> str:
    """How a saved program calls a function that decided something.

    Example:
        >>> name_of_decision(np.less), name_of_decision(NamedFunction("isin"))
        ('less', 'isin')
    """
    if isinstance(function, NamedFunction):
        return function.name
    name = printable(getattr(function, "__name__", "") or "a function")
    is_other = name in UNDERSTOOD and getattr(np, name) is not function
    return f"another {name}" if is_other else name


def _saved(place: Any) -> SavedPlace:
    columns = place.span and (place.span[2], place.span[3])
    return SavedPlace(printable(Path(place.code.co_filename).name), printable(place.code.co_name), place.line, columns)


def _axis(axis: Any) -> int | None:
    """An axis, if a decision has one; several of them matter to none that is understood."""
    try:
        return index(axis)
    except TypeError:
        return None


def _plain(parameter: Any) -> Any:
    """A parameter as JSON has it."""
    if isinstance(parameter, np.dtype):
        return BITS[parameter]
    if isinstance(parameter, tuple | list):
        return [index(axis) for axis in parameter]
    return None if parameter is None else index(parameter)


def _joined(arrays: Sequence[np.ndarray], dtype: Any) -> np.ndarray:
    parts = [np.asarray(array, dtype).reshape(-1) for array in arrays]
    return np.concatenate(parts) if parts else np.zeros(0, dtype)
