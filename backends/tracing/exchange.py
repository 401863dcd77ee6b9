"""Everything that a function can reach is exchanged while it is recorded, and put back afterwards.

A function reaches its arguments, its module, what that imports (all but installed libraries), its closure, and whatever
hangs on these: lists, dicts, attributes of objects. An array is exchanged for one recorded array wherever it is held,
and arrays that share memory for recorded ones that do. NumPy is exchanged for its stand-in, under whatever name.
"""

from __future__ import annotations

import builtins
import random
from argparse import Namespace
from collections import ChainMap, OrderedDict, UserDict, UserList, deque
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cached_property, lru_cache, partial
from pathlib import Path
from types import (
    BuiltinFunctionType,
    CellType,
    FunctionType,
    MappingProxyType,
    MethodType,
    ModuleType,
    SimpleNamespace,
)
from typing import Any

import numpy as np

from ..errors import is_authors
from ..quiet_numpy import without_warnings
from .found_arrays import PATH, FoundArrays
from .holders import (
    attributes_of,
    cached,
    floats_in,
    is_authors_class,
    is_authors_function,
    is_used_up,
    lists_in,
    slots_of,
)
from .imports import Imports
from .recorder import NotRecordableError
from .recording import Recording
from .snapshots import RandomSource, Snapshots
from .stand_ins import BUILTIN_CLASSES, stand_in

ATOMS = (type(None), bool, int, complex, str, bytes, range, slice, type(...), np.dtype, np.integer, np.bool_, Path)
HOLDERS = (SimpleNamespace, Namespace, UserDict, UserList, ChainMap)  # of Python's library, with attributes
CACHED = type(lru_cache(abs))
HIDDEN = ("__builtins__", "__loader__", "__spec__", *BUILTIN_CLASSES)  # names of a module that are not looked at
LEADS_ELSEWHERE = (ModuleType, FunctionType, type)  # to other modules: a module's own arrays have its short names


