"""README.md, docs/ and manual/ as the tests read them: fenced blocks, and whether they show what is printed."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
ELISION = "…"


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Attributes:
        page: from the root, such as `docs/testing.md`.
        line: of its first line, counted from 1.
        language: after the fence; empty if there is none.
        text: what is fenced.
    """

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def file(self) -> str:
        """The name of the file that it shows, from a first line such as `# my_backend.py`; empty if it is none."""
        found = re.match(r"# (\w+\.py)\n", self.text)
        return found[1] if found else ""

    @property
    def has_tests(self) -> bool:
        return bool(re.search(r"^def test_", self.text, re.MULTILINE))

    @property
    def only_defines(self) -> bool:
        """Whether running it shows nothing: it imports and defines, and calls nothing."""
        inert = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)
        return all(isinstance(statement, inert) for statement in ast.parse(self.text).body)


def pages() -> list[str]:
    found = [path for folder in ("docs", "docs/zh", "manual") for path in sorted((ROOT / folder).glob("*.md"))]
    return ["README.md", *(path.relative_to(ROOT).as_posix() for path in found)]


def text(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks_of(page: str, *languages: str) -> list[Block]:
    """The blocks of a page in these languages; all if none is named."""
    content = text(page)
    return [
        Block(page, content.count("\n", 0, found.start(2)) + 1, found[1], found[2])
        for found in FENCE.finditer(content)
        if not languages or found[1] in languages
    ]


def all_blocks(*languages: str) -> list[Block]:
    return [block for page in pages() for block in blocks_of(page, *languages)]


def the_block(page: str, containing: str) -> Block:
    """The only block of a page that has a text."""
    (found,) = (block for block in blocks_of(page) if containing in block.text)
    return found


def printed_below(block: Block, content: str) -> str | None:
    """What a block prints by the `text` block that follows it on its page; None if none does.

    Args:
        block: of Python.
        content: of the page.
    """
    rest = "".join(content.splitlines(keepends=True)[block.line - 1 :])
    found = re.match(r"```\n\n```text\n(.*?)^```$", rest.removeprefix(block.text), re.DOTALL | re.MULTILINE)
    return found[1] if found else None


def write_files(page: str, folder: Path) -> None:
    """Writes the files that a page shows."""
    for block in blocks_of(page, "python"):
        if block.file:
            (folder / block.file).write_text(block.text, encoding="utf-8")


def commands_of(block: Block) -> list[tuple[str, list[str]]]:
    """The commands of a transcript, each with the lines that it is said to print."""
    found: list[tuple[str, list[str]]] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            found.append((line.removeprefix("$ "), []))
        else:
            found[-1][1].append(line)
    return found


MACHINE_DEPENDENT = [  # in the last digits, by the BLAS; the time, by everything
    (r"^(\w+ +(?:right|wrong|undecided) +)\S+", r"\1#"),  # the error of a quantity, in ulp
    (r"(float(?:64|32)) .* (agree|disagree|undecidable)\b", r"\1 # \2"),  # ulps, the limit used and the closest block
    (r"\S+ times", "# times"),
    (r"\d+ %", "# %"),
    (r"\([\d.]+ s\)", "(# s)"),
    (r"^(\S+ +(?:numpy|torch|jax) ) *[\d.]+ (?:µs|ms|s) .*", r"\1#"),  # a row of times
    (r"^(\d+)(?: +[\d.]+ (?:µs|ms|s)(?: \*)?)+ *$", r"\1 #"),  # at a size
    (r"\^-?[\d.]+ ± [\d.]+", "^#"),
    (r"; \S+ is the fastest(?: on \d+)?", "; # is the fastest"),
    (r" +", " "),
    (r" $", ""),
]


def masked(printed: str) -> list[str]:
    """The lines, without what depends on the machine."""
    for pattern, replacement in MACHINE_DEPENDENT:
        printed = re.sub(pattern, replacement, printed, flags=re.MULTILINE)
    return printed.splitlines()


def difference(shown: list[str], printed: str) -> str:
    """Why a transcript is not what was printed; empty if it is. A line `…` stands for any number of lines."""
    lines, at = masked(printed), 0
    parts: list[list[str]] = [[]]
    for line in masked("\n".join(shown)):
        if line == ELISION:
            parts.append([])
        else:
            parts[-1].append(line)
    for number, part in enumerate(parts):
        first, last = number == 0, number == len(parts) - 1
        if last and not first and part:
            starts = [len(lines) - len(part)]
        else:
            starts = [at] if first else range(at, len(lines) - len(part) + 1)
        start = next((start for start in starts if start >= at and lines[start : start + len(part)] == part), None)
        if start is None:
            return "\n".join(["these lines were not printed here:", *part, "", "but:", *lines])
        at = start + len(part)
    if len(parts) == 1 and at != len(lines):
        return "\n".join(["more was printed than is shown:", *lines[at:]])
    return ""
