"""Slips in the backward passes of programs of our own: are they seen, and found on their lines?

A slip that changes no gradient, or because of which the program fails, is none. Each program is shown without a slip,
too: then nothing may be said of it.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path
from types import ModuleType

import numpy as np

from ...backends.errors import first_line, unknown_name
from ..check.loading import module_from_file
from ..functions.asked_function import AskedFunction
from ..functions.own_function import OwnFunction
from ..functions.recorded_function import Recorded, Setting
from ..functions.returned import read_returned
from ..localization import Localization, in_words
from ..localization.findings import Search
from ..referee import compare
from .checks import CheckResult
from .own_claims import contradicted
from .own_results import Outcome, OwnResult
from .source_edits import Slip, slips

FOLDER = Path(__file__).parent / "own_programs"
PROGRAMS = {path.stem: path for path in sorted(FOLDER.glob("*.py")) if path.stem != "__init__"}
GIVEN = Setting("as given")
SEED = 0  # of the arguments
SAME = 1e-9  # by which gradients may differ that a slip has not changed
ENGINE = "tape"  # which differentiates what is recorded


@dataclass(frozen=True)
class OwnCase:
    """A program of our own.

    Attributes:
        program: its name.
        slip: the edit; None if it is as it was written.
    """

    program: str
    slip: Slip | None = None


def own_cases(count: int, programs: Sequence[str] = ()) -> Iterator[OwnCase]:
    """The programs as they are, and each with one slip.

    Args:
        count: of slips in each, at most.
        programs: their names; all if there are none.

    Yields:
        Each program, and then its slips, of every kind in turn.

    Raises:
        RequestError: there is no such program.
    """
    for name in programs:
        if name not in PROGRAMS:
            raise unknown_name("program", name, PROGRAMS)
    for name in programs or PROGRAMS:
        yield OwnCase(name)
        planted = (slip for slip in slips(_source(name)) if _makes_wrong(name, slip))
        yield from (OwnCase(name, slip) for slip in islice(planted, count))


def edited(program: str, was: str, now: str) -> OwnCase:
    """A program with an edit of one's own.

    Args:
        program: its name.
        was: a text that stands in it once.
        now: what stands there instead.
    """
    source = _source(program)
    assert source.count(was) == 1
    line = 1 + source[: source.index(was)].count("\n")
    return OwnCase(program, Slip("an edit", line, was, now, source.replace(was, now), frozenset({line})))


def ask(case: OwnCase) -> OwnResult:
    """Judges a program, and looks for the line that is wrong; what is said of it is computed once more.

    Args:
        case: the program, with a slip or without.

    Returns:
        What is said, and how that fits the slip.
    """
    with _loaded(case.program, case.slip.source if case.slip else _source(case.program)) as module:
        own = _own_function(module)
        try:
            recorded = own.record(GIVEN)
            verdict = _verdict(own, recorded)
        except Exception as error:  # whatever a slip brings about
            return _result(case, CheckResult("failed", first_line(error)))
        if case.slip and verdict.verdict != "wrong":
            return _result(case, verdict)
        start = time.perf_counter()
        searched = own.searched(GIVEN)
        said = in_words(*searched) if searched else Localization()
        seconds = time.perf_counter() - start
    if searched is None:
        return _result(case, verdict, seconds=seconds)
    gradients = _right(case.program)
    right = {f"d{name}": gradients[one] for name, one in recorded.returned_as.items()}
    untrue = contradicted(searched.found, searched.program, said, right)
    if case.slip is None:
        return _result(case, verdict, said, (*untrue, *_said_of_nothing(verdict, said)), seconds=seconds)
    is_placed = bool({one.line for one in said.located} & case.slip.lines)
    outcome = _outcome(searched.found, said, is_placed=is_placed)
    return _result(case, verdict, said, untrue, outcome, is_placed=is_placed, seconds=seconds)


def _result(
    case: OwnCase,
    verdict: CheckResult,
    said: Localization = Localization(),  # noqa: B008 # it is frozen
    untrue: tuple[str, ...] = (),
    outcome: Outcome = "not named",
    *,
    is_placed: bool = False,
    seconds: float = 0.0,
) -> OwnResult:
    slip = case.slip
    edit = (slip.kind, slip.line, slip.was, slip.now) if slip else ("", 0, "", "")
    return OwnResult(case.program, *edit, verdict, outcome, is_placed, said, untrue, seconds)


def _said_of_nothing(verdict: CheckResult, said: Localization) -> Iterator[str]:
    """What is said of a program that is right."""
    if verdict.verdict == "wrong":
        yield "it is called wrong, and is right"
    for one in said.located:
        yield f"of a program that is right it is said of line {one.line}: {one.says}"


def _verdict(own: OwnFunction, recorded: Recorded) -> CheckResult:
    compared = compare(recorded.problem, [AskedFunction(own, GIVEN), ENGINE], own_spread=partial(own.rounding, GIVEN))
    verdict = compared.verdict_on(own.name)
    return CheckResult({"agree": "right", "disagree": "wrong", "undecidable": "undecided"}[verdict])  # type: ignore[arg-type]


def _outcome(found: Search, said: Localization, *, is_placed: bool) -> Outcome:
    is_all_told = bool(said.shown or not found.findings)  # a place that is found in vain is not told
    if not said.located or found.left or not is_all_told:
        return "not named"
    if not is_placed:
        return "elsewhere"
    return "named" if len(said.located) == 1 else "among several"


def _source(program: str) -> str:
    return PROGRAMS[program].read_text(encoding="utf-8")


@contextmanager
def _loaded(program: str, source: str) -> Iterator[ModuleType]:
    """A program as a person's file, in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{program}.py"
        path.write_text(source, encoding="utf-8")
        module = module_from_file(path)
        try:
            yield module
        finally:
            del sys.modules[module.__name__]


def _own_function(module: ModuleType) -> OwnFunction:
    arguments = module.arguments(np.random.default_rng(SEED))
    parameters = module.gradients.__code__.co_varnames[: len(arguments)]
    given = dict(zip(parameters, arguments, strict=True))
    return OwnFunction(module.gradients, lambda setting: given, wrt=getattr(module, "WRT", None))


def _returned(program: str, source: str) -> dict[str, np.ndarray]:
    """The gradients of a program, and its loss, whose name is empty."""
    with _loaded(program, source) as module, np.errstate(all="ignore"):
        returned = read_returned(module.gradients(*module.arguments(np.random.default_rng(SEED))))
        return {"": np.array(returned.loss), **{name: np.array(one) for name, one in returned.gradients.items()}}


@lru_cache(maxsize=len(PROGRAMS))
def _right(program: str) -> Mapping[str, np.ndarray]:
    return _returned(program, _source(program))


def _makes_wrong(program: str, slip: Slip) -> bool:
    """Whether a slip makes gradients wrong, and nothing else."""
    right = _right(program)
    try:
        given = _returned(program, slip.source)
    except Exception:  # whatever a slip makes a program raise
        return False
    return (
        given.keys() == right.keys()
        and all(given[name].shape == one.shape and np.isfinite(given[name]).all() for name, one in right.items())
        and np.array_equal(given[""], right[""])
        and not all(np.allclose(given[name], one, rtol=SAME, atol=SAME) for name, one in right.items())
    )
