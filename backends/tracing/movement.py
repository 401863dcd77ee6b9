"""NumPy's functions that move numbers about and compute nothing: they are applied to the numbers and to their entries.

A place that such a function fills with zeros is a constant, since `CONSTANT` is 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from inspect import Parameter, signature
from typing import Any

import numpy as np

from .array import PlainArray, RecordedArray, as_recorded, constant, decide, is_recorded, plain, same_layout
from .recorder import IMPLEMENTED, implements, refused

OF_ONE = (
    *(np.reshape, np.ravel, np.transpose, np.swapaxes, np.moveaxis, np.rollaxis, np.squeeze, np.expand_dims),
    *(np.broadcast_to, np.tile, np.repeat, np.roll, np.flip, np.fliplr, np.flipud, np.rot90, np.take, np.compress),
    *(np.take_along_axis, np.delete, np.diag, np.diagonal, np.diagflat, np.tril, np.triu, np.resize, np.copy),
    *(np.extract, np.permute_dims, np.matrix_transpose, np.linalg.matrix_transpose, np.linalg.diagonal),
    *(np.array_split, np.split, np.hsplit, np.vsplit, np.dsplit, np.unstack, np.lib.stride_tricks.sliding_window_view),
)
WITH_CONDITION = (np.extract, np.compress)  # before the array
OF_MANY = (np.concatenate, np.stack, np.hstack, np.vstack, np.dstack, np.column_stack)  # of a list of arrays
PADDING = ("constant", "edge", "reflect", "symmetric", "wrap")


def paired(data: Any, origin: Any) -> Any:
    """What a function made of the numbers and of their entries, as recorded arrays."""
    if isinstance(data, (tuple, list)):
        return type(data)(paired(one, other) for one, other in zip(data, origin, strict=True))
    if isinstance(data, np.ndarray) and data.dtype.kind != "f":
        return data.view(PlainArray)
    return RecordedArray(data, origin)


def of_one_dtype(arrays: Sequence[Any]) -> list[RecordedArray]:
    """Arrays, all of the dtype that NumPy gives them when it joins them."""
    recorded = [as_recorded(array) for array in arrays]
    dtype = np.result_type(*[array.value if array.is_weak or not array.ndim else array.dtype for array in recorded])
    return [to_dtype(array, dtype) for array in recorded]


def to_dtype(array: RecordedArray, dtype: Any) -> RecordedArray:
    """The array in a dtype; the same one if it has that already."""
    if array.dtype == dtype:
        return array
    if array.is_constant:
        return RecordedArray(
            array.numbers.astype(dtype)[()] if array.is_scalar else array.numbers.astype(dtype), array.origin
        )
    cast: RecordedArray = IMPLEMENTED["cast"](array, dtype)
    return cast


def _move_one(function: Callable[..., Any]) -> Callable[..., Any]:
    def implementation(array: Any, *arguments: Any, **options: Any) -> Any:
        if function in WITH_CONDITION:
            condition, (array, *rest) = plain(array), arguments
            source = as_recorded(array)
            return paired(
                function(condition, source.numbers, *rest, **options), function(condition, source.origin, *rest)
            )
        source = as_recorded(array)
        values = [plain(one) for one in arguments]
        settings = {name: plain(option) for name, option in options.items()}
        return paired(function(source.numbers, *values, **settings), function(source.origin, *values, **settings))

    with suppress(ValueError):  # some say nothing of their parameters
        given = signature(function)
        arrays = list(given.parameters)[: 2 if function in WITH_CONDITION else 1]
        taken = [
            one.replace(kind=Parameter.POSITIONAL_ONLY) if one.name in arrays else one
            for one in given.parameters.values()
        ]
        implementation.__signature__ = given.replace(parameters=taken)  # type: ignore[attr-defined] # handed on
    return implementation


def _move_many(function: Callable[..., Any]) -> Callable[..., Any]:
    def implementation(arrays: Any, *arguments: Any, dtype: Any = None, casting: Any = None, **options: Any) -> Any:
        sources = of_one_dtype(list(arrays))
        if dtype is not None:
            sources = [to_dtype(source, np.dtype(dtype)) for source in sources]
        return paired(
            function([source.numbers for source in sources], *arguments, **options),
            function([source.origin for source in sources], *arguments, **options),
        )

    return implementation


for _function in OF_ONE:
    IMPLEMENTED[_function] = _move_one(_function)
for _of_many in OF_MANY:
    IMPLEMENTED[_of_many] = _move_many(_of_many)


@implements(np.lib.stride_tricks.as_strided)
def strided(x: Any, shape: Any = None, strides: Any = None, subok: bool = False, writeable: bool = True) -> Any:
    """Over the memory of an array in other steps, which are as many entries as numbers."""
    array = as_recorded(x)
    size, size_of_entry = array.itemsize, array.origin.itemsize
    if any(one * size_of_entry != other * size for one, other in zip(array.strides, array.origin.strides, strict=True)):
        raise refused("np.lib.stride_tricks.as_strided of an array in this layout cannot be followed")
    steps = array.strides if strides is None else strides
    in_entries = tuple(step * size_of_entry // size for step in steps)
    view = np.lib.stride_tricks.as_strided
    return RecordedArray(view(array.numbers, shape, steps), view(array.origin, shape, in_entries))


@implements(np.array)
def array(values: Any, dtype: Any = None, *, copy: Any = True, order: Any = "K", ndmin: int = 0) -> Any:
    """A copy of an array, or an array of nested lists with recorded numbers in them."""
    made = asarray(values, dtype, order, copy=copy)
    while made.ndim < ndmin:
        made = made[None]
    return made


@implements(np.asarray, np.asanyarray)
def asarray(values: Any, dtype: Any = None, order: Any = "K", *, copy: Any = None) -> Any:
    """The array itself, so that what is written into it is written into both, unless it has to be copied."""
    made = values if isinstance(values, RecordedArray) else _joined(values)
    made = made if dtype is None else IMPLEMENTED["astype"](made, dtype, copy=False)
    if not isinstance(made, RecordedArray):
        return made
    copy = True if made.is_scalar else copy or None
    return RecordedArray(*[np.array(one, order=order or "K", copy=copy) for one in (made.numbers, made.origin)])


@implements(np.ascontiguousarray)
def ascontiguousarray(values: Any, dtype: Any = None) -> Any:
    """The array in C order."""
    return np.atleast_1d(asarray(values, dtype, "C"))


@implements(np.asfortranarray)
def asfortranarray(values: Any, dtype: Any = None) -> Any:
    """The array in Fortran's order."""
    return np.atleast_1d(asarray(values, dtype, "F"))


