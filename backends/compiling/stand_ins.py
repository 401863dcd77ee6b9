"""Arrays that stand in for NumPy's while a program in plain NumPy runs: they record what is done to them.

They know a recurrent network's shapes and no numbers. What has gates beside or below each other is a tuple of blocks,
so that a cut or a join is a matter of the tuple. Whatever has no rule is an error: nothing is recorded by halves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from .graph import Graph, Node

STEPS = 2  # that are recorded: the second one shows what is handed on from step to step
ELEMENTWISE = {
    *("add", "subtract", "multiply", "divide", "negative", "reciprocal", "exp", "log", "log1p", "tanh", "absolute"),
    *("maximum", "greater"),
}


class NoRuleError(TypeError):
    """The program does something that cannot be compiled here."""


class StandIn(NDArrayOperatorsMixin):
    """What all stand-ins share: a call of NumPy is looked up in `RULES`, or refused."""

    def __init__(self, graph: Graph, blocks: Sequence[Node]) -> None:
        self.graph, self.blocks = graph, tuple(blocks)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, out: Any = None, **options: Any) -> Any:
        if method != "__call__" or options:
            raise NoRuleError(f"there is no rule for np.{ufunc.__name__}.{method}")
        result = _matmul(*inputs) if ufunc is np.matmul else _elementwise(self.graph, ufunc.__name__, inputs)
        if out is None:
            return result
        (written,) = out
        if not isinstance(written, Loss):
            _require_unwritten(written)
        written.blocks = result.blocks
        return written

    def __array_function__(self, function: Callable[..., Any], _: Any, arguments: Any, options: Any) -> Any:
        if function not in RULES:
            raise NoRuleError(f"there is no rule for np.{function.__name__}")
        return RULES[function](*arguments, **options)


class Rows(StandIn):
    """An array of B rows, whose columns are those of its blocks."""

    @property
    def T(self) -> Columns:  # noqa: N802 # NumPy's name
        return Columns(self.graph, self.blocks)

    def __setitem__(self, key: object, value: float) -> None:
        if key is not Ellipsis:
            raise NoRuleError("there is no rule for assigning to a part of an array")
        _require_unwritten(self)
        self.blocks = tuple(self.graph.node("constant", (), block.width, float(value)) for block in self.blocks)

    def max(self, *, axis: int, keepdims: bool) -> Rows:
        return self._reduced("row_max", axis, keepdims)

    def sum(self, axis: int | None = None, *, keepdims: bool = False) -> StandIn:
        if axis is None:
            return Summed(self.graph, [self.graph.node("total", (_only(self),), "1")])
        if axis == 0 and not keepdims:
            return Summed(self.graph, [self.graph.node("column_sum", (block,), block.width) for block in self.blocks])
        return self._reduced("row_sum", axis, keepdims)

    def _reduced(self, operation: str, axis: int, keepdims: bool) -> Rows:
        if axis != -1 or not keepdims:
            raise NoRuleError(f"there is no rule for a reduction with axis={axis}, keepdims={keepdims}")
        return Rows(self.graph, [self.graph.node(operation, (_only(self),), "1")])


class Columns(StandIn):
    """The transpose of `Rows`."""


class Summed(StandIn):
    """What is summed over the rows: a gradient's blocks, or a number."""


class Weights(StandIn):
    """A matrix of parameters, or its transpose; its blocks have H rows each, and are told by their numbers."""

    def __init__(
        self, graph: Graph, name: str, sizes: tuple[str, str], numbers: Sequence[int], is_transposed: bool = False
    ) -> None:
        super().__init__(graph, ())
        self.name, self.sizes, self.numbers, self.is_transposed = name, sizes, tuple(numbers), is_transposed

    @property
    def T(self) -> Weights:  # noqa: N802 # NumPy's name
        return Weights(self.graph, self.name, self.sizes, self.numbers, not self.is_transposed)


class Vector(StandIn):
    """A vector of parameters, which is added to every row."""

    def __init__(self, graph: Graph, name: str, size: str, number: int) -> None:
        super().__init__(graph, [graph.node("vector", (), size, name, block) for block in range(number)])
        self.name = name


class Steps:
    """The steps of an array (T, B, columns)."""

    def __init__(self, graph: Graph, name: str, width: str) -> None:
        self.graph, self.name, self.width = graph, name, width

    dtype = np.dtype("float64")  # of the number that a loss begins with: a recording has no precision

    def __len__(self) -> int:
        return STEPS

    def __getitem__(self, t: int) -> Rows:
        if not 0 <= t < STEPS:
            raise IndexError(t)
        return Rows(self.graph, [self.graph.node("step", (), self.width, self.name, t)])

    def __array_function__(self, function: Callable[..., Any], _: Any, arguments: Any, options: Any) -> WrittenSteps:
        if function is not np.zeros_like:
            raise NoRuleError(f"there is no rule for np.{function.__name__} of a sequence")
        return WrittenSteps()


class WrittenSteps(dict[int, Rows]):
    """A gradient of every step, by the steps' numbers."""


class Gradient:
    """The gradient of a parameter, which is added to in place.

    Attributes:
        name: of the parameter.
        number: of its blocks.
        terms: what was added, in this order: the block's number and what it received.
    """

    def __init__(self, name: str, number: int) -> None:
        self.name, self.number = name, number
        self.terms: list[tuple[int, Node]] = []

    def __iadd__(self, value: object) -> Gradient:
        if not isinstance(value, Summed) or {block.operation for block in value.blocks} == {"total"}:
            raise NoRuleError(f"d{self.name} receives what is no sum over the rows")
        if len(value.blocks) != self.number:
            raise NoRuleError(f"d{self.name} has {self.number} blocks, and receives {len(value.blocks)}")
        self.terms += enumerate(value.blocks)
        return self


