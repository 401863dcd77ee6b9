"""Tests that are known to fail: a list that cannot go out of date unseen.

A line is `PATTERN  # reason`; lines that are empty or begin with # are comments. A pattern that has a `::` is held
against node ids, as in `tests/test_layer.py::test_agrees[lstm-float32-0]` or, of the conformance suite,
`gradparity.compare.conformance::test_its_*[mine-lstm-*`; another against what stands in their brackets, as in `lstm-*`.
`*` and `?` stand for anything; a bracket stands for itself. A test is expected to fail, whatever the error is.
"""

from __future__ import annotations

import os
import re
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from glob import glob
from pathlib import Path
from typing import Any

import pytest

from .session import CONFORMANCE

PARTIAL = ("ignore", "ignore_glob", "deselect", "lf", "stepwise")  # options that leave files or tests out
ENTRY = re.compile(r"(?P<pattern>\S.*?)\s+#\s*(?P<reason>\S.*)")


@dataclass(frozen=True)
class Entry:
    """A line of the list.

    Attributes:
        place: the file and the line, such as `known.txt:3`.
        pattern: of node ids, or of parametrization ids.
        reason: why these tests fail.
    """

    place: str
    pattern: str
    reason: str

    def matches(self, item: pytest.Item) -> bool:
        if "::" in self.pattern:
            return _matches(item.nodeid, self.pattern)
        callspec = getattr(item, "callspec", None)
        return callspec is not None and _matches(callspec.id, self.pattern)

    def is_part_of(self, items: Sequence[pytest.Item], root: Path, *, everything: bool) -> bool:
        """Whether the run has what the entry is about.

        Args:
            items: the tests that were collected.
            root: the folder from which node ids count.
            everything: whether these are all tests of the project. If not, there must be tests of the entry's file, if
                that is there.
        """
        file, colons, test = self.pattern.partition("::")
        if file == CONFORMANCE:  # which is run for one backend or another
            names = _candidate_names(items)
            bracket = test.partition("[")[2]
            return bool(names) and (not bracket or bracket.startswith(tuple(f"{name}-" for name in names)))
        if everything or not colons:
            return everything
        return any(_matches(item.nodeid.partition("::")[0], file) for item in items) or not glob(
            _literal(file), root_dir=root
        )


def read(file: Path, root: Path) -> list[Entry]:
    """The entries of a list, with their files from the root, as in node ids.

    Raises:
        pytest.UsageError: it cannot be read, or a line is no entry.
    """
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise pytest.UsageError(f"{file}: the expected failures cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise pytest.UsageError(f"{file}: the expected failures cannot be read: not UTF-8") from error
    entries = []
    for number, line in enumerate(map(str.strip, lines), start=1):
        if not line or line.startswith("#"):
            continue
        match = ENTRY.fullmatch(line)
        if not match:
            raise pytest.UsageError(f"{file}:{number}: {line!r} has no reason, expected PATTERN  # reason")
        entries.append(Entry(f"{file.name}:{number}", _from_root(match["pattern"], root), match["reason"]))
    return entries


class ExpectedFailures:
    """Marks the tests of the list; an entry whose tests no longer fail, or that has none, is a failure itself."""

    def __init__(self, file: Path, root: Path) -> None:
        self.entries = read(file, root)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(
        self, session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
    ) -> Generator[None, Any, Any]:
        matched = set()
        for entry in self.entries:
            for item in filter(entry.matches, items):
                mark = pytest.mark.xfail(strict=True, reason=f"{entry.reason} ({entry.place})")
                item.add_marker(mark, append=False)  # before a mark in its file, which need not be strict
                matched.add(entry)
        selects_tests = any("::" in arg for arg in config.args) or config.getoption("lf", default=False)
        everything = _is_of_everything(config)
        stale = [
            entry
            for entry in self.entries
            if entry not in matched and entry.is_part_of(items, config.rootpath, everything=everything)
        ]
        result = yield  # in which -k and -m take tests away, but not these:
        if not selects_tests:
            items += [StaleEntry.of(session, entry) for entry in stale]
        return result


class StaleEntry(pytest.Item):
    """A test that fails: an entry of the list has no test."""

    entry: Entry

    @classmethod
    def of(cls, session: pytest.Session, entry: Entry) -> StaleEntry:
        item: StaleEntry = cls.from_parent(session, name=entry.pattern, nodeid=f"{entry.place}::{entry.pattern}")
        item.entry = entry
        return item

    def runtest(self) -> None:
        pytest.fail(
            f"{self.entry.place}: {self.entry.pattern!r} matches no test that was collected: "
            "correct the entry, or remove it",
            pytrace=False,
        )

    def reportinfo(self) -> tuple[Path, None, str]:
        return self.path, None, self.nodeid


def _candidate_names(items: Sequence[pytest.Item]) -> set[str]:
    """The names of the backends for which the conformance suite is run."""
    suite = [item for item in items if item.nodeid.startswith(f"{CONFORMANCE}::")]
    callspecs = [getattr(item, "callspec", None) for item in suite]
    candidates = [callspec.params.get("candidate") for callspec in callspecs if callspec]
    return {candidate.backend.name for candidate in candidates if hasattr(candidate, "backend")}


def _is_of_everything(config: pytest.Config) -> bool:
    """Whether all tests of the project are collected: those of the root, or of the ini file's `testpaths`."""
    if any(config.getoption(name, default=None) for name in PARTIAL):
        return False
    asked = {(config.invocation_params.dir / arg).resolve() for arg in config.args}
    expected = [config.rootpath / folder for folder in config.getini("testpaths")] or [config.rootpath]
    return config.rootpath.resolve() in asked or {folder.resolve() for folder in expected} <= asked


def _from_root(pattern: str, root: Path) -> str:
    file, colons, test = pattern.partition("::")
    if not colons or file == CONFORMANCE:
        return pattern
    return Path(os.path.relpath(root / file, root)).as_posix() + colons + test


def _matches(text: str, pattern: str) -> bool:
    return fnmatchcase(text, _literal(pattern))


def _literal(pattern: str) -> str:
    """The pattern with brackets that stand for themselves."""
    return pattern.replace("[", "[[]")
