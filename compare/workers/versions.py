"""Results of one run come from one version of each package: whether two environments have them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ...backends import RequestError


def require_same_versions(environment: Mapping[str, Any], expected: Mapping[str, Any], *, who: str, as_in: str) -> None:
    """Checks that results from two environments can be counted together.

    Args:
        environment: as `output.environment` returns it.
        expected: likewise.
        who: has the first one, in words.
        as_in: who has the second one, in words.

    Raises:
        RequestError: a package has another version, or is there in one of them only.

    Example:
        >>> new, old = {"versions": {"numpy": "2.4.6"}}, {"versions": {"numpy": "2.2.0"}}
        >>> require_same_versions(new, old, who="b.jsonl", as_in="a.jsonl")
        Traceback (most recent call last):
        gradparity.backends.errors.RequestError: b.jsonl has numpy 2.4.6, expected 2.2.0 as in a.jsonl
    """
    here, there = (one.get("versions") for one in (environment, expected))
    if not isinstance(here, Mapping) or not isinstance(there, Mapping):
        return
    for package in (*here, *(name for name in there if name not in here)):
        if (version := here.get(package)) != there.get(package):
            raise RequestError(
                f"{who} has {_in_words(package, version)}, expected {there.get(package) or 'none'} as in {as_in}"
            )


def like(expected: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], None]:
    """What checks the environments of workers.

    Args:
        expected: of the process that gives them work.

    Returns:
        A function of an environment, which raises a RequestError if a package has another version there.
    """

    def check(found: Mapping[str, Any]) -> None:
        require_same_versions(found, expected, who="a worker", as_in="the process that gives it work")

    return check


def _in_words(package: str, version: object) -> str:
    return f"{package} {version}" if version else f"no {package}"
