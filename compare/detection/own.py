"""How many slips in backward passes are found on their lines: `python tests/slips/measure.py [PROGRAM …]`.

A slip is *placed* if a finding is on its line and everything is put right by what was found; it is found *elsewhere*
if everything is put right, and no finding is on its line; *no sum* if all that is still wrong is said to be never
computed; *part* if something else is still wrong; *silent* if nothing is said. A slip that changes no gradient, or
because of which the program fails, is no slip.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from statistics import median
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from gradparity.compare.check.loading import module_from_file
from gradparity.compare.functions.own_function import OwnFunction, Setting
from gradparity.compare.functions.returned import read_returned
from gradparity.compare.localization import Localization
from slips import Slip, slips

PROGRAMS = {path.stem: path for path in sorted((Path(__file__).parent / "programs").glob("*.py"))}
OF_EACH = 20
OUTCOMES = ("placed", "no sum", "elsewhere", "part", "silent")
GIVEN = Setting("as given")


class Told(NamedTuple):
    """What was said of a slip.

    Attributes:
        slip: the edit.
        localization: what was said.
        outcome: one of `OUTCOMES`.
        seconds: that it took.
    """

    slip: Slip
    localization: Localization
    outcome: str
    seconds: float

    def __str__(self) -> str:
        slip = self.slip
        said = [f"      {one.line}: {one.says}  [{', '.join(one.repairs)}]" for one in self.localization.located]
        title = f"  {self.outcome}: {slip.kind}, line {slip.line}: {slip.was!r} became {slip.now!r}"
        return "\n".join([title, *said, f"      {self.localization.shown or '-'}"])


def measured(name: str, number: int = OF_EACH) -> Iterator[Told]:
    """What is said of the slips of a program.

    Args:
        name: of the program.
        number: of slips.
    """
    with tempfile.TemporaryDirectory() as folder:
        right = _gradients(module_from_file(PROGRAMS[name]))
        yield from islice(_told_of(name, right, Path(folder)), number)


def _told_of(name: str, right: dict[str, Any], folder: Path) -> Iterator[Told]:
    for number, slip in enumerate(slips(PROGRAMS[name].read_text())):
        path = folder / f"{name}_{number}.py"
        path.write_text(slip.source)
        module = module_from_file(path)
        try:
            with np.errstate(all="ignore"):
                given = _gradients(module)
        except Exception:  # whatever a slip makes a program raise
            continue
        if _is_wrong(given, right):
            yield _told(slip, module)


def told(name: str, was: str, now: str, folder: Path) -> Told:
    """What is said of an edit of one's own.

    Args:
        name: of the program.
        was: a text that stands in it once.
        now: what stands there instead.
        folder: for the edited program.
    """
    source = PROGRAMS[name].read_text()
    assert source.count(was) == 1
    line = 1 + source[: source.index(was)].count("\n")
    path = folder / f"{name}.py"
    path.write_text(source.replace(was, now))
    return _told(Slip("an edit", line, was, now, path.read_text(), frozenset({line})), module_from_file(path))


def _gradients(module: ModuleType) -> dict[str, Any]:
    returned = read_returned(module.gradients(*module.arguments(np.random.default_rng(0))))
    return {"": np.asarray(returned.loss)} | {name: np.asarray(one) for name, one in returned.gradients.items()}


def _is_wrong(given: dict[str, Any], right: dict[str, Any]) -> bool:
    """Whether gradients are wrong, and nothing else is."""
    return (
        given.keys() == right.keys()
        and all(given[name].shape == one.shape and np.isfinite(given[name]).all() for name, one in right.items())
        and np.array_equal(given[""], right[""])
        and not all(np.allclose(given[name], one, rtol=1e-9, atol=1e-9) for name, one in right.items())
    )


def _told(slip: Slip, module: ModuleType) -> Told:
    arguments = module.arguments(np.random.default_rng(0))
    parameters = module.gradients.__code__.co_varnames[: len(arguments)]
    given = dict(zip(parameters, arguments, strict=True))
    own = OwnFunction(module.gradients, lambda setting: given, wrt=getattr(module, "WRT", None))
    own.record(GIVEN)
    start = time.perf_counter()
    localization = own.locate(GIVEN)
    return Told(slip, localization, _outcome(slip, localization), time.perf_counter() - start)


def _outcome(slip: Slip, said: Localization) -> str:
    if not said:
        return "silent"
    sums_alone = said.located and all(one.says.endswith("missing.") for one in said.located)
    if "still wrong" in said.shown or not (said.shown or sums_alone):
        return "part"
    if "never computed" in said.shown:
        return "no sum"
    return "placed" if {one.line for one in said.located} & slip.lines else "elsewhere"


def main(names: list[str]) -> None:
    """Prints what is said of the slips that are not placed, and the table."""
    rows = []
    for name in names or PROGRAMS:
        all_told = list(measured(name))
        for one in all_told:
            if one.outcome != "placed":
                print(name, one, sep="\n", flush=True)
        count = [sum(one.outcome == outcome for one in all_told) for outcome in OUTCOMES]
        several = sum(len(one.localization.located) > 1 for one in all_told if one.outcome == "placed")
        seconds = [one.seconds for one in all_told]
        rows.append((name, *count, several, len(all_told), f"{median(seconds):.2f}", f"{max(seconds):.2f}"))
    print()
    print(*(f"{title:>10}" for title in ("", *OUTCOMES, "+ others", "of", "median s", "most s")))
    for row in rows:
        print(*(f"{value:>10}" for value in row))
    print(*(f"{value:>10}" for value in ("all", *(sum(column) for column in list(zip(*rows, strict=True))[1:8]))))


if __name__ == "__main__":
    main(sys.argv[1:])
