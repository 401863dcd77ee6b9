"""What a call may change, as it was before: to say what was changed, and to put it back."""

from __future__ import annotations

import random
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from types import CellType
from typing import Any, NamedTuple

import numpy as np

NOTHING = object()  # in the place of a value that is not there
RandomSource = np.random.Generator | np.random.BitGenerator | np.random.RandomState | random.Random


class Snapshot(NamedTuple):
    """Something as it was.

    Attributes:
        restore: puts it back.
        changes: gives the paths of what is no longer the same.
    """

    restore: Callable[[], object]
    changes: Callable[[], Iterable[str]]


class Snapshots:
    """Everything that a call may change, in the order in which it was met.

    Example:
        >>> names, snapshots = {"a": 1}, Snapshots()
        >>> snapshots.of_dict(names, "p['{}']".format)
        >>> names.update(a=2, b=3)
        >>> snapshots.changes()
        ["p['a']", "p['b']"]
        >>> snapshots.put_back()
        >>> names
        {'a': 1}
    """

    def __init__(self, stands_for: Callable[[Any], Any] = lambda value: value) -> None:
        """Begins with nothing.

        Args:
            stands_for: gives what is meant to be in the place of a value now, which is then no change.
        """
        self._kept: list[Snapshot] = []
        self._stands_for = stands_for

    def changes(self) -> list[str]:
        """The paths of what is no longer the same, in the order in which it was met, without repetition."""
        return list(dict.fromkeys(path for one in self._kept for path in one.changes()))

    def put_back(self) -> None:
        """Puts everything back, also if one thing cannot be; what was met last first."""
        failed: Exception | None = None
        while self._kept:
            try:
                self._kept.pop().restore()
            except Exception as error:
                failed = failed or error
        if failed is not None:
            raise failed

    def of_dict(self, names: dict[Any, Any], path: Callable[[Any], str]) -> None:
        """Of a dict's items and their order, without regard to what a class of the author's does on writing."""
        kind: Any = OrderedDict if isinstance(names, OrderedDict) else dict
        saved = dict(kind.items(names))

        def restore() -> None:
            now = dict(kind.items(names))
            if list(now) != list(saved) or any(now[name] is not one for name, one in saved.items()):
                kind.clear(names)
                for name, one in saved.items():
                    kind.__setitem__(names, name, one)

        def changes() -> Iterator[str]:
            return self._changed_names(saved, dict(kind.items(names)), path)

        self._kept.append(Snapshot(restore, changes))

    def of_sequence(self, items: list[Any] | deque[Any], path: str) -> None:
        """Of a list's or deque's items."""
        saved = list(items)

        def restore() -> None:
            if isinstance(items, list):
                list.__setitem__(items, slice(None), saved)
            else:
                deque.clear(items)
                deque.extend(items, saved)

        def changes() -> Iterator[str]:
            if len(items) != len(saved):
                yield path
            else:
                yield from (
                    f"{path}[{i}]"
                    for i, (one, was) in enumerate(zip(items, saved, strict=True))
                    if self._is_new(one, was)
                )

        self._kept.append(Snapshot(restore, changes))

    def of_set(self, items: set[Any], path: str) -> None:
        """Of a set's items."""
        saved = set(items)

        def restore() -> None:
            set.clear(items)
            set.update(items, saved)

        self._kept.append(Snapshot(restore, lambda: [path] if items != saved else []))

    def of_attributes(self, owner: Any, slots: Iterable[str], path: str) -> None:
        """Of an object's attributes: those in its dict, and those in slots."""
        names = getattr(owner, "__dict__", None)
        if isinstance(names, dict):
            self.of_dict(names, lambda name: f"{path}.{name}")
            self._kept.append(Snapshot(lambda: _give_dict(owner, names), tuple))
        for name in slots:
            self.of_attribute(owner, name, f"{path}.{name}")

    def of_attribute(self, owner: Any, name: str, path: str) -> None:
        """Of one attribute of an object, which may not be there yet."""
        write, delete = object.__setattr__, object.__delattr__
        saved = getattr(owner, name, NOTHING)

        def restore() -> None:
            if saved is not NOTHING:
                write(owner, name, saved)
            elif hasattr(owner, name):
                delete(owner, name)

        self._kept.append(
            Snapshot(restore, lambda: [path] if self._is_new(getattr(owner, name, NOTHING), saved) else [])
        )

    def of_class(self, kind: type, path: str) -> None:
        """Of what a class itself holds."""
        saved = dict(vars(kind))

        def restore() -> None:
            for name in [name for name in vars(kind) if name not in saved]:
                type.__delattr__(kind, name)
            for name, one in saved.items():
                if vars(kind)[name] is not one:
                    type.__setattr__(kind, name, one)

        def changes() -> Iterator[str]:
            return self._changed_names(saved, dict(vars(kind)), lambda name: f"{path}.{name}")

        self._kept.append(Snapshot(restore, changes))

    def of_cell(self, cell: CellType, path: str) -> None:
        """Of what a variable of an enclosing function holds, if anything."""
        saved = _content(cell)

        def restore() -> None:
            if saved is not NOTHING:
                cell.cell_contents = saved
            elif _content(cell) is not NOTHING:
                del cell.cell_contents

        self._kept.append(Snapshot(restore, lambda: [path] if self._is_new(_content(cell), saved) else []))

    def of_array(self, array: np.ndarray, path: str) -> None:
        """Of an array's numbers and its shape."""
        saved, shape = array.copy(order="K"), array.shape

        def restore() -> None:
            if array.size != saved.size:
                array.resize(shape, refcheck=False)
            if array.shape != shape:
                array.shape = shape
            if array.flags.writeable or not _same(array, saved):
                with suppress(ValueError):  # memory that nobody may write to
                    array.flags.writeable = True
                np.copyto(array, saved)

        self._kept.append(Snapshot(restore, lambda: [] if array.shape == shape and _same(array, saved) else [path]))

    def of_flags(self, array: np.ndarray) -> None:
        """Of whether an array may be written to."""
        writeable = array.flags.writeable

        def restore() -> None:
            if array.flags.writeable != writeable:
                array.flags.writeable = writeable

        self._kept.append(Snapshot(restore, tuple))

    def of_random(self, source: RandomSource, path: str) -> None:
        """Of where a source of random numbers stands."""
        saved = _state(source)
        self._kept.append(
            Snapshot(lambda: _set_state(source, saved), lambda: [] if _same(_state(source), saved) else [path])
        )

    def of_settings(self) -> None:
        """Of what NumPy does on an overflow and the like."""
        saved = np.geterr()
        self._kept.append(Snapshot(lambda: np.seterr(**saved), lambda: [] if np.geterr() == saved else ["np.seterr"]))

    def _changed_names(self, saved: dict[Any, Any], now: dict[Any, Any], path: Callable[[Any], str]) -> Iterator[str]:
        names = dict.fromkeys([*saved, *now])
        return (path(name) for name in names if self._is_new(now.get(name, NOTHING), saved.get(name, NOTHING)))

    def _is_new(self, value: Any, saved: Any) -> bool:
        """Whether a value is not the one that was saved; of plain numbers and strings an equal one is the same."""
        if value is saved or value is self._stands_for(saved):
            return False
        return not (type(value) is type(saved) and isinstance(value, (int, float, str, bytes)) and value == saved)


