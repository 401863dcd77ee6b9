"""The parts of a page that have rows and columns: frozen values, rendered as tables."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

Tone = Literal["", "good", "bad", "unsure"]
SIGNS: dict[Tone, str] = {"": "", "good": "✓", "bad": "✗", "unsure": "?"}
ROWS_IN_SIGHT = 60  # a longer table is folded


def worst_tone(tones: Iterable[Tone]) -> Tone:
    """The tone of many judgements together: `bad` if one is, else `unsure` if one is or there is none, else `good`.

    Example:
        >>> worst_tone(["good", "unsure"]), worst_tone(["good", "bad", "unsure"]), worst_tone([])
        ('unsure', 'bad', 'unsure')
    """
    found = set(tones)
    return "bad" if "bad" in found else "unsure" if "unsure" in found or not found else "good"


@dataclass(frozen=True)
class Link:
    """A text that leads somewhere: to `#…`, `https:`, `http:`, or a path that begins with `./`; others stay text."""

    text: str
    target: str


@dataclass(frozen=True)
class Mark:
    """A word with the sign of its tone, so that it is told without colour.

    Attributes:
        word: such as `agree`.
        tone: `good`, `bad`, `unsure`, or empty for what is no judgement.
        detail: what is said beside it, such as `0.8 ulp`.
    """

    word: str
    tone: Tone = ""
    detail: str = ""

    @property
    def sign(self) -> str:
        """`✓`, `✗`, `?`, or nothing."""
        return SIGNS[self.tone]


@dataclass(frozen=True)
class Code:
    """A line of code in a cell, which a button copies."""

    text: str


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes:
        content: what is shown.
        value: what the cell is sorted by; None means the text.
    """

    content: str | Link | Mark | Code
    value: float | str | None = None


@dataclass(frozen=True)
class Column:
    """A column of a table: its heading, and whether it has numbers, which are aligned right and sorted as such."""

    heading: str
    is_number: bool = False


@dataclass(frozen=True)
class Table:
    """A table whose columns can be sorted.

    Attributes:
        caption: what it shows.
        columns: as many as each row has cells.
        rows: of cells; a text, a number, a Link, a Mark or Code stands for a cell of its own value, None for an
            empty one.
        most_rows: how many are put on the page; of more, the first ones, and a note says how many there are.
        left_out: where the others are, such as `All are in sweep.json.`

    Examples:
        >>> Table("Gradients", (Column("name"), Column("ulp", is_number=True)), (("dW", 0.5), ("db", 1.9))).shown[1]
        (Cell(content='db', value='db'), Cell(content='1.9', value=1.9))
    """

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    most_rows: int = 500
    left_out: str = ""

    def __post_init__(self) -> None:
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError(f"{self.caption}: a row has not {len(self.columns)} cells, one for each column")

    @property
    def shown(self) -> tuple[tuple[Cell, ...], ...]:
        """The rows that are put on the page, as cells."""
        return tuple(tuple(map(as_cell, row)) for row in self.rows[: self.most_rows])

    @property
    def is_folded(self) -> bool:
        """Whether it is so long that it is opened on request."""
        return len(self.rows[: self.most_rows]) > ROWS_IN_SIGHT


Row: TypeAlias = tuple[Cell | str | float | Link | Mark | Code | None, ...]


def as_cell(content: Cell | str | float | Link | Mark | Code | None) -> Cell:
    """A cell of a text, a number, a link, a mark or code."""
    if isinstance(content, Cell):
        return content
    if isinstance(content, Link | Code):
        return Cell(content, content.text)
    if isinstance(content, Mark):
        return Cell(content, content.word)
    if isinstance(content, str):
        return Cell(content, content)
    return (
        Cell("") if content is None else Cell(f"{content:.4g}" if isinstance(content, float) else str(content), content)
    )


@dataclass(frozen=True)
class MatrixRow:
    """A row of a matrix: its label, and a mark for each column; None where there is nothing to say."""

    label: str | Link
    marks: tuple[Mark | None, ...]


@dataclass(frozen=True)
class Matrix:
    """Verdicts by row and column, each in a word with a sign.

    Attributes:
        caption: what it shows.
        corner: what the rows are, such as `system`.
        columns: their headings.
        rows: with as many marks as there are columns.
    """

    caption: str
    corner: str
    columns: tuple[str, ...]
    rows: tuple[MatrixRow, ...]


@dataclass(frozen=True)
class HeatStep:
    """A step of a scale: up to which value it goes, what it means, and its shade, from -3 to 4; those above 0 warn."""

    at_most: float
    meaning: str
    shade: int


ALLOWED_STEPS = (
    HeatStep(0.1, "up to 0.1", -1),
    HeatStep(0.5, "up to 0.5", -2),
    HeatStep(1.0, "up to 1: allowed", -3),
    HeatStep(10.0, "up to 10", 1),
    HeatStep(1e3, "up to 1000", 2),
    HeatStep(1e6, "up to a million", 3),
    HeatStep(float("inf"), "more", 4),
)


@dataclass(frozen=True)
class HeatMap:
    """Numbers by row and column, each shaded by its size and written out.

    Attributes:
        caption: what it shows, with the unit.
        corner: what the rows are, such as `block`.
        columns: their headings, such as time steps; one empty heading where there are none.
        rows: the label of each, and its values; a text stands for what has no size, None for nothing.
        steps: the scale, in ascending order; by default multiples of what is allowed.
        note: what is to be said beside it.
    """

    caption: str
    corner: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[float | str | None, ...]], ...]
    steps: tuple[HeatStep, ...] = ALLOWED_STEPS
    note: str = ""

    def shade(self, value: float) -> int:
        """The shade of a value; what is not a number has the last one."""
        return next((step.shade for step in self.steps if value <= step.at_most), self.steps[-1].shade)


@dataclass(frozen=True)
class ArrayDiff:
    """An array as it is right and as it was given, side by side, the wrong entries marked; `array_diff` makes it.

    Attributes:
        caption: the array's name, and what is said of it.
        columns: the numbers of the columns that are shown; empty where there is one number only.
        rows: of each row its number, the right entries, those given, and which of them are wrong.
        note: what is left out.
        names: of the two sides.
        is_known: whether the first side is right; if not, the entries in which the two differ are marked on both.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...], tuple[str, ...], tuple[bool, ...]], ...]
    note: str = ""
    names: tuple[str, str] = ("right", "given")
    is_known: bool = True

    def mark(self, side: int) -> Mark:
        """How a marked entry is marked on the first side, 0, or the second, 1."""
        if not self.is_known:
            return Mark("differs", "unsure")
        return Mark("wrong", "bad") if side else Mark("right", "good")
