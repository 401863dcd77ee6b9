"""What a step computes, as a graph: a node is an array of B rows, or what is summed over the rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, eq=False)
class Node:
    """A value of a step.

    Attributes:
        operation: a leaf: `constant`, `vector` (of parameters, one entry for each column), `step` (of a sequence),
            `first` and `last` (what a recursion begins with, forward and backward), `carried` and `later` (what it
            hands on), `unwritten` (memory); an elementwise function by NumPy's name; `product` with a block of a matrix
            of parameters; `row_max` or `row_sum`; or a sum over the rows: `outer`, `column_sum` or `total`.
        arguments: the nodes that it is computed from.
        width: how many columns it has, by the letter of its size; `1` for one.
        detail: the number of a `constant`; the name of another leaf, with the block of a `vector` and the step of a
            `step`; of a product the matrix, its block, and whether that is transposed.
    """

    operation: str
    arguments: tuple[Node, ...]
    width: str
    detail: tuple[Any, ...] = ()


class Graph:
    """Nodes, of which no two are the same: what is computed twice is one node.

    Example:
        >>> graph = Graph()
        >>> h = graph.node("carried", (), "H", "h0")
        >>> graph.node("tanh", (h,), "H") is graph.node("tanh", (h,), "H")
        True
    """

    def __init__(self) -> None:
        self._nodes: dict[tuple[Any, ...], Node] = {}

    def node(self, operation: str, arguments: tuple[Node, ...], width: str, *detail: Any) -> Node:
        """The node of an operation.

        Args:
            operation: as in `Node`, like the other arguments.
            arguments: nodes of this graph.
            width: of the result.
            *detail: what else tells it from others.

        Returns:
            The one that is there, or a new one.
        """
        key = (operation, *map(id, arguments), width, detail)
        return self._nodes.setdefault(key, Node(operation, arguments, width, detail))


def below(nodes: list[Node]) -> list[Node]:
    """Nodes and all that they are computed from, every node after its arguments."""
    order: dict[Node, None] = {}

    def visit(node: Node) -> None:
        if node not in order:
            for argument in node.arguments:
                visit(argument)
            order[node] = None

    for node in nodes:
        visit(node)
    return list(order)
