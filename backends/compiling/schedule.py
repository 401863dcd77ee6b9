"""When a node of a recurrence is computed, and what is kept in memory.

Only what depends on the step before is computed step by step. Products of the inputs, the read-out and the sums over
steps are computed for all steps at once. Elementwise functions of kept arrays are computed where they are used; what is
used often, and takes longer than to fetch, is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from .graph import Node, below
from .recurrence import Recurrence


class Stage(IntEnum):
    """Parts of the compiled function, in order; two of them are loops over the steps, the others treat all at once."""

    BEFORE = 0
    FORWARD = 1  # a loop
    BETWEEN = 2
    BACKWARD = 3  # a loop, from the last step
    AFTER = 4


LOOPS = (Stage.FORWARD, Stage.BACKWARD)
LEAVES = ("constant", "vector", "step", "carried", "later")
SUMS = ("outer", "column_sum", "total")
FROM_ALL_COLUMNS = ("product", "row_max", "row_sum")
COSTS = {"exp": 10, "tanh": 10, "log": 10, "log1p": 10, "reciprocal": 4, "divide": 4}  # in additions, roughly
FREE = 2  # what is computed anew, at most, so as not to be kept


@dataclass(frozen=True)
class Schedule:
    """When, and where.

    Attributes:
        stages: of every node that is no leaf, when it is computed if it is kept.
        kept: the nodes that are written to memory, every one after what it is computed from.
        whole: those of them whose values are kept of all steps; the others are overwritten at the next step.
    """

    stages: Mapping[Node, Stage]
    kept: tuple[Node, ...]
    whole: frozenset[Node]


def scheduled(recurrence: Recurrence) -> Schedule:
    """The schedule of a recurrence."""
    nodes = below(
        [
            *recurrence.forward.values(),
            recurrence.outputs,
            *recurrence.backward.values(),
            *(one.node for one in recurrence.sums),
            recurrence.dx,
        ]
    )
    users: dict[Node, list[Node]] = {node: [] for node in nodes}
    for node in nodes:
        for argument in dict.fromkeys(node.arguments):
            users[argument].append(node)
    stages = _stages(recurrence, nodes, users)
    kept = _kept(recurrence, nodes, users)
    return Schedule(stages, tuple(node for node in nodes if node in kept), _whole(recurrence, nodes, stages, kept))


def _stages(recurrence: Recurrence, nodes: list[Node], users: Mapping[Node, list[Node]]) -> dict[Node, Stage]:
    in_forward = set(below([*recurrence.forward.values()]))
    in_backward = set(below([*recurrence.backward.values()]))
    first = {"carried": Stage.FORWARD, "later": Stage.BACKWARD}
    depends: dict[Node, Stage] = {}  # in which loop its arguments come to be
    stages: dict[Node, Stage] = {}
    for node in nodes:
        depends[node] = max((depends[a] for a in node.arguments), default=first.get(node.operation, Stage.BEFORE))
        if node.operation in LEAVES:
            continue
        if node in in_forward:
            at_once = node.operation in FROM_ALL_COLUMNS and depends[node] == Stage.BEFORE
            stages[node] = Stage.BEFORE if at_once else Stage.FORWARD
        elif depends[node] == Stage.BACKWARD:
            step_by_step = node in in_backward or node.operation not in FROM_ALL_COLUMNS + SUMS
            lowest = max(stages.get(a, Stage.BEFORE) for a in node.arguments)
            stages[node] = max(lowest, Stage.BACKWARD if step_by_step else Stage.AFTER)
        else:
            stages[node] = Stage.BETWEEN
    for node in reversed(nodes):  # what only the way back needs of a state is computed when it needs it
        is_of_state = node.operation not in LEAVES + FROM_ALL_COLUMNS + SUMS and node.width == "H"
        if is_of_state and stages[node] == Stage.BETWEEN:
            needed = [stages[user] for user in users[node] if user.operation not in SUMS]
            stages[node] = min(needed, default=Stage.BACKWARD)
    return stages


def _kept(recurrence: Recurrence, nodes: list[Node], users: Mapping[Node, list[Node]]) -> set[Node]:
    handed_on = {*recurrence.forward.values(), *recurrence.backward.values(), recurrence.outputs, recurrence.dx}
    needs_array = ("product", "outer", "column_sum")
    kept: set[Node] = set()
    cost: dict[Node, int] = dict.fromkeys((node for node in nodes if node.operation in LEAVES), 0)
    for node in nodes:
        if node.operation in LEAVES + SUMS:
            continue
        cost[node] = COSTS.get(node.operation, 1) + sum(cost[a] for a in node.arguments)
        is_operand = any(user.operation in needs_array for user in users[node])
        again = cost[node] * (len(users[node]) - 1)
        if node in handed_on or node.operation in FROM_ALL_COLUMNS or is_operand or again > FREE:
            kept.add(node)
            cost[node] = 0
    return kept


def _whole(recurrence: Recurrence, nodes: list[Node], stages: Mapping[Node, Stage], kept: set[Node]) -> frozenset[Node]:
    whole = {*recurrence.forward.values(), recurrence.outputs, recurrence.dx}
    whole |= {node for node in kept if stages[node] not in LOOPS}
    for node in nodes:
        if node in kept or node.operation in SUMS:
            at = Stage.AFTER if node.operation in SUMS else stages[node]
            whole |= {read for read in reads(node, kept) if read in kept and stages[read] != at}
    return frozenset(whole)


def reads(node: Node, kept: set[Node] | frozenset[Node]) -> list[Node]:
    """The kept nodes and the leaves that a node is computed from."""
    found: dict[Node, None] = {}
    for argument in node.arguments:
        if argument in kept or not argument.arguments:
            found[argument] = None
        else:
            found |= dict.fromkeys(reads(argument, kept))
    return list(found)
