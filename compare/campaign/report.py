"""A campaign as a page: who agrees on which system, what is wrong and how far, what was asked, and the environment."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from ..diagnosis.report import diagnosis_parts
from ..referee import Comparison
from ..referee.asked_problems import distribution
from ..referee.report import TONES, case_part, comparison_parts, verdict_mark
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
    Prose,
    Section,
    Table,
)
from ..report.origin import environment_section, made_by
from .cases import CaseResult
from .summary import ALONE, CampaignReport, SummaryRow, learning_line

MOST_DETAILED = 10


def campaign_page(report: CampaignReport, *, arguments: Sequence[str] = (), asked: Sequence[str] = ()) -> Page:
    """A page of all that was compared.

    Args:
        report: the campaign.
        arguments: of the command that was typed, without the program and without where it writes.
        asked: the backends as they were named, such as `mine.py:backend`; empty means those that are ready.

    Returns:
        The page; of the cases that are no agreement, the first ten in full.
    """
    worst = next(iter(report.verdict_counts))
    tone = "unsure" if len(report.alone) == len(report.results) else TONES[worst]
    sections = [_matrix_section(report)]
    if report.wrong:
        sections.append(_wrong_section(report, asked))
    sections += [_numbers_section(report), _asked_section(report, arguments), environment_section()]
    return Page("gradparity compare", Mark(report.conclusion, tone), tuple(sections), made_by(report.seconds))


def comparison_page(comparison: Comparison) -> Page:
    """A page of one comparison.

    Args:
        comparison: the answers and the judgement on them.

    Returns:
        The page.
    """
    problem = comparison.problem
    verdict = f"{', '.join(comparison.answers) or 'nobody'} on {problem.summary}: {comparison.verdict}"
    parts = [
        Section("What was found", (*comparison_parts(comparison), *_diagnoses(comparison), *_case(comparison))),
        Section("What was asked", (distribution([problem]),)),
        environment_section(),
    ]
    return Page("A comparison of gradients", Mark(verdict, TONES[comparison.verdict]), tuple(parts), made_by())


def _matrix_section(report: CampaignReport) -> Section:
    rows = tuple(
        MatrixRow(f"{row.label}, {row.dtype}", tuple(_mark(row, name) for name in report.backends))
        for row in report.rows()
    )
    matrix = Matrix(
        "Systems × backends: the worst verdict on each, over all seeds", "system", tuple(report.backends), rows
    )
    parts: list[Part] = [matrix]
    if any(mark is None for row in rows for mark in row.marks):
        parts.append(Prose("`–`: was not asked, or cannot compute it; the notes say why."))
    notes = [*report.reservations, *([ALONE] if report.alone else []), *map(learning_line, report.learning_rows())]
    parts += [Prose("\n".join(notes))] if notes else []
    parts += [Fold(f"Notes ({len(report.notes)})", (Prose("\n".join(report.notes)),))] if report.notes else []
    return Section("Systems and backends", tuple(parts))


def _mark(row: SummaryRow, name: str) -> Mark | None:
    verdict = row.verdicts.get(name)
    if verdict is None:
        return None
    ulp = row.ulp.get(name)
    detail = "" if ulp is None else f"{ulp:.1f} ulp" if ulp < 1000 else f"{ulp:.1e} ulp"
    return Mark("alone", "", detail) if row.strength == "alone" else Mark(verdict, TONES[verdict], detail)


def _wrong_section(report: CampaignReport, asked: Sequence[str]) -> Section:
    smallest = min(report.wrong, key=_entries)
    many = len(report.wrong) > 1
    heading = "The smallest of them" if many else "The case"
    parts: list[Part] = [Prose(f"{heading}: {_name(smallest)}."), *_reproduced(smallest, asked)]
    for number, result in enumerate(report.wrong[:MOST_DETAILED]):
        comparison = result.comparison
        of_it = (*comparison_parts(comparison), *_diagnoses(comparison))
        parts.append(Fold(f"{_name(result)}: {comparison.verdict}", of_it, is_open=number == 0))
    if len(report.wrong) > MOST_DETAILED:
        parts.append(Prose(f"… and {len(report.wrong) - MOST_DETAILED} more cases that are no agreement."))
    return Section("What is no agreement", tuple(parts))


def _name(result: CaseResult) -> str:
    seed = "" if result.case.seed is None else f", seed {result.case.seed}"
    return f"{result.case.label}, {result.case.problem.dtype}{seed}"


def _entries(result: CaseResult) -> int:
    return sum(array.size for array in result.case.problem.arrays().values())


def _reproduced(result: CaseResult, asked: Sequence[str]) -> list[Part]:
    """The case as a file inside the page, and the command that compares it again."""
    case, training = result.case, result.case.training
    file = f"{case.system.removesuffix('.npz')}-{case.problem.fingerprint[:12]}.npz"
    command = ["gradparity", "compare", "--case", file]
    for name in asked:
        command += ["--backend", name]
    if training:
        command += ["--steps", str(training.steps), "--learning-rate", repr(training.learning_rate)]
        command += ["--batch-size", str(training.batch_size)] if training.batch_size else []
    command += ["--certify"] * (result.comparison.bits is not None)
    return [Copyable(shlex.join(command), "Compare this case again"), case_part(case.problem, file)]


def _case(comparison: Comparison) -> list[Part]:
    file = f"case-{comparison.problem.fingerprint[:12]}.npz"
    return [] if comparison.verdict == "agree" else [case_part(comparison.problem, file)]


def _diagnoses(comparison: Comparison) -> list[Part]:
    if comparison.verdict == "disagree" and comparison.diagnoses is None:
        return [Prose("Which mistake it is was not looked for.")]
    diagnoses = (comparison.diagnoses or {}).items()
    return [part for name, of in diagnoses for part in (Prose(f"`{name}`:"), *diagnosis_parts(of))]


def _numbers_section(report: CampaignReport) -> Section:
    columns = (
        *(Column(heading) for heading in ("system", "dtype", "verdict", "closest block")),
        *(
            Column(heading, is_number=True)
            for heading in ("of the limit", *(f"{name}, ulp" for name in report.backends))
        ),
    )
    table = Table("Systems", columns, tuple(_numbers(row, report.backends) for row in report.rows()))
    return Section("How far from the limit", (Prose(report.legend), table))


def _numbers(row: SummaryRow, backends: Sequence[str]) -> tuple[Cell | str | Mark, ...]:
    ratio = row.closest.ratio if row.closest else None
    used = Cell("–") if ratio is None else Cell(f"{100 * ratio:.3g} %", float(ratio))
    ulps = (row.ulp.get(name) for name in backends)
    return (
        row.label,
        row.dtype,
        Mark(row.verdict, TONES[row.verdict], row.strength),
        row.closest.label if row.closest else "–",
        used,
        *(Cell("–") if ulp is None else Cell(f"{ulp:.3g}", float(ulp)) for ulp in ulps),
    )


def _asked_section(report: CampaignReport, arguments: Sequence[str]) -> Section:
    seeds = ", ".join(map(str, report.seeds)) or "none: case files"
    facts = Facts((("systems", str(len({result.case.label for result in report.results}))), ("seeds", seeds)))
    command = [Copyable(shlex.join(["gradparity", *arguments]), "The command of this page")] if arguments else []
    cases = Table(
        "The cases",
        (Column("system"), Column("dtype"), Column("seed", is_number=True), Column("case"), Column("verdict")),
        tuple(
            (
                result.case.label,
                result.case.problem.dtype.name,
                result.case.seed,
                result.case.problem.fingerprint[:12],
                verdict_mark(result.comparison),
            )
            for result in report.results
        ),
    )
    asked = distribution([result.case.problem for result in report.results])
    return Section("What was asked", (*command, facts, asked, Fold("Each case", (cases,))))
