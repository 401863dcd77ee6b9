"""A recorded program as plain values and arrays, and back: never code, and checked like any file.

The plain values name the operations and say which operands they take; the arrays hold, one operand after the other, the
numbers of the entries and the constants.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from math import prod
from typing import Any

import numpy as np

from ..errors import InvalidProblemError
from .operations import result_shape
from .traced import CONSTANT, ENTRY_DTYPES, Block, Decision, Entry, Operand, Operation, Traced

Parts = tuple[dict[str, Any], dict[str, np.ndarray]]
DECIDED_BY = (  # NumPy's functions, of which a decision is kept by its name
    *("less", "less_equal", "greater", "greater_equal", "equal", "not_equal", "sign", "signbit", "logical_not"),
    *("argmax", "argmin", "argsort", "floor", "ceil", "rint", "trunc", "nonzero", "flatnonzero", "count_nonzero"),
    *("argwhere", "any", "all", "searchsorted", "logical_and", "logical_or", "logical_xor", "heaviside", "isclose"),
)
MAX_SIZE = 2**31  # numbers in an array


def unknown_decision(*arrays: Any, **arguments: Any) -> Any:
    """Stands for a function that is not known by name; what such a decision depends on is not known."""
    raise NotImplementedError("a decision of a saved program by a function that is not known")


def parts_of(model: Traced) -> Parts:
    """A recording as plain values and arrays.

    Args:
        model: the recording.

    Returns:
        The values, which JSON can hold, and the arrays by name.

    Example:
        >>> import numpy as np
        >>> from gradparity.backends.tracing.trace import trace
        >>> traced = trace(lambda w: (w * w).sum(), {"w": np.ones(2)})
        >>> values, arrays = parts_of(traced.model(traced.returned, {"w": "w"}))
        >>> [operation[0] for operation in values["operations"]], arrays["origins"].tolist()
        (['multiply', 'sum'], [1, 2, 3, 4])
    """
    operands: dict[int, tuple[int, Operand]] = {}

    def number(operand: Operand) -> int:
        return operands.setdefault(id(operand), (len(operands), operand))[0]

    operations = [
        [
            operation.primitive,
            operation.dtype.name,
            operation.start,
            [number(operand) for operand in operation.operands],
            {name: _plain(value) for name, value in operation.parameters.items()},
            _where(operation.place),
        ]
        for operation in model.operations
    ]
    decisions = []
    results: list[np.ndarray] = []
    for decision in model.decisions:
        name = getattr(decision.function, "__name__", "")
        known = name if getattr(np, name, None) is decision.function and name in DECIDED_BY else ""
        result = np.asarray(decision.result)
        results.append(result.reshape(-1).astype("float64"))
        axis = decision.arguments.get("axis")
        taken = [number(operand) for operand in decision.operands]
        axis = axis if isinstance(axis, int) else None
        decisions.append([known, taken, axis, list(result.shape), decision.is_fragile, _where(decision.place)])
    all_operands = [operand for _, operand in operands.values()]
    values: dict[str, Any] = {
        "function": model.function,
        "arguments": [[block.dtype.name, block.start, block.stop] for block in model.arguments],
        "operands": [[one.dtype.name, list(one.shape), one.constants is not None] for one in all_operands],
        "operations": operations,
        "decisions": decisions,
        "differentiated": [[name, model.dtypes[name].name, list(one.shape)] for name, one in _items(model)],
        "loss": [model.loss.dtype.name, model.loss.number],
    }
    arrays = {
        "origins": _joined([operand.origin for operand in all_operands], "int64"),
        "differentiated": _joined([origin for _, origin in _items(model)], "int64"),
        "results": _joined(results, "float64"),
        "loss": np.array([model.constant_loss]),
    }
    for dtype in ENTRY_DTYPES:
        constants = [one.constants[one.origin == CONSTANT] for one in all_operands if _has(one, dtype)]  # type: ignore[index]
        arrays[f"constants.{dtype.name}"] = _joined(constants, dtype)
        arrays[f"fixed.{dtype.name}"] = np.asarray(model.fixed.get(dtype, ()), dtype)
    return values, arrays


def digest_of(model: Traced) -> str:
    """A digest of all that a recording holds but places; the same on machines of either byte order."""
    values, arrays = parts_of(model)
    without_places = {**values, **{name: [one[:-1] for one in values[name]] for name in ("operations", "decisions")}}
    digest = sha256(json.dumps(without_places, sort_keys=True).encode())
    for name, array in arrays.items():
        digest.update(f"{name} {array.dtype.name} {array.shape}\n".encode())
        digest.update(array.astype(array.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()


def traced_from(values: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Traced:
    """The recording that `parts_of` took apart.

    Args:
        values: the plain values.
        arrays: the arrays.

    Returns:
        The recording. Its places are texts.

    Raises:
        InvalidProblemError: they are none of a recording.
    """
    try:
        return _Reader(values, arrays).model()
    except InvalidProblemError:
        raise
    except (AttributeError, LookupError, OverflowError, TypeError, ValueError) as error:
        raise InvalidProblemError(f"no recording: {error}") from error


class _Reader:
    """Reads a recording, and makes sure of everything that computing with it relies on."""

    def __init__(self, values: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
        self._values, self._arrays = values, dict(arrays)
        self._blocks: dict[np.dtype, list[tuple[int, int, int]]] = {dtype: [] for dtype in ENTRY_DTYPES}

    def model(self) -> Traced:
        values = self._values
        arguments = [Block(_dtype(name), _integer(start), _integer(stop)) for name, start, stop in values["arguments"]]
        for block in arguments:
            self._make(0, *block)
        fixed = {dtype: self._array(f"fixed.{dtype.name}", dtype) for dtype in ENTRY_DTYPES}
        for dtype, row in fixed.items():
            _require(len(row) == self._size(dtype) - 1, f"{len(row)} numbers of {dtype}, expected one an entry")
        operands = self._operands()
        headers = [self._header(number, operands, *fields) for number, fields in enumerate(values["operations"], 1)]
        operands = [replace(operand, ready=self._ready(operand.dtype, operand.origin)) for operand in operands]
        operations = []
        for number, (operation, taken) in enumerate(headers, 1):
            of_one = tuple(operands[index] for index in taken)
            _require(all(one.ready < number for one in of_one), f"operation {number} takes what is not there yet")
            operations.append(replace(operation, operands=of_one))
        differentiated, dtypes = self._differentiated()
        loss = Entry(_dtype(values["loss"][0]), _integer(values["loss"][1]))
        self._ready(loss.dtype, np.array([loss.number]))
        constant = self._array("loss", np.dtype("float64"))
        _require(constant.shape == (1,), "the loss is not one number")
        return Traced(
            str(values["function"]),
            tuple(operations),
            self._decisions(operands),
            tuple(arguments),
            differentiated,
            dtypes,
            fixed,
            {dtype: self._size(dtype) for dtype in ENTRY_DTYPES},
            loss,
            float(constant[0]),
        )

    def _array(self, name: str, dtype: np.dtype) -> np.ndarray:
        array = self._arrays[name]
        _require(array.dtype == dtype and array.ndim == 1, f"{name} is {array.dtype} {array.shape}, expected {dtype}")
        return array

    def _size(self, dtype: np.dtype) -> int:
        """The number of entries that have been made, and `CONSTANT`."""
        return self._blocks[dtype][-1][1] if self._blocks[dtype] else 1

    def _make(self, number: int, dtype: np.dtype, start: int, stop: int) -> None:
        """Adds the entries that an operation makes, or, with the number 0, an argument has."""
        _require(
            self._size(dtype) <= start <= stop <= MAX_SIZE, f"entries {start} to {stop} of {dtype} are out of order"
        )
        if stop > start:
            self._blocks[dtype].append((start, stop, number))

    def _ready(self, dtype: np.dtype, origin: np.ndarray) -> int:
        """How many operations have to be done before all entries are there, each of which has to be one's result."""
        entries = origin[origin != CONSTANT]
        if not entries.size:
            return 0
        blocks = np.array(self._blocks[dtype], dtype="int64").reshape(-1, 3)
        holder = np.searchsorted(blocks[:, 0], entries, side="right") - 1
        _require(bool(np.all(holder >= 0) and np.all(entries < blocks[holder, 1])), "an entry that nothing makes")
        return int(blocks[holder, 2].max())

    def _operands(self) -> list[Operand]:
        described = [
            (_dtype(name), _shape(shape), has_constants) for name, shape, has_constants in self._values["operands"]
        ]
        origins = _split(self._array("origins", np.dtype("int64")), [prod(shape) for _, shape, _ in described])
        left = {dtype: self._array(f"constants.{dtype.name}", dtype) for dtype in ENTRY_DTYPES}
        operands = []
        for (dtype, shape, has_constants), flat in zip(described, origins, strict=True):
            origin = flat.reshape(shape)
            constants = None
            is_constant = origin == CONSTANT
            _require(has_constants is bool(is_constant.any()), "constants that are not there")
            if has_constants:
                number = int(np.count_nonzero(is_constant))
                _require(len(left[dtype]) >= number, "too few constants")
                constants = np.zeros(shape, dtype)
                constants[is_constant], left[dtype] = left[dtype][:number], left[dtype][number:]
            operands.append(Operand(dtype, origin, constants, 0))
        _require(not any(len(rest) for rest in left.values()), "too many constants")
        return operands

    def _header(self, number: int, operands: Sequence[Operand], *fields: Any) -> tuple[Operation, list[int]]:
        """An operation without its operands, and their numbers."""
        name, dtype, start, taken, given, place = fields
        result, indices = _dtype(dtype), [_integer(index) for index in taken]
        of_one = [operands[index] for index in indices]
        parameters = _parameters(given)
        shape = result_shape(name, [operand.shape for operand in of_one], parameters)
        _require(name == "cast" or all(one.dtype == result for one in of_one), f"operation {number} mixes dtypes")
        _require(parameters.get("dtype", result) == result, f"operation {number} casts to another dtype")
        self._make(number, result, _integer(start), _integer(start) + prod(shape))
        return Operation(name, (), parameters, result, start, shape, None if place is None else str(place)), indices

    def _decisions(self, operands: Sequence[Operand]) -> tuple[Decision, ...]:
        described = self._values["decisions"]
        shapes = [_shape(fields[3]) for fields in described]
        results = _split(self._array("results", np.dtype("float64")), [prod(shape) for shape in shapes])
        decisions = []
        for (name, taken, axis, _, fragile, place), shape, result in zip(described, shapes, results, strict=True):
            _require(name == "" or name in DECIDED_BY, f"unknown decision {name!r}")
            function = getattr(np, name) if name else unknown_decision
            arguments = {} if axis is None else {"axis": _integer(axis, negative=True)}
            of_one = tuple(operands[_integer(index)] for index in taken)
            kind = "int64" if name in OF_PLACES else "float64" if name in OF_NUMBERS else "bool"
            decided = result.reshape(shape).astype(kind)
            where = None if place is None else str(place)
            decisions.append(Decision(function, of_one, arguments, decided, where, is_fragile=fragile is True))
        return tuple(decisions)

    def _differentiated(self) -> tuple[dict[str, np.ndarray], dict[str, np.dtype]]:
        described = [(str(name), _dtype(dtype), _shape(shape)) for name, dtype, shape in self._values["differentiated"]]
        dtypes = {name: dtype for name, dtype, _ in described}
        _require(len(dtypes) == len(described), "a name twice")
        flat = self._array("differentiated", np.dtype("int64"))
        parts = _split(flat, [prod(shape) for _, _, shape in described])
        origins = {}
        for (name, dtype, shape), part in zip(described, parts, strict=True):
            _require(bool(np.all(part != CONSTANT)) and self._ready(dtype, part) == 0, f"{name} is no argument")
            origins[name] = part.reshape(shape)
        return origins, dtypes


