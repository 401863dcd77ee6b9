"""Gradient flows as plain values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .measurement import Flow


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
