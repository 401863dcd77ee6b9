"""What stands at a wrong expression beside what should: in the words of the program that it is in.

Each relation is computed on all runs of the expression before it is said.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple

import numpy as np

from ...backends.tracing.places import Place
from ...backends.tracing.primitives import PRIMITIVES
from ...backends.tracing.replay import Floats, Rows
from ..answers.digits import written_factor
from .derivatives import Derivative, candidates
from .findings import Finding, Search, is_near
from .source_text import expression, is_compound, is_number, operand, variable
from .written_program import WrittenProgram

SIMPLE_FACTORS = (-1.0, 2.0, 0.5)
SHAPES_OF_FACTORS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "{0}": lambda v: v,
    "(1 - {0})": lambda v: 1 - v,
    "{0} * (1 - {0})": lambda v: v * (1 - v),
    "(1 - {0}**2)": lambda v: 1 - v * v,
    "({0} > 0)": lambda v: np.where(v > 0, 1.0, 0.0),
    "(1 - np.tanh({0})**2)": lambda v: 1 - np.tanh(v) ** 2,
    "sigmoid({0})": lambda v: 1 / (1 + np.exp(-v)),
    "sigmoid({0}) * (1 - sigmoid({0}))": lambda v: np.exp(-v) / (1 + np.exp(-v)) ** 2,
}
MOST_VALUES = 60
SAMPLES = 16  # numbers by which pairs of factors are told apart before they are compared as a whole


class Value(NamedTuple):
    """Something that the loss's part of the program has at every step.

    Attributes:
        words: what it is called there.
        values: (runs, …), beside the runs of a wrong expression.
    """

    words: str
    values: np.ndarray


def relation(found: Search, finding: Finding, elsewhere: Search | None = None) -> str:
    """What tells a wrong value from the right one.

    Args:
        found: what is wrong.
        finding: one of it.
        elsewhere: what is wrong at other numbers; what is told has to hold there, too, where the same is found.

    Returns:
        Such as "it lacks the factor `f`"; empty if there is nothing as simple.
    """
    same = next((one for one in elsewhere.findings if _is_same(one, finding)), None) if elsewhere else None
    with np.errstate(all="ignore"):
        if elsewhere is None or same is None:
            return next(_relations(found, finding), "")
        held = set(_relations(elsewhere, same))
        return next((words for words in _relations(found, finding) if words in held), "")


def _is_same(one: Finding, other: Finding) -> bool:
    """Whether two findings say the same of the same expression."""
    of, of_other = one.expected.derivative, other.expected.derivative
    return (one.written.place, of.place, of.operand, of.path) == (
        other.written.place,
        of_other.place,
        of_other.operand,
        of_other.path,
    )


def _relations(found: Search, finding: Finding) -> Iterator[str]:
    """All that holds, the simplest first."""
    given, right = finding.given, finding.expected.values
    program = found.program

    def same(one: np.ndarray, other: np.ndarray) -> bool:
        return is_near(one, other, finding.tolerance)

    if not given.any():
        yield "it is 0"
        return
    if finding.expected.derivative.is_sum and same(given, np.diff(right, axis=0, prepend=0 * right[:1])):
        yield "each run replaces what the runs before have given, and should be added to it"
    if words := _scaled(given, right, same):
        yield words
    if given.ndim == 3 and given.shape[1] == given.shape[2] and same(given.swapaxes(1, 2), right):
        yield "it is transposed"
    yield from _other_operand(program, found.rows, finding, same)
    yield from _missing_factor(program, finding, same)
    yield from _missing_part(program, finding, found.derivatives, same)
    yield from _wrong_factor(program, finding, same)


Same = Callable[[np.ndarray, np.ndarray], bool]


def _scaled(given: np.ndarray, right: np.ndarray, same: Same) -> str:
    size = float((given * given).sum())
    factor = float((given * right).sum()) / size
    if not factor or not same(factor * given, right):
        return ""
    if abs(factor + 1) < 1e-9:
        return "it has the wrong sign"
    return f"it is to be multiplied by {written_factor(factor)}"


def _missing_part(
    program: WrittenProgram, finding: Finding, all_of_them: Collection[Derivative], same: Same
) -> Iterator[str]:
    """A path of the derivative that is left out, or is there too often; first those that begin where it is taken."""
    written, order = finding.written, finding.expected.order
    shifted = [(-1, *order[:-1]), (*order[1:], -1)]
    taking = _takers(program, finding.expected.derivative)
    direct = [one for one in all_of_them if one.place in taking and one.operand is not None]
    for some in (direct, all_of_them):
        parts = list(candidates(some, written.shape, len(order), [*finding.expected.steps, *shifted]))
        parts += [one for late in shifted for one in candidates(some, written.shape, len(order), [late])]
        for part in parts:
            for sign, words in ((1, "it lacks"), (-1, "it has, once too often,")):
                if part.derivative.place and same(finding.given + sign * part.values, finding.expected.values):
                    yield f"{words} what comes back through {_through(part.derivative)}"


def _takers(program: WrittenProgram, derivative: Derivative) -> set[Place | None]:
    """The expressions of the loss that take what a derivative is of."""
    made = set(derivative.numbers)
    operations = [program.operation(number) for number in program.of_loss]
    return {one.place for one in operations for of in one.operands if made & set(program.makers_of(of))}


def _through(derivative: Derivative) -> str:
    assert derivative.place
    return f"{expression(derivative.place)}, line {derivative.place.line}"


def _other_operand(program: WrittenProgram, rows: Rows, finding: Finding, same: Same) -> Iterator[str]:
    """Another value in the place of an operand."""
    numbers, place = finding.written.numbers, finding.written.place
    taken = [program.operands(number, rows) for number in numbers]
    operation = program.operation(numbers[0])
    if place is None or len({len(one) for one in taken}) > 1:
        return
    compute, parameters = PRIMITIVES[operation.primitive].compute, operation.parameters
    for index in range(len(taken[0])):
        own = operand(place, index)
        shapes = {one[index].shape for one in taken}
        if len(shapes) > 1 or not own:
            continue
        for value in _values(program, finding, shapes.pop()):
            results = [
                compute(Floats(), *one[:index], other, *one[index + 1 :], **parameters)
                for one, other in zip(taken, value.values, strict=True)
            ]
            if same(np.stack(results), finding.expected.values):
                yield f"in the place of {own} belongs {value.words}"


def _missing_factor(program: WrittenProgram, finding: Finding, same: Same) -> Iterator[str]:
    """A factor that is left out."""
    for text, line, factor in _factors(program, finding):
        if same(finding.given * factor, finding.expected.values):
            yield f"it lacks the factor `{text}`, {line}"


def _wrong_factor(program: WrittenProgram, finding: Finding, same: Same) -> Iterator[str]:
    """A factor that is there too often, or another one."""
    given, right = finding.given, finding.expected.values
    found = _factors(program, finding)
    for text, line, factor in found:
        if same(right * factor, given):
            yield f"the factor `{text}`, {line}, is too much"
    if not found:
        return
    places = np.random.default_rng(0).integers(0, given.size, SAMPLES)
    table = np.stack([factor.reshape(-1)[places] for _, _, factor in found])
    have, want = table * given.reshape(-1)[places], table * right.reshape(-1)[places]
    close = np.abs(have[:, None] - want[None]) <= 1e-6 * np.abs(want).max(initial=0.0)
    pairs = zip(*np.nonzero(close.all(axis=2)), strict=True)
    for one, two in sorted(pairs, key=lambda pair: len(found[pair[0]][0]) + len(found[pair[1]][0])):
        (text, line, factor), (other, other_line, wrong) = found[one], found[two]
        is_there = not given[wrong == 0].any() and not right[factor == 0].any()
        if one != two and is_there and same(given * factor, right * wrong):
            yield f"the factor is `{other}`, {other_line}, and should be `{text}`, {line}"


def _factors(program: WrittenProgram, finding: Finding) -> list[tuple[str, str, np.ndarray]]:
    """What may be a factor: its text, its line and its values."""
    found = []
    values = [one for one in _values(program, finding, finding.written.shape) if one.words.startswith("`")]
    for text, shaped in SHAPES_OF_FACTORS.items():
        for value in values:
            factor = shaped(value.values)
            if np.ptp(factor) > 0:
                of = value.words.split("`")[1]
                of = f"({of})" if text != "{0}" and is_compound(of) else of
                found.append((text.format(of), value.words.partition("`, ")[2], factor))
    return found


def _values(program: WrittenProgram, finding: Finding, shape: tuple[int, ...]) -> list[Value]:
    """What the loss's part has: the operands and the results of its expressions, at the step of each run."""
    seen: set[bytes] = set()
    found: list[Value] = []
    for derivative, words in _of_loss(program):
        for candidate in candidates([derivative], shape, len(finding.given), finding.expected.steps):
            key = np.round(candidate.values, 10).tobytes()
            if key not in seen and len(found) < MOST_VALUES:
                seen.add(key)
                found.append(Value(f"the transpose of {words}" if candidate.is_transposed else words, candidate.values))
    return found


def _of_loss(program: WrittenProgram) -> Iterator[tuple[Derivative, str]]:
    """The values of the loss's part, shaped like its derivatives, with their words; those with a name first."""
    groups: dict[tuple[Place, int | None, tuple[int, ...]], list[np.ndarray]] = {}
    for number in program.of_loss:
        operation = program.operation(number)
        if operation.place is None:
            continue
        groups.setdefault((operation.place, None, operation.shape), []).append(program.result(number, program.values))
        for index, taken in enumerate(program.operands(number)):
            groups.setdefault((operation.place, index, taken.shape), []).append(taken)
    listed = []
    for (place, number_of, _), values in groups.items():
        name, at = variable(place) if number_of is None else (operand(place, number_of).strip("`"), place)
        words = name or (expression(place).strip("`") if number_of is None else "")
        if words:
            text = f"`{words}`" if is_number(words) else f"`{words}`, line {at.line}"
            rank = (not name.isidentifier(), len(words))
            listed.append((rank, Derivative(place, number_of, "", np.stack(values)), text))
    for _, derivative, text in sorted(listed, key=lambda one: one[0]):
        yield derivative, text
