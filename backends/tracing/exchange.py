"""Everything that a function can reach is exchanged while it is recorded, and put back afterwards.

A function reaches its arguments, its module, what that imports (all but installed libraries), its closure, and whatever
hangs on these: lists, dicts, attributes of objects. An array is exchanged for one recorded array wherever it is held,
and arrays that share memory for recorded ones that do. NumPy is exchanged for its stand-in, under whatever name.
"""

from __future__ import annotations

import builtins
import random
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from types import CellType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from ..errors import is_authors
from ..models.traced import ENTRY_DTYPES
from .array import PlainArray, RecordedArray
from .array_methods import as_float
from .float_lists import fill, floats_in
from .recorder import NotRecordableError
from .recording import Recording
from .stand_ins import FLOAT, stand_in

ATOMS = (type(None), bool, int, complex, str, bytes, range, slice, type(...), np.dtype, np.integer, np.bool_, Path)
PATH = str  # how a value is reached, such as `params['W']`


class Exchange:
    """What was found, and how it is put back.

    Attributes:
        arrays: by how each is reached first, the floating-point arrays, and the lists of floats as arrays.
        origins: by the same paths, the numbers of their entries; empty in a run that is not recorded.
    """

    def __init__(
        self,
        recording: Recording | None,
        floats: Collection[PATH] = (),
        values: Mapping[PATH, np.ndarray] | None = None,
    ) -> None:
        """Begins with nothing.

        Args:
            recording: to which the arrays' entries belong; None leaves every array as it is, and only puts back.
            floats: the paths of numbers of Python's that are recorded, too.
            values: by the path, the numbers that an array gets, where nothing is recorded.
        """
        self.arrays: dict[PATH, np.ndarray] = {}
        self.origins: dict[PATH, np.ndarray] = {}
        self._recording = recording
        self._floats = frozenset(floats)
        self._values = values or {}
        self._module = ""  # whose names are being exchanged
        self._known: dict[int, Any] = {}  # by the identity of what was visited, what stands for it
        self._bases: dict[int, tuple[np.ndarray, np.ndarray]] = {}  # by the identity of a base, its copy and entries
        self._undo: list[Callable[[], object]] = []
        self._alive: list[Any] = []  # so that no identity is given twice
        self._namespaces: set[int] = set()

    def visit(self, value: Any, path: PATH) -> Any:
        """What stands for a value; containers and objects are changed in place."""
        if isinstance(value, (*ATOMS, float)):
            return self._number(float(value), path) if path in self._floats else value  # type: ignore[arg-type]
        if id(value) in self._known:
            return self._known[id(value)]
        self._alive.append(value)
        self._known[id(value)] = value  # of what leads back to itself
        made = self._known[id(value)] = self._visited(value, path)
        return made

    def put_back(self) -> None:
        """Leaves everything as it was."""
        while self._undo:
            self._undo.pop()()

    def knows_namespace(self, namespace: Mapping[str, Any] | None) -> bool:
        """Whether a module's names have been exchanged."""
        return id(namespace) in self._namespaces

    def _visited(self, value: Any, path: PATH) -> Any:
        match value:
            case np.ndarray():
                return self._array(value, path)
            case np.floating():
                return value
            case dict():
                self._restore_dict(value)
                self._in_dict(value, path)
            case list() | deque():
                saved = list(value)
                self._undo.append(partial(_refill, value, value.extend, saved))
                if not (numbers := floats_in(value)).size:
                    for index, one in enumerate(saved):
                        value[index] = self.visit(one, f"{path}[{index}]")
                else:
                    self._list(value, numbers, path)
            case set():
                copy = set(value)
                self._undo.append(partial(_refill, value, value.update, copy))
            case tuple():
                parts = [self.visit(one, f"{path}[{index}]") for index, one in enumerate(value)]
                if any(one is not other for one, other in zip(parts, value, strict=True)):
                    return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
            case np.random.Generator():
                state = value.bit_generator.state
                self._undo.append(lambda: setattr(value.bit_generator, "state", state))
            case np.random.RandomState():
                self._undo.append(partial(value.set_state, value.get_state()))
            case random.Random():
                self._undo.append(partial(value.setstate, value.getstate()))
            case _:
                return self._object(value, path)
        return value

    def _object(self, value: Any, path: PATH) -> Any:
        other = None if self._recording is None else stand_in(value)
        if other is not None:
            return other
        match value:
            case FunctionType():
                self._function(value, path)
            case MethodType():
                self.visit(value.__func__, path)
                self.visit(value.__self__, "self")
            case partial():
                parts = [self.visit(one, path) for one in (value.func, value.args, value.keywords)]
                return partial(parts[0], *parts[1], **parts[2])
            case ModuleType():
                if is_authors(getattr(value, "__file__", None) or "<"):
                    self.namespace(vars(value))
            case type():
                if _is_authors_class(value):
                    self._attributes(value, dict(vars(value)), path)
            case staticmethod() | classmethod():
                self.visit(value.__func__, path)
            case property():
                for function in (value.fget, value.fset):
                    self.visit(function, path)
            case _ if isinstance(getattr(value, "py_func", None), FunctionType):  # compiled by Numba
                return self.visit(value.py_func, path) if self._recording is not None else value
            case _ if _is_authors_class(type(value)):
                self.visit(type(value), type(value).__name__)
                self._attributes(value, _own_attributes(value), path)
        return value

    def namespace(self, names: dict[str, Any]) -> None:
        """Exchanges what a module holds."""
        if id(names) in self._namespaces:
            return
        outer, self._module = self._module, str(names.get("__name__", "")).removeprefix("_gradparity_")
        self._namespaces.add(id(names))
        self._restore_dict(names)
        if self._recording is not None and "float" not in names:
            names["float"] = FLOAT
        self._in_dict(names, "", skip=("__builtins__", "__loader__", "__spec__", "float"))
        self._module = outer

    def _in_dict(self, names: dict[Any, Any], path: PATH, skip: tuple[str, ...] = ()) -> None:
        for name, one in list(names.items()):
            if name in skip:
                continue
            made = self.visit(one, f"{path}[{name!r}]" if path else str(name))
            if made is not one:
                names[name] = made

    def _restore_dict(self, names: dict[Any, Any]) -> None:
        saved = dict(names)
        self._undo.append(partial(_refill, names, names.update, saved))

    def _function(self, function: FunctionType, path: PATH) -> None:
        if not is_authors(function.__code__.co_filename):
            return
        self.namespace(function.__globals__)
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            self._cell(cell, name)
        for attribute in ("__defaults__", "__kwdefaults__"):
            saved = getattr(function, attribute)
            if saved:
                self._undo.append(partial(setattr, function, attribute, saved))
                exchanged = self.visit(dict(saved) if isinstance(saved, dict) else saved, path)
                setattr(function, attribute, exchanged)
        self.visit(function.__dict__, path)

    def _cell(self, cell: CellType, name: str) -> None:
        try:
            value = cell.cell_contents
        except ValueError:  # nothing is in it yet
            return
        self._undo.append(lambda: setattr(cell, "cell_contents", value))
        cell.cell_contents = self.visit(value, name)

    def _attributes(self, owner: Any, attributes: dict[str, Any], path: PATH) -> None:
        is_class = isinstance(owner, type)
        write = setattr if is_class else object.__setattr__
        if hasattr(owner, "__dict__") and not is_class:
            self._restore_dict(owner.__dict__)
        for name, one in attributes.items():
            if name.startswith("__") and not isinstance(one, FunctionType):
                continue
            made = self.visit(one, f"{path}.{name}")
            if made is not one or is_class:
                self._undo.append(partial(write, owner, name, one))
            if made is not one:
                write(owner, name, made)

    def _array(self, array: np.ndarray, path: PATH) -> Any:
        path = self._free(path)
        if self._recording is None:
            base = _base(array)
            if id(base) not in self._bases and base.flags.writeable:
                self._bases[id(base)] = base, base.copy()
                self._undo.append(partial(np.copyto, base, base.copy()))
            if array.dtype in ENTRY_DTYPES:
                self.arrays[path] = array
                if path in self._values:
                    self._write(array, self._values[path])
            return array
        if type(array) is not np.ndarray:
            if array.dtype.kind in "fc":
                raise NotRecordableError(
                    f"{path} is a {type(array).__module__}.{type(array).__name__}, expected np.ndarray"
                )
            return array
        if array.dtype not in ENTRY_DTYPES:
            return array.copy().view(PlainArray) if array.dtype.kind in "iub" else array
        self._alive.append(array)
        made = self._recorded_view(array)
        self.arrays[path], self.origins[path] = array, made.origin.copy()
        return made

    def _write(self, array: np.ndarray, values: np.ndarray) -> None:
        if not array.flags.writeable:
            array.flags.writeable = True
            self._undo.append(lambda: setattr(array.flags, "writeable", False))
        array[...] = values

    def _number(self, value: float, path: PATH) -> Any:
        """A number of Python's, which is one entry."""
        path = self._free(path)
        numbers = np.array(float(value))
        self.arrays[path] = numbers
        if self._recording is None:
            return float(self._values.get(path, numbers))
        self.origins[path] = self._recording.argument(numbers)
        return as_float(RecordedArray(numbers, self.origins[path]))

    def _list(self, rows: Any, numbers: np.ndarray, path: PATH) -> None:
        """A list of floats, or of lists of such, whose numbers are recorded one by one."""
        for part in rows if numbers.ndim > 1 else ():
            saved = list(part)
            self._undo.append(partial(_refill, part, part.extend, saved))
        path = self._free(path)
        self.arrays[path] = numbers
        if self._recording is not None:
            self.origins[path] = self._recording.argument(numbers)
            fill(rows, RecordedArray(numbers, self.origins[path]), as_float)
        elif path in self._values:
            fill(rows, self._values[path], float)

    def _free(self, path: PATH) -> PATH:
        """The path, after the module's name if an argument or another module has an array of the same."""
        if path not in self.arrays:
            return path
        longer = f"{self._module}.{path}" if self._module else path
        while longer in self.arrays:
            longer += "_"
        return longer

    def _recorded_view(self, array: np.ndarray) -> RecordedArray:
        """The same view of the copy of what the array is a view of."""
        assert self._recording is not None
        base = _base(array)
        if type(base) is not np.ndarray or base.dtype != array.dtype:
            base = array
        if id(base) not in self._bases:
            copy = base.copy(order="K")
            origin = np.empty_like(copy, dtype="int64")
            origin[...] = self._recording.argument(base)
            self._bases[id(base)] = copy, origin
            self._alive.append(base)
        copy, origin = self._bases[id(base)]
        if array is base:
            return RecordedArray(copy[...], origin[...])
        offset = _address(array) - _address(base)
        if copy.strides != base.strides or any(stride % base.itemsize for stride in array.strides):
            return RecordedArray(array.copy(), self._recording.argument(array))
        steps = tuple(stride // base.itemsize for stride in array.strides)
        return RecordedArray(_view(copy, array.shape, steps, offset), _view(origin, array.shape, steps, offset))


def _refill(container: Any, fill: Callable[[Any], object], with_what: Any) -> None:
    container.clear()
    fill(with_what)


def _base(array: np.ndarray) -> np.ndarray:
    base = array
    while isinstance(base.base, np.ndarray):
        base = base.base
    return base


def _address(array: np.ndarray) -> int:
    return int(array.__array_interface__["data"][0])


def _view(base: np.ndarray, shape: tuple[int, ...], steps: tuple[int, ...], offset: int) -> np.ndarray:
    """A view like another array's, whose steps are counted in numbers and whose offset is in bytes."""
    flat = np.lib.stride_tricks.as_strided(base, (base.size,), (base.itemsize,))
    first = offset // base.itemsize if base.dtype != np.dtype("int64") else offset // 8
    strides = tuple(step * base.itemsize for step in steps)
    return np.lib.stride_tricks.as_strided(flat[first:], shape, strides)


def _is_authors_class(kind: type) -> bool:
    if kind.__module__ == "builtins":
        return False
    module = __import__("sys").modules.get(kind.__module__)
    return is_authors(getattr(module, "__file__", None) or "<") or kind.__module__ == "__main__"


def _own_attributes(value: Any) -> dict[str, Any]:
    attributes = dict(getattr(value, "__dict__", {}))
    for kind in type(value).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if hasattr(value, name):
                attributes.setdefault(name, getattr(value, name))
    return attributes


@contextmanager
def exchanged(
    function: Callable[..., Any],
    arguments: Mapping[str, Any],
    recording: Recording | None,
    floats: Collection[PATH] = (),
    values: Mapping[PATH, np.ndarray] | None = None,
) -> Iterator[Any]:
    """While it is entered, everything that the function can reach is exchanged, or only remembered.

    Args:
        function: what will be called.
        arguments: by name.
        recording: to which the arrays' entries belong; None exchanges nothing.
        floats: the paths of numbers of Python's that are recorded, too, or have values.
        values: by the path, the numbers that an array gets, where nothing is recorded.

    Yields:
        The `Exchange`, and the arguments to call with.
    """
    exchange = Exchange(recording, floats, values)
    original = builtins.__import__

    def importing(name: str, globals: Any = None, *rest: Any, **options: Any) -> Any:
        module = original(name, globals, *rest, **options)
        return exchange.visit(module, name) if exchange.knows_namespace(globals) else module

    with ExitStack() as stack:
        stack.callback(exchange.put_back)
        exchange.visit(np.random.mtrand._rand, "np.random")
        exchange.visit(random._inst, "random")
        given = {name: exchange.visit(value, name) for name, value in arguments.items()}
        exchange.visit(function, "")
        if recording is not None:
            stack.callback(setattr, builtins, "__import__", original)
            builtins.__import__ = importing
        yield exchange, given
