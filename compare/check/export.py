"""A checked derivation as JSON."""

from __future__ import annotations

from dataclasses import asdict

from ..output import SCHEMA, environment, listing_json
from .results import Check
from .wording import report


def check_json(check: Check) -> str:
    """The check as strict JSON: a number that is not finite becomes null."""
    smallest = check.smallest
    return listing_json(
        {
            "schema": SCHEMA,
            "environment": environment(),
            "function": check.name,
            "system": check.system,
            "unused": list(check.unused),
            "verdict": check.verdict,
            "missing": list(check.missing),
            "quantities": check.rows(),
            "failures": check.failures(),
            "asked": [
                {
                    "name": asked.name,
                    "verdict": asked.verdict,
                    "reason": asked.reason,
                    "certified": asked.comparison.bits is not None,
                    "fingerprint": asked.comparison.problem.fingerprint,
                    "summary": asked.comparison.problem.summary,
                }
                for asked in check.asked
            ],
            "not_asked": list(check.not_asked),
            "report": report(check).splitlines(),
            "output": check.output,
            "notes": list(check.notes),
            "localization": asdict(check.localization),
            "sizes": dict(check.sizes),
            "mistakes": [asdict(suspect) for suspect in check.diagnosis.suspects],
            "mistakes_partly": [asdict(suspect) for suspect in check.diagnosis.partly],
            "smallest": {"fingerprint": smallest.problem.fingerprint, "summary": smallest.problem.summary}
            if smallest
            else None,
        }
    )
