"""The notebook of the documentation as a page: its text, its code, and what its cells showed when it was run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def as_markdown(notebook: Path) -> str:
    """A notebook as a page in Markdown, as MyST reads it.

    Args:
        notebook: a file that ends in `.ipynb`, with its outputs.

    Returns:
        The page.
    """
    parts = []
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        text = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(text)
            continue
        parts += [_fenced("python", text), *map(_output, cell["outputs"])]
    return "\n\n".join(parts) + "\n"


def _output(output: dict[str, Any]) -> str:
    data = output.get("data", {"text/plain": output.get("text", "")})
    if "text/html" in data:
        return _fenced("{raw} html", "".join(data["text/html"]))
    return _fenced("text", "".join(data["text/plain"]).rstrip("\n"))


def _fenced(kind: str, text: str) -> str:
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{kind}\n{text}\n{fence}"
