"""A benchmark as a page in HTML: who is the fastest, curves, all times in a table that sorts, and what changed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from ..output.pictures import multiples_between
from ..report import Cell, Column, Copyable, Facts, Gallery, Mark, Page, Part, Picture, Prose, Row, Section, Table, Tone
from ..report.charts import Axis, Curve, Point, line_chart
from ..report.origin import environment_section, made_by
from .changes import Change
from .display import COLUMN_LEGEND, bench_conclusion, change_text, duration, memory_text, noise_text
from .results import Bench, Measurement, Timing, by_cell_and_dtype, candidate_names, sizes_by_work

TONES: dict[str, Tone] = {"accepted": "good", "disagrees": "bad", "failed": "bad", "undecidable": "unsure"}
CHANGE_TONES: dict[str, Tone] = {"faster": "good", "slower": "bad"}
FLOOR_TEXT = (
    "The floor is the time of the matrix products alone, through NumPy's BLAS. From left to right stand the sizes in "
    "the order of their work, upwards the median of a call as a multiple of the floor's, with its quartiles."
)
CHANGE_TEXT = (
    "Each time is divided by the floor of its own rounds, so that a slower machine is no change. The noise is the "
    "standard error of that ratio; three times as much is called a change. What differs from process to process is not "
    "in it."
)


def bench_page(bench: Bench, command: str, changes: Sequence[Change] | None = None) -> Page:
    """A page with all that was measured.

    Args:
        bench: the benchmark.
        command: that made it.
        changes: since an earlier one; None if none was given.

    Returns:
        The page.
    """
    parts = measured_parts(bench, changes)
    parts += [_asked(bench, command), environment_section(bench.environment)]
    return Page("gradparity bench", _verdict(bench), tuple(parts), made_by(bench.seconds))


def measured_parts(bench: Bench, changes: Sequence[Change] | None = None) -> list[Part]:
    """What was measured, in sections: of a page, or in a notebook.

    Args:
        bench: the benchmark.
        changes: as for `bench_page`.

    Returns:
        Who is fastest, the curves, what changed, all times, and who has none.
    """
    parts: list[Part] = []
    if bench.measurements:
        parts += [_standings(bench), _curves(bench.measurements)]
    if changes is not None:
        parts.append(changes_section(changes, of="backend", text=CHANGE_TEXT, has_floor=True))
    if bench.measurements:
        parts.append(Section("All times", (_times(bench.measurements), Prose(COLUMN_LEGEND))))
    reasons = without_times("workload", "backend", [(one.workload.label, one.timings) for one in bench.measurements])
    return [*parts, Section("Without times", (reasons,))] if reasons else parts


def without_times(of: str, who: str, timed: Iterable[tuple[str, Iterable[Timing]]]) -> Table | None:
    """Who has no times, and why.

    Args:
        of: the heading of what is timed.
        who: the heading of their names.
        timed: of each workload, or set of arguments, its label and the timings.

    Returns:
        The table; None where everybody has times.
    """
    columns = (Column(of), Column(who), Column("verdict"), Column("why"))
    rows = tuple(
        (label, timing.backend, Mark(timing.verdict, TONES.get(timing.verdict, "")), timing.reason)
        for label, timings in timed
        for timing in timings
        if timing.reason
    )
    return Table("Who has no times, and why", columns, rows) if rows else None


def _verdict(bench: Bench) -> Mark:
    tone: Tone = "bad" if bench.refused else "good" if bench.accepted and not bench.interrupted else "unsure"
    return Mark(bench_conclusion(bench), tone)


def _standings(bench: Bench) -> Section:
    rows = tuple(
        (
            row["backend"],
            row["fastest"],
            row["timed"],
            row["workloads"],
            "" if row["to_fastest"] is None else Cell(f"{row['to_fastest']:.2f}", row["to_fastest"]),
        )
        for row in sorted(bench.standings(), key=lambda row: (-row["fastest"], row["to_fastest"] or float("inf")))
    )
    headings = ("fastest on", "timed on", "asked on", "× fastest, median")
    columns = (Column("backend"), *(Column(heading, is_number=True) for heading in headings))
    return Section("Who is the fastest", (Table("Workloads on which each is the fastest", columns, rows),))


def _curves(measurements: Sequence[Measurement]) -> Section:
    panels = tuple(_panel(title, group, measurements) for title, group in by_cell_and_dtype(measurements))
    return Section("Times as multiples of the floor", (Prose(FLOOR_TEXT), Gallery(panels)))


def _panel(title: str, group: Sequence[Measurement], everything: Sequence[Measurement]) -> Picture:
    """The curves of a cell and dtype, on the scale of all."""
    sizes, by_size = sizes_by_work(everything), {one.workload.size: one for one in group}
    curves = []
    for name in candidate_names(everything):
        spreads = [by_size[size].spread_to_floor(name) if size in by_size else None for size in sizes]
        curves.append(Curve(name, tuple(Point(at, *spread) if spread else None for at, spread in enumerate(spreads))))
    drawn = [
        spread for one in everything for name in candidate_names(everything) if (spread := one.spread_to_floor(name))
    ]
    low = min([1.0, *(lower for _, lower, _ in drawn)]) / 1.1
    high = max([1.5, *(upper for _, _, upper in drawn)]) * 1.1
    ticks = tuple((float(multiple), f"{multiple:g}") for multiple in multiples_between(low, high))
    x = Axis("B, T, D, H", tuple(enumerate(sizes.values())), -0.4, len(sizes) - 0.6)
    text = f"{title}: times as multiples of the floor at {len(sizes)} sizes; the table has the numbers"
    return line_chart(title, curves, x, Axis("× floor", ticks, low, high, is_log=True), base=1.0, text=text)


def _times(measurements: Sequence[Measurement]) -> Table:
    numbers = ("B", "T", "D", "H")
    measured = (
        "median",
        "lower quartile",
        "upper quartile",
        "× fastest",
        "× floor",
        "memory",
        "prepare",
        "first",
        "import",
    )
    columns = (
        *(Column("cell"), Column("dtype")),
        *(Column(heading, is_number=True) for heading in numbers),
        *(Column("backend"), Column("verdict")),
        *(Column(heading, is_number=True) for heading in measured),
    )
    rows = tuple(
        (
            one.workload.cell,
            one.workload.dtype,
            *(one.workload.batch_size, one.workload.seq_len, one.workload.input_size, one.workload.hidden_size),
            timing.backend,
            Mark(timing.verdict, TONES.get(timing.verdict, "")) if timing in one.candidates else "",
            *_measured(one, timing),
        )
        for one in measurements
        for timing in (*one.candidates, one.floor)
    )
    return Table("All workloads and backends", columns, rows, most_rows=2000)


def _measured(measurement: Measurement, timing: Timing) -> tuple[Cell | None, ...]:
    if not timing.seconds:
        return (None,) * 9
    lower, upper = timing.quartiles
    is_candidate = timing in measurement.candidates
    memory = None if timing.memory is None else float(timing.memory + (timing.device_memory or 0))
    return (
        *(seconds_cell(seconds) for seconds in (timing.median, lower, upper)),
        *(ratio_cell(ratio) for ratio in (measurement.to_fastest(timing), measurement.to_floor(timing))),
        Cell(memory_text(timing), memory) if is_candidate and memory is not None else None,
        *(seconds_cell(timing.prepare_seconds if is_candidate else None), seconds_cell(timing.first_seconds)),
        seconds_cell(timing.import_seconds if is_candidate else None),
    )


def seconds_cell(seconds: float | None) -> Cell | None:
    """A time, which is sorted by its seconds."""
    return None if seconds is None else Cell(duration(seconds), seconds)


def ratio_cell(ratio: float | None) -> Cell | None:
    """A ratio with two decimals."""
    return None if ratio is None else Cell(f"{ratio:.2f}", ratio)


def changes_section(
    changes: Sequence[Change], *, of: str, text: str, has_floor: bool = False, notes: Sequence[str] = ()
) -> Section:
    """What is faster or slower than in an earlier run.

    Args:
        changes: of backends, or of functions.
        of: what they are changes of.
        text: how they were found.
        has_floor: whether multiples of a floor were compared.
        notes: what is to be said beside.

    Returns:
        The section: how many changed, a table of these, and one of all.
    """
    counts = Counter(change.verdict for change in changes)
    counted = ", ".join(f"{counts[verdict]} {verdict}" for verdict in ("faster", "slower", "no change"))
    said = counted if changes else "Nothing was timed before that is timed now."
    changed = [change for change in changes if change.verdict != "no change"]
    tables = [_changes_table("What changed", changed, of, has_floor=has_floor)] if changed else []
    if len(changes) > len(changed):
        tables.append(_changes_table("All, before and now", changes, of, has_floor=has_floor))
    return Section("Compared with the earlier run", (Prose("\n\n".join([said, text, *notes])), *tables))


def _changes_table(caption: str, changes: Sequence[Change], of: str, *, has_floor: bool) -> Table:
    headings = ("before", "now", "now / before", *(["of multiples of the floor"] if has_floor else []), "noise")
    columns = (Column("timed"), Column(of), *(Column(one, is_number=True) for one in headings), Column("change"))
    rows: tuple[Row, ...] = tuple(
        (
            *(change.workload.label, change.backend, seconds_cell(change.before), seconds_cell(change.now)),
            *(ratio_cell(change.slowdown), *([ratio_cell(change.ratio)] if has_floor else [])),
            Cell(noise_text(change), change.noise if math.isfinite(change.noise) else None),
            Cell(Mark(change_text(change), CHANGE_TONES.get(change.verdict, "")), min(change.times_noise, 1e9)),
        )
        for change in changes
    )
    return Table(caption, columns, rows, most_rows=2000)


def _asked(bench: Bench, command: str) -> Section:
    asked = dict(bench.environment.get("bench", {}))
    rows = [(name, str(asked[name])) for name in ("rounds", "threads", "device", "shard") if name in asked]
    rows += [(f"matrix products of {', '.join(names)}", library) for library, names in bench.products.items()]
    notes = tuple(Prose(f"Note: {note}") for note in bench.notes)
    return Section("What was asked", (Copyable(command, "The command"), Facts(tuple(rows)), *notes))
