"""The name of a compared quantity, as a value with parts: made and read here, and nowhere else."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache

NAME_OF_ARRAY = re.compile(r"(?:layer(?P<layer>\d+)\.)?(?P<symbol>[A-Za-z_]\w*?)(?P<number>\d*)(?P<reverse>\.reverse)?")


@dataclass(frozen=True)
class QuantityName:
    """What is compared, such as dL/dh_t of the second direction of layer 0: `layer0.dh_t.reverse`.

    Attributes:
        symbol: the letters of the array, as in the equations: `U`, `h`, `b_hn`; `x` of the inputs; or `loss`.
        is_derivative: whether it is the loss's derivative with respect to that array.
        number: a number that belongs to the symbol: 2 of `W2`, 0 of `h0`; None where there is none.
        layer: of a stack, counted from 0; None where there is one layer.
        reverse: whether it belongs to the second direction.
        index: `t` of a quantity that has a block for each step; of one of its blocks the step, such as `3`; of a
            gate's part the gate, such as `i`; or empty.

    Examples:
        >>> name = QuantityName.of_array("layer0.h.reverse", is_derivative=True, index="t")
        >>> str(name)
        'layer0.dh_t.reverse'
        >>> str(name.at("3"))
        'layer0.dh_3.reverse'
        >>> name.layer, name.symbol, name.reverse
        (0, 'h', True)
    """

    symbol: str
    is_derivative: bool = False
    number: int | None = None
    layer: int | None = None
    reverse: bool = False
    index: str = ""

    @classmethod
    def of_array(cls, name: str, *, is_derivative: bool = False, index: str = "") -> QuantityName:
        """Reads the name of an array of a problem or an answer.

        Args:
            name: such as `U`, `inputs`, `W2`, `layer0.U.reverse`.
            is_derivative: whether the quantity is the loss's derivative with respect to the array.
            index: as in the attributes.

        Returns:
            The name in its parts.

        Raises:
            ValueError: no array is called so.
        """
        parts = NAME_OF_ARRAY.fullmatch("x" if name == "inputs" else name)
        if not parts:
            raise ValueError(f"{name!r} is no name of an array")
        number, layer = (int(parts[part]) if parts[part] else None for part in ("number", "layer"))
        return cls(parts["symbol"], is_derivative, number, layer, bool(parts["reverse"]), index)

    def at(self, index: str) -> QuantityName:
        """The name of one of its blocks, by the step or the gate; or of the whole, by `t`."""
        return replace(self, index=index)

    def steps(self, count: int) -> tuple[QuantityName, ...]:
        """The names of its blocks at the steps 1 … count."""
        return _steps_of(self, count)

    @property
    def step(self) -> int | None:
        """The time step, counted from 1; None where it is none's."""
        return int(self.index) if self.index.isdigit() else None

    @property
    def is_adjoint(self) -> bool:
        """Whether it is the derivative with respect to a variable within the network: o, h, c, a or z."""
        of_a_layer = self.symbol == "z" and self.number is not None
        of_steps = self.symbol in ("o", "h", "c", "a", "z") and self.index == "t"
        return self.is_derivative and (of_steps or of_a_layer)

    def __str__(self) -> str:
        layer = "" if self.layer is None else f"layer{self.layer}."
        number = "" if self.number is None else str(self.number)
        index = f"_{self.index}" if self.index else ""
        return f"{layer}{'d' * self.is_derivative}{self.symbol}{number}{index}{'.reverse' * self.reverse}"


def gradient_name(name: str, *, has_steps: bool = False) -> QuantityName:
    """The name of the gradient of an array: `dU` of `U`, `dx` of the inputs, or `dx_t` where they have steps.

    Examples:
        >>> str(gradient_name("layer0.U.reverse")), str(gradient_name("inputs", has_steps=True))
        ('layer0.dU.reverse', 'dx_t')
    """
    index = "t" if has_steps and name == "inputs" else ""
    return QuantityName.of_array(name, is_derivative=True, index=index)


@lru_cache(maxsize=1024)  # of a long sequence they take longer to make than its numbers
def _steps_of(name: QuantityName, count: int) -> tuple[QuantityName, ...]:
    return tuple(name.at(str(step)) for step in range(1, count + 1))
