"""A recorded program from plain values and arrays, checked like any file: what computing with it relies on is so.

Whatever they hold, nothing of them is carried out, and nothing is made that is larger than they are.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from ..checks import plain_values
from ..errors import InvalidProblemError, first_line, printable
from .decided import UNDERSTOOD, check_result, result_dtype
from .operations import OPERATIONS, PARAMETERS, result_shape
from .plain_fields import (
    MAX_AXES,
    MAX_NUMBER,
    flag,
    integer,
    known_in,
    list_in,
    name_in,
    require_names,
    require_row,
    shape_in,
    shown,
)
from .traced import CONSTANT, ENTRY_DTYPES, Block, Decision, Entry, Operand, Operation, Traced
from .traced_parts import BITS, LISTED, NamedFunction, SavedPlace

MAX_ENTRIES = MAX_NUMBER  # of both dtypes together: 2 GiB
MAX_VALUES_BYTES = 2**26  # of the JSON: that of a million operations
DTYPES: dict[int, np.dtype] = {bits: dtype for dtype, bits in BITS.items()}
ARRAYS: dict[str, np.dtype] = {
    "origins": np.dtype("int64"),
    "results": np.dtype("float64"),
    "loss": np.dtype("float64"),
    **{f"{kind}.{dtype.name}": dtype for kind in ("constants", "fixed") for dtype in ENTRY_DTYPES},
}
VALUES = ("function", "arguments", "operands", "operations", "decisions", "places", "differentiated", "loss")
Shape = tuple[int, ...]
Layout = tuple[np.dtype, Shape, int]  # of an operand: its dtype, its shape, and what says its entries


def unpacked(arrays: Mapping[str, np.ndarray]) -> Traced:
    """The recording that `traced_parts.packed` made into arrays.

    Args:
        arrays: by name.

    Returns:
        The recording.

    Raises:
        InvalidProblemError: they are none of a recording.
    """
    others = dict(arrays)
    text = others.pop("values", np.zeros(0))
    if text.dtype != np.uint8 or text.ndim != 1 or text.size > MAX_VALUES_BYTES:
        raise InvalidProblemError(
            f"no recording: values is {text.dtype} of shape {text.shape}, expected at most {MAX_VALUES_BYTES} bytes"
        )
    try:
        values = plain_values(text.tobytes().decode())
    except (ValueError, RecursionError) as error:
        raise InvalidProblemError(f"no recording: values is no JSON: {first_line(error)}") from None
    return traced_from(values, others)


def traced_from(values: Any, arrays: Mapping[str, np.ndarray]) -> Traced:
    """The recording that `parts_of` took apart.

    Args:
        values: the plain values.
        arrays: the arrays by name.

    Returns:
        The recording.

    Raises:
        InvalidProblemError: they are none of a recording; the message says where, and what was expected.

    Example:
        >>> traced_from({"function": "f"}, {})
        Traceback (most recent call last):
        gradparity.backends.errors.InvalidProblemError: no recording: values: there is no 'arguments'
    """
    reader = _Reader(values, arrays)
    try:
        return reader.model()
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        what = printable(str(error)) if type(error) is ValueError else first_line(error)
        raise InvalidProblemError(f"no recording: {reader.at}: {what}") from None


class _Reader:
    """Reads a recording.

    Attributes:
        at: which part of it is being read.
    """

    def __init__(self, values: Any, arrays: Mapping[str, np.ndarray]) -> None:
        self.at = "values"
        self._values, self._arrays = values, dict(arrays)
        self._taken = dict.fromkeys(ARRAYS, 0)  # how much of each array has been read
        self._sizes: dict[np.dtype, int] = dict.fromkeys(ENTRY_DTYPES, 1)
        self._starts: dict[np.dtype, list[int]] = {dtype: [] for dtype in ENTRY_DTYPES}  # of what has entries, …
        self._makers: dict[np.dtype, list[int]] = {dtype: [] for dtype in ENTRY_DTYPES}  # … and which operation it is
        self._operations = 0  # that have been read
        self._places: list[SavedPlace] = []

    def model(self) -> Traced:
        """The recording: first which entries there are, and then what is made of them."""
        require_names(self._values, VALUES)
        self.at = "arrays"
        require_names(self._arrays, ARRAYS)
        for name, dtype in ARRAYS.items():
            require_row(self._arrays[name], name, dtype)
        function = self._one("function", name_in)
        arguments = self._each("arguments", self._argument)
        of_arguments = dict(self._sizes)
        fixed = {dtype: self._next(f"fixed.{dtype.name}", size - 1) for dtype, size in of_arguments.items()}
        self._places = self._each("places", _place)
        layouts = self._each("operands", _layout)
        made = self._each("operations", lambda fields: self._operation(fields, layouts))
        operands = self._each("operands", lambda fields: self._operand(*_layout(fields)))
        operations = [self._complete(before, one, taken, operands) for before, (one, taken) in enumerate(made)]
        decisions = self._each("decisions", lambda fields: self._decision(fields, operands))
        differentiated = self._each("differentiated", lambda fields: self._differentiated(fields, of_arguments))
        if len({name for name, _, _ in differentiated}) != len(differentiated):
            raise ValueError("a name stands in it twice, expected every name once")
        loss = self._one("loss", self._loss)
        constant_loss = float(self._next("loss", 1)[0])
        self.at = "arrays"
        for name, count in self._taken.items():
            if count != len(self._arrays[name]):
                raise ValueError(f"{name} has {len(self._arrays[name])} numbers, expected {count}")
        return Traced(
            function,
            tuple(operations),
            tuple(decisions),
            tuple(arguments),
            {name: origin for name, _, origin in differentiated},
            {name: dtype for name, dtype, _ in differentiated},
            fixed,
            dict(self._sizes),
            loss,
            constant_loss,
        )

    def _one(self, name: str, read: Callable[[Any], Any]) -> Any:
        self.at = name
        return read(self._values[name])

    def _each(self, name: str, read: Callable[[Any], Any]) -> list[Any]:
        """Reads a list, and remembers where in it an error is."""
        fields = self._one(name, list_in)
        made = []
        for number, one in enumerate(fields):
            self.at = f"{name}[{number}]"
            made.append(read(one))
        return made

    def _next(self, name: str, count: int) -> np.ndarray:
        """The next numbers of an array."""
        start = self._taken[name]
        self._taken[name] = start + count
        if self._taken[name] > len(self._arrays[name]):
            raise ValueError(f"{name} has {len(self._arrays[name])} numbers, expected {self._taken[name]} or more")
        return self._arrays[name][start : self._taken[name]]

    def _make(self, dtype: np.dtype, size: int) -> int:
        """Adds the entries that an argument has, or the operation that was read last makes; returns the first one."""
        start = self._sizes[dtype]
        if sum(self._sizes.values()) + size > MAX_ENTRIES:
            raise ValueError(f"more than {MAX_ENTRIES} entries")
        if size:
            self._starts[dtype].append(start)
            self._makers[dtype].append(self._operations)
        self._sizes[dtype] = start + size
        return start

    def _argument(self, fields: Any) -> Block:
        bits, size = list_in(fields, 2)
        dtype = _dtype(bits)
        start = self._make(dtype, integer(size, 0, MAX_ENTRIES))
        return Block(dtype, start, self._sizes[dtype])

    def _operation(self, fields: Any, layouts: Sequence[Layout]) -> tuple[Operation, list[int]]:
        """An operation without its operands, and their numbers."""
        name, taken, parameter, place = list_in(fields, 4)
        name = known_in("operation", name, OPERATIONS)
        numbers = [integer(number, 0, len(layouts) - 1) for number in list_in(taken)]
        parameters = _parameters(name, parameter)
        shape = result_shape(name, [layouts[number][1] for number in numbers], parameters)
        dtypes = {layouts[number][0] for number in numbers}
        if len(dtypes) > 1:
            raise ValueError(f"{name} of operands of {' and '.join(sorted(map(str, dtypes)))}, expected one dtype")
        dtype = parameters.get("dtype", *dtypes)
        self._operations += 1
        start = self._make(dtype, prod(shape))
        return Operation(name, (), parameters, dtype, start, shape, self._place_of(place)), numbers

    def _complete(
        self, before: int, operation: Operation, numbers: Sequence[int], operands: Sequence[Operand]
    ) -> Operation:
        """The operation after `before` others."""
        taken = tuple(operands[number] for number in numbers)
        if any(operand.ready > before for operand in taken):
            self.at = f"operations[{before}]"
            raise ValueError(f"{operation.primitive} takes an entry that is not there yet")
        return replace(operation, operands=taken)

    def _place_of(self, number: Any) -> SavedPlace | None:
        return None if number is None else self._places[integer(number, 0, len(self._places) - 1)]

    def _operand(self, dtype: np.dtype, shape: Shape, entries: int) -> Operand:
        origin = self._origin(dtype, shape, entries, self._sizes[dtype])
        is_constant = origin == CONSTANT
        constants = None
        if is_constant.any():
            constants = np.zeros(shape, dtype)
            constants[is_constant] = self._next(f"constants.{dtype.name}", int(np.count_nonzero(is_constant)))
        position = bisect_right(self._starts[dtype], int(origin.max(initial=CONSTANT)))
        return Operand(dtype, origin, constants, self._makers[dtype][position - 1] if position else 0)

    def _origin(self, dtype: np.dtype, shape: Shape, entries: int, end: int) -> np.ndarray:
        """The entries that an array holds, which have to be before an end."""
        size = prod(shape)
        if entries == LISTED:
            origin = self._next("origins", size).reshape(shape)
            if origin.min(initial=0) < 0 or origin.max(initial=0) >= end:
                raise ValueError(f"it holds an entry that there is not, expected those below {end}")
            return origin
        if entries == CONSTANT:
            left = len(self._arrays[f"constants.{dtype.name}"]) - self._taken[f"constants.{dtype.name}"]
            if size > left:
                raise ValueError(f"it holds {size} constants, and {left} are left")
            return np.zeros(shape, "int64")
        if entries + size > end:
            raise ValueError(f"it holds the entries {entries} to {entries + size - 1}, expected those below {end}")
        return np.arange(entries, entries + size).reshape(shape)

    def _decision(self, fields: Any, operands: Sequence[Operand]) -> Decision:
        name, taken, axis, sizes, is_fragile, after, place = list_in(fields, 7)
        of_one = tuple(operands[integer(number, 0, len(operands) - 1)] for number in list_in(taken))
        axis = None if axis is None else integer(axis, -MAX_AXES, MAX_AXES)
        shape = shape_in(sizes)
        result = self._next("results", prod(shape)).reshape(shape)
        function: Any = NamedFunction(name_in(name))
        if name in UNDERSTOOD:
            function, result = getattr(np, name), _in_dtype(result, result_dtype(name))
            check_result(name, [operand.shape for operand in of_one], axis, result)
        elif shape != (0,):
            raise ValueError(f"a decision by {name} has a result, expected none of one that is not understood")
        arguments = {} if axis is None and name != "argsort" else {"axis": axis}  # whose default is the last one
        after = integer(after, 0, MAX_NUMBER)
        return Decision(function, of_one, arguments, result, self._place_of(place), after, flag(is_fragile))

    def _differentiated(self, fields: Any, ends: Mapping[np.dtype, int]) -> tuple[str, np.dtype, np.ndarray]:
        name, *layout = list_in(fields, 4)
        dtype, shape, entries = _layout(layout)
        if entries == CONSTANT and 0 not in shape:
            raise ValueError("it is no argument")
        origin = self._origin(dtype, shape, LISTED if entries == CONSTANT else entries, ends[dtype])
        if not origin.all():
            raise ValueError("a number of it is no argument's")
        return name_in(name), dtype, origin

    def _loss(self, fields: Any) -> Entry:
        bits, number = list_in(fields, 2)
        dtype = _dtype(bits)
        return Entry(dtype, integer(number, 0, self._sizes[dtype] - 1))


def _layout(fields: Any) -> Layout:
    bits, shape, entries = list_in(fields, 3)
    return _dtype(bits), shape_in(shape), integer(entries, LISTED, MAX_ENTRIES)


def _place(fields: Any) -> SavedPlace:
    file, function, line, columns = list_in(fields, 4)
    if columns is not None:
        first, end = (integer(column, 0, MAX_NUMBER) for column in list_in(columns, 2))
        columns = first, end
    return SavedPlace(name_in(file), name_in(function), integer(line, 0, MAX_NUMBER), columns)


def _parameters(name: str, parameter: Any) -> dict[str, Any]:
    kind = PARAMETERS.get(name)
    if kind == "dtype":
        return {kind: _dtype(parameter)}
    if kind == "axes":
        return {kind: tuple(integer(axis, -MAX_AXES, -1) for axis in list_in(parameter))}
    if kind == "axis":
        return {kind: integer(parameter, -MAX_AXES, -1)}
    if parameter is not None:
        raise ValueError(f"{name} has the parameter {shown(parameter)}, expected none")
    return {}


def _dtype(bits: Any) -> np.dtype:
    if type(bits) is not int or bits not in DTYPES:
        raise ValueError(f"a dtype of {shown(bits)} bits, expected {' or '.join(map(str, DTYPES))}")
    return DTYPES[bits]


def _in_dtype(result: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Floats as what they stand for, if each of them does."""
    with np.errstate(invalid="ignore"):
        made = result.astype(dtype)
    if not np.array_equal(made.astype("float64"), result, equal_nan=True):
        raise ValueError(f"its result holds numbers that are not of {dtype}")
    return made
