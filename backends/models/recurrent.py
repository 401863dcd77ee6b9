"""The recurrent network as a model: what is computed, without the numbers."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import ClassVar, NamedTuple

from ..checks import require_choice, require_flag, require_integer
from ..errors import InvalidProblemError
from .array_spec import ArraySpec, Variable, target_spec
from .cells import CELLS
from .model_options import ACTIVATIONS, DIFFERENTIATIONS, LOSS_AT, LOSSES, REDUCTIONS, RESETS
from .truncation import Truncation


class LayerDirection(NamedTuple):
    """A layer and a direction of a recurrent network, and how its names are made.

    Attributes:
        layer: its number in the stack, from 0; None where there is one layer, whose names have no prefix.
        is_reverse: whether it is the second direction, which reads the steps from the last to the first.
        number: in the order of the initial states: both directions of layer 0, then of layer 1, and so on.
    """

    layer: int | None
    is_reverse: bool
    number: int

    def name(self, name: str) -> str:
        """`layer0.U.reverse` of `U`: the name in the whole network of what is called so in a single layer."""
        layer = "" if self.layer is None else f"layer{self.layer}."
        return f"{layer}{name}{'.reverse' if self.is_reverse else ''}"


@dataclass(frozen=True)
class Recurrent:
    """A recurrent network with a linear read-out at every time step.

    Every step reads out o_t = V h_t + c, and L = Σ_t ℓ(o_t, y_t). The cells compute h_t, with ⊙ by elements:

        rnn:   a_t = U x_t + W h_{t−1} + b,  h_t = φ(a_t)
        lstm:  i, f, o = σ(U x_t + W h_{t−1} + b),  g = tanh(U x_t + W h_{t−1} + b),
               c_t = f ⊙ c_{t−1} + i ⊙ g,  h_t = o ⊙ tanh(c_t)
        gru:   r, z = σ(U x_t + W h_{t−1} + b),  n = tanh(U x_t + b + r ⊙ (W h_{t−1} + b_hn)),
               h_t = (1 − z) ⊙ n + z ⊙ h_{t−1}

    Each gate has H rows of U, W and b. With `reset="before"` the GRU has n = tanh(U x_t + W (r ⊙ h_{t−1}) + b).

    Source: for the plain cell, documents 000, 001 and 003, and with the identity 002; for the LSTM, S. Hochreiter and
    J. Schmidhuber, "Long short-term memory" (1997), with the forget gate of F. A. Gers, J. Schmidhuber and
    F. Cummins, "Learning to forget" (2000); for the GRU, K. Cho et al., "Learning
    phrase representations using RNN encoder-decoder for statistical machine translation" (2014), where z has the
    opposite meaning and the reset comes before the product; for `differentiation="forward"`, R. J. Williams and
    D. Zipser, "A learning algorithm for continually running fully recurrent neural networks" (1989). The gates'
    order and b_hn are those of `torch.nn`.

    Attributes:
        cell: `rnn`, the plain cell; `lstm`; or `gru`.
        input_size: D, at least 1.
        hidden_size: H, at least 1.
        output_size: K, at least 1.
        activation: φ of the plain cell: `tanh`, `relu`, `sigmoid` or `identity`.
        loss: ℓ: `softmax_cross_entropy` (targets are labels), `sigmoid_cross_entropy` (numbers in [0, 1])
            or `squared_error` (numbers).
        reduction: `sum` over time and batch, or `mean` over the pairs (t, b) that carry a loss.
        loss_at: `every_step`, or `last_step` of each sequence alone.
        bias: whether there are biases.
        num_layers: how many layers are stacked.
        bidirectional: whether each layer has a second direction, whose states stand beside the first's.
        reset: whether the GRU's reset gate is applied `after` the product with W_n, as the frameworks do, or
            `before` it, as in the original paper.
        concatenated: whether the plain cell has one matrix `Wcat` (H, D+H) on [x_t ; h_{t−1}] for U and W.
        truncation: None, `Window(n)`, `Chunks(n)` or `LastSteps(n)`, of a single layer in one direction.
        differentiation: how the gradient is to be computed; the result is the same. `reverse`; or of a single
            plain layer `forward` mode, the `expanded` sum of all terms, or for the identity the `closed_form`.

    Raises:
        InvalidProblemError: a size is below 1, a flag is not a bool, or an option is not defined for the model.
        UnknownNameError: a choice does not exist.

    Example:
        >>> from gradparity.backends import Recurrent
        >>> model = Recurrent("gru", 3, 5, 4, loss_at="last_step")
        >>> model.summary
        'gru (softmax_cross_entropy, last_step, reset after)'
        >>> model.parameter_shapes["W"]
        (15, 5)
    """

    LEADING: ClassVar[dict[str, str]] = {"seq_len": "T", "batch_size": "B"}

    cell: str
    input_size: int
    hidden_size: int
    output_size: int
    _: KW_ONLY
    activation: str = "tanh"
    loss: str = "softmax_cross_entropy"
    reduction: str = "sum"
    loss_at: str = "every_step"
    bias: bool = True
    num_layers: int = 1
    bidirectional: bool = False
    reset: str = "after"
    concatenated: bool = False
    truncation: Truncation | None = None
    differentiation: str = "reverse"

    def __post_init__(self) -> None:
        choices = {"cell": CELLS, "activation": ACTIVATIONS, "loss": LOSSES, "reduction": REDUCTIONS}
        choices |= {"loss_at": LOSS_AT, "reset": RESETS, "differentiation": DIFFERENTIATIONS}
        for field, known in choices.items():
            require_choice(field, getattr(self, field), known)
        for field in ("input_size", "hidden_size", "output_size", "num_layers"):
            object.__setattr__(self, field, require_integer(field, getattr(self, field), at_least=1))
        for field in ("bias", "bidirectional", "concatenated"):
            require_flag(field, getattr(self, field))
        if not isinstance(self.truncation, Truncation | None):
            raise InvalidProblemError(
                f"truncation = {self.truncation!r}, expected None, Window(n), Chunks(n) or LastSteps(n)"
            )
        self._refuse_what_is_not_defined()

    def _refuse_what_is_not_defined(self) -> None:
        plain, single = self.cell == "rnn", self.num_layers == 1 and not self.bidirectional
        whole = single and plain and self.truncation is None
        for field, default, defined, where in (
            ("activation", "tanh", plain, "for the cell 'rnn'"),
            ("reset", "after", self.cell == "gru", "for the cell 'gru'"),
            ("concatenated", False, plain and single, "for the cell 'rnn' in one layer and direction"),
            ("truncation", None, single, "for one layer in one direction"),
            ("differentiation", "reverse", whole, "for the cell 'rnn' in one layer and direction, not truncated"),
        ):
            if getattr(self, field) != default and not defined:
                raise InvalidProblemError(f"{field} = {getattr(self, field)!r} is only defined {where}")
        if self.differentiation == "closed_form" and self.activation != "identity":
            raise InvalidProblemError("differentiation = 'closed_form' is only defined for the activation 'identity'")

    @property
    def sizes(self) -> tuple[int, int, int]:
        """D, H and K."""
        return self.input_size, self.hidden_size, self.output_size

    @property
    def gates(self) -> str:
        """The gates in the order of their rows in U, W and b; empty for the plain cell."""
        return CELLS[self.cell].gates

    @property
    def linear_size(self) -> int:
        """G, the size of the linear state a_t: H, or H for each gate."""
        return self.hidden_size * max(1, len(self.gates))

    @property
    def layers(self) -> tuple[tuple[LayerDirection, ...], ...]:
        """The directions of every layer, from the lowest."""
        directions = (False, True) if self.bidirectional else (False,)
        return tuple(
            tuple(
                LayerDirection(layer if self.num_layers > 1 else None, is_reverse, layer * len(directions) + is_reverse)
                for is_reverse in directions
            )
            for layer in range(self.num_layers)
        )

    @property
    def places(self) -> tuple[LayerDirection, ...]:
        """All layers and directions, in the order of the initial states."""
        return tuple(place for layer in self.layers for place in layer)

    @property
    def state_names(self) -> tuple[str, ...]:
        """The initial states: `h0`, and for the LSTM `c0`."""
        return tuple(f"{state}0" for state in CELLS[self.cell].states)

    @property
    def differentiable(self) -> tuple[str, ...]:
        """The arrays of a batch that have a gradient."""
        return (*self.state_names, "inputs")

    @property
    def parameter_specs(self) -> dict[str, ArraySpec]:
        """The spec of each parameter, in the order in which `Problem.from_seed` draws them."""
        H, K, G = self.hidden_size, self.output_size, self.linear_size
        g = f"{len(self.gates)}H" if self.gates else "H"
        specs: dict[str, ArraySpec] = {}
        width, letter = self.input_size, "D"
        for layer in self.layers:
            for place in layer:
                if self.concatenated:
                    layer_specs = {"Wcat": ArraySpec((G, width + H), f"({g}, {letter}+H)")}
                else:
                    layer_specs = {"U": ArraySpec((G, width), f"({g}, {letter})"), "W": ArraySpec((G, H), f"({g}, H)")}
                layer_specs["b"] = ArraySpec((G,), f"({g},)")
                if self.cell == "gru" and self.reset == "after":
                    layer_specs["b_hn"] = ArraySpec((H,), "(H,)")
                specs |= {place.name(name): spec for name, spec in layer_specs.items()}
            width, letter = H * len(layer), "2H" if self.bidirectional else "H"
        specs |= {"V": ArraySpec((K, width), f"(K, {letter})"), "c": ArraySpec((K,), "(K,)")}
        return specs if self.bias else {name: spec for name, spec in specs.items() if len(spec.shape) > 1}

    @property
    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each parameter."""
        return {name: spec.shape for name, spec in self.parameter_specs.items()}

    def state_specs(self, T: int, B: int) -> dict[str, ArraySpec]:
        """The initial states: (B, H), or (P, B, H) where there are P layers and directions."""
        P, H = len(self.places), self.hidden_size
        spec = ArraySpec((B, H), "(B, H)") if P == 1 else ArraySpec((P, B, H), "(P, B, H)")
        return dict.fromkeys(self.state_names, spec)

    def input_spec(self, T: int, B: int) -> ArraySpec:
        """x_t."""
        return ArraySpec((T, B, self.input_size), "(T, B, D)")

    def target_spec(self, T: int, B: int) -> ArraySpec:
        """y_t."""
        return target_spec(self.loss, (T, B), ("T", "B"), self.output_size)

    def output_spec(self, T: int, B: int) -> Variable:
        """o_t."""
        return Variable((T, B, self.output_size), steps=True)

    def variables(self, T: int, B: int) -> dict[str, Variable]:
        """The variables of every step that have adjoints: o_t, and at every place h_t, a_t and perhaps c_t."""
        layer_sizes = {"h": self.hidden_size, "a": self.linear_size}
        layer_sizes |= dict.fromkeys(CELLS[self.cell].states, self.hidden_size)
        sizes = {"o": self.output_size}
        sizes |= {place.name(name): size for place in self.places for name, size in layer_sizes.items()}
        return {name: Variable((T, B, size), steps=True) for name, size in sizes.items()}

    @property
    def size_summary(self) -> str:
        """The sizes in a few words."""
        return " ".join(f"{letter}={size}" for letter, size in zip("DHK", self.sizes, strict=True))

    @property
    def summary(self) -> str:
        """What distinguishes the model, in a few words."""
        words = [self.activation if self.cell == "rnn" else "", self.loss]
        words += [value for value in (self.reduction, self.loss_at) if value not in ("sum", "every_step")]
        words += [f"reset {self.reset}"] if self.cell == "gru" else []
        words += [f"{self.num_layers} layers"] if self.num_layers > 1 else []
        words += [name for name in ("bidirectional", "concatenated") if getattr(self, name)]
        words += [repr(self.truncation).replace("steps=", "")] if self.truncation else []
        words += [self.differentiation] if self.differentiation != "reverse" else []
        words += [] if self.bias else ["no biases"]
        return f"{self.cell} ({', '.join(word for word in words if word)})"
