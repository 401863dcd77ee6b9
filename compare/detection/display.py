"""What a person sees of the detection matrix: on the terminal, as a page, and as plain values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console

from ..output import SCHEMA, environment, installed_version, plain_table, say
from .checks import CHECKS
from .plants import SMALL
from .run import Correct, Detection, Planted

MOST_SUSPECTS = 3
LEGEND = (
    "n · m: n on ordinary gradients, m on small ones, where V (or the last layer's weights) was multiplied by "
    f"{SMALL:g}. named: the diagnosis names the mistake, alone or among others that give the same numbers.",
    "What is planted comes from the lines that the diagnosis changes, too: named says that it takes no mistake of the "
    "catalogue for another, not that everybody's program rounds as they do.",
    "gradcheck, check_grads and differences hold a gradient against the slope of the derivation's own loss. Where the "
    "forward pass is wrong and is differentiated rightly, the two agree: only a second answer can tell.",
)
ALARM_LEGEND = (
    "Every gradient here is right: PyTorch's own answer, and for allclose, whose reference that is, the lines of the "
    "catalogue without a mistake. PyTorch's documentation says of gradcheck that its defaults are for float64.",
    "The gradient of a truncated network is right and is not the slope of its loss, and a difference is no slope where "
    "the loss bends much within a step, or where float32 rounds it: there a check of slopes calls wrong what is right.",
)


def show_detection(found: Detection, on: Console) -> None:
    """Both tables with their legends, what gradparity misses or does not name, and the conclusion."""
    for heading, rows, legend in (
        (part_headings(found), part_rows(found), LEGEND),
        (alarm_headings(found), alarm_rows(found), ALARM_LEGEND),
    ):
        table = plain_table()
        table.add_column(heading[0], no_wrap=True)
        for each in heading[1:]:
            table.add_column(each, no_wrap=True, justify="right")
        for row in rows:
            table.add_row(*row)
        on.print(table)
        on.print()
        for line in legend:
            say(on, line, style="dim")
        on.print()
    for note in notes(found):
        say(on, f"note: {note}", style="dim")
    for line in exceptions(found):
        say(on, line)
    say(on, f"\n{conclusion(found)} ({found.seconds:.0f} s)", style="bold")


def part_headings(found: Detection, first: str = "mistakes") -> list[str]:
    """Of the table of mistakes."""
    return [first, "planted", *found.checks, *(["named"] if "gradparity" in found.checks else [])]


def part_rows(found: Detection) -> list[list[str]]:
    """One row for each part of the catalogue, and one for all."""
    rows = [*found.rows(), {"part": "all", **found.counts(found.planted)}]
    return [[row.pop("part"), *(_pair(row["planted"], of) for of in row.values())] for row in rows]


def _pair(planted: tuple[int, int], found: tuple[int, int], *, out_of: bool = False) -> str:
    """`n · m`, or `n/all · m/all`; a dash where nothing was planted."""
    pairs = zip(planted, found, strict=True)
    return " · ".join((f"{n}/{total}" if out_of else f"{n}") if total else "–" for total, n in pairs)


def alarm_headings(found: Detection) -> list[str]:
    """Of the table of false alarms."""
    return ["right gradients called wrong", "shown", *found.checks]


def alarm_rows(found: Detection) -> list[list[str]]:
    """One row for each kind of problem, and one for all."""
    rows = found.alarm_rows()
    every: dict[str, Any] = {"kind": "all", "correct": sum(row["correct"] for row in rows)}
    for check in found.checks:
        every[check] = {}
        for row in rows:
            for answer, count in row[check].items():
                every[check][answer] = every[check].get(answer, 0) + count
    return [
        [row["kind"], str(row["correct"]), *(_alarms(row[check]) for check in found.checks)] for row in [*rows, every]
    ]


def _alarms(said: Mapping[str, int]) -> str:
    others = [f"{said[answer]} {answer}" for answer in ("undecided", "failed") if said.get(answer)]
    return ", ".join([str(said.get("wrong", 0)), *others])


def notes(found: Detection) -> list[str]:
    """What is to be known of the checks: those that are missing, or raised something."""
    return [*found.notes, *(f"{check} {error}" for check, error in found.failures.items())]


def exceptions(found: Detection) -> list[str]:
    """What gradparity misses, does not name, or calls wrong though it is right."""
    lines = [f"missed: {each.label}: {_reason(each)}" for each in found.missed]
    lines += [f"not named: {each.label}: {_suspects(each)}" for each in found.unnamed]
    for each in found.false_alarms:
        verdict = each.verdicts["gradparity"]
        lines.append(f"false alarm: {each.kind}, {each.system}, seed {each.seed}: {verdict.error or verdict.answer}")
    return lines


def _reason(planted: Planted) -> str:
    verdict = planted.verdicts["gradparity"]
    return verdict.error or {"right": "within what rounding allows", "undecided": "undecidable"}[verdict.answer]


def _suspects(planted: Planted) -> str:
    shown = " or ".join(" and ".join(each) for each in planted.suspects[:MOST_SUSPECTS])
    more = f", and {len(planted.suspects) - MOST_SUSPECTS} more" if len(planted.suspects) > MOST_SUSPECTS else ""
    return f"taken for {shown}{more}" if shown else "taken for nothing in the catalogue"


def conclusion(found: Detection) -> str:
    """How much of all each check detects, and how often it cries wolf."""
    counts = found.counts(found.planted)
    planted, right = sum(counts["planted"]), len(found.correct)
    alarms = {check: sum(each.verdicts[check].answer == "wrong" for each in found.correct) for check in found.checks}
    parts = [
        f"{check} detects {sum(counts[check])}, with {alarms[check]} false alarm{'' if alarms[check] == 1 else 's'}"
        for check in found.checks
    ]
    mistakes = len({each.mistake for each in found.planted})
    return f"Of {mistakes} mistakes, planted {planted} times, and {right} right gradients: {'; '.join(parts)}."


def page(found: Detection, command: str) -> str:
    """The tables as a page in Markdown."""
    packages = ("gradparity", "numpy", "torch", "jax")
    versions = ", ".join(f"{name} {version}" for name in packages if (version := installed_version(name)))
    by_mistake = [
        [row.pop("mistake"), *(_pair(row["planted"], of, out_of=True) for name, of in row.items() if name != "planted")]
        for row in found.rows("mistake")
    ]
    listed = exceptions(found)
    parts = [
        "# Which gradient checks detect which mistakes",
        f"Written by `{command} --markdown FILE`, with {versions}, in float64 where nothing else is said.",
        "Every mistake of the catalogue (`compare/mistakes`) was planted, in every variant, on problems of sizes and "
        "numbers that nothing else here uses, and each check was asked whether the gradient is wrong. Then each was "
        "asked the same of gradients that are right. Each is used as it is documented, at its defaults:",
        "\n".join(f"- **{name}**: {CHECKS[name].does}." for name in found.checks),
        conclusion(found),
        "## Mistakes detected",
        _table(part_headings(found), part_rows(found)),
        *LEGEND,
        "## False alarms",
        _table(alarm_headings(found), alarm_rows(found)),
        *ALARM_LEGEND,
        *(["## What gradparity does not detect or name", "\n".join(f"- {line}" for line in listed)] if listed else []),
        *(f"Note: {note}" for note in notes(found)),
        "## Every mistake",
        "Of all variants that were planted, how many each check detects; on ordinary gradients · on small ones.",
        _table([each for each in part_headings(found, "mistake") if each != "planted"], by_mistake),
    ]
    return "\n\n".join(parts) + "\n"


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headings, ["---", *("---:" for _ in headings[1:])], *rows]
    return "\n".join(f"| {' | '.join(each.replace('|', chr(92) + '|') for each in line)} |" for line in lines)


def as_values(found: Detection) -> dict[str, Any]:
    """Everything as plain values, for JSON."""
    return {
        "schema": SCHEMA,
        "environment": environment(),
        "checks": {name: CHECKS[name].does for name in found.checks},
        "notes": notes(found),
        "parts": found.rows(),
        "mistakes": found.rows("mistake"),
        "right": found.alarm_rows(),
        "planted": [_values(each) for each in found.planted],
        "correct": [_values(each) for each in found.correct],
    }


def _values(each: Planted | Correct) -> dict[str, Any]:
    verdicts = {check: verdict.error or verdict.answer for check, verdict in each.verdicts.items()}
    return asdict(each) | {"verdicts": verdicts}
