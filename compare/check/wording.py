"""A check in words: what was asked, what went wrong, and the verdict in a sentence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ..diagnosis import shown_gradient
from ..referee import explain
from .results import Asked, Check, CheckVerdict

VERDICT_WORDS: dict[CheckVerdict, str] = {
    "agree": "right",
    "disagree": "wrong",
    "undecidable": "undecided",
    "failed": "failed",
    "not reproducible": "not reproducible",
}
MOST_NAMES = 4
KEEP_IN_PYTHON = 'Keep the case: .first_wrong.problem.save("case.npz") of the check.'
KEEP_BY_COMMAND = "Keep the case: --save-case DIR."


def report(check: Check, case: Path | None = None, *, next_step: str = KEEP_BY_COMMAND) -> str:
    """What is not right: the first of the worst problems, and where the function failed, or its calls differ.

    Args:
        check: what is reported.
        case: the file in which a problem was saved.
        next_step: what to try next, if none was saved.

    Returns:
        Lines; none if the function is right and its calls agree to the last bit.
    """
    parts = []
    if check.worst and check.verdict in ("disagree", "undecidable"):
        comparison = check.first_wrong
        assert comparison  # it is the worst one's
        parts.append(explain(comparison, case, next_step="" if case else next_step))
    parts += [f"{names}: {reason}" for names, reason in reasons(check, is_explained=bool(parts))]
    return "\n".join(parts)


def reasons(check: Check, *, is_explained: bool) -> list[tuple[str, str]]:
    """Where the function failed, or its calls differ.

    Args:
        check: what is reported.
        is_explained: whether what was refused of the worst problem is said elsewhere.

    Returns:
        The names of the problems, and why, each reason once.
    """
    names: dict[str, list[str]] = {}
    for asked in check.asked:
        if asked.reason and not (is_explained and asked is check.worst and asked.comparison.failures_of(check.name)):
            names.setdefault(asked.reason, []).append(asked.name)
    return [(_listed(of_reason), reason) for reason, of_reason in names.items()]


def shows_diagnosis(check: Check) -> bool:
    """Whether it is said which mistakes of the catalogue give these numbers, or that none does."""
    is_silent = check.is_explained and not check.diagnosis.suspects  # parts of it would be another explanation
    return bool(check.small.tried) and check.is_catalogued and check.is_diagnosed and not is_silent


def asked_text(check: Check) -> str:
    """What was asked, by verdict, and what was not."""
    names: dict[str, list[str]] = {}
    for asked in check.asked:
        names.setdefault(VERDICT_WORDS[asked.verdict], []).append(asked.name)
    heading = f"Asked, each twice, of {check.asked[0].comparison.problem.summary}"
    if len(names) == 1:
        heading += f": {', '.join(*names.values())}."
    else:
        heading += ". " + " ".join(f"{verdict.capitalize()}: {', '.join(of)}." for verdict, of in names.items())
    return f"{heading} Not asked any more: {', '.join(check.not_asked)}." if check.not_asked else heading


def conclusion(check: Check, rows: Sequence[Mapping[str, object]]) -> str:
    """The verdict in a sentence; the rows are those of the check."""
    total = len(check.asked)
    affected = [asked for asked in check.asked if asked.verdict == check.verdict]
    who = f"the loss of {check.name}" if len(rows) == 1 else check.name
    verb = {
        "agree": "is right",
        "disagree": "is wrong",
        "undecidable": "cannot be decided",
        "failed": "failed",
        "not reproducible": "is not reproducible",
    }[check.verdict]
    problems = f"{total} problem{'s' if total > 1 else ''}"
    if check.verdict == "not reproducible":  # after which nothing more was asked
        sentence = f"{who} {verb} on {check.network} ({affected[0].name})"
    elif len(affected) == total:
        sentence = f"{who} {verb} on {check.network}, {problems}{_certified(check)}"
    else:
        sentence = f"{who} {verb} on {len(affected)} of {total} problems of {check.network}{_certified(check)}"
        sentence += f": {_listed([asked.name for asked in affected])}"
    is_refused = check.verdict == "disagree" and not affected[0].comparison.has_wrong_numbers(check.name)
    if check.verdict in ("failed", "not reproducible") or (is_refused and affected[0].reason):
        sentence += f": {_in_one_line(affected[0])}"
    if not check.is_judged:
        sentence += "; nothing was judged"
    if check.missing:
        sentence += f"; not given, and so not checked: {', '.join(map(shown_gradient, check.missing))}"
    return f"{sentence}."


def _certified(check: Check) -> str:
    """How many of the problems were judged by the exact answer, if that makes a difference."""
    judged = [asked for asked in check.asked if asked.verdict in ("agree", "disagree") and not asked.reason]
    certified = [asked for asked in judged if asked.comparison.bits is not None]
    if check.verdict not in ("agree", "disagree") or not certified:
        return ""
    return " (certified)" if len(certified) == len(judged) else f" ({len(certified)} of them certified)"


def _in_one_line(asked: Asked) -> str:
    """Why it failed: the error, and the line of the person's code that raised it."""
    first, *places = asked.reason.splitlines()
    return f"{first} at {places[-1].strip()}" if places else first


def _listed(names: Iterable[str]) -> str:
    shown = list(names)
    more = f" and {len(shown) - MOST_NAMES} more" if len(shown) > MOST_NAMES + 1 else ""
    return ", ".join(shown[:MOST_NAMES] if more else shown) + more


def summary(check: Check, *, next_step: str = KEEP_IN_PYTHON) -> str:
    """The whole judgement in words: what is not right, what was asked, what else is to be said, and the conclusion."""
    rows = check.rows()
    parts = [report(check, next_step=next_step), asked_text(check), notes_text(check), str(check.localization)]
    parts.append(conclusion(check, rows))
    return "\n\n".join(part for part in parts if part)


def notes_text(check: Check) -> str:
    """What is to be said beside the verdict, a line each."""
    return "\n".join(f"Note: {note}" for note in check.notes)