class Exchange:
    """What was found, and how it is put back.

    Attributes:
        found: the arrays.
        snapshots: of all that was found, as it was.
        aliases: by another way to what was found, the first one.
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
        self._known: dict[int, Any] = {}  # by the identity of what was visited, what stands for it
        self.snapshots = Snapshots(lambda value: self._known.get(id(value), value))
        self.found = FoundArrays(self.snapshots, recording, values or {})
        self._recording = recording
        self._floats = frozenset(floats)
        self._imports = Imports(self._imported)
        self._alive: list[Any] = []  # so that no identity is given twice
        self._namespaces: set[int] = set()
        self._paths: dict[int, PATH] = {}  # by the identity of what was visited, how it was reached first
        self.aliases: dict[PATH, PATH] = {}

    def visit(self, value: Any, path: PATH) -> Any:
        """What stands for a value; containers and objects are changed in place."""
        if isinstance(value, (float, np.floating)):
            return self.found.number(value, path) if path in self._floats else value
        if isinstance(value, ATOMS) or value is vars(builtins):
            return value
        if id(value) in self._known:
            first = self._paths.get(id(value), path)
            if first != path:
                self.aliases.setdefault(path, first)
            return self._known[id(value)]
        self._alive.append(value)
        self._paths[id(value)] = path
        self._known[id(value)] = value  # of what leads back to itself
        made = self._known[id(value)] = self._visited(value, path)
        return made

    def called(self, function: Any) -> None:
        """Exchanges what a function that is called can reach."""
        named = isinstance(function, (FunctionType, MethodType, BuiltinFunctionType, partial, type))
        self.visit(function, "" if named else "self")

    def imports_followed(self) -> AbstractContextManager[None]:
        """While it is entered, what a module that was exchanged imports is exchanged, too."""
        return self._imports.followed()

    def _imported(self, module: ModuleType, name: str, by: Mapping[str, Any]) -> Any:
        return self.visit(module, name) if id(by) in self._namespaces else module

    def _visited(self, value: Any, path: PATH) -> Any:
        match value:
            case np.ndarray():
                return self._array(value, path)
            case dict():
                self._dict(value, path)
            case list() | deque():
                self._sequence(value, path)
            case set() | frozenset():
                if isinstance(value, set):
                    self.snapshots.of_set(value, path)
                for one in value:
                    self.visit(one, f"{path}{{}}")
            case tuple():
                parts = [self.visit(one, f"{path}[{index}]") for index, one in enumerate(value)]
                if any(one is not other for one, other in zip(parts, value, strict=True)):
                    return tuple.__new__(type(value), parts)
            case MappingProxyType():
                items = {name: self.visit(one, f"{path}[{name!r}]") for name, one in value.items()}
                if any(items[name] is not one for name, one in value.items()):
                    return MappingProxyType(items)
            case _ if isinstance(value, RandomSource) and not isinstance(value, random.SystemRandom):
                self.snapshots.of_random(value, path)
            case _ if is_used_up(value):
                kind = type(value).__name__
                raise NotRecordableError(f"{path} is a {kind}, which a call uses up: give a list instead")
            case _:
                return self._object(value, path)
        return value

    def _object(self, value: Any, path: PATH) -> Any:
        other = self._imports.stand_in(value) or (None if self._recording is None else stand_in(value))
        if other is not None:
            return other
        match value:
            case FunctionType():
                self._function(value, path)
            case MethodType():
                self.visit(value.__self__, "self")
                self.visit(value.__func__, path)
            case BuiltinFunctionType():
                return self._builtin_method(value, path)
            case partial():
                parts = [self.visit(value.func, path), self.visit(value.args, f"{path}args")]
                options = dict(value.keywords)
                given = {name: self.visit(one, f"{path}.{name}" if path else name) for name, one in options.items()}
                if parts[0] is not value.func or parts[1] is not value.args or _is_changed(given, options):
                    return partial(parts[0], *parts[1], **given)
            case CACHED():
                self.visit(value.__wrapped__, path)
                return cached(value)
            case ModuleType():
                if is_authors(getattr(value, "__file__", None) or "<"):
                    self.namespace(vars(value))
            case type():
                if is_authors_class(value):
                    self._class(value, path)
            case staticmethod() | classmethod():
                function = self.visit(value.__func__, path)
                return value if function is value.__func__ else type(value)(function)
            case cached_property():
                self.visit(value.func, path)
            case property():
                for function in (value.fget, value.fset):
                    self.visit(function, path)
            case _ if type(value).__module__.startswith("numba.") and hasattr(value, "py_func"):
                function = self.visit(value.py_func, path)
                return value if self._recording is None else function
            case _ if isinstance(value, HOLDERS) or is_authors_class(type(value)):
                self._instance(value, path)
        return value

    def namespace(self, names: dict[str, Any]) -> None:
        """Exchanges what a module holds."""
        if id(names) in self._namespaces:
            return
        outer, self.found.module = self.found.module, str(names.get("__name__", "")).removeprefix("_gradparity_")
        self._namespaces.add(id(names))
        self.snapshots.of_dict(names, str)
        if self._recording is not None:
            names |= {name: made for name, made in BUILTIN_CLASSES.items() if name not in names}
        held = {name: one for name, one in names.items() if name not in HIDDEN and not is_used_up(one)}
        for name, one in sorted(held.items(), key=lambda item: isinstance(item[1], LEADS_ELSEWHERE)):
            self._exchange_item(names, name, one, str(name))
        self.found.module = outer

    def _dict(self, names: dict[Any, Any], path: PATH) -> None:
        kind: Any = OrderedDict if isinstance(names, OrderedDict) else dict
        self.snapshots.of_dict(names, lambda name: f"{path}[{name!r}]")
        for name, one in list(kind.items(names)):
            self._exchange_item(names, name, one, f"{path}[{name!r}]" if path else str(name), kind)
        if is_authors_class(type(names)):
            self._instance(names, path)

    def _exchange_item(self, names: dict[Any, Any], name: Any, one: Any, path: PATH, kind: Any = dict) -> None:
        made = self.visit(one, path)
        if made is not one:
            kind.__setitem__(names, name, made)

    def _sequence(self, items: Any, path: PATH) -> None:
        self.snapshots.of_sequence(items, path)
        numbers = floats_in(items)
        if numbers.size:
            for part in lists_in(items):
                self.snapshots.of_sequence(part, path)
                self._alive.append(part)
                self._known[id(part)] = part
            self.found.list(items, numbers, path)
        else:
            for index, one in enumerate(list(items)):
                made = self.visit(one, f"{path}[{index}]")
                if made is not one:
                    items[index] = made
        if is_authors_class(type(items)):
            self._instance(items, path)

    def _function(self, function: FunctionType, path: PATH) -> None:
        if not is_authors_function(function):
            return
        self.namespace(function.__globals__)
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            self._cell(cell, name)
        code, prefix = function.__code__, f"{path}." if path else ""
        names = code.co_varnames[: code.co_argcount]
        if function.__defaults__:
            self.snapshots.of_attribute(function, "__defaults__", f"{function.__name__}.__defaults__")
            named = list(zip(names[-len(function.__defaults__) :], function.__defaults__, strict=True))
            made = tuple(self.visit(one, f"{prefix}{name}") for name, one in named)
            if any(one is not other for one, (_, other) in zip(made, named, strict=True)):
                function.__defaults__ = made
        if function.__kwdefaults__:
            self.snapshots.of_dict(function.__kwdefaults__, f"{prefix}{{}}".format)
            for name, one in list(function.__kwdefaults__.items()):
                self._exchange_item(function.__kwdefaults__, name, one, f"{prefix}{name}")
        self._instance(function, path or function.__name__)

    def _cell(self, cell: CellType, name: str) -> None:
        self.snapshots.of_cell(cell, name)
        try:
            value = cell.cell_contents
        except ValueError:  # nothing is in it yet
            return
        made = self.visit(value, name)
        if made is not value:
            cell.cell_contents = made

    def _builtin_method(self, method: Any, path: PATH) -> Any:
        """A method of something that was exchanged, such as `W.dot`; of another one only what it belongs to."""
        owner = method.__self__
        if owner is None or isinstance(owner, ModuleType):
            return method
        made = self.visit(owner, path)
        return method if made is owner else getattr(made, method.__name__)

    def _class(self, kind: type, path: PATH) -> None:
        self.snapshots.of_class(kind, path)
        for base in kind.__mro__[1:]:
            self.visit(base, base.__name__)
        for name, one in list(vars(kind).items()):
            if name.startswith("__") and not isinstance(one, FunctionType):
                continue
            made = self.visit(one, f"{path}.{name}")
            if made is not one:
                type.__setattr__(kind, name, made)

    def _instance(self, owner: Any, path: PATH) -> None:
        self.snapshots.of_attributes(owner, slots_of(owner), path)
        for name, one in attributes_of(owner).items():
            made = self.visit(one, f"{path}.{name}")
            if made is not one:
                object.__setattr__(owner, name, made)
        if not isinstance(owner, FunctionType):
            self.visit(type(owner), type(owner).__name__)

    def _array(self, array: np.ndarray, path: PATH) -> Any:
        return self._objects(array, path) if array.dtype.hasobject else self.found.array(array, path)

    def _objects(self, array: np.ndarray, path: PATH) -> np.ndarray:
        """An array of objects, such as one of arrays of different lengths."""
        self.snapshots.of_array(array, path)
        if array.dtype == object:
            for index in np.ndindex(array.shape):
                self._exchange_entry(array, index, f"{path}[{', '.join(map(str, index))}]")
        return array

    def _exchange_entry(self, array: np.ndarray, index: tuple[int, ...], path: PATH) -> None:
        made = self.visit(array[index], path)
        if made is not array[index]:
            array[index] = made


def _is_changed(given: Mapping[str, Any], options: Mapping[str, Any]) -> bool:
    return any(given[name] is not one for name, one in options.items())


@contextmanager
def exchanged(
    function: Callable[..., Any],
    arguments: Mapping[str, Any],
    recording: Recording | None,
    floats: Collection[PATH] = (),
    values: Mapping[PATH, np.ndarray] | None = None,
) -> Iterator[Any]:
    """While it is entered, all that the function can reach is exchanged, or only remembered, and NumPy does not warn.

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
    with ExitStack() as stack:
        stack.enter_context(without_warnings())
        stack.callback(exchange.snapshots.put_back)
        exchange.snapshots.of_settings()
        exchange.visit(np.random.mtrand._rand, "np.random")
        exchange.visit(random._inst, "random")
        given = {name: exchange.visit(value, name) for name, value in arguments.items()}
        exchange.called(function)
        stack.enter_context(exchange.imports_followed())
        yield exchange, given
