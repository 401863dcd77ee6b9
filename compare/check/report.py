"""A check as a page: what is right and wrong, the line in the source, the mistake, and the smallest problem."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ...backends import Problem
from ...backends.models import Traced
from ..diagnosis import shown_gradient
from ..diagnosis.report import diagnosis_parts
from ..localization.report import localization_parts
from ..referee.asked_problems import distribution
from ..referee.report import block_map, block_table, case_part, comparison_parts
from ..report import (
    Cell,
    Column,
    Copyable,
    Fold,
    Mark,
    Page,
    Part,
    Preformatted,
    Prose,
    Section,
    Table,
    Tone,
)
from ..report.origin import environment_section, made_by
from .results import Asked, Check, CheckVerdict
from .smaller_wording import none_of_the_small_text, sizes_text, small_problem_text, smallest_heading
from .wording import VERDICT_WORDS, asked_text, conclusion, notes_text, reasons, shows_diagnosis

TONES: dict[CheckVerdict, Tone] = {
    "agree": "good",
    "disagree": "bad",
    "undecidable": "unsure",
    "failed": "bad",
    "not reproducible": "bad",
}
QUANTITY_TONES: dict[str, Tone] = {"right": "good", "wrong": "bad", "undecided": "unsure", "refused": "bad"}
MOST_SOURCE_BYTES = 1_000_000


def check_page(
    check: Check,
    *,
    target: str = "",
    arguments: Sequence[str] = (),
    sources: Mapping[str, Sequence[str]] | None = None,
) -> Page:
    """A page of the judgement on one function.

    Args:
        check: the judgement.
        target: the function as `FILE.py:FUNCTION`, if it can be asked again by that.
        arguments: of the command that was typed, without the program and without where it writes.
        sources: by the name of a file, without its folder, its lines.

    Returns:
        The page.

    Example:
        >>> from gradparity.compare import check_derivation
        >>> def nothing(params, inputs, targets):
        ...     return 0.0, {}
        >>> page = check_page(check_derivation(nothing, "logistic-regression", seeds=[0], ordinary_only=True))
        >>> page.verdict.tone, [part.heading for part in page.parts][:2]
        ('bad', ['Gradients', 'The mistake'])
    """
    sections = (*check_parts(check, target=target, sources=sources), _asked(check, arguments), environment_section())
    verdict = Mark(conclusion(check, check.rows()), TONES[check.verdict])
    return Page(f"gradparity check {target or check.name}", verdict, sections, made_by())


def check_parts(
    check: Check, *, target: str = "", sources: Mapping[str, Sequence[str]] | None = None
) -> tuple[Part, ...]:
    """What was found, in sections: of a page, or of a test in one.

    Args:
        check: the judgement.
        target: as for `check_page`.
        sources: as for `check_page`.

    Returns:
        The gradients, the places in the source, the mistake, what is not right, and a problem that shows it.
    """
    rows = check.rows()
    sections: list[Part] = [_gradients(check, rows)]
    if places := localization_parts(check.localization, sources):
        sections.append(Section("In the source", tuple(places)))
    if shows_diagnosis(check):
        sections.append(Section("The mistake", diagnosis_parts(check.diagnosis)))
    sections.append(_not_right(check, check.worst) if check.worst else _closest(check))
    if case := _case(check, target):
        sections.append(Section("A problem that shows it", tuple(case)))
    if check.output:
        printed = Preformatted(check.output, f"Output of {check.name}")
        sections.append(
            Section("Output", (Prose(f"{check.name} printed this, which is no part of the report:"), printed))
        )
    return tuple(sections)


def source_lines(targets: Iterable[str]) -> dict[str, list[str]]:
    """The lines of the files of targets such as `FILE.py:FUNCTION`, by the files' names.

    Args:
        targets: in any form; those that are no file are left out, and so are files that cannot be read.

    Returns:
        The lines, without their breaks.

    Example:
        >>> source_lines(["module:function", "missing.py:function"])
        {}
    """
    sources: dict[str, list[str]] = {}
    for target in targets:
        path = Path(target.rpartition(":")[0])
        if path.suffix != ".py":
            continue
        try:
            content = path.read_bytes()
        except OSError:
            continue
        if len(content) <= MOST_SOURCE_BYTES:
            sources[path.name] = content.decode(errors="replace").split("\n")
    return sources


def _gradients(check: Check, rows: Sequence[Mapping[str, object]]) -> Section:
    certified = all(comparison.bits is not None for comparison in check.comparisons)
    ulp = "error (ulp)" if certified else "distance (ulp)"
    columns = (
        Column("quantity"),
        Column("verdict"),
        Column(ulp, is_number=True),
        Column("worst block"),
        Column("wrong in"),
    )
    cells = [
        (
            str(row["quantity"]),
            Mark(str(row["verdict"]), QUANTITY_TONES[str(row["verdict"])]),
            _ulp(row["ulp"]),
            str(row["worst"]),
            str(row["wrong_in"]),
        )
        for row in rows
    ]
    missing = [(shown_gradient(name), Mark("missing"), Cell(""), "", "") for name in check.missing]
    table = Table("What it returned", columns, (*cells, *missing))
    notes = notes_text(check)
    return Section("Gradients", (table, Prose(asked_text(check)), *([Prose(notes)] if notes else [])))


def _ulp(value: object) -> Cell:
    if value is None:
        return Cell("")
    number = float(str(value))
    return Cell(f"{number:.1f}" if number < 1000 else f"{number:.1e}", number)


def _not_right(check: Check, worst: Asked) -> Section:
    """The first of the worst problems, and where the function failed, or its calls differ."""
    is_explained = check.verdict in ("disagree", "undecidable")
    parts: list[Part] = []
    for names, reason in reasons(check, is_explained=is_explained):
        parts += [Prose(f"{names}:"), Preformatted(reason, f"What came of {names}")]
    if is_explained:
        parts = [Prose(f"On {worst.name}:"), *comparison_parts(worst.comparison, check.name), *parts]
    return Section("What is not right", tuple(parts))


def _closest(check: Check) -> Section:
    """Of what is right, the problem that comes closest to its limit."""
    judged = [asked for asked in check.asked if asked.comparison.blocks]
    closest = max(judged, key=lambda asked: asked.comparison.closest.ratio if asked.comparison.closest else 0.0)
    table = Fold(f"All {len(closest.comparison.blocks)} blocks", (block_table(closest.comparison),))
    return Section(f"How far from the limit, on {closest.name}", (block_map(closest.comparison), table))


def _case(check: Check, target: str) -> list[Part]:
    """The smallest problem on which it is wrong, or else the first; as a file inside the page."""
    parts: list[Part] = []
    if check.sizes:
        parts.append(Prose(sizes_text(check.cut)))
    if check.smallest:
        parts.append(Prose(smallest_heading(check.small)))
        parts.append(Preformatted(small_problem_text(check.smallest, check.name), "The smallest problem"))
    elif check.small.tried and check.is_catalogued:
        parts.append(Prose(none_of_the_small_text(check.small)))
    failing = check.smallest or check.first_wrong
    if failing:
        parts += _attached(failing.problem, check.system if check.is_catalogued else check.name, target)
    return parts


def _attached(problem: Problem, name: str, target: str) -> list[Part]:
    file = f"{name}-{problem.fingerprint[:12]}.npz"
    if isinstance(problem.model, Traced):  # a recording, which PyTorch and JAX can be asked about without the function
        command, label = ["gradparity", "compare", "--case", file], "Compare the engines on its recording"
    else:
        command, label = ["gradparity", "check", target, "--case", file], "Check it on this problem alone"
    again = [Copyable(shlex.join(command), label)] if target or isinstance(problem.model, Traced) else []
    return [*again, case_part(problem, file)]


def _asked(check: Check, arguments: Sequence[str]) -> Section:
    command = [Copyable(shlex.join(["gradparity", *arguments]), "The command of this page")] if arguments else []
    rows = tuple(
        (
            asked.name,
            Mark(VERDICT_WORDS[asked.verdict], TONES[asked.verdict]),
            "yes" if asked.comparison.bits is not None else "no",
            asked.comparison.problem.summary,
            asked.comparison.problem.fingerprint[:12],
        )
        for asked in check.asked
    )
    columns = tuple(map(Column, ("problem", "verdict", "certified", "numbers", "case")))
    not_asked = [Prose(f"Not asked any more: {', '.join(check.not_asked)}.")] if check.not_asked else []
    problems = distribution([comparison.problem for comparison in check.comparisons])
    return Section("What was asked", (*command, Table("Each was asked twice", columns, rows), *not_asked, problems))