def _give_dict(owner: Any, names: dict[str, Any]) -> None:
    if owner.__dict__ is not names:
        object.__setattr__(owner, "__dict__", names)


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return NOTHING


def _state(source: RandomSource) -> Any:
    match source:
        case np.random.Generator():
            return source.bit_generator.state
        case np.random.BitGenerator():
            return source.state
        case np.random.RandomState():
            return source.get_state()
        case _:
            return source.getstate()


def _set_state(source: RandomSource, state: Any) -> None:
    match source:
        case np.random.Generator():
            source.bit_generator.state = state
        case np.random.BitGenerator():
            source.state = state
        case np.random.RandomState():
            source.set_state(state)
        case _:
            source.setstate(state)


def _same(one: Any, other: Any) -> bool:
    """Whether two states, or parts of such, are equal."""
    match one:
        case np.ndarray():
            if one.dtype.hasobject:
                return one.shape == other.shape and all(a is b for a, b in zip(one.flat, other.flat, strict=True))
            return bool(np.array_equal(one, other, equal_nan=one.dtype.kind in "fc"))
        case dict():
            return one.keys() == other.keys() and all(_same(part, other[name]) for name, part in one.items())
        case tuple():
            return len(one) == len(other) and all(map(_same, one, other))
        case _:
            return bool(one == other)