def _joined(values: Any) -> Any:
    """An array of nested lists."""
    if not isinstance(values, (list, tuple)):
        return as_recorded(values)
    if not values:
        return constant(np.zeros(0))
    parts = of_one_dtype([_joined(value) for value in values])
    if len({part.shape for part in parts}) > 1:
        shapes = " and ".join(map(str, dict.fromkeys(part.shape for part in parts)))
        raise ValueError(f"setting an array element with a sequence: the list holds arrays of the shapes {shapes}")
    return RecordedArray(np.stack([part.numbers for part in parts]), np.stack([part.origin for part in parts]))


@implements(np.where)
def where(condition: Any, *choices: Any) -> Any:
    """Entries of the one array or of the other."""
    if not choices:
        return decide(np.nonzero, condition)
    condition = plain(condition)
    if is_recorded(condition):
        condition = decide(np.not_equal, condition, 0)
    one, other = _alike(choices)
    return paired(np.where(condition, one.numbers, other.numbers), np.where(condition, one.origin, other.origin))


def _alike(choices: Sequence[Any]) -> list[RecordedArray]:
    """Of one dtype, where numbers of Python's take that of the others."""
    strong = [choice for choice in choices if type(choice) not in (int, float, bool)]
    if not strong:
        return of_one_dtype(choices)
    common = of_one_dtype(strong)[0].dtype
    weak = [choice for choice in choices if type(choice) in (int, float, bool)]
    dtype = np.result_type(common, *weak)
    return [to_dtype(as_recorded(choice), dtype) for choice in choices]


