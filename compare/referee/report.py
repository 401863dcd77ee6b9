"""A comparison as parts of a page: the verdict, how far each block is from its limit, and the arrays that differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ...backends import Evaluation, Problem
from ..answers import Quantity, quantities, training_quantities
from ..answers.digits import times
from ..report import (
    ArrayDiff,
    Attachment,
    Cell,
    Column,
    Facts,
    Fold,
    HeatMap,
    Mark,
    Part,
    Prose,
    Table,
    Tone,
    array_diff,
    heat_map,
)
from .block_result import BlockResult, Verdict
from .explanation import findings, not_given_lines
from .results import Comparison

TONES: dict[Verdict, Tone] = {"agree": "good", "disagree": "bad", "undecidable": "unsure"}
MOST_ARRAYS = 4
MOST_CASE_BYTES = 300_000
WHOLE = "whole"
IN_LIMITS = "in multiples of what rounding allows: above 1 it is no rounding"


def verdict_mark(comparison: Comparison) -> Mark:
    """The verdict, and how it was shown."""
    among = " with each other" if comparison.verdict == "agree" and comparison.without_reference else ""
    return Mark(comparison.verdict + among, TONES[comparison.verdict], comparison.strength)


def comparison_parts(comparison: Comparison, name: str = "") -> tuple[Part, ...]:
    """All that a page shows of a comparison; its diagnoses are not among it.

    Args:
        comparison: what is shown.
        name: of the answer that is judged, whose arrays are shown; empty shows whoever is wrong.

    Returns:
        Facts, findings, a heat map, the arrays that differ most, and a table of all blocks.

    Example:
        >>> from gradparity.compare import SYSTEMS, compare
        >>> parts = comparison_parts(compare(SYSTEMS["elman-softmax"].problem(seed=0), ["manual", "torch"]))
        >>> [type(part).__name__ for part in parts]
        ['Facts', 'HeatMap', 'Fold']
    """
    parts: list[Part] = [_facts(comparison)]
    lines = [*findings(comparison), *([comparison.reservation] if comparison.reservation else [])]
    lines += [f"{line}." for line in not_given_lines(comparison).values()]
    parts += [Prose("\n".join(lines))] if lines else []
    if comparison.blocks:
        parts.append(block_map(comparison))
        parts += wrong_arrays(comparison, name)
        parts.append(Fold(f"All {len(comparison.blocks)} blocks", (block_table(comparison),)))
    return tuple(parts)


def _facts(comparison: Comparison) -> Facts:
    problem = comparison.problem
    answered = ", ".join(comparison.answers) or "nobody"
    rows: list[tuple[str, str | Mark]] = [
        ("verdict", verdict_mark(comparison)),
        ("problem", problem.summary),
        ("case", problem.fingerprint[:12]),
        ("answered", answered),
    ]
    rows += [(f"{backend} was left out", reason) for backend, reason in comparison.skipped.items()]
    if comparison.bits is not None:
        rows.append(("certificate", f"exact answer enclosed with {comparison.bits} bits"))
    if comparison.uncertified:
        rows.append(("no certificate", comparison.uncertified))
    return Facts(tuple(rows))


def block_map(comparison: Comparison) -> HeatMap:
    """How far each block is from its limit, by quantity and time step; what has no steps has one cell.

    Args:
        comparison: with at least one block.

    Returns:
        The part; `?` stands for what cannot be decided.
    """
    steps = sorted({block.step for block in comparison.blocks if block.step is not None})
    whole = [] if all(block.step is not None for block in comparison.blocks) else [WHOLE]
    columns: list[int | str] = [*whole, *steps]
    place = {column: number for number, column in enumerate(columns)}
    rows: dict[str, list[float | str | None]] = {}
    for block in comparison.blocks:
        label = block.label if block.step is None else block.name
        row = rows.setdefault(label, [None] * len(columns))
        row[place[WHOLE if block.step is None else block.step]] = (
            "?" if block.verdict == "undecidable" else _ratio(block)
        )
    size = "largest true error" if comparison.bits is not None else "largest difference of two answers"
    note = "`?` cannot be decided." if any(block.verdict == "undecidable" for block in comparison.blocks) else ""
    along = "step of learning" if comparison.training else "time step"
    caption = f"Block × {along}: the {size}, {IN_LIMITS}" if steps else f"Blocks: the {size}, {IN_LIMITS}"
    return heat_map(caption, "block", list(map(str, columns)), list(rows.items()), fixed=len(whole), note=note)


def _ratio(block: BlockResult) -> float:
    """As `BlockResult.ratio`; where nothing is allowed, or the error is not finite, infinity."""
    with np.errstate(all="ignore"):
        ratio = float(np.float64(block.ratio)) if block.allowed else float("inf") * (_size(block) > 0)
    return float("inf") if np.isnan(ratio) and _size(block) != 0 else 0.0 if np.isnan(ratio) else ratio


def _size(block: BlockResult) -> float:
    return max(block.truth.error.values()) if block.truth else block.difference


def wrong_arrays(comparison: Comparison, name: str = "") -> list[ArrayDiff]:
    """The arrays that differ, the furthest from their limits first: of each quantity the block that is worst.

    Args:
        comparison: the judged answers.
        name: whose arrays; empty means whoever is wrong there.

    Returns:
        At most four. Where nobody knows who is right, the sides have the names of the two that differ most.
    """
    worst: dict[str, BlockResult] = {}
    for block in comparison.blocks:
        is_wrong = block.is_wrong(name) if name else block.verdict == "disagree"
        if is_wrong and (block.name not in worst or _ratio(block) > _ratio(worst[block.name])):
            worst[block.name] = block
    blocks = sorted(worst.values(), key=_ratio, reverse=True)
    return list(_diffs(comparison, blocks[:MOST_ARRAYS], name))


def _diffs(comparison: Comparison, blocks: Sequence[BlockResult], name: str) -> Iterator[ArrayDiff]:
    for block in blocks:
        right, given = _sides(block, name)
        one, other = (_block_of(comparison, answer, block) for answer in (right, given))
        if one is None or other is None:
            continue
        is_known = given in block.outliers and right not in block.outliers
        names = (f"right ({right})", f"given ({given})") if is_known else (right, given)
        by = f"{block.label}, {times(_ratio(block))} times what rounding allows"
        yield array_diff(by, one, other, block.allowed, unjudged=block.choices, names=names, is_known=is_known)


def _sides(block: BlockResult, name: str) -> tuple[str, str]:
    """Who is right, and who is shown beside it: those that differ most, as far as one of them is not wrong."""
    wrong = [name] if name and block.is_wrong(name) else [*block.outliers]
    given = next((one for one in block.between if one in wrong), wrong[0] if wrong else block.between[1])
    others = [one for one in (*block.between, *block.distance_ulp) if one != given]
    return next((one for one in others if one not in block.outliers), others[0]), given


def _block_of(comparison: Comparison, backend: str, block: BlockResult) -> np.ndarray | None:
    """A block as somebody answered it; None where that was refused."""
    answer = comparison.answers[backend]
    of_answer: dict[str, Quantity] = (
        quantities(answer, comparison.problem) if isinstance(answer, Evaluation) else training_quantities(answer)
    )
    quantity = of_answer.get(block.name) or of_answer.get(block.name.removesuffix("_t"))
    if quantity is None or block.label not in quantity.labels:
        return None
    return quantity.block(quantity.labels.index(block.label))


def block_table(comparison: Comparison) -> Table:
    """All blocks, with what was found of each."""
    error = "error" if comparison.bits is not None else "difference"
    columns = ("block", "verdict", "of the limit", error, "allowed", "spread", "largest entry", "at", "wrong", "note")
    numbers = ("of the limit", error, "allowed", "spread", "largest entry")
    rows = tuple(
        (
            block.label,
            Mark(block.verdict, TONES[block.verdict]),
            Cell(f"{100 * _ratio(block):.3g} %", _ratio(block)),
            _short(_size(block)),
            _short(block.allowed),
            _short(block.spread),
            _short(block.scale),
            str(list(block.index)) if block.index else "",
            ", ".join(block.outliers) if block.verdict == "disagree" else "",
            block.likely_cause or block.reason,
        )
        for block in comparison.blocks
    )
    return Table(
        "Blocks",
        tuple(Column(heading, heading in numbers) for heading in columns),
        rows,
        left_out="The JSON document has all (`--json`).",
    )


def case_part(problem: Problem, file: str) -> Attachment | Prose:
    """A problem as a file inside the page; what is too large for it is named.

    Args:
        problem: the case.
        file: the name under which a browser saves it.

    Returns:
        The part.
    """
    content = problem.to_bytes()
    if len(content) > MOST_CASE_BYTES:
        return Prose(f"The case has {len(content):,} bytes and is not in this page: `--save-case DIR` keeps it.")
    return Attachment(file, content, "The case")


def _short(number: float) -> Cell:
    return Cell(f"{number:.2e}", float(number))
