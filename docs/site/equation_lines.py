"""Which lines of `manual/` carry which equation: the comments `# (58)` and `# of (58): …`, read from the sources."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from pathlib import Path
from typing import NamedTuple

NUMBERS = r"\(\d+\)(?:(?:, | or )\(\d+\))*"
WHOLE = re.compile(rf"# ({NUMBERS})(?= |$)")
PART = re.compile(rf"# of ({NUMBERS}): .")
TAG = re.compile(r"\\tag\{(\d+)\}")


class Citation(NamedTuple):
    """A comment that names an equation.

    Attributes:
        number: of the equation.
        line: of the code, counted from 1.
        part: whether the line computes a part of the equation, and does not complete it.
    """

    number: int
    line: int
    part: bool


class CodeLine(NamedTuple):
    """A line of code that carries an equation.

    Attributes:
        path: of the file, from the root, such as `manual/rnn.py`.
        line: its number, counted from 1.
        text: the line, without the blanks before it.
        function: that it stands in; empty for none.
    """

    path: str
    line: int
    text: str
    function: str


def numbers_in(text: str) -> list[int]:
    """The numbers in parentheses in a text."""
    return [int(number) for number in re.findall(r"\((\d+)\)", text)]


def citations_in(code: str) -> tuple[list[Citation], list[str]]:
    """The citations in the comments of a code, and the comments with a number in parentheses that are none."""
    found, other = [], []
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        if token.type != tokenize.COMMENT or not numbers_in(token.string):
            continue
        whole, part = WHOLE.match(token.string), PART.match(token.string)
        match = whole or part
        named = numbers_in(match[1]) if match else []
        found += [Citation(number, token.start[0], part=whole is None) for number in named]
        if len(numbers_in(token.string)) > len(named):
            other.append(token.string)
    return found, other


def lines_of_equations(root: Path) -> dict[int, list[CodeLine]]:
    """Of each equation the lines that carry it: first those of `equations.py`, then those of the other files."""
    found: dict[int, list[CodeLine]] = {}
    files = sorted((root / "manual").glob("*.py"), key=lambda path: (path.name != "equations.py", path.name))
    for path in files:
        code = path.read_text(encoding="utf-8")
        texts, function_of = code.splitlines(), _functions(code)
        for citation in citations_in(code)[0]:
            name = path.relative_to(root).as_posix()
            text, function = texts[citation.line - 1].strip(), function_of.get(citation.line, "")
            found.setdefault(citation.number, []).append(CodeLine(name, citation.line, text, function))
    return found


def pages_of_equations(folder: Path) -> dict[int, str]:
    """Of each numbered equation the name of the page, such as `derivation`, in a folder of Markdown."""
    return {
        int(number): page.stem
        for page in sorted(folder.glob("derivation*.md"))
        for number in TAG.findall(page.read_text(encoding="utf-8"))
    }


def _functions(code: str) -> dict[int, str]:
    """The function that each line of a code stands in, the innermost if there are several."""
    nodes = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.FunctionDef)]
    return {line: node.name for node in nodes for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)}
