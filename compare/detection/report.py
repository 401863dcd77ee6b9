"""A detection run as a page in HTML: the five checks, every mistake on every system, false positives, own programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from ..mistakes import MISTAKES
from ..report import (
    Cell,
    Column,
    Copyable,
    Facts,
    Fold,
    Mark,
    Matrix,
    MatrixRow,
    Page,
    Part,
    Preformatted,
    Prose,
    Row,
    Section,
    Table,
    Tone,
)
from ..report.origin import environment_section, made_by
from .checks import CHECKS
from .display import (
    CORRECT_LEGEND,
    MISTAKE_LEGEND,
    OWN_HEADINGS,
    OWN_LEGEND,
    correct_headings,
    correct_lines,
    detection_conclusion,
    exception_lines,
    missed_reason,
    mistake_headings,
    mistake_lines,
    own_conclusion,
    own_exception_lines,
    own_lines,
    said_text,
    suspects_text,
)
from .own_results import OwnResult, own_rows
from .results import MISTAKE_OUTCOMES, OWN_CHECK, Detection, MistakeOutcome, MistakeResult

OUTCOME_TONES: Mapping[MistakeOutcome, Tone] = {
    "named": "good",
    "among several": "good",
    "not named": "unsure",
    "missed": "bad",
}
VERDICT_MARKS: Mapping[str, Mark] = {
    "wrong": Mark("detected", "good"),
    "right": Mark("not detected", "bad"),
    "undecided": Mark("undecided", "unsure"),
    "failed": Mark("failed", "bad"),
}
MATRIX_TEXT = (
    "named: called wrong, and the diagnosis gives this mistake alone. among several: it gives others that explain the "
    "same numbers, too. not named: called wrong, and taken for something else or for nothing in the catalogue. missed: "
    "not called wrong. Where several variants were planted, or small gradients beside ordinary ones, the worst counts, "
    "and how often each was said stands beside it. A dash: not planted there."
)


def detection_report(detection: Detection, command: str) -> Page:
    """A page with everything that a run says.

    Args:
        detection: the run.
        command: that made it.

    Returns:
        The page.
    """
    is_wrong = bool(detection.missed or detection.own_false_positives or detection.own_faults)
    parts: list[Part] = []
    if detection.has_catalogue:
        parts.append(_checks(detection))
        if OWN_CHECK in detection.checks and detection.planted:
            parts.append(Section("Every mistake on every system", (_matrix(detection), Prose(MATRIX_TEXT))))
        parts += [_parts_of_the_catalogue(detection), _false_positives(detection), _every_mistake(detection)]
    if detection.own:
        parts.append(_own_programs(detection))
    of_checks = Facts(tuple((name, CHECKS[name].summary) for name in detection.checks))
    notes = tuple(Prose(f"Note: {note}") for note in detection.all_notes)
    parts += [Section("What was asked", (Copyable(command, "The command"), of_checks, *notes))]
    parts += [environment_section()]
    tone: Tone = "bad" if is_wrong else "good" if OWN_CHECK in detection.checks else ""  # the others are not judged
    verdict = Mark(verdict_line(detection), tone)
    return Page("gradparity detect", verdict, tuple(parts), made_by(detection.seconds))


def verdict_line(detection: Detection) -> str:
    """The numbers of gradparity in a line; if it was not asked, those of the first check."""
    said = []
    if detection.has_catalogue:
        check = OWN_CHECK if OWN_CHECK in detection.checks else detection.checks[0]
        named = f", {sum(result.named for result in detection.planted)} named" if check == OWN_CHECK else ""
        said.append(
            f"{check} detects {detection.detected[check]} of {len(detection.planted)} planted mistakes{named}, and "
            f"calls {detection.false_positives[check]} of {len(detection.correct)} right gradients wrong"
        )
    if detection.own:
        total = own_rows(detection.own)[-1]
        placed = f"sees {total['seen']}, and places {total['placed']} on the line"
        said.append(f"of {total['slips']} slips in own programs it {placed}")
    return "; ".join(said)


def _checks(detection: Detection) -> Section:
    """The numbers of each check in a row."""
    named = sum(result.named for result in detection.planted)
    rows = tuple(
        (
            *(check, detection.detected[check], len(detection.planted)),
            *(named if check == OWN_CHECK else None, detection.false_positives[check], len(detection.correct)),
        )
        for check in detection.checks
    )
    headings = ("detected", "of planted", "named", "false positives", "of right gradients")
    columns = (Column("check"), *(Column(heading, is_number=True) for heading in headings))
    table = Table("What each check detects, and what it calls wrong though it is right", columns, rows)
    return Section("The checks", (table, Prose(detection_conclusion(detection))))


def _matrix(detection: Detection) -> Matrix:
    found = detection.by_system()
    systems = tuple(dict.fromkeys(result.system for result in detection.planted))
    names = [mistake.name for mistake in MISTAKES if any(key[0] == mistake.name for key in found)]
    rows = tuple(MatrixRow(name, tuple(_cell(found.get((name, system))) for system in systems)) for name in names)
    return Matrix("What gradparity makes of each mistake", "mistake", systems, rows)


def _cell(counts: Counter[MistakeOutcome] | None) -> Mark | None:
    if not counts:
        return None
    worst = next(outcome for outcome in reversed(MISTAKE_OUTCOMES) if counts[outcome])
    others = ", ".join(f"{counts[outcome]} {outcome}" for outcome in MISTAKE_OUTCOMES if counts[outcome])
    return Mark(worst, OUTCOME_TONES[worst], others if len(counts) > 1 else f"{counts[worst]} ×" * (counts[worst] > 1))


def _parts_of_the_catalogue(detection: Detection) -> Section:
    exceptions = exception_lines(detection)
    lines = (Preformatted("\n".join(exceptions), "What is missed or not named"),) if exceptions else ()
    table = text_table("Mistakes detected", mistake_headings(detection), mistake_lines(detection))
    return Section("Mistakes detected", (table, *map(Prose, MISTAKE_LEGEND), *lines))


def text_table(caption: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """A table of texts, of which those after the first are aligned as numbers; plain numbers are sorted as such."""
    columns = (Column(headings[0]), *(Column(heading, is_number=True) for heading in headings[1:]))
    cells: tuple[Row, ...] = tuple(
        (row[0], *(Cell(text, float(text) if text.replace(".", "", 1).isdigit() else text) for text in row[1:]))
        for row in rows
    )
    return Table(caption, columns, cells)


def _false_positives(detection: Detection) -> Section:
    table = text_table("Right gradients called wrong", correct_headings(detection), correct_lines(detection))
    return Section("False positives", (table, *map(Prose, CORRECT_LEGEND)))


def _every_mistake(detection: Detection) -> Section:
    """A row for each mistake that was planted."""
    texts = ("mistake", "variant", "system", "gradients", *detection.checks)
    has_own = OWN_CHECK in detection.checks
    columns = (*map(Column, texts), *((Column("diagnosis"), Column("what is said")) if has_own else ()))
    rows = tuple(
        (
            *(result.mistake, result.variant, result.system, "small" if result.small else "ordinary"),
            *(VERDICT_MARKS[result.verdicts[check].verdict] for check in detection.checks),
            *((Mark(result.outcome, OUTCOME_TONES[result.outcome]), _said_of(result)) if has_own else ()),
        )
        for result in detection.planted
    )
    return Section("Every planted mistake", (Table("All that was planted", columns, rows, most_rows=4000),))


def _said_of(result: MistakeResult) -> str:
    return missed_reason(result) if result.outcome == "missed" else suspects_text(result)


def _own_programs(detection: Detection) -> Section:
    table = text_table("Own programs, and where their slips are placed", OWN_HEADINGS, own_lines(detection))
    exceptions = own_exception_lines(detection, in_words=False)
    lines = (Preformatted("\n".join(exceptions), "Slips that are not named"),) if exceptions else ()
    programs = dict.fromkeys(result.program for result in detection.own)
    folds = tuple(_program(name, [one for one in detection.own if one.program == name]) for name in programs)
    return Section(
        "Programs of our own", (Prose(own_conclusion(detection)), table, *map(Prose, OWN_LEGEND), *lines, *folds)
    )


def _program(name: str, results: Sequence[OwnResult]) -> Fold:
    """The slips in a program, each with what is said of it."""
    slips = [result for result in results if result.kind]
    folds = [Fold(f"{result.outcome}: {result.label}", _slip(result)) for result in slips]
    right = [result for result in results if not result.kind]
    folds += [Fold(f"{result.verdict.verdict}: {result.label}", _slip(result)) for result in right]
    placed = sum(result.is_placed for result in slips)
    return Fold(f"{name}: {placed} of {len(slips)} slips are placed on the line", tuple(folds))


def _slip(result: OwnResult) -> tuple[Part, ...]:
    """What stood there, what stands there, and what is said."""
    verdict, error = result.verdict
    facts = [("verdict", f"{verdict}{f': {error}' if error else ''}")]
    if result.kind:
        facts += [("was", result.was), ("now", result.now), ("on the line", "yes" if result.is_placed else "no")]
    said = result.localization
    text = "\n\n".join(map(str, said.located)) if said and said.located else said_text(result, in_words=True)
    false = tuple(Prose(f"Not so: {sentence}") for sentence in result.contradicted)
    return Facts(tuple(facts)), Preformatted(text, "What is said"), *false
