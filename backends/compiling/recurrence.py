"""A recurrence, from a program that runs over all steps: two steps of it are recorded, and what they share is a step.

Where the first step has the initial state, the second one has what the first has made: that is carried on. Backward it
is the other way round. Everything else must be the same in both, or the program is no recurrence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

from .graph import Graph, Node, below
from .stand_ins import Gradient, Loss, NoRuleError, Rows, StandIn, Steps, Vector, Weights, WrittenSteps


class Sum(NamedTuple):
    """What is added, at every step, to a block of a gradient or to the loss."""

    target: str  # the parameter's name; empty for the loss
    block: int
    node: Node


@dataclass(frozen=True)
class Recurrence:
    """One step of a program, forward and backward.

    Attributes:
        forward: by the names of the initial states, what a step hands on to the next.
        backward: likewise, what it hands on to the step before: what is left after step 0 is the initial
            state's derivative.
        sums: what every step adds to the gradients, and to the loss.
        dx: the derivative of the step's inputs.
        outputs: the linear outputs: what c is added to.
    """

    forward: Mapping[str, Node]
    backward: Mapping[str, Node]
    sums: tuple[Sum, ...]
    dx: Node
    outputs: Node


class _DifferentError(NoRuleError):
    """Two nodes are not the same part of two steps."""

    def __init__(self) -> None:
        super().__init__("the steps that were recorded are not alike")


def recorded(
    program: Callable[..., Any], gates: int, states: tuple[str, ...], *, candidate_bias: bool = False, **options: str
) -> Recurrence:
    """The recurrence of a function of `manual.plain_loops`.

    Args:
        program: `rnn`, `lstm` or `gru`, or another of the same form.
        gates: how many blocks of H rows U, W and b have.
        states: the names of the initial states.
        candidate_bias: whether there is a parameter `b_hn`.
        **options: of the program.

    Returns:
        What one step computes.

    Raises:
        NoRuleError: the program does something else than a recurrence, or something that has no rule.
    """
    graph = Graph()
    params: dict[str, StandIn] = {
        "U": Weights(graph, "U", ("H", "D"), range(gates)),
        "W": Weights(graph, "W", ("H", "H"), range(gates)),
        "b": Vector(graph, "b", "H", gates),
        "V": Weights(graph, "V", ("K", "H"), range(1)),
        "c": Vector(graph, "c", "K", 1),
    }
    params |= {"b_hn": Vector(graph, "b_hn", "H", 1)} if candidate_bias else {}
    sequences = (Steps(graph, name, width) for name, width in (("x", "D"), ("Y", "K"), ("w", "1")))
    initial = (Rows(graph, [graph.node("first", (), "H", name)]) for name in states)
    loss, gradients = program(params, *sequences, *initial, **options)
    return _rolled_up(graph, loss, gradients, tuple(params), states)


def _rolled_up(
    graph: Graph, loss: Loss, gradients: Mapping[str, Any], names: tuple[str, ...], states: tuple[str, ...]
) -> Recurrence:
    steps = _SharedStep(graph)
    pairs: dict[tuple[str, int], list[Node]] = {("", 0): list(loss.blocks)}
    for name in names:
        gradient = gradients[name]
        assert isinstance(gradient, Gradient)
        if not gradient.terms:
            raise NoRuleError(f"nothing is added to the gradient of {name}")
        for block, node in gradient.terms:
            pairs.setdefault((name, block), []).append(node)
    sums = tuple(Sum(*target, steps.shared_by_any(nodes)) for target, nodes in pairs.items())
    inputs = gradients["inputs"]
    assert isinstance(inputs, WrittenSteps)
    dx = steps.shared(*(inputs[t].blocks[0] for t in range(len(inputs))))
    for name in states:
        if name not in steps.carried or name not in steps.later:
            raise NoRuleError(f"it carries no state {name} from step to step, forward and backward")
    forward = {name: steps.next_of(steps.carried[name]) for name in states}
    backward = {name: steps.shared(gradients[name].blocks[0], steps.later[name]) for name in states}
    every = below([*(one.node for one in sums), dx, *forward.values(), *backward.values()])
    with_c = [node for node in every if any(a.operation == "vector" and a.detail[0] == "c" for a in node.arguments)]
    if len(with_c) != 1:
        raise NoRuleError(f"c is added to {len(with_c)} arrays, expected the linear outputs alone")
    return Recurrence(forward, backward, sums, dx, with_c[0])


class _SharedStep:
    """The step that pairs of nodes, of step 0 and of step 1, have in common.

    Attributes:
        carried: by a state's name, what step 0 hands on to step 1.
        later: likewise, what step 1 hands back to step 0.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.carried: dict[str, Node] = {}
        self.later: dict[str, Node] = {}
        self._found: dict[tuple[Node, Node], Node] = {}

    def shared_by_any(self, nodes: list[Node]) -> Node:
        """What two nodes share, whichever is of step 0."""
        if len(nodes) != 2:
            raise NoRuleError("a step adds to the same gradient several times")
        with suppress(_DifferentError):
            return self.shared(*nodes)
        return self.shared(*reversed(nodes))

    def shared(self, at_0: Node, at_1: Node) -> Node:
        """The node of a step that is `at_0` in step 0 and `at_1` in step 1."""
        pair = (at_0, at_1)
        if pair not in self._found:
            self._found[pair] = self._shared(at_0, at_1)
        return self._found[pair]

    def next_of(self, node: Node) -> Node:
        """What a node of step 0 has in common with its like in step 1."""
        return next(shared for (at_0, _), shared in self._found.items() if at_0 is node)

    def _shared(self, at_0: Node, at_1: Node) -> Node:
        if at_0.operation == "step" and at_1.operation == "step" and (at_0.detail[1], at_1.detail[1]) == (0, 1):
            return self.graph.node("step", (), at_0.width, at_0.detail[0])
        if at_0 is at_1 and at_0.operation in ("constant", "vector"):
            return at_0
        if at_0.operation == "first" and at_1.operation != "first":
            return self._handed_on("carried", self.carried, at_0, at_1)
        if at_1.operation == "last" and at_0.operation != "last":
            return self._handed_on("later", self.later, at_1, at_0)
        if (at_0.operation, at_0.width, at_0.detail) != (at_1.operation, at_1.width, at_1.detail) or (
            not at_0.arguments or len(at_0.arguments) != len(at_1.arguments)
        ):
            raise _DifferentError
        arguments = tuple(map(self.shared, at_0.arguments, at_1.arguments))
        return self.graph.node(at_0.operation, arguments, at_0.width, *at_0.detail)

    def _handed_on(self, operation: str, known: dict[str, Node], begins: Node, goes_on: Node) -> Node:
        (name,) = begins.detail
        if known.setdefault(name, goes_on) is not goes_on:
            raise _DifferentError
        return self.graph.node(operation, (), begins.width, name)
