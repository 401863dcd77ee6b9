"""What a person sees of the detection matrix on the terminal: two tables, exceptions, the conclusion."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console

from ..output import plain_table, say
from .cases import SMALL
from .results import OWN_CHECK, Detection, MistakeResult

MAX_SUSPECTS = 3
MISTAKE_LEGEND = (
    "n · m: n on ordinary gradients, m on small ones, where V (or the last layer's weights) was multiplied by "
    f"{SMALL:g}. named: the diagnosis names the mistake, alone or among others that give the same numbers.",
    "What is planted comes from the lines that the diagnosis changes, too: named says that it takes no mistake of the "
    "catalogue for another, not that everybody's program rounds as they do.",
    "gradcheck, check_grads and differences hold a gradient against the slope of the derivation's own loss. Where the "
    "forward pass is wrong and is differentiated rightly, the two agree: only a second answer can tell.",
)
CORRECT_LEGEND = (
    "Every gradient here is right: PyTorch's own answer, and for allclose, whose reference that is, the lines of the "
    "catalogue without a mistake. PyTorch's documentation says of gradcheck that its defaults are for float64.",
    "The gradient of a truncated network is right and is not the slope of its loss, and a difference is no slope where "
    "the loss bends much within a step, or where float32 rounds it: there a check of slopes calls wrong what is right.",
)


def show_detection(detection: Detection, on: Console) -> None:
    """Both tables with their legends, what gradparity misses or does not name, and the conclusion."""
    for headings, rows, legend in (
        (mistake_headings(detection), mistake_lines(detection), MISTAKE_LEGEND),
        (correct_headings(detection), correct_lines(detection), CORRECT_LEGEND),
    ):
        table = plain_table()
        table.add_column(headings[0], no_wrap=True)
        for heading in headings[1:]:
            table.add_column(heading, no_wrap=True, justify="right")
        for row in rows:
            table.add_row(*row)
        on.print(table)
        on.print()
        for line in legend:
            say(on, line, style="dim")
        on.print()
    for note in detection.all_notes:
        say(on, f"note: {note}", style="dim")
    for line in exception_lines(detection):
        say(on, line)
    say(on, f"\n{detection_conclusion(detection)} ({detection.seconds:.0f} s)", style="bold")


def mistake_headings(detection: Detection, first: str = "mistakes") -> list[str]:
    """The headings of the table of mistakes."""
    return [first, "planted", *detection.checks, *(["named"] if OWN_CHECK in detection.checks else [])]


def mistake_lines(detection: Detection) -> list[list[str]]:
    """The cells of the table of mistakes: a line for each part of the catalogue, and one for all."""
    return [
        [row["part"], *(count_pair(row["planted"], row[name]) for name in row if name != "part")]
        for row in (*detection.rows(), detection.total_row())
    ]


def count_pair(planted: tuple[int, int], counts: tuple[int, int], *, out_of: bool = False) -> str:
    """`n · m`, or `n/all · m/all`; a dash where nothing was planted."""
    pairs = zip(planted, counts, strict=True)
    return " · ".join((f"{count}/{total}" if out_of else f"{count}") if total else "–" for total, count in pairs)


def correct_headings(detection: Detection) -> list[str]:
    """The headings of the table of right gradients."""
    return ["right gradients called wrong", "shown", *detection.checks]


def correct_lines(detection: Detection) -> list[list[str]]:
    """The cells of the table of right gradients: a line for each kind of problem, and one for all."""
    return [
        [row["kind"], str(row["correct"]), *(_wrong_and_others(row[check]) for check in detection.checks)]
        for row in (*detection.correct_rows(), detection.total_correct_row())
    ]


def _wrong_and_others(verdicts: Mapping[str, int]) -> str:
    others = [f"{verdicts[verdict]} {verdict}" for verdict in ("undecided", "failed") if verdicts.get(verdict)]
    return ", ".join([str(verdicts.get("wrong", 0)), *others])


def exception_lines(detection: Detection) -> list[str]:
    """What gradparity misses, does not name, or calls wrong though it is right."""
    lines = [f"missed: {result.label}: {_reason(result)}" for result in detection.missed]
    lines += [f"not named: {result.label}: {_suspects(result)}" for result in detection.unnamed]
    for result in detection.own_false_positives:
        verdict, error = result.verdicts[OWN_CHECK]
        lines.append(f"false positive: {result.kind}, {result.system}, seed {result.seed}: {error or verdict}")
    return lines


def _reason(result: MistakeResult) -> str:
    verdict, error = result.verdicts[OWN_CHECK]
    return error or {"right": "within what rounding allows", "undecided": "undecidable"}[verdict]


def _suspects(result: MistakeResult) -> str:
    shown = " or ".join(" and ".join(mistakes) for mistakes in result.suspects[:MAX_SUSPECTS])
    more = f", and {len(result.suspects) - MAX_SUSPECTS} more" if len(result.suspects) > MAX_SUSPECTS else ""
    return f"taken for {shown}{more}" if shown else "taken for nothing in the catalogue"


def detection_conclusion(detection: Detection) -> str:
    """How many mistakes each check detects, and how many right gradients it calls wrong."""
    parts = []
    for check in detection.checks:
        count = detection.false_positives[check]
        parts.append(f"{check} detects {detection.detected[check]}, with {count} false positive{'s' * (count != 1)}")
    return (
        f"Of {detection.mistakes} mistakes, planted {len(detection.planted)} times, and {len(detection.correct)} right "
        f"gradients: {'; '.join(parts)}."
    )
