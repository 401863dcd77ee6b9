"""JSON documents. The schema number changes when the meaning of a key does."""

from __future__ import annotations

import json
import math
from typing import Any

SCHEMA = 2


def listing_json(document: Any) -> str:
    """Any plain values as strict, indented JSON."""
    return json.dumps(_strict(document), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _strict(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _strict(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
