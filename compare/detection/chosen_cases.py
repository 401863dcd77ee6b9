"""Which cases a detection run is made of: numbered in one order, wherever they are judged."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from ...backends import RequestError
from .cases import CorrectCase, MistakeCase, correct_cases, mistake_cases
from .own import OwnCase, own_cases
from .results import OWN_CHECK, mistake_label

CORRECT_PER_KIND, QUICK_CORRECT_PER_KIND = 20, 5  # right gradients of each kind
SLIPS_PER_PROGRAM, QUICK_SLIPS_PER_PROGRAM = 20, 5

Case = MistakeCase | CorrectCase | OwnCase


class Part(StrEnum):
    """What can be shown alone."""

    CATALOGUE = "catalogue"
    OWN = "own"


@dataclass(frozen=True)
class ChosenCases:
    """What is shown to the checks.

    Attributes:
        has_catalogue: whether the mistakes of the catalogue and right gradients are.
        has_own: whether programs of our own are.
        quick: whether few of each are.
        everywhere: whether each mistake is planted on every system to which it applies.
        programs: names of programs of our own; all of them if there are none.
    """

    has_catalogue: bool = True
    has_own: bool = True
    quick: bool = False
    everywhere: bool = False
    programs: tuple[str, ...] = ()

    def cases(self) -> list[Case]:
        """The cases, whose places in this list are their numbers."""
        cases: list[Case] = []
        if self.has_catalogue:
            cases += mistake_cases(everywhere=self.everywhere, quick=self.quick)
            cases += correct_cases(QUICK_CORRECT_PER_KIND if self.quick else CORRECT_PER_KIND)
        if self.has_own:
            cases += own_cases(QUICK_SLIPS_PER_PROGRAM if self.quick else SLIPS_PER_PROGRAM, self.programs)
        return cases


def choose_cases(
    checks: Iterable[str],
    *,
    only: Part | None = None,
    programs: Iterable[str] = (),
    quick: bool = False,
    everywhere: bool = False,
) -> ChosenCases:
    """What is shown to some checks: programs of our own are shown to gradparity alone.

    Args:
        checks: their names.
        only: a part alone.
        programs: names of programs of our own, which alone are shown then.
        quick: few of each.
        everywhere: each mistake on every system to which it applies.

    Returns:
        The cases that are to be shown.

    Raises:
        RequestError: nothing is left of what was asked for.
    """
    names, has_own_check = tuple(programs), OWN_CHECK in checks
    if names and only is Part.CATALOGUE:
        raise RequestError("--program names a program of our own, and --only catalogue leaves these out")
    wants_own = bool(names) or only is Part.OWN
    if wants_own and not has_own_check:
        raise RequestError(f"programs of our own are shown to gradparity alone: expected --check {OWN_CHECK}")
    has_own = has_own_check and only is not Part.CATALOGUE
    return ChosenCases(not wants_own, has_own, quick, everywhere, names)


def label_of(case: Case) -> str:
    """What a case is, in words: the same in every run.

    Example:
        >>> label_of(OwnCase("rows"))
        'rows, without a slip'
    """
    if isinstance(case, MistakeCase):
        return mistake_label(case.mistake.name, case.variant.words, case.system, small=case.small)
    if isinstance(case, CorrectCase):
        return f"right: {case.kind}, on {case.system}, seed {case.seed}"
    return (
        f"{case.program}, line {case.slip.line}: {case.slip.kind}" if case.slip else f"{case.program}, without a slip"
    )
