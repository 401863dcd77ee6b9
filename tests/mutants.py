"""Mutants: small changes of the code. The tests are to notice every one that changes an answer.

Those of `WHOLE` are tried one and all, and of those of `DRAWN_FROM` as many as `--drawn` says, drawn by a seed:

    python tests/mutants.py
    python tests/mutants.py compare/referee/judgement.py    # all mutants of one file

cosmic-ray changes the source. Every mutant lies in a copy of the checkout and runs in a fork of this process, which has
loaded what never changes, with the few quick tests of its module. `mutants_accepted.toml` lists the survivors that are
accepted, each with its reason: those that change no answer are `equivalent`, the others `open`. One that is not in the
list, or that is and is caught by now, is an error.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import shutil
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Collection
from itertools import chain
from multiprocessing import get_context
from pathlib import Path

import flint  # noqa: F401 # loaded here, so that no fork has to
import hypothesis
import hypothesis.extra.numpy
import numpy  # noqa: F401
import pytest
import torch  # noqa: F401
from mutant_sources import ROOT, Mutant, changes, key, mutant

ACCEPTED = ROOT / "tests" / "mutants_accepted.toml"
FLOORS = ("manual", "backends", "compare")
SHARE_TO_CATCH = 0.95  # of the mutants that change an answer
MEMORY = 8 << 30  # bytes of a fork: a shift in the place of a product asks for more than there is
GROUPS = "tests/compare/test_judgement.py::test_backends_are_grouped_by_agreement_the_largest_group_first"
SLOW = "not a_fault_in_any_line and not shapes_are_checked and not torch"  # or in need of the conftest
PLUGINS = ("-p", "no:cacheprovider", "-p", "_hypothesis_pytestplugin")  # the only one that is loaded: it has a marker
OPTIONS = ("-q", "-x", "--noconftest", *PLUGINS, "-o", "addopts=--import-mode=importlib", "-k", SLOW)


def own_tests(path: Path) -> list[str]:
    """The tests that bear the name of a file of the derivation, if there are some."""
    name = f"tests/manual/test_{path.stem}.py"
    return [name] if (ROOT / name).exists() else []


DEFINITIONS = ["tests/compare/test_tape.py", "tests/compare/test_definitions.py"]
WHOLE = {
    "compare/referee/judgement.py": ["tests/compare/test_judged_values.py", GROUPS],
    "compare/tolerance/kinks.py": ["tests/compare/test_kinks.py"],
    "compare/tolerance/limits.py": ["tests/compare/test_limits.py", "tests/compare/test_judged_values.py"],
    "compare/tolerance/measurement.py": ["tests/compare/test_limits.py"],
    "compare/tolerance/rounding.py": ["tests/compare/test_single_roundings.py", "tests/compare/test_rounding.py"],
}
DERIVATION = [
    f"tests/manual/test_{name}.py" for name in ("equations", "blocks_of_steps", "stack", "buffers", "network")
]
DRAWN_FROM = {
    "compare/certificate/enclosure.py": ["tests/compare/test_enclosure.py"],
    **{f"compare/definitions/{name}.py": DEFINITIONS for name in ("balls", "networks", "numbers", "tape")},
    **{path.relative_to(ROOT).as_posix(): [*own_tests(path), *DERIVATION] for path in sorted(ROOT.glob("manual/*.py"))},
}
DRAWN_FROM["manual/through_time.py"].append("tests/manual/test_truncation.py")


def chosen(modules: list[str], drawn: int, seed: int) -> list[Mutant]:
    """All mutants of the modules that are named; else all of `WHOLE`, and so many of `DRAWN_FROM`."""
    every = chain.from_iterable(map(changes, modules or WHOLE))
    mutants = [made for change in every if (made := mutant(*change))]
    if not modules:
        pool = list(chain.from_iterable(map(changes, DRAWN_FROM)))
        random.Random(seed).shuffle(pool)
        while pool and drawn:
            if made := mutant(*pool.pop()):
                mutants.append(made)
                drawn -= 1
    return sorted(mutants, key=lambda one: (one.module, one.line))


def outcome(tests: list[str], seconds: float, *, silent: bool = True) -> str:
    """What the tests say of the code in this folder: `caught`, `timeout` or `survived`."""
    process = get_context("fork").Process(target=_run_tests, args=(tests, silent))
    process.start()
    process.join(seconds)
    if process.is_alive():
        process.kill()
        process.join()
        return "timeout"
    return "caught" if process.exitcode else "survived"


def _run_tests(tests: list[str], silent: bool) -> None:
    if silent:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    sys.exit(pytest.main([*OPTIONS, *tests]))


def work_in_a_copy(folder: Path) -> Path:
    """Copies the checkout and turns this process towards it; returns the folder of the floors."""
    floors = folder / "gradparity"
    for floor in FLOORS:
        shutil.copytree(ROOT / floor, floors / floor, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "tests", folder / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    hypothesis.settings.register_profile("mutants", deadline=None, max_examples=30, derandomize=True)
    hypothesis.settings.load_profile("mutants")
    return floors


def seconds_of(tests: list[str]) -> float:
    """How long the tests take if nothing is changed, which they must pass.

    Raises:
        SystemExit: they do not.
    """
    started = time.monotonic()
    if outcome(tests, 600, silent=False) != "survived":
        sys.exit(f"mutants: {' '.join(tests)} fail where nothing is changed")
    return time.monotonic() - started


def accepted() -> dict[str, str]:
    """The survivors that are accepted, by their keys, as `equivalent` or `open`."""
    return {
        key(entry["module"], entry["was"], now): kind
        for kind, entries in tomllib.loads(ACCEPTED.read_text(encoding="utf-8")).items()
        for entry in entries
        for now in entry["now"]
    }


def tried(mutants: list[Mutant]) -> list[tuple[Mutant, str]]:
    """Runs the tests on every mutant."""
    tests_of = WHOLE | DRAWN_FROM
    with tempfile.TemporaryDirectory() as folder:
        floors = work_in_a_copy(Path(folder))
        results = []
        limits: dict[str, float] = {}
        for number, one in enumerate(mutants, start=1):
            path = floors / one.module
            if one.module not in limits:
                sys.dont_write_bytecode = False
                limits[one.module] = 10 + 10 * seconds_of(tests_of[one.module])
                sys.dont_write_bytecode = True
                for compiled in path.parent.glob(f"__pycache__/{path.stem}.*.pyc"):
                    compiled.unlink()  # it would stand in for a mutant of the same size and second
            original = path.read_text(encoding="utf-8")
            path.write_text(one.source, encoding="utf-8")
            result = outcome(tests_of[one.module], limits[one.module])
            path.write_text(original, encoding="utf-8")
            results.append((one, result))
            if result == "survived":
                print(f"{number}/{len(mutants)}, line {one.line} of {one.key}", flush=True)
        return results


def report(results: list[tuple[Mutant, str]], complete: Collection[str]) -> int:
    """Prints the scores by module and what has to be done.

    Args:
        results: what became of every mutant.
        complete: the modules of which all mutants were tried.

    Returns:
        The exit code: 1 where a survivor is not listed, a listed one is caught by now, or too few are caught.
    """
    kinds = accepted()
    scores: dict[str, Counter[str]] = {}
    for one, result in results:
        kind = kinds.get(one.key, result) if result == "survived" else result
        scores.setdefault(one.module, Counter())[kind] += 1
    total = sum(scores.values(), Counter[str]())
    columns = ("caught", "timeout", "equivalent", "open", "survived")
    print(f"{'':36}{'mutants':>9}" + "".join(f"{column:>12}" for column in columns))
    for module, score in (*scores.items(), ("all", total)):
        print(f"{module:36}{score.total():9}" + "".join(f"{score[column]:12}" for column in columns))
    change_an_answer = total.total() - total["equivalent"]
    caught = total["caught"] + total["timeout"]
    print(f"caught: {caught} of {change_an_answer} that change an answer, expected at least {SHARE_TO_CATCH:.0%}")
    survived = {one.key for one, result in results if result == "survived"}
    keys = {one.key for one, _ in results}
    unlisted = survived - kinds.keys()
    expired = {key for key in kinds if key in keys or key.split(":")[0] in complete} - survived
    for line in sorted(unlisted):
        print(f"survives, and is not listed: {line}")
    for line in sorted(expired):
        print(f"is listed, and is no survivor: {line}")
    return int(bool(caught < SHARE_TO_CATCH * change_an_answer or unlisted or expired))


def main() -> int:
    parser = argparse.ArgumentParser(description="Runs the tests on mutants of the code.")
    parser.add_argument("modules", nargs="*", help="files of which all mutants are tried")
    parser.add_argument("--drawn", type=int, default=300, help="how many of the other files' mutants are tried")
    parser.add_argument("--seed", type=int, default=0, help="by which they are drawn")
    options = parser.parse_args()
    if unknown := set(options.modules) - (WHOLE | DRAWN_FROM).keys():
        parser.error(f"no tests are named for {', '.join(sorted(unknown))}, expected {', '.join(WHOLE | DRAWN_FROM)}")
    mutants = chosen(options.modules, options.drawn, options.seed)
    if not mutants:
        parser.error(f"there is nothing to change in {', '.join(options.modules)}")
    return report(tried(mutants), options.modules or WHOLE)


if __name__ == "__main__":
    sys.exit(main())
