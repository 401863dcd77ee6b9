"""The column of a CSV file that is taken for a series: what may be read in two ways is refused."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
COMMA_NUMBER = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?", re.ASCII)
GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}([.,' ]\d{3})+([.,]\d+)?", re.ASCII)
MISSING = {"", "na", "n/a", "nan", "null", "none", "inf", "-inf", "infinity", "-infinity", "-", ".", "?"}


@dataclass(frozen=True, eq=False)
class Series:
    """A column of numbers.

    Attributes:
        column: its name in the header, or `number 2`.
        values: from top to bottom.
    """

    column: str
    values: np.ndarray

    @property
    def summary(self) -> str:
        """`column 'value': 120 rows, from 1.5, 2.5, 4`."""
        first = ", ".join(f"{value:.6g}" for value in self.values[:3])
        return f"column {self.column}: {len(self.values)} rows, from {first}"


def read_series(text: str) -> Series:
    r"""The last column that has a number in every row, and not the same one: the measured value mostly stands last.

    Cells are parted by `;`, tab, `,` or blanks, whichever stands in most rows. Decimal commas are read where columns
    are parted otherwise. A first row of names is the header.

    Args:
        text: of the file.

    Returns:
        The column.

    Raises:
        ValueError: there is no such column, or the file may be read in two ways.

    Example:
        >>> read_series("date;value\n2020-01-01;1,5\n2020-01-02;2,5\n2020-01-03;4\n").summary
        "column 'value': 3 rows, from 1.5, 2.5, 4"
    """
    rows, delimiter = _rows(text)
    width = len(rows[0])
    for number, row in enumerate(rows, start=1):
        if len(row) != width:
            raise ValueError(
                f"row {number} has {len(row)} cells and row 1 has {width}: expected as many in each "
                "(decimal commas need columns that are parted by ; or tabs)"
            )
    header = rows[0] if _has_header(rows) else None
    body = rows[1:] if header else rows
    if not header and delimiter == "," and width == 2 and all(re.fullmatch(r"[+-]?\d+,\d+", ",".join(r)) for r in rows):
        raise ValueError("one column with decimal commas, or two columns of integers? A header row tells")
    constant = False
    for column in reversed(range(width)):
        values = _values([row[column] for row in body])
        if values is None:
            continue
        if len(values) > 1 and (values == values[0]).all():
            constant = True
            continue
        return Series(repr(header[column]) if header else f"number {column + 1}", values)
    if constant:
        raise ValueError("every numeric column has the same number in all rows: there is nothing to predict")
    raise ValueError("no numeric column: in each some cell is empty or no finite number")


def _rows(text: str) -> tuple[list[list[str]], str]:
    """The rows that are not blank, and what parts their cells: what parts most of them, or nothing."""
    lines = [line for line in text.splitlines() if line.strip()]
    words = [word for line in lines[1:] for word in line.split()]
    blanks_first = len(words) > len(lines[1:]) and all(NUMBER.fullmatch(word) or _is_comma(word) for word in words)
    for delimiter in (";", "\t", " ", ",") if blanks_first else (";", "\t", ",", " "):
        stripped = [line.strip() for line in lines] if delimiter == " " else lines  # numbers may be padded
        try:
            rows = list(csv.reader(stripped, delimiter=delimiter, skipinitialspace=True, strict=True))
        except csv.Error as error:
            raise ValueError(f"not a CSV file: {error}") from None
        rows = [[cell.strip() for cell in row] for row in rows]
        if delimiter == " ":
            rows = [[cell for cell in row if cell] for row in rows]
        parted = sum(len(row) > 1 for row in rows[1:] or rows)
        if parted > len(rows[1:]) / 2 or parted == len(rows):
            return rows, delimiter
    return [[cell.strip().strip('"') for cell in (line,)] for line in lines], ""


def _has_header(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row has names. It is data if it has a number wherever the others have one."""
    first, body = rows[0], rows[1:]
    numeric = [
        i for i, _ in enumerate(first) if body and all(NUMBER.fullmatch(row[i]) or _is_comma(row[i]) for row in body)
    ]
    heads = [first[i] for i in numeric]
    if not body or not heads:
        return not any(NUMBER.fullmatch(cell) for cell in first)
    if any(_is_word(cell) for cell in heads):
        return True
    strange = [cell for cell in heads if not (NUMBER.fullmatch(cell) or _is_comma(cell) or cell.lower() in MISSING)]
    if strange:
        raise ValueError(f"row 1 has {strange[0]!r} in a column of numbers: neither a name nor a number")
    labels = [cell for i, cell in enumerate(first) if i not in numeric]
    if "" in heads:
        return len(first) > 1
    if not labels or any(character.isdigit() for cell in labels for character in cell):
        return False  # numbers alone, or beside a date
    if len(heads) > 1 and all(cell.isdigit() for cell in heads):
        years = [int(cell) for cell in heads]
        if years == list(range(years[0], years[0] + len(years))):
            return True  # such as city, 2019, 2020
    raise ValueError("row 1 may be a header or values: expected a name over every column, or numbers alone")


def _is_comma(cell: str) -> bool:
    return COMMA_NUMBER.fullmatch(cell) is not None


def _is_word(cell: str) -> bool:
    return cell.lower() not in MISSING and not any(character.isdigit() for character in cell[:2])


def _values(cells: Sequence[str]) -> np.ndarray | None:
    """The numbers in a column; None if it is no column of numbers.

    Raises:
        ValueError: it is one, but of numbers that can be read in two ways, or are too large for float64.
    """
    with_comma = [cell for cell in cells if _is_comma(cell)]
    grouped = [cell for cell in cells if GROUPED.fullmatch(cell)]
    plain = [cell for cell in cells if NUMBER.fullmatch(cell)]
    is_plain = len(plain) == len(cells)
    is_decimal = with_comma and len(with_comma) + len(plain) == len(cells) and not any("." in cell for cell in cells)
    is_number = grouped and {*grouped, *with_comma, *plain} >= {*cells}
    if is_number and not is_plain and not (is_decimal and {*with_comma} - {*grouped}):
        raise ValueError(f"{grouped[0]!r} may have thousands or decimals after its mark: write 1234.5, or 0.5")
    if not cells or not (is_plain or is_decimal):
        return None
    values = np.array([float(cell.replace(",", ".")) for cell in cells])
    if not np.isfinite(values).all():
        cell = cells[int(np.argmin(np.isfinite(values)))]
        raise ValueError(f"{cell!r} is too large for a number in float64")
    return values


def standardized(values: np.ndarray) -> np.ndarray:
    """Numbers in units of their standard deviation around their mean, also the largest and the subnormal ones.

    Example:
        >>> standardized(np.array([1.0, 3.0])), standardized(np.array([5e-324, 1.5e-323]))
        (array([-1.,  1.]), array([-1.,  1.]))
    """
    _, exponent = np.frexp(np.abs(values).max())
    scaled = np.ldexp(values, -int(exponent))  # exactly, into a range in which squares are
    return (scaled - scaled.mean()) / scaled.std()