class Loss(StandIn):
    """The loss of some steps; its blocks are what each of them adds."""


def _require_unwritten(array: StandIn) -> None:
    """Refuses to overwrite: another array may be a part of this one."""
    if {block.operation for block in array.blocks} != {"unwritten"}:
        raise NoRuleError("there is no rule for writing into an array that has been computed")


def _only(value: StandIn) -> Node:
    """The block of an array that has one."""
    (block,) = value.blocks
    return block


def _elementwise(graph: Graph, name: str, inputs: Sequence[Any]) -> StandIn:
    kinds = {type(value) for value in inputs if isinstance(value, StandIn)}
    if name == "add" and kinds & {Loss, Summed}:
        return _added_loss(graph, inputs)
    if name == "power" and inputs[1] == 2:
        name, inputs = "multiply", (inputs[0], inputs[0])
    if name == "positive":
        return inputs[0]
    if name not in ELEMENTWISE:
        raise NoRuleError(f"there is no rule for np.{name}")
    if kinds - {Rows, Vector} and kinds != {Columns}:
        raise NoRuleError(f"there is no rule for np.{name} of {', '.join(sorted(kind.__name__ for kind in kinds))}")
    arrays = [value for value in inputs if isinstance(value, StandIn)]
    numbers = {len(value.blocks) for value in arrays if value.blocks[0].width != "1"} or {1}
    if len(numbers) > 1:
        raise NoRuleError(f"np.{name} of arrays with {' and '.join(map(str, sorted(numbers)))} blocks")
    (number,) = numbers
    blocks = []
    for k in range(number):
        nodes = [value.blocks[k if len(value.blocks) > 1 else 0] for value in arrays]
        widths = {node.width for node in nodes} - {"1"} or {"1"}
        if len(widths) > 1:
            raise NoRuleError(f"np.{name} of arrays with {' and '.join(sorted(widths))} columns")
        (width,) = widths
        given = iter(nodes)
        arguments = tuple(
            next(given) if isinstance(value, StandIn) else graph.node("constant", (), width, float(value))
            for value in inputs
        )
        blocks.append(graph.node(name, arguments, width))
    return (Columns if kinds == {Columns} else Rows)(graph, blocks)


def _added_loss(graph: Graph, inputs: Sequence[Any]) -> Loss:
    terms: list[Node] = []
    for value in inputs:
        if isinstance(value, Loss | Summed) and {block.operation for block in value.blocks} == {"total"}:
            terms += value.blocks
        elif isinstance(value, StandIn):
            raise NoRuleError("there is no rule for adding sums over the rows to each other")
        elif value != 0:
            raise NoRuleError("a loss begins with another number than 0")
    return Loss(graph, terms)


def _matmul(left: Any, right: Any) -> StandIn:
    graph = left.graph
    if isinstance(left, Columns) and isinstance(right, Rows):
        factor = _only(right)
        return Summed(graph, [graph.node("outer", (block, factor), factor.width) for block in left.blocks])
    if not (isinstance(left, Rows) and isinstance(right, Weights)):
        raise NoRuleError(f"there is no rule for a product of {type(left).__name__} and {type(right).__name__}")
    height, width = right.sizes

    def product(block: Node, number: int) -> Node:
        if block.width != (width if right.is_transposed else height):
            raise NoRuleError(f"a product with {right.name} has other sizes than {right.name}")
        result = height if right.is_transposed else width
        return graph.node("product", (block,), result, right.name, number, right.is_transposed)

    if right.is_transposed:
        return Rows(graph, [product(_only(left), number) for number in right.numbers])
    total, *others = (product(*pair) for pair in zip(left.blocks, right.numbers, strict=True))
    for other in others:
        total = graph.node("add", (total, other), total.width)
    return Rows(graph, [total])


def _zeros_like(value: StandIn) -> object:
    if isinstance(value, Weights):
        return Gradient(value.name, len(value.numbers))
    if isinstance(value, Vector):
        return Gradient(value.name, len(value.blocks))
    first = _only(value)
    return Rows(value.graph, [value.graph.node("last", (), first.width, *first.detail)])


def _empty_like(value: StandIn) -> Rows:
    return Rows(value.graph, [value.graph.node("unwritten", (), block.width) for block in value.blocks])


def _cut(value: StandIn, number: int) -> list[StandIn]:
    if isinstance(value, Weights) and len(value.numbers) == number:
        return [Weights(value.graph, value.name, value.sizes, [each], value.is_transposed) for each in value.numbers]
    if isinstance(value, Rows) and len(value.blocks) == number:
        return [Rows(value.graph, [block]) for block in value.blocks]
    raise NoRuleError(f"there is no rule for cutting this array into {number}")


def _joined(kind: type[StandIn]) -> Callable[[Sequence[StandIn]], StandIn]:
    def join(parts: Sequence[StandIn]) -> StandIn:
        if {type(part) for part in parts} != {kind}:
            raise NoRuleError(f"there is no rule for joining {', '.join(sorted({type(p).__name__ for p in parts}))}")
        return kind(parts[0].graph, [block for part in parts for block in part.blocks])

    return join


RULES: dict[Any, Callable[..., Any]] = {
    np.zeros_like: _zeros_like,
    np.empty_like: _empty_like,
    np.split: _cut,
    np.hsplit: _cut,
    np.hstack: _joined(Rows),
    np.vstack: _joined(Summed),
}
