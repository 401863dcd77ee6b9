"""Models: what is computed, without the numbers."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from numbers import Integral

from .errors import InvalidProblemError, unknown_name

CELLS = ("rnn",)
ACTIVATIONS = ("tanh", "relu", "sigmoid", "identity")
LOSSES = ("softmax_cross_entropy", "sigmoid_cross_entropy", "squared_error")
REDUCTIONS = ("sum", "mean")


@dataclass(frozen=True)
class Recurrent:
    """A recurrent network with a linear read-out at every time step.

    a_t = U x_t + W h_{t−1} + b, h_t = φ(a_t), o_t = V h_t + c, L = Σ_t ℓ(o_t, y_t).

    Attributes:
        cell: `rnn`, the plain cell.
        input_size: D, at least 1.
        hidden_size: H, at least 1.
        output_size: K, at least 1.
        activation: φ: `tanh`, `relu`, `sigmoid` or `identity`.
        loss: ℓ: `softmax_cross_entropy` (targets are labels), `sigmoid_cross_entropy` (numbers in [0, 1])
            or `squared_error` (numbers).
        reduction: `sum` over time and batch, or `mean` over the counted pairs (t, b).
        bias: whether there are the biases b and c.
    """

    cell: str
    input_size: int
    hidden_size: int
    output_size: int
    _: KW_ONLY
    activation: str = "tanh"
    loss: str = "softmax_cross_entropy"
    reduction: str = "sum"
    bias: bool = True

    def __post_init__(self) -> None:
        for field, known in (
            ("cell", CELLS), ("activation", ACTIVATIONS), ("loss", LOSSES), ("reduction", REDUCTIONS)
        ):  # fmt: skip
            if getattr(self, field) not in known:
                raise unknown_name(field, getattr(self, field), known)
        for field in ("input_size", "hidden_size", "output_size"):
            object.__setattr__(self, field, require_integer(field, getattr(self, field), at_least=1))
        if not isinstance(self.bias, bool):
            raise InvalidProblemError(f"bias = {self.bias!r}, expected True or False")

    @property
    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each parameter, in the order in which `Problem.from_seed` draws them."""
        D, H, K = self.input_size, self.hidden_size, self.output_size
        shapes: dict[str, tuple[int, ...]] = {"U": (H, D), "W": (H, H), "b": (H,), "V": (K, H), "c": (K,)}
        return shapes if self.bias else {name: shape for name, shape in shapes.items() if len(shape) > 1}

    @property
    def has_labels(self) -> bool:
        """Whether the targets are integer labels (T, B), rather than numbers (T, B, K)."""
        return self.loss == "softmax_cross_entropy"


Model = Recurrent


def require_integer(name: str, value: object, *, at_least: int) -> int:
    """The value as an int, if it is an integer (NumPy's included) that is large enough."""
    if isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= at_least:
        return int(value)
    raise InvalidProblemError(f"{name} = {value!r}, expected an integer of at least {at_least}")
