"""A sweep as a page in HTML: counts, how much of the limits was used, and every problem that is no agreement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf

from ...backends.checks import DTYPES
from ..output import share_text
from ..report import (
    Cell,
    Code,
    Column,
    Copyable,
    Facts,
    Fold,
    Gallery,
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
from ..report.charts import Bar, bar_chart
from ..report.origin import environment_section, made_by
from ..systems.random_models import FAMILY_NAMES
from ..workers import WHOLE
from .display import sweep_conclusion
from .results import VERDICTS, Sweep, SweepOutcome

TONES: Mapping[str, Tone] = {"agree": "good", "disagree": "bad", "failed": "bad", "undecidable": "unsure"}
MOST_REPORTS = 50  # shown whole; of a broken backend there are as many as problems
MOST_ROWS = 5000
LIMIT_TEXT = (
    "Of what rounding explains, by the block that came closest to it; a problem agrees while it is at most 100 %. "
    "Where every block is undecidable there is no share, and the problem is not counted here."
)
UNDECIDABLE_TEXT = (
    "Rounding can grow so far in these that a right answer cannot be told from a wrong one. They are neither "
    "agreements nor disagreements."
)


def sweep_page(sweep: Sweep, command: str, log: str = "") -> Page:
    """A page with what came of a sweep.

    Args:
        sweep: the sweep.
        command: that made it.
        log: the file that has every outcome; empty if none was written.

    Returns:
        The page: of 20,000 problems, too, it has at most two megabytes.
    """
    tone: Tone = "bad" if sweep.wrong else "good" if sweep.counts["agree"] else "unsure"
    where = f"All are in {log}." if log else "With --log, all are kept."
    parts: list[Part] = [
        Section("Verdicts", (_matrix(sweep), _regime_table(sweep), _family_table(sweep))),
        _limits(sweep),
    ]
    if sweep.wrong:
        parts.append(_wrong(sweep, where))
    if sweep.undecidable:
        table = _problems(sweep, "Undecidable problems", sweep.undecidable, where)
        parts.append(Section("Undecidable", (Prose(UNDECIDABLE_TEXT), table)))
    parts += [_asked(sweep, command), environment_section(sweep.environment or None)]
    return Page("gradparity sweep", Mark(sweep_conclusion(sweep), tone), tuple(parts), made_by(sweep.seconds))


def _matrix(sweep: Sweep) -> Matrix:
    """The verdicts by regime, and family and dtype."""
    groups: dict[tuple[str, str, str], list[SweepOutcome]] = {}
    for outcome in sweep.outcomes:
        groups.setdefault((outcome.regime, outcome.family, outcome.dtype), []).append(outcome)
    columns = [(family, dtype) for family in FAMILY_NAMES for dtype in DTYPES]
    columns = [column for column in columns if any(key[1:] == column for key in groups)]
    rows = tuple(
        MatrixRow(regime or "ordinary", tuple(_cell(groups.get((regime, *column), ())) for column in columns))
        for regime in sorted({outcome.regime for outcome in sweep.outcomes})
    )
    headings = tuple(f"{family}, {dtype}" for family, dtype in columns)
    return Matrix("Verdicts by the regime of the numbers, and by family and dtype", "numbers", headings, rows)


def _cell(outcomes: Sequence[SweepOutcome]) -> Mark | None:
    """How many agree, and what the others are; the worst verdict gives the tone."""
    counts = {verdict: sum(outcome.verdict == verdict for outcome in outcomes) for verdict in VERDICTS}
    others = ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS[1:] if counts[verdict])
    tone: Tone = "bad" if counts["disagree"] or counts["failed"] else "good" if counts["agree"] else "unsure"
    return Mark(f"{counts['agree']} agree", tone, others) if outcomes else None


def _regime_table(sweep: Sweep) -> Table:
    columns = (Column("numbers"), *(Column(name, is_number=True) for name in ("problems", *VERDICTS)))
    cells = tuple((row["regime"], row["problems"], *(row[verdict] for verdict in VERDICTS)) for row in sweep.regimes())
    return Table("By the regime of the numbers", columns, cells)


def _family_table(sweep: Sweep) -> Table:
    texts, numbers = ("family", "dtype"), ("problems", *VERDICTS, "limit used")
    columns = (*map(Column, texts), *(Column(name, is_number=True) for name in numbers))
    rows = tuple(
        (
            *(row["family"], row["dtype"], row["problems"], *(row[verdict] for verdict in VERDICTS)),
            Cell(share_text(row["limit_used"]), row["limit_used"]),
        )
        for row in sweep.rows()
        if row["problems"]
    )
    return Table("By family and dtype, with the largest share of a limit that was used", columns, rows)


def _limits(sweep: Sweep) -> Section:
    """How the shares of the limits are distributed."""
    rows = sweep.limits_used()
    bars = [Bar(_range(row["above"], row["up_to"]), row["problems"], f"{row['problems']:,}") for row in rows]
    text = "Problems by how much of the limit they used: " + "; ".join(f"{bar.label}: {bar.text}" for bar in bars)
    return Section("How much of the limits was used", (Gallery((bar_chart(bars, text=text),)), Prose(LIMIT_TEXT)))


def _range(low: float, high: float) -> str:
    """A range of shares in words.

    Example:
        >>> _range(-inf, 0.0), _range(0.02, 0.05), _range(1.0, inf)
        ('nothing, bitwise equal', 'up to 5 %', 'more than 100 %')
    """
    if low == -inf:
        return "nothing, bitwise equal"
    return f"more than {100 * low:.0f} %" if high == inf else f"up to {100 * high:.0f} %"


def _wrong(sweep: Sweep, where: str) -> Section:
    """Every disagreement and failure: the first ones whole, all in a table."""
    shown = sweep.wrong[:MOST_REPORTS]
    folds = tuple(
        Fold(
            f"problem {outcome.number}: {outcome.verdict}: {_words(outcome)}",
            (Preformatted(outcome.report, "What was found"), Copyable(sweep.line_of(outcome), "The problem again")),
        )
        for outcome in shown
    )
    rest = len(sweep.wrong) - len(shown)
    table = (_problems(sweep, "All disagreements and failures", sweep.wrong, where),) if rest else ()
    note = (Prose(f"The reports of {rest} more are not on this page. {where}"),) if rest else ()
    return Section("Disagreements", (*folds, *note, *table))


def _words(outcome: SweepOutcome) -> str:
    gain = "" if outcome.gain is None else f", gain {outcome.gain:.3g}"
    return f"{outcome.model}{gain}{f', {outcome.regime}' if outcome.regime else ''}"


def _problems(sweep: Sweep, caption: str, outcomes: Sequence[SweepOutcome], where: str) -> Table:
    """A row for each problem, with the line that makes it again; the model's words have its dtype and sizes."""
    headings = (Column("problem", is_number=True), Column("verdict"), Column("gain", is_number=True))
    columns = (*headings, Column("numbers"), Column("model"), Column("the problem again"))
    rows: tuple[Row, ...] = tuple(
        (
            *(outcome.number, Mark(outcome.verdict, TONES.get(outcome.verdict, ""))),
            None if outcome.gain is None else Cell(f"{outcome.gain:.3g}", outcome.gain),
            *(outcome.regime or "ordinary", outcome.model, Code(sweep.line_of(outcome))),
        )
        for outcome in outcomes
    )
    return Table(caption, columns, rows, most_rows=MOST_ROWS, left_out=where)


def _asked(sweep: Sweep, command: str) -> Section:
    shard = [("shard", str(sweep.shard))] if sweep.shard != WHOLE else []
    facts = [
        ("problems", f"{len(sweep.outcomes):,}"),
        ("seed", str(sweep.seed)),
        ("problems with one model", str(sweep.numbers)),
        *shard,
        ("backends", ", ".join(sweep.backends)),
    ]
    notes = tuple(Prose(f"Note: {note}") for note in sweep.notes)
    drawn = "How problems are drawn is said in `compare/sweep/problems.py`: problem i depends on the seed and i alone."
    return Section("What was asked", (Copyable(command, "The command"), Facts(tuple(facts)), Prose(drawn), *notes))
