"""What a person sees of the detection matrix on the terminal: its tables, exceptions, the conclusions."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console

from ..output import plain_table, say
from .cases import SMALL
from .own_results import OUTCOMES, OwnResult, own_rows
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
OWN_HEADINGS = ["own program", "slips", "seen", *OUTCOMES, "placed", "false", "median s", "most s"]
OWN_LEGEND = (
    "A slip is an edit of the source text of the backward pass, which knows nothing of what a diagnosis changes; those "
    "are planted that make a gradient wrong, and nothing else. seen: gradparity calls it wrong.",
    "named: one place is found, on the edited line, and with its value put there, or the steps that it lacks, "
    "everything is right. among several: "
    "with the values of several places put there everything is right, and one of them is on the line. elsewhere: "
    "everything is right, and none is on the line. not named: something is still wrong, or nothing is said. placed: "
    "any place is on the line, whatever else is wrong. For a statement that is deleted, the lines that read its "
    "variable count as well; for a step that is left out, those of the loop.",
    "false: of the program with a slip, or without one, something is said that is not so when it is computed once "
    "more. Computed are: what is right with the values put there, and what is still wrong, beside the program without "
    "the slip; and that a value is the derivative that it is called, by a slope of the loss. What a value lacks, or "
    "has too much, is said if it holds at other numbers, too, and is not computed once more. The seconds are those of "
    "the search for the line.",
)


def show_detection(detection: Detection, on: Console) -> None:
    """The tables with their legends, what gradparity misses or does not name, and the conclusions."""
    tables: list[tuple[list[str], list[list[str]], tuple[str, ...]]] = []
    if detection.has_catalogue:
        tables.append((mistake_headings(detection), mistake_lines(detection), MISTAKE_LEGEND))
        tables.append((correct_headings(detection), correct_lines(detection), CORRECT_LEGEND))
    if detection.own:
        tables.append((OWN_HEADINGS, own_lines(detection), OWN_LEGEND))
    for headings, rows, legend in tables:
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
    for line in (*exception_lines(detection), *own_exception_lines(detection)):
        say(on, line)
    conclusions = [detection_conclusion(detection)] if detection.has_catalogue else []
    conclusions += [own_conclusion(detection)] if detection.own else []
    say(on, f"\n{' '.join(conclusions)} ({detection.seconds:.0f} s)", style="bold")


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
    lines = [f"missed: {result.label}: {missed_reason(result)}" for result in detection.missed]
    lines += [f"not named: {result.label}: {suspects_text(result)}" for result in detection.unnamed]
    for result in detection.own_false_positives:
        verdict, error = result.verdicts[OWN_CHECK]
        lines.append(f"false positive: {result.kind}, {result.system}, seed {result.seed}: {error or verdict}")
    return lines


def missed_reason(result: MistakeResult) -> str:
    """Why gradparity does not call a mistake wrong."""
    verdict, error = result.verdicts[OWN_CHECK]
    return error or {"right": "within what rounding allows", "undecided": "undecidable"}[verdict]


def suspects_text(result: MistakeResult) -> str:
    """What a mistake is taken for."""
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


def own_lines(detection: Detection) -> list[list[str]]:
    """The cells of the table of programs of our own: a line for each, and one for all."""
    return [[_own_cell(value) for value in row.values()] for row in own_rows(detection.own)]


def _own_cell(value: str | int | float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def own_exception_lines(detection: Detection, *, in_words: bool = True) -> list[str]:
    """In which programs of our own gradparity is mistaken, and which slips it finds elsewhere or does not name.

    Args:
        detection: with these programs.
        in_words: whether all that is said of a slip is shown, and not the lines alone.
    """
    lines = []
    for result in detection.own_faults:
        verdict, error = result.verdict
        if result.kind and not result.is_seen:
            lines.append(f"missed: {result.label}: {error or verdict}")
        elif error:
            lines.append(f"failed: {result.label}: {error}")
        lines += [f"false: {result.label}: {sentence}" for sentence in result.contradicted]
    for result in detection.own:
        if result.is_seen and result.kind and result.outcome in ("elsewhere", "not named"):
            lines.append(f"{result.outcome}: {result.label}: {said_text(result, in_words=in_words)}")
    return lines


def said_text(result: OwnResult, *, in_words: bool) -> str:
    """What is said of where a slip is: all of it, or the lines alone."""
    said = result.localization
    if not said:
        return "nothing is said"
    if in_words:
        return " ".join([*(f"line {one.line}: {one.says}" for one in said.located), said.shown]).strip()
    lines = sorted({one.line for one in said.located})
    return f"found on line{'s' * (len(lines) > 1)} {', '.join(map(str, lines))}" if lines else "no line is said"


def own_conclusion(detection: Detection) -> str:
    """How many slips in programs of our own are seen and found, and how often something is said that is not so."""
    total = own_rows(detection.own)[-1]
    programs = len({result.program for result in detection.own})
    of_programs = "a program" if programs == 1 else f"{programs} programs"
    return (
        f"Of {total['slips']} slips in {of_programs} of our own, gradparity sees {total['seen']}, names "
        f"{total['named']} as the mistake and {total['among several']} among several, places {total['placed']} on "
        f"the line, and says of {total['false']} what is not so."
    )
