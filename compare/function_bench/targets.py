"""What is typed: the functions, with or without their framework, and the sizes that grow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...backends import RequestError
from ...backends.errors import unknown_name
from .frameworks import FRAMEWORKS

MOST_TARGETS = 16  # all are compared with all
MOST_SIZES = 100  # of one growth


@dataclass(frozen=True)
class Target:
    """A function that is timed.

    Attributes:
        path: where it is: `FILE.py:FUNCTION` or `MODULE:FUNCTION`.
        framework: `numpy`, `torch` or `jax` if that is stated; else empty.
        name: under which it is shown.
    """

    path: str
    framework: str
    name: str


@dataclass(frozen=True)
class Growth:
    """A size that grows.

    Attributes:
        name: of a parameter of the function that draws the arguments, such as `T`.
        values: its sizes, from the smallest on.
    """

    name: str
    values: tuple[int, ...]


def parse_targets(texts: Sequence[str]) -> list[Target]:
    """The functions that are named, each with a name of its own.

    Args:
        texts: such as `FILE.py:FUNCTION` and `jax:FILE.py:FUNCTION`.

    Raises:
        RequestError: one of them names no function, one is named twice, or there are too many.

    Example:
        >>> [(one.name, one.framework) for one in parse_targets(["jax:a.py:f", "b.py:f", "b.py:g"])]
        [('a.py:f', 'jax'), ('b.py:f', ''), ('g', '')]
    """
    if len(texts) > MOST_TARGETS:
        raise RequestError(f"{len(texts)} functions are named, expected at most {MOST_TARGETS}")
    parsed = []
    for text in texts:
        framework, _, rest = text.partition(":")
        if text.count(":") > 1 and framework not in FRAMEWORKS:
            raise RequestError(f"{text}: {unknown_name('framework', framework, FRAMEWORKS)}")
        framework, path = (framework, rest) if text.count(":") > 1 else ("", text)
        source, _, function = path.rpartition(":")
        if not source or not function:
            raise RequestError(f"{text!r} names no function: expected FILE.py:FUNCTION or jax:FILE.py:FUNCTION")
        parsed.append((framework, path, function))
    paths = [path for _, path, _ in parsed]
    if twice := [path for path in paths if paths.count(path) > 1]:
        raise RequestError(f"{twice[0]} is named twice")
    functions = [function for *_, function in parsed]
    files = [Path(path.rpartition(":")[0]).name for path in paths]
    named = []
    for (framework, path, function), file in zip(parsed, files, strict=True):
        name = function if functions.count(function) == 1 else f"{file}:{function}"
        named.append(Target(path, framework, name))
    names = [target.name for target in named]
    return [one if names.count(one.name) == 1 else replace(one, name=one.path) for one in named]


def parse_growth(texts: Sequence[str]) -> list[Growth]:
    """The sizes that grow.

    Args:
        texts: such as `T=10,100,1000`.

    Raises:
        RequestError: one of them has another form, or a size is no number above 0, or stands there twice.

    Example:
        >>> parse_growth(["T=1000,10,100"])
        [Growth(name='T', values=(10, 100, 1000))]
    """
    growths: list[Growth] = []
    for text in texts:
        name, _, sizes = text.partition("=")
        try:
            values = [int(size) for size in sizes.split(",")]
        except ValueError:
            raise RequestError(f"--grow {text}: expected NAME=SIZES, such as T=10,100,1000") from None
        if not name.isidentifier() or min(values) < 1:
            raise RequestError(f"--grow {text}: expected NAME=SIZES with numbers above 0, such as T=10,100,1000")
        if len(set(values)) < 2 or len(set(values)) < len(values) or len(values) > MOST_SIZES:
            raise RequestError(f"--grow {text}: expected at least two sizes, each once, at most {MOST_SIZES}")
        if name in [growth.name for growth in growths]:
            raise RequestError(f"--grow {text}: {name} grows already")
        growths.append(Growth(name, tuple(sorted(values))))
    return growths
