"""The whole search: what is done to all gradients in the end is set apart, and flat buffers are taken apart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ...backends.tracing.places import Place
from ..jobs import StageProgress
from .derivatives import Derivative, derivatives
from .findings import Finding, Search
from .last_factors import before_last, before_mean, in_other_units
from .missing_steps import with_consequences
from .pieces import in_pieces
from .search import Searcher
from .written_program import WrittenProgram

MOST_OUTER = 8  # runs of a loop around that of the steps


def search(program: WrittenProgram, progress: StageProgress = lambda stage: None) -> Search:
    """Looks for the expressions of the way back that are wrong.

    Args:
        program: whose returned gradients are not all right.
        progress: is called with what is being done.

    Returns:
        They, and which arrays they do not put right.
    """
    afterwards: list[Place] = []
    inner = program
    while before := before_last(inner):
        inner = before[0]
        afterwards += [] if before[1] in afterwards else [before[1]]  # a clip is several operations
    summed = before_mean(inner)
    attempts: list[tuple[WrittenProgram, Place | None]] = [summed, (inner, None)] if summed else [(inner, None)]
    tried = []
    for attempt, mean in attempts:
        found = _in_any_order(attempt, progress)._replace(afterwards=tuple(afterwards), mean=mean)
        if _is_whole(found):
            break
        tried.append(found)
    else:
        found = tried[0]
    if (_is_whole(found) and _sentences(found) == 1) or (units := in_other_units(inner)) is None:
        return found
    other = _in_any_order(units.program, progress)
    other = other._replace(afterwards=tuple(afterwards), mean=units.place, units=units)
    return other if _sentences(other) < _sentences(found) or not _is_whole(found) else found


def _is_whole(found: Search) -> bool:
    """Whether it puts right all that is returned."""
    return not found.left and _sentences(found) > 0


def _sentences(found: Search) -> int:
    """How much has to be said."""
    return len(found.findings) + len(found.stopped) + (found.units is not None)


def _in_any_order(program: WrittenProgram, progress: StageProgress) -> Search:
    of_loss = derivatives(program)
    found = _in_pieces(program, of_loss, progress) or _searched(program, of_loss, 1, progress)
    for outer in _outer_loops(program):
        is_whole = not found.left and len(found.findings) == 1
        if is_whole or found.stopped or _knows_steps(found):
            break
        other = _searched(program, of_loss, outer, progress)
        if not other.left and len(other.findings) == 1:  # another order that needs more is no evidence for itself
            found = other
    return found


def _searched(program: WrittenProgram, of_loss: Sequence[Derivative], outer: int, progress: StageProgress) -> Search:
    return with_consequences(Searcher(program, of_loss, outer, progress).found())


def _knows_steps(found: Search) -> bool:
    """Whether a finding tells the order of its runs: the sum of parts is right in any order, two arrays are not."""
    return any(
        one.knows_steps or (len(one.expected.order) > 1 and len(set(one.repairs) - set(found.left)) > 1)
        for one in found.findings
    )


def _in_pieces(program: WrittenProgram, of_loss: Sequence[Derivative], progress: StageProgress) -> Search | None:
    """The search by what returned arrays are put together of, if that puts all of it right."""
    taken_apart = in_pieces(program)
    if taken_apart is None:
        return None
    found = _searched(taken_apart[0], of_loss, 1, progress)
    if found.left:
        return None
    names = taken_apart[1]

    def of_arrays(findings: Iterable[Finding]) -> tuple[Finding, ...]:
        return tuple(
            replace(one, repairs=tuple(dict.fromkeys(names[piece] for piece in one.repairs))) for one in findings
        )

    return found._replace(
        findings=of_arrays(found.findings),
        behind_missing=of_arrays(found.behind_missing),
        stopped=tuple(one._replace(name=names[one.name]) for one in found.stopped),
        carried_to_missing=tuple(dict.fromkeys(names[piece] for piece in found.carried_to_missing)),
        program=program,
    )


def _outer_loops(program: WrittenProgram) -> list[int]:
    """How often a loop around that of the steps may be run, such as one over samples."""
    runs = max((len(written.numbers) for written in program.way_back), default=1)
    return [outer for outer in range(2, min(runs, MOST_OUTER + 1)) if runs % outer == 0]
