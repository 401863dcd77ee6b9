"""JSON: the same rows, for programs. The schema number changes when the meaning of a key does."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from ...backends.models.model import describe
from ..output import SCHEMA, environment, listing_json
from .cases import CaseResult


def campaign_json(results: Iterable[CaseResult]) -> str:
    """The whole campaign as strict JSON: a number that is not finite becomes null."""
    document = {
        "schema": SCHEMA,
        "environment": environment(),
        "results": [_result(result) for result in results],
    }
    return listing_json(document)


def _result(result: CaseResult) -> dict[str, Any]:
    case, comparison = result.case, result.comparison
    names = dict.fromkeys([*comparison.answers, *(failure.backend for failure in comparison.failures)])
    failures = {
        name: [{"kind": failure.kind, "message": failure.message} for failure in comparison.failures_of(name)]
        for name in names
    }
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
        "uncertified": comparison.uncertified or None,
        "strength": comparison.strength or None,
        "reservation": comparison.reservation or None,
        "certificate_bits": comparison.bits,
        "backends": {
            name: {
                "loss": comparison.answers[name].loss if name in comparison.answers else None,
                "distance_ulp": comparison.distance_ulp(name),
                "error_ulp": comparison.error_ulp(name),
                "failure": next(iter(failures[name]), None),
                "failures": failures[name],
            }
            for name in names
        },
        "skipped": comparison.skipped,
        "not_given": comparison.not_given,
        "diagnoses": None
        if comparison.diagnoses is None
        else {name: diagnosis.as_values() for name, diagnosis in comparison.diagnoses.items()},
        "blocks": comparison.rows(),
    }
