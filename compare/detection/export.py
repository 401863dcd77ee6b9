"""The detection matrix as a page in Markdown, and as plain values for JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ..output import SCHEMA, environment, installed_version, markdown_table
from .checks import CHECKS
from .display import (
    CORRECT_LEGEND,
    MISTAKE_LEGEND,
    correct_headings,
    correct_lines,
    count_pair,
    detection_conclusion,
    exception_lines,
    mistake_headings,
    mistake_lines,
)
from .results import CorrectResult, Detection, MistakeResult

PACKAGES_ON_THE_PAGE = ("gradparity", "numpy", "torch", "jax")


def detection_page(detection: Detection, command: str) -> str:
    """The tables as a page in Markdown, with the command that wrote it."""
    installed = ((name, installed_version(name)) for name in PACKAGES_ON_THE_PAGE)
    versions = ", ".join(f"{name} {version}" for name, version in installed if version)
    exceptions = "\n".join(f"- {line}" for line in exception_lines(detection))
    parts = [
        "# Which gradient checks detect which mistakes",
        f"Written by `{command} --markdown FILE`, with {versions}, in float64 where nothing else is said.",
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
        *(f"Note: {note}" for note in detection.all_notes),
        "## Every mistake",
        "Of all variants that were planted, how many each check detects; on ordinary gradients · on small ones.",
        _every_mistake(detection),
    ]
    return "\n\n".join(parts) + "\n"


def _every_mistake(detection: Detection) -> str:
    counted = [heading for heading in mistake_headings(detection, "mistake")[1:] if heading != "planted"]
    lines = [
        [row["mistake"], *(count_pair(row["planted"], row[name], out_of=True) for name in counted)]
        for row in detection.rows("mistake")
    ]
    return markdown_table(["mistake", *counted], lines)


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
    }


def _result_values(result: MistakeResult | CorrectResult) -> dict[str, Any]:
    return asdict(result) | {
        "verdicts": {check: error or verdict for check, (verdict, error) in result.verdicts.items()}
    }
