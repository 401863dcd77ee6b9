"""The detection matrix as a page in Markdown, and as plain values for JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ..output import SCHEMA, environment, installed_version, markdown_table
from .checks import CHECKS
from .display import (
    CORRECT_LEGEND,
    MISTAKE_LEGEND,
    OWN_HEADINGS,
    OWN_LEGEND,
    correct_headings,
    correct_lines,
    count_pair,
    detection_conclusion,
    exception_lines,
    mistake_headings,
    mistake_lines,
    own_conclusion,
    own_exception_lines,
    own_lines,
)
from .own_results import OwnResult, own_rows
from .results import OWN_CHECK, CorrectResult, Detection, MistakeResult

PACKAGES_ON_THE_PAGE = ("gradparity", "numpy", "torch", "jax")


def detection_page(detection: Detection, command: str) -> str:
    """The tables as a page in Markdown, with the command that wrote it."""
    installed = ((name, installed_version(name)) for name in PACKAGES_ON_THE_PAGE)
    versions = ", ".join(f"{name} {version}" for name, version in installed if version)
    parts = [
        "# Which gradient checks detect which mistakes",
        f"Written by `{command} --markdown FILE`, with {versions}, in float64 where nothing else is said.",
        *(_catalogue(detection) if detection.has_catalogue else []),
        *(_own_programs(detection) if detection.own else []),
        *(f"Note: {note}" for note in detection.all_notes),
        *(_every_mistake(detection) if detection.has_catalogue else []),
    ]
    return "\n\n".join(parts) + "\n"


def _catalogue(detection: Detection) -> list[str]:
    exceptions = "\n".join(f"- {line}" for line in exception_lines(detection))
    return [
        "Every mistake of the catalogue (`compare/mistakes`) was planted, in every variant, on problems of sizes and "
        "numbers that nothing else here uses, and each check was asked whether the gradient is wrong. Then each was "
        "asked the same of gradients that are right. Each is used as it is documented, at its defaults:",
        "\n".join(f"- **{name}**: {CHECKS[name].summary}." for name in detection.checks),
        detection_conclusion(detection),
        "## Mistakes detected",
        markdown_table(mistake_headings(detection), mistake_lines(detection)),
        *MISTAKE_LEGEND,
        "## False positives",
        markdown_table(correct_headings(detection), correct_lines(detection)),
        *CORRECT_LEGEND,
        *(["## What gradparity does not detect or name", exceptions] if exceptions else []),
    ]


def _own_programs(detection: Detection) -> list[str]:
    exceptions = "\n".join(f"- {line}" for line in own_exception_lines(detection, in_words=False))
    return [
        "## Programs of our own",
        "Programs in styles unlike each other (`compare/detection/own_programs`) are judged by the loss that they "
        "return, beside the tape; gradparity says where the backward pass is wrong, and what should stand there.",
        own_conclusion(detection),
        markdown_table(OWN_HEADINGS, own_lines(detection)),
        *OWN_LEGEND,
        *(["### Slips that are not named", exceptions] if exceptions else []),
    ]


def _every_mistake(detection: Detection) -> list[str]:
    counted = [heading for heading in mistake_headings(detection, "mistake")[1:] if heading != "planted"]
    lines = [
        [row["mistake"], *(count_pair(row["planted"], row[name], out_of=True) for name in counted)]
        for row in detection.rows("mistake")
    ]
    return [
        "## Every mistake",
        "Of all variants that were planted, how many each check detects; on ordinary gradients · on small ones.",
        markdown_table(["mistake", *counted], lines),
    ]


def detection_values(detection: Detection) -> dict[str, Any]:
    """Everything as plain values, for JSON."""
    return {
        "schema": SCHEMA,
        "environment": environment(),
        "checks": {name: CHECKS[name].summary for name in detection.checks},
        "notes": detection.all_notes,
        "parts": detection.rows(),
        "mistakes": detection.rows("mistake"),
        "right": detection.correct_rows(),
        "planted": [_result_values(result) for result in detection.planted],
        "correct": [_result_values(result) for result in detection.correct],
        "own": own_rows(detection.own),
        "slips": [_own_values(result) for result in detection.own],
    }


def _own_values(result: OwnResult) -> dict[str, Any]:
    return asdict(result) | {"verdict": result.verdict.verdict, "error": result.verdict.error}


def _result_values(result: MistakeResult | CorrectResult) -> dict[str, Any]:
    values = asdict(result) | {
        "verdicts": {check: error or verdict for check, (verdict, error) in result.verdicts.items()}
    }
    if isinstance(result, MistakeResult) and OWN_CHECK in result.verdicts:
        values["outcome"] = result.outcome
    return values