@implements(np.select)
def select(conditions: Any, choices: Any, default: Any = 0) -> Any:
    """Of the first condition that holds, the choice."""
    *choices, default = of_one_dtype([*choices, default])
    conditions = [plain(condition) for condition in conditions]
    return paired(
        np.select(conditions, [choice.numbers for choice in choices], default.numbers),
        np.select(conditions, [choice.origin for choice in choices], default.origin),
    )


@implements(np.append)
def append(array: Any, values: Any, axis: Any = None) -> Any:
    """Arrays one after the other."""
    one, other = of_one_dtype([array, values])
    return paired(np.append(one.numbers, other.numbers, axis), np.append(one.origin, other.origin, axis))


@implements(np.insert)
def insert(array: Any, places: Any, values: Any, axis: Any = None) -> Any:
    """An array with others in it."""
    one, other = of_one_dtype([array, values])
    return paired(
        np.insert(one.numbers, places, other.numbers, axis), np.insert(one.origin, places, other.origin, axis)
    )


@implements(np.pad)
def pad(array: Any, pad_width: Any, mode: Any = "constant", *, constant_values: Any = 0, **options: Any) -> Any:
    """An array with a border."""
    if mode not in PADDING or options:
        raise refused(f"np.pad with mode {mode!r} and {', '.join(options) or 'no options'} cannot be followed")
    if is_recorded(constant_values):
        raise refused("np.pad with recorded constant_values cannot be followed")
    source = as_recorded(array)
    values = {"constant_values": constant_values} if mode == "constant" else {}
    return paired(np.pad(source.numbers, pad_width, mode, **values), np.pad(source.origin, pad_width, mode))


@implements(np.block)
def block(arrays: Any) -> Any:
    """Blocks of nested lists."""
    flat: list[RecordedArray] = []

    def collect(part: Any) -> Any:
        if isinstance(part, list):
            return [collect(one) for one in part]
        flat.append(as_recorded(part))
        return len(flat) - 1

    numbers = collect(arrays)
    parts = of_one_dtype(flat)

    def filled(part: Any, get: Callable[[RecordedArray], Any]) -> Any:
        return [filled(one, get) for one in part] if isinstance(part, list) else get(parts[part])

    return paired(np.block(filled(numbers, lambda one: one.numbers)), np.block(filled(numbers, lambda one: one.origin)))


def _at_least(function: Callable[..., Any]) -> Callable[..., Any]:
    def implementation(*arrays: Any) -> Any:
        made = []
        for one in arrays:
            source = as_recorded(one)
            made.append(paired(function(source.numbers), function(source.origin)))
        return made[0] if len(made) == 1 else tuple(made)

    return implementation


for _function in (np.atleast_1d, np.atleast_2d, np.atleast_3d):
    IMPLEMENTED[_function] = _at_least(_function)


@implements(np.broadcast_arrays)
def broadcast_arrays(*arrays: Any, subok: Any = False) -> tuple[RecordedArray, ...]:
    """Arrays of one shape."""
    sources = [as_recorded(array) for array in arrays]
    shape = np.broadcast_shapes(*[source.shape for source in sources])
    return tuple(IMPLEMENTED[np.broadcast_to](source, shape) for source in sources)


@implements(np.meshgrid)
def meshgrid(*arrays: Any, indexing: Any = "xy", sparse: Any = False) -> Any:
    """Coordinates."""
    sources = [as_recorded(array) for array in arrays]
    options = {"indexing": indexing, "sparse": sparse}
    return paired(
        np.meshgrid(*[source.numbers for source in sources], **options),
        np.meshgrid(*[source.origin for source in sources], **options),
    )


