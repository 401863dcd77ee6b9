"""The page of the mistakes that have names, from the catalogue; its equations are links."""

from __future__ import annotations

import re
from pathlib import Path

from gradparity.compare.commands.listings import mistake_rows

INTRODUCTION = """# The mistakes that have names

What `gradparity check` calls by its name, in which networks it can be made, and the equations of
[the derivation](derivation.md) that it violates; `gradparity mistakes` prints the same list. How often each is found:
[every mistake](detection.md).

| mistake | in | violates | remedy |
| --- | --- | --- | --- |
"""


def page() -> str:
    """The page, in Markdown."""
    rows = []
    for row in mistake_rows():
        violated = ", ".join(f"({number})" for number in row["equations"].split())
        rows.append(f"| {_plain(row['mistake'])} | {_plain(row['in'])} | {violated} | {_plain(row['remedy'])} |\n")
    return INTRODUCTION + "".join(rows)


def write_page(folder: Path) -> None:
    """Writes the page as `mistakes.md`."""
    (folder / "mistakes.md").write_text(page(), encoding="utf-8")


def _plain(text: str) -> str:
    """A text in which Markdown finds nothing."""
    return re.sub(r"([\\`*_|<\[$])", r"\\\1", text)
