"""JSON: the same rows, for programs. The schema number changes when the meaning of a key does."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from ..backends.model import describe
from .campaign import CaseResult
from .check import Check
from .environment import environment
from .explanation import explain
from .flow import Flow

SCHEMA = 1


def campaign_json(results: Iterable[CaseResult]) -> str:
    """The whole campaign as strict JSON: a number that is not finite becomes null."""
    document = {
        "schema": SCHEMA,
        "environment": environment(),
        "results": [_result(result) for result in results],
    }
    return listing_json(document)


def listing_json(document: Any) -> str:
    """Any plain values as strict, indented JSON."""
    return json.dumps(_strict(document), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def check_json(check: Check) -> str:
    """What was found about a derivation."""
    smallest = check.smallest
    return listing_json(
        {
            "schema": SCHEMA,
            "environment": environment(),
            "function": check.name,
            "system": check.system,
            "verdict": check.verdict,
            "missing": list(check.missing),
            "quantities": check.rows(),
            "story": explain(check.first_wrong).splitlines() if check.first_wrong else [],
            "sizes": dict(check.sizes),
            "mistakes": [asdict(suspect) for suspect in check.diagnosis.suspects],
            "mistakes_partly": [asdict(suspect) for suspect in check.diagnosis.partly],
            "smallest": {"fingerprint": smallest.problem.fingerprint, "summary": smallest.problem.summary}
            if smallest
            else None,
        }
    )


def flow_rows(flows: Iterable[Flow]) -> list[dict[str, Any]]:
    """Gradient flows as plain values."""
    return [
        {
            "system": flow.system,
            "scale": flow.scale,
            "norms": flow.norms.tolist(),
            "factor": flow.factor,
            "character": flow.character,
            "verdict": flow.comparison.verdict,
            "strength": flow.comparison.strength or None,
            "backends": list(flow.comparison.answers),
        }
        for flow in flows
    ]


def _result(result: CaseResult) -> dict[str, Any]:
    case, comparison = result.case, result.comparison
    failures = {failure.backend: {"kind": failure.kind, "message": failure.message} for failure in comparison.failures}
    names = dict.fromkeys([*comparison.answers, *failures])
    return {
        "system": case.system,
        "data": case.data or None,
        "model": describe(case.problem.model),
        "seq_len": case.problem.seq_len,
        "batch_size": case.problem.batch_size,
        "dtype": case.problem.dtype.name,
        "seed": case.seed,
        "training": asdict(comparison.training) if comparison.training else None,
        "fingerprint": case.problem.fingerprint,
        "verdict": comparison.verdict,
        "uncertified": result.uncertified or None,
        "strength": comparison.strength or None,
        "certificate_bits": comparison.bits,
        "backends": {
            name: {
                "loss": comparison.answers[name].loss if name in comparison.answers else None,
                "distance_ulp": comparison.distance_ulp(name),
                "error_ulp": comparison.error_ulp(name),
                "failure": failures.get(name),
            }
            for name in names
        },
        "skipped": comparison.skipped,
        "blocks": comparison.rows(),
    }


def _strict(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _strict(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
