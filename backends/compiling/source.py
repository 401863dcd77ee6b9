"""The compiled function of a recurrence, as text: loops for its elementwise lines, BLAS for its products.

The text is Python that Numba compiles. All arrays have two axes, or a first one of blocks before these: the rows are
those of all steps below each other, N = T B, or the B of one step. `x` is (N, D), `Y` (N, K), `w` (N, 1), `U` (gates,
H, D), `b` (gates, H).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from .graph import Node
from .recurrence import Recurrence, Sum
from .schedule import LOOPS, Schedule, Stage, reads, scheduled

EXPRESSIONS = {
    "add": "({} + {})",
    "subtract": "({} - {})",
    "multiply": "({} * {})",
    "divide": "({} / {})",
    "negative": "(-{})",
    "reciprocal": "(one / {})",
    "absolute": "abs({})",
    "maximum": "maximum({}, {})",
    "greater": "(one if {} > {} else zero)",
    "exp": "exp({})",
    "tanh": "tanh({})",
    "log": "log({})",
    "log1p": "log1p({})",
}


class Memory(NamedTuple):
    """An argument for what is kept: arrays of one shape.

    Attributes:
        rows: `all` for the rows of all steps, `states` for those and the initial ones, `step` for one step's.
        width: D, H, K or 1.
        number: how many arrays.
    """

    rows: str
    width: str
    number: int


class CompiledText(NamedTuple):
    """The text of a function, and what it is called with.

    Attributes:
        text: of `run(...)`.
        params: the names of the parameters.
        states: the names of the initial states.
        arguments: the names of its arguments, in this order.
        constants: numbers that the text names, which have to be of the dtype.
        memory: the arguments that only serve as memory.
        transposed: the matrices of which it wants the transpose too, as `W_T`, by blocks.
    """

    text: str
    params: tuple[str, ...]
    states: tuple[str, ...]
    arguments: tuple[str, ...]
    constants: dict[str, float]
    memory: dict[str, Memory]
    transposed: tuple[str, ...]


def source_of(recurrence: Recurrence, *, single_row: bool) -> CompiledText:
    """Writes the function of a recurrence.

    Args:
        recurrence: one step, forward and backward.
        single_row: whether B is 1: a product of a step is then one of a matrix and a vector.

    Returns:
        The text, which knows neither the dtype nor the sizes.
    """
    return _Writer(recurrence, scheduled(recurrence), single_row).written()


class _Writer:
    def __init__(self, recurrence: Recurrence, schedule: Schedule, single_row: bool) -> None:
        self.recurrence, self.schedule, self.single_row = recurrence, schedule, single_row
        self.kept = frozenset(schedule.kept)
        self.states = {node: name for name, node in recurrence.forward.items()}
        self.later = {node: name for name, node in recurrence.backward.items()}
        self.names = {node: f"v{number}" for number, node in enumerate(schedule.kept)}
        self.names |= {recurrence.outputs: "outputs", recurrence.dx: "dx"}
        self.constants: dict[float, str] = {}
        self.transposed: dict[str, None] = {}
        self.lines: list[str] = []
        self.depth = 1

    def written(self) -> CompiledText:
        params = tuple(dict.fromkeys(one.target for one in self.recurrence.sums if one.target))
        states = tuple(self.recurrence.forward)
        self._line("B, H = h0.shape")
        self._line("N, K = Y.shape")
        self._line("D, T, loss = x.shape[1], N // B, zero")
        memory = self._memory()
        for stage in Stage:
            self._stage(stage)
        for node, name in self.later.items():
            self._line(f"d{name}[:] = {self.names[node]}[:B]")
        self._line("return loss")
        arguments = ("x", "Y", "w", *states, *params, *(f"{name}_T" for name in self.transposed))
        arguments += (*(f"d{name}" for name in (*params, *states)), "outputs", "dx", *memory)
        text = "\n".join([f"def run({', '.join(arguments)}):", *self.lines, ""])
        constants = {name: value for value, name in self.constants.items()}
        return CompiledText(text, params, states, arguments, constants, memory, tuple(self.transposed))

    def _memory(self) -> dict[str, Memory]:
        """Gives every kept node its array."""
        numbers: dict[tuple[str, str], int] = {}
        for node in self.schedule.kept:
            if node in (self.recurrence.outputs, self.recurrence.dx):
                continue
            kind = ("all" if node in self.schedule.whole else "step", node.width)
            if node in self.states or node in self.later:
                kind = ("states" if node in self.states else "pair", "H")
            number = numbers[kind] = numbers.get(kind, -1) + 1
            self._line(f"{self.names[node]} = {kind[0]}_{kind[1]}[{number}]")
            if node in self.states:
                self._line(f"{self.names[node]}[:B] = {self.states[node]}")
            if node in self.later:
                self._line(f"{self.names[node]}[:] = zero")
        return {f"{rows}_{width}": Memory(rows, width, number + 1) for (rows, width), number in numbers.items()}

    # Stages

    def _stage(self, stage: Stage) -> None:
        nodes = [node for node in self.schedule.kept if self.schedule.stages[node] == stage]
        self._line(f"# {stage.name.lower()}")
        if stage in LOOPS:
            steps = "range(T)" if stage == Stage.FORWARD else "range(T - 1, -1, -1)"
            with self._block(f"for t in {steps}:"):
                self._line("at = t * B")
                self._line("after = at + B")
                if stage == Stage.BACKWARD:
                    self._line("now = (t & 1) * B")
                    self._line("before = B - now")
                self._computed(nodes, "B", in_loop=True)
            return
        for_dx = self._for_dx_alone()
        self._computed([node for node in nodes if node not in for_dx], "N")
        for one in self.recurrence.sums:
            if self._stage_of(one) == stage:
                self._sum(one)
        if for_dx & set(nodes):
            with self._block("if dx.size:"):
                self._computed([node for node in nodes if node in for_dx], "N")

    def _stage_of(self, one: Sum) -> Stage:
        stages = [self.schedule.stages.get(read, Stage.BEFORE) for read in reads(one.node, self.kept)]
        return Stage.BETWEEN if max(stages) < Stage.BACKWARD else Stage.AFTER

    def _for_dx_alone(self) -> set[Node]:
        """What is only computed for the derivative of the inputs, which not everybody wants."""
        needed = {*self.states, *self.later, self.recurrence.outputs}
        needed |= {read for one in self.recurrence.sums for read in reads(one.node, self.kept)}
        for node in reversed(self.schedule.kept):
            if node in needed:
                needed |= set(reads(node, self.kept))
        return set(self.schedule.kept) - needed

    def _computed(self, nodes: Iterable[Node], rows: str, *, in_loop: bool = False) -> None:
        """Computes kept nodes: as many products as can be, then everything else that can be, row by row, and so on."""
        waiting = list(nodes)
        while waiting:
            products = [node for node in waiting if node.operation == "product" and not self._waits(node, waiting)]
            for node in products:
                self._product(node, in_loop=in_loop)
            waiting = [node for node in waiting if node not in products]
            ready: list[Node] = []
            for node in waiting:
                if node.operation != "product" and not self._waits(node, [n for n in waiting if n not in ready]):
                    ready.append(node)
            if ready:
                with self._block(f"for r in range({rows}):"):
                    for node in ready:
                        self._row(node, in_loop=in_loop)
            waiting = [node for node in waiting if node not in ready]

    def _waits(self, node: Node, waiting: list[Node]) -> bool:
        return any(read in waiting for read in reads(node, self.kept))

    # Products and sums

    def _product(self, node: Node, *, in_loop: bool) -> None:
        name, block, is_transposed = node.detail
        left, out = self._matrix(node.arguments[0], in_loop), self._matrix(node, in_loop)
        if in_loop and self.single_row:
            operands = f"{name}[{block}], {left}[0]" if is_transposed else f"{left}[0], {name}[{block}]"
            self._line(f"dot({operands}, {out}[0])")
        elif in_loop and is_transposed:
            self.transposed[name] = None
            self._line(f"dot({left}, {name}_T[{block}], {out})")
        else:
            self._line(f"dot({left}, {name}[{block}]{'.T' if is_transposed else ''}, {out})")

    def _sum(self, one: Sum) -> None:
        target, (summed, *others) = f"d{one.target}[{one.block}]", one.node.arguments
        if one.node.operation == "outer":
            self._line(f"dot({self._matrix(summed)}.T, {self._matrix(others[0])}, {target})")
        elif one.node.operation == "column_sum":
            self._line(f"sum_columns({self._matrix(summed)}, B, {target})")
        else:
            with self._block("for t in range(T):"):
                self._line("of_step = zero")
                with self._block("for r in range(t * B, t * B + B):"), self._block(f"for j in range({summed.width}):"):
                    self._line(f"of_step += {self._value(summed, in_loop=False)}")
                self._line("loss += of_step")

    def _array(self, node: Node) -> tuple[str, str]:
        """The name of an array, and where the rows of a step begin in it."""
        if node.operation == "step":
            return node.detail[0], "at"
        if node.operation == "carried":
            return self.names[self.recurrence.forward[node.detail[0]]], "at"
        if node.operation == "later":
            return self.names[self.recurrence.backward[node.detail[0]]], "before"
        if node in self.states:
            return self.names[node], "after"
        if node in self.later:
            return self.names[node], "now"
        return self.names[node], "at" if node in self.schedule.whole else ""

    def _matrix(self, node: Node, in_loop: bool = False) -> str:
        name, start = self._array(node)
        if in_loop:
            return f"{name}[{start} : {start} + B]" if start else name
        if node.operation == "carried":
            return f"{name}[:N]"
        return f"{name}[B:]" if node in self.states else name

    # Rows

    def _row(self, node: Node, *, in_loop: bool) -> None:
        target = self._entry(node, in_loop)
        if node.operation not in ("row_max", "row_sum"):
            with self._block(f"for j in range({node.width}):"):
                self._line(f"{target} = {self._expression(node, in_loop)}")
            return
        (reduced,) = node.arguments
        value, is_sum = self._value(reduced, in_loop), node.operation == "row_sum"
        self._line(f"of_row = {'zero' if is_sum else 'least'}")
        with self._block(f"for j in range({reduced.width}):"):
            self._line(f"of_row = {f'of_row + {value}' if is_sum else f'maximum({value}, of_row)'}")
        self._line(f"{target} = of_row")

    def _value(self, node: Node, in_loop: bool) -> str:
        if node.operation == "constant":
            return self.constants.setdefault(node.detail[0], f"k{len(self.constants)}")
        if node.operation == "vector":
            return f"{node.detail[0]}[{node.detail[1]}, j]"
        if node in self.kept or not node.arguments:
            return self._entry(node, in_loop)
        return self._expression(node, in_loop)

    def _expression(self, node: Node, in_loop: bool) -> str:
        return EXPRESSIONS[node.operation].format(*(self._value(argument, in_loop) for argument in node.arguments))

    def _entry(self, node: Node, in_loop: bool) -> str:
        name, start = self._array(node)
        if not in_loop:
            start = "B" if node in self.states else ""
        return f"{name}[{f'{start} + ' if start else ''}r, {'0' if node.width == '1' else 'j'}]"

    # Text

    def _line(self, text: str) -> None:
        self.lines.append("    " * self.depth + text)

    @contextmanager
    def _block(self, head: str) -> Iterator[None]:
        self._line(head)
        self.depth += 1
        yield
        self.depth -= 1
