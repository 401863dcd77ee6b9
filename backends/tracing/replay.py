"""A recorded program carried out again in NumPy, forward and back, at any numbers of any kind.

The numbers lie in one row for each dtype, so that an operand is taken by its entries' numbers; before that there may be
axes of computations beside each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import erf
from typing import Any, Protocol

import numpy as np

from ..models.traced import CONSTANT, Entry, Operand, Operation, Traced
from .primitives import PRIMITIVES
from .pruning import entries_behind

Rows = dict[np.dtype, np.ndarray]  # by dtype, the value of every entry, with a place 0 for `CONSTANT`


class Functions(Protocol):
    """A kind of number: how it is made, and the functions that `PRIMITIVES` asks for, by their names.

    Attributes:
        leading: the axes of every array before its own.
        operation: the number of the operation that is carried out, from 1.
    """

    leading: tuple[int, ...]
    operation: int

    def row(self, size: int, dtype: np.dtype) -> Any:
        """Zeros, in a row."""

    def leaf(self, values: np.ndarray) -> Any:
        """Numbers of an argument, without the leading axes."""

    def constants(self, values: Any) -> Any:
        """Numbers of the program or of a rule, which are taken for what they are."""


class Floats:
    """Floating-point numbers."""

    leading: tuple[int, ...] = ()
    operation = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    def row(self, size: int, dtype: np.dtype) -> Any:
        return np.zeros(size, dtype)

    def leaf(self, values: np.ndarray) -> Any:
        return values

    def constants(self, values: Any) -> Any:
        return np.asarray(values)

    def log_of(self, number: int) -> Any:
        return float(np.log(number))

    def cast(self, x: Any, dtype: Any) -> Any:
        return x.astype(dtype)

    def sum(self, x: Any, axes: tuple[int, ...]) -> Any:
        return np.sum(x, axis=axes)

    def sigmoid(self, x: Any) -> Any:
        return np.reciprocal(np.exp(-x) + 1)

    def erf(self, x: Any) -> Any:
        return np.vectorize(erf, otypes=[x.dtype])(x)

    def slope_of_power(self, a: Any, b: Any) -> Any:
        """b aᵇ⁻¹, and 0 where b is 0."""
        return np.where(b == 0, 0, b * np.power(a, np.where(b == 0, 1, b - 1)))

    def slope_of_exponent(self, a: Any, y: Any) -> Any:
        """y log a of y = aᵇ, and 0 where a is 0."""
        return np.where(a == 0, 0, y * np.log(np.where(a == 0, 1, a)))

    def share_of_larger(self, a: Any, b: Any) -> Any:
        """1 where a is larger, ½ where both are the same, and else 0."""
        return ((a > b) + 0.5 * (a == b)).astype(np.asarray(a).dtype)

    def inverse(self, a: Any) -> Any:
        return np.linalg.inv(a)

    def cholesky(self, a: Any) -> Any:
        return np.linalg.cholesky(a)

    def logdet(self, a: Any) -> Any:
        return np.linalg.slogdet(a)[1]


class Replay:
    """A recorded program at some numbers.

    Attributes:
        rows: the value of every entry.

    Example:
        >>> from gradparity.backends.tracing.trace import trace
        >>> traced = trace(lambda w: (w * w).sum(), {"w": np.array([1.0, 2.0])})
        >>> model = traced.model(traced.returned, {"w": "w"})
        >>> replay = Replay(model)
        >>> replay.forward({np.dtype("float64"): np.array([3.0, 4.0])})
        >>> float(replay.value(model.loss)), replay.gradients()["w"].tolist()
        (25.0, [6.0, 8.0])
    """

    def __init__(self, model: Traced, functions: Any = None) -> None:
        self.rows: Rows = {}
        self._model = model
        self._functions: Any = functions or Floats()
        self._taken: dict[int, Any] = {}  # constants of operands, as numbers of this kind
        self._of_arguments: dict[int, Any] = {}  # operands that no operation makes, such as a matrix at every step

    def forward(self, arguments: Mapping[np.dtype, np.ndarray]) -> None:
        """Computes every entry.

        Args:
            arguments: by dtype, the values of the arguments' entries, from entry 1 on, without the leading axes.
        """
        for dtype, size in self._model.sizes.items():
            row = self._functions.row(size, dtype)
            values = arguments.get(dtype)
            if values is not None and len(values):
                row[..., 1 : 1 + len(values)] = self._functions.leaf(values)
            self.rows[dtype] = row
        for number, operation in enumerate(self._model.operations, 1):
            self.rows[operation.dtype][..., operation.start : operation.stop] = self._flat(self.computed(number))

    def computed(self, number: int) -> Any:
        """What an operation, counted from 1, gives of the values in the rows."""
        operation = self._model.operations[number - 1]
        operands = [self.take(operand) for operand in operation.operands]
        self._functions.operation = number
        return PRIMITIVES[operation.primitive].compute(self._functions, *operands, **operation.parameters)

    def value(self, entry: Entry) -> Any:
        """The value of an entry."""
        return self.rows[entry.dtype][..., entry.number][()]

    @property
    def loss(self) -> Any:
        """The loss: one number, or an array of the leading axes."""
        if self._model.loss.number == CONSTANT:
            value = self._functions.constants(np.full(self._functions.leading, self._model.constant_loss))[()]
        else:
            value = self.value(self._model.loss)
        return value.item() if isinstance(value, np.floating) else value

    def take(self, operand: Operand) -> Any:
        """The numbers of an operand."""
        if operand.ready == 0 and id(operand) in self._of_arguments:
            return self._of_arguments[id(operand)]
        numbers = self._taken_from(self.rows[operand.dtype], operand)
        if operand.ready == 0:
            self._of_arguments[id(operand)] = numbers
        return numbers

    def _taken_from(self, row: Any, operand: Operand) -> Any:
        if operand.start is not None:
            values = row[..., operand.start : operand.start + operand.origin.size]
        else:
            values = row[..., operand.origin.reshape(-1)]
            if operand.constants is not None:
                constants = self._taken.get(id(operand))
                if constants is None:
                    is_constant = operand.origin.reshape(-1) == CONSTANT
                    numbers = self._functions.constants(operand.constants.reshape(-1)[is_constant])
                    constants = self._taken[id(operand)] = is_constant, numbers
                values[..., constants[0]] = constants[1]
        return values.reshape((*self._functions.leading, *operand.shape))

    def gradients(self) -> dict[str, Any]:
        """The derivatives of the loss with respect to what the model differentiates by, of its shapes."""
        model = self._model
        rows = self.backward(model.loss) if model.loss.number != CONSTANT else None
        made = {}
        for name, origin in model.differentiated.items():
            dtype = model.dtypes[name]
            flat = self._functions.row(origin.size, dtype) if rows is None else rows[dtype][..., origin.reshape(-1)]
            made[name] = flat.reshape((*self._functions.leading, *origin.shape))
        return made

    def backward(self, entry: Entry) -> Rows:
        """The derivatives of an entry with respect to every entry."""
        operations, functions = self._model.operations, self._functions
        adjoints = {dtype: functions.row(size, dtype) for dtype, size in self._model.sizes.items()}
        adjoints[entry.dtype][..., entry.number] = functions.constants(1.0)[()]
        behind = entries_behind(self._model, entry)
        pending: dict[int, Any] = {}  # derivatives of operands, until all who take them have been passed
        waiting: dict[int, list[Operand]] = {}  # operands, by the operation after which their entries are there

        def pass_on(number: int) -> None:
            for operand in waiting.pop(number, ()):
                self._scatter(adjoints[operand.dtype], operand, pending.pop(id(operand)))

        for number in range(len(operations), 0, -1):
            pass_on(number)
            operation = operations[number - 1]
            if not behind[operation.dtype][operation.start : operation.stop].any():
                continue
            functions.operation = number
            result = slice(operation.start, operation.stop)
            shape = (*functions.leading, *operation.shape)
            g, y = (rows[operation.dtype][..., result].reshape(shape) for rows in (adjoints, self.rows))
            for index, part in self.parts(operation, g, y):
                operand = operation.operands[index]
                if id(operand) in pending:
                    pending[id(operand)] = pending[id(operand)] + part
                else:
                    pending[id(operand)] = part
                    waiting.setdefault(operand.ready, []).append(operand)
        pass_on(0)
        return adjoints

    def parts(self, operation: Operation, g: Any, y: Any) -> list[tuple[int, Any]]:
        """The derivative with respect to each operand that depends on an argument, by the operand's number.

        Args:
            operation: of the program.
            g: the derivative with respect to its result.
            y: the result.

        Returns:
            The derivatives, which may still be broadcast to the operands' shapes.
        """
        operands = [self.take(operand) for operand in operation.operands]
        rules = PRIMITIVES[operation.primitive].rules
        parts = []
        for index, (operand, rule) in enumerate(zip(operation.operands, rules, strict=True)):
            if rule is not None and operand.origin.any():
                part = rule(self._functions, g, y, *operands, **operation.parameters)
                parts.append((index, self._summed(part, operand.shape)))
        return parts

    def _flat(self, values: Any) -> Any:
        return np.reshape(values, (*self._functions.leading, -1))

    def _summed(self, part: Any, shape: tuple[int, ...]) -> Any:
        """Sums a derivative over the axes along which its operand was broadcast."""
        sizes = np.shape(part)[len(np.shape(part)) - len(shape) :]
        axes = tuple(axis - len(shape) for axis, size in enumerate(shape) if size == 1 and sizes[axis] != 1)
        if axes:
            part = np.expand_dims(self._functions.sum(part, axes), axes)
        return part

    def _scatter(self, row: Any, operand: Operand, part: Any) -> None:
        """Adds the derivative of an operand to those of its entries."""
        if operand.start is not None:
            row[..., operand.start : operand.start + operand.origin.size] += self._flat(part)
            return
        full = np.broadcast_to(part, (*self._functions.leading, *operand.shape))
        flat = self._flat(full)
        for places in operand.turns:
            row[..., operand.origin.reshape(-1)[places]] += flat[..., places]
        row[..., CONSTANT] = self._functions.constants(0.0)[()]