@implements(np.copyto)
def copyto(target: Any, values: Any, casting: Any = "same_kind", where: Any = True) -> None:
    """Writes into an array, where a condition holds."""
    if not isinstance(target, RecordedArray):
        raise refused("recorded numbers are written into an array that was made outside of NumPy's functions")
    target[...] = values if where is True else IMPLEMENTED[np.where](where, values, target)


@implements(np.put_along_axis)
def put_along_axis(target: Any, indices: Any, values: Any, axis: Any) -> None:
    """Writes entries along an axis."""
    source = to_dtype(as_recorded(values), target.dtype)
    np.put_along_axis(target.numbers, plain(indices), source.numbers, axis)
    np.put_along_axis(target.origin, plain(indices), source.origin, axis)


@implements(np.put)
def put(target: Any, indices: Any, values: Any, mode: Any = "raise") -> None:
    """Writes entries by their places in C order."""
    source = to_dtype(as_recorded(values), target.dtype)
    np.put(target.numbers, plain(indices), source.numbers, mode)
    np.put(target.origin, plain(indices), source.origin, mode)


@implements(np.fill_diagonal)
def fill_diagonal(target: Any, values: Any, wrap: Any = False) -> None:
    """Writes the diagonal."""
    source = to_dtype(as_recorded(values), target.dtype)
    np.fill_diagonal(target.numbers, source.numbers, wrap)
    np.fill_diagonal(target.origin, source.origin, wrap)


@implements(np.putmask)
def putmask(target: Any, mask: Any, values: Any) -> None:
    """Writes entries where a condition holds, each from the same place of the values."""
    source = to_dtype(as_recorded(values), target.dtype)
    np.putmask(target.numbers, plain(mask), source.numbers)
    np.putmask(target.origin, plain(mask), source.origin)


@implements(np.place)
def place(target: Any, mask: Any, values: Any) -> None:
    """Writes entries where a condition holds, one after the other."""
    source = to_dtype(as_recorded(values), target.dtype)
    np.place(target.numbers, plain(mask), source.numbers)
    np.place(target.origin, plain(mask), source.origin)


@implements(np.choose)
def choose(index: Any, choices: Any, mode: Any = "raise") -> Any:
    """In each place, an entry of the array that an index names."""
    if is_recorded(index):
        raise refused("np.choose with a recorded index cannot be followed")
    sources = of_one_dtype(list(choices))
    return paired(
        np.choose(plain(index), [source.numbers for source in sources], mode=mode),
        np.choose(plain(index), [source.origin for source in sources], mode=mode),
    )


@implements(np.full)
def full(shape: Any, value: Any, dtype: Any = None) -> Any:
    """A number, or numbers that are broadcast, in every place."""
    source = as_recorded(value) if dtype is None else to_dtype(as_recorded(value), np.dtype(dtype))
    return paired(np.full(shape, source.numbers), np.full(shape, source.origin))


@implements(np.zeros_like, np.empty_like)
def zeros_like(array: Any, dtype: Any = None, order: Any = "K", subok: Any = True, shape: Any = None, **_: Any) -> Any:
    """Zeros of the same shape, as an array of its own; what `empty` leaves undefined is 0, too."""
    return _filled(0, array, dtype, shape, order)


@implements(np.ones_like)
def ones_like(array: Any, dtype: Any = None, order: Any = "K", subok: Any = True, shape: Any = None, **_: Any) -> Any:
    """Ones of the same shape."""
    return _filled(1, array, dtype, shape, order)


@implements(np.full_like)
def full_like(array: Any, value: Any, dtype: Any = None, order: Any = "K", subok: Any = True, **options: Any) -> Any:
    """A number in every place."""
    return _filled(value, array, dtype, options.get("shape"), order)


def _filled(value: Any, like: Any, dtype: Any, shape: Any, order: Any) -> Any:
    data = np.zeros_like(plain(like), dtype=dtype, order=order, shape=shape, subok=False)
    if data.dtype.kind != "f":
        data[...] = value
        return data.view(PlainArray)
    made = RecordedArray(data, same_layout(data, 0))
    made[...] = value
    return made