OF_PLACES = ("argmax", "argmin", "argsort", "nonzero", "flatnonzero", "count_nonzero", "argwhere", "searchsorted")
OF_NUMBERS = ("sign", "floor", "ceil", "rint", "trunc", "heaviside")


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise InvalidProblemError(f"no recording: {otherwise}")


def _dtype(name: Any) -> np.dtype:
    dtype = next((dtype for dtype in ENTRY_DTYPES if dtype.name == name), None)
    if dtype is None:
        raise InvalidProblemError(f"no recording: dtype {name!r}, expected float64 or float32")
    return dtype


def _integer(value: Any, *, negative: bool = False) -> int:
    if type(value) is not int or abs(value) > MAX_SIZE or (value < 0 and not negative):
        raise InvalidProblemError(f"no recording: {value!r}, expected an integer")
    return value


def _shape(sizes: Any) -> tuple[int, ...]:
    shape = tuple(_integer(size) for size in sizes)
    _require(len(shape) <= 32 and prod(shape) <= MAX_SIZE, f"shape {shape} is too large")
    return shape


def _parameters(given: Mapping[str, Any]) -> dict[str, Any]:
    read: dict[str, Any] = {}
    for name, value in given.items():
        if name == "dtype":
            read[name] = _dtype(value)
        elif name == "axes":
            read[name] = tuple(_integer(axis, negative=True) for axis in value)
        else:
            read[name] = _integer(value, negative=True)
    return read


def _where(place: Any) -> str | None:
    """A place as `cell.py:12, in forward`: a case holds nobody's code."""
    return None if place is None else str(place).partition(": ")[0]


def _plain(value: Any) -> Any:
    """A parameter as JSON has it."""
    if isinstance(value, np.dtype):
        return value.name
    return [int(axis) for axis in value] if isinstance(value, (tuple, list)) else int(value)


def _split(flat: np.ndarray, sizes: Sequence[int]) -> list[np.ndarray]:
    _require(len(flat) == sum(sizes), f"{len(flat)} numbers, expected {sum(sizes)}")
    return np.split(flat, np.cumsum(sizes)[:-1]) if len(sizes) else []


def _joined(arrays: Sequence[np.ndarray], dtype: Any) -> np.ndarray:
    parts = [np.asarray(array, dtype).reshape(-1) for array in arrays]
    return np.concatenate(parts) if parts else np.zeros(0, dtype)


def _items(model: Traced) -> list[tuple[str, np.ndarray]]:
    return list(model.differentiated.items())


def _has(operand: Operand, dtype: np.dtype) -> bool:
    return operand.dtype == dtype and operand.constants is not None
