"""Runs the notebook of the documentation: `python tests/run_notebook.py` writes its outputs afresh.

`nox --sessions pictures` does it, too.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[1] / "docs/in-a-notebook.ipynb"
SECONDS = 300  # for a cell, where several tests share the cores


def executed() -> Any:
    """The notebook as it runs now, in an empty folder.

    Returns:
        Its document, with what every cell gives.

    Raises:
        CellExecutionError: a cell raised.
    """
    document = nbformat.read(NOTEBOOK, as_version=4)
    # The same interpreter, without a kernel that is installed elsewhere, and nothing that waits for a network.
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(document, timeout=SECONDS, resources={"metadata": {"path": folder}})
        client.execute()
    for cell in document.cells:
        cell.metadata.pop("execution", None)  # when it ran
    document.metadata.pop("language_info", None)
    return document


def outputs(document: Any) -> list[list[dict[str, str]]]:
    """What each cell with code gives, by its type, as `{"text/plain": …}`."""
    return [
        [dict(output.get("data", {"text": output.get("text", "")})) for output in cell.outputs]
        for cell in document.cells
        if cell.cell_type == "code"
    ]


def words(html: str) -> str:
    """What a reader sees of a cell's HTML, without styles and pictures."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", re.sub(r"(?s)<(style|svg).*?</\1>", "", html)))


def main() -> int:
    nbformat.write(executed(), NOTEBOOK)
    print(f"{NOTEBOOK.name}: {NOTEBOOK.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
