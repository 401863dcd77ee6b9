"""JSON documents and tables in Markdown. The schema number changes when the meaning of a key does."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from typing import Any

SCHEMA = 2


def listing_json(document: Any) -> str:
    """Any plain values as strict, indented JSON.

    Args:
        document: dictionaries, lists, and what JSON knows; a number that is not finite becomes null.

    Example:
        >>> print(listing_json({"loss": float("nan"), "steps": (1, 2)}), end="")
        {
          "loss": null,
          "steps": [
            1,
            2
          ]
        }
    """
    return json.dumps(_strict(document), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _strict(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _strict(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def markdown_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown, its first column aligned left and the others right.

    Example:
        >>> print(markdown_table(["check", "detects"], [["gradcheck", "738"], ["gradparity", "1027"]]))
        | check | detects |
        | --- | ---: |
        | gradcheck | 738 |
        | gradparity | 1027 |
    """
    lines = [headings, ["---", *("---:" for _ in headings[1:])], *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)
