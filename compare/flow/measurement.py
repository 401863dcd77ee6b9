"""Gradient flow: how far the loss of the last step reaches back, ‖∂L_T/∂h_t‖ against t.

It is the norm of the adjoint of the topmost layer's states, for a loss at the last step alone. All backends compute it,
and it is shown with the verdict of their comparison.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import log
from typing import Any

import numpy as np

from ...backends import Backend, Evaluation, Problem, Recurrent, RequestError
from ..jobs import CaseProgress
from ..referee import Comparison, compare, require_affordable
from ..systems import System

DEFAULT_SYSTEMS = ("elman-softmax", "elman-relu", "lstm", "gru")
SCALES = (0.5, 1.0, 1.5)
REMEMBERING = {
    "lstm": {"f": 1, "i": -1},
    "gru": {"z": 1},
}  # what keeps the state, and the sign that opens it


@dataclass(frozen=True, eq=False)
class GradientFlow:
    """The gradient flow through one system.

    Attributes:
        system: its name.
        scale: by which its recurrent weights were multiplied.
        norms: ‖∂L_T/∂h_t‖ for t = 0…T, (T + 1,): the root of its mean square over the batch, in float64.
        comparison: of the backends.

    Example:
        >>> flow = GradientFlow("elman", 0.5, np.array([1e-6, 1e-3, 1.0]), comparison=None)
        >>> flow.character, round(flow.factor, 6)
        ('vanishes', 0.001)
    """

    system: str
    scale: float
    norms: np.ndarray
    comparison: Comparison

    @property
    def label(self) -> str:
        """`lstm × 0.5`."""
        return f"{self.system} × {self.scale:g}"

    @property
    def factor(self) -> float:
        """By how much a step back multiplies the gradient, on the geometric mean; NaN if it begins at 0."""
        first, last = self.norms[0], self.norms[-1]
        return float((first / last) ** (1 / (len(self.norms) - 1))) if last else float("nan")

    @property
    def character(self) -> str:
        """It `overflows`, `stops` at 0, `vanishes` or `explodes` by a factor of 1000 over all steps, or `holds`."""
        if not np.isfinite(self.norms).all():
            return "overflows"
        if not self.norms[0]:
            return "stops"
        ratio = self.norms[0] / self.norms[-1] if self.norms[-1] else float("inf")
        return "vanishes" if ratio < 1e-3 else "explodes" if ratio > 1e3 else "holds"

    def row(self) -> dict[str, Any]:
        """Everything as plain values."""
        return {
            "system": self.system,
            "scale": self.scale,
            "norms": self.norms.tolist(),
            "factor": self.factor,
            "character": self.character,
            "verdict": self.comparison.verdict,
            "strength": self.comparison.strength or None,
            "backends": list(self.comparison.answers),
        }


def remembering_bias(seq_len: int) -> float:
    """The bias of the remembering gate for which a cell forgets over about T steps: log(T − 1).

    It is the upper end of the "chrono initialization" of C. Tallec and Y. Ollivier, Can recurrent neural networks warp
    time? (2018).

    Example:
        >>> round(remembering_bias(60), 3)
        4.078
    """
    return log(max(2, seq_len) - 1)


def measure_flow(
    systems: Iterable[System],
    scales: Sequence[float],
    backends: Sequence[Backend],
    *,
    seq_len: int,
    batch_size: int = 8,
    seed: int = 0,
    gate_bias: float | None = None,
    progress: CaseProgress = lambda label, done: None,
) -> list[GradientFlow]:
    """Measures the flow through every system at every scale.

    Args:
        systems: recurrent ones.
        scales: by which the recurrent weights are multiplied.
        backends: that compute the gradients and are compared.
        seq_len: T.
        batch_size: B.
        seed: of the numbers.
        gate_bias: is added to the bias of the gate that keeps the state (the LSTM's f, and taken from that of i;
            the GRU's z); None means log(T − 1).
        progress: is called with a label and the number of flows that are done.

    Returns:
        One flow for each system and scale, the scales of a system one after another.

    Raises:
        RequestError: a system has no time or sequences of unequal length, or no backend gives adjoints of the states,
            or one takes more memory than there is or is allowed.

    Example:
        >>> from gradparity.backends import get_backend
        >>> from gradparity.compare import SYSTEMS
        >>> backends = [get_backend("manual"), get_backend("torch")]
        >>> (flow,) = measure_flow([SYSTEMS["elman-softmax"]], [0.5], backends, seq_len=30)
        >>> flow.label, flow.character, flow.comparison.verdict
        ('elman-softmax × 0.5', 'vanishes', 'agree')
    """
    bias = remembering_bias(seq_len) if gate_bias is None else gate_bias
    flows: list[GradientFlow] = []
    sizes: dict[str, Any] = {"seq_len": seq_len, "batch_size": batch_size, "seed": seed}
    systems = list(systems)
    for system in systems:
        require_affordable(Problem.from_seed(_with_last_loss(system), **sizes), len(backends))
    for system in systems:
        for scale in scales:
            progress(f"{system.name} × {scale:g}", len(flows))
            model = _with_last_loss(system)
            problem = Problem.from_seed(model, **sizes, recurrent_gain=scale)
            comparison = compare(_with_gate_bias(problem, model, bias), backends)
            norms = _adjoint_norms(comparison.answers.values(), model)
            flows.append(GradientFlow(system.name, scale, norms, comparison))
            progress(flows[-1].label, len(flows))
    return flows


def _with_last_loss(system: System) -> Recurrent:
    """The system's model with a loss at the last step alone."""
    if system.lengths:
        raise RequestError(f"{system.name} has sequences of unequal length, which have no last step in common")
    if not isinstance(system.model, Recurrent):
        raise RequestError(f"{system.name} has no time, and so no gradient flow: expected a recurrent system")
    return replace(system.model, loss_at="last_step", differentiation="reverse")


def _with_gate_bias(problem: Problem, model: Recurrent, bias: float) -> Problem:
    """The problem with its remembering gates opened by a bias."""
    params = {name: array.copy() for name, array in problem.params.items()}
    for place in model.places:
        b = params.get(place.name("b"))
        for gate, sign in REMEMBERING.get(model.cell, {}).items():
            if b is not None:
                np.split(b, len(model.gates))[model.gates.index(gate)][...] += sign * bias
    return replace(problem, params=params)


def _adjoint_norms(answers: Iterable[object], model: Recurrent) -> np.ndarray:
    """‖∂L_T/∂h_t‖ for t = 0…T of the topmost layer in its first direction."""
    place = model.layers[-1][0]
    for answer in answers:
        if isinstance(answer, Evaluation) and place.name("h") in answer.adjoints:
            h0 = answer.gradients["h0"].reshape(-1, *answer.gradients["h0"].shape[-2:])[place.number]
            adjoints = np.concatenate([h0[None], answer.adjoints[place.name("h")]])
            largest = np.abs(adjoints).max(axis=(1, 2))  # whose square may be out of range
            with np.errstate(all="ignore"):
                relative = adjoints / np.where(largest > 0, largest, 1)[:, None, None]
                return largest * np.sqrt((relative**2).sum(axis=-1).mean(axis=-1))
    raise RequestError("no backend gave the adjoints of the states: ask manual, torch or jax")
