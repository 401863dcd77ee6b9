"""Runs the lines of a recurrent network.

The bookkeeping around the lines is never mistaken: what lies past a length is carried, truncations stop where they
should, layers and directions are put together. What is left to the lines is what people derive.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...backends import Problem, Recurrent
from ...backends.models import CELLS, LayerDirection
from ...backends.references.manual_backend import options
from ...manual.losses import last_steps, length_mask, loss_weight
from ...manual.truncation import gradient_passes
from . import equation_sections as sections
from .namespace import LineResults, Names, Replaced, execute, functions, one_hot, with_replacements

State = tuple[np.ndarray, ...]  # (h,), or of the LSTM (h, c)


def cell_keys(model: Recurrent) -> tuple[str, ...]:
    """What a cell's lines are called, from the most general to the most special."""
    return ("cell", "gru", f"gru {model.reset}") if model.cell == "gru" else ("cell", model.cell)


class Layer(NamedTuple):
    """One direction of a layer, in its own order of time."""

    place: LayerDirection
    weights: Names
    steps: list[Names]  # what is known of every step after the forward pass


class Network:
    """A recurrent network on its way through the lines."""

    def __init__(self, problem: Problem, model: Recurrent, replaced: Replaced) -> None:
        self.problem, self.model, self.replaced = problem, model, replaced
        self.T, self.B = problem.leading
        self.states = CELLS[model.cell].states
        lengths = problem.sequence_lengths
        self.mask = length_mask(lengths, self.T)
        self.functions = functions(model.activation) | {"T": self.T, "B": self.B}
        self.keys = cell_keys(model)
        self.values: dict[str, np.ndarray] = {}
        self.initial: dict[int, State] = {}

    def results(self) -> LineResults:
        h = np.where(self.mask[..., None], self.problem.inputs, 0)
        layers: list[list[Layer]] = []
        for places in self.model.layers:
            layers.append([self._forward(place, _turned(h, place)) for place in places])
            h = np.concatenate([_turned(_states(layer, "h"), layer.place) for layer in layers[-1]], axis=-1)
        dh_above = self._read_out(h)
        for layer in reversed(layers):
            parts = zip(layer, np.split(dh_above, len(layer), axis=-1), strict=True)
            dx = [_turned(self._backward(one, _turned(part, one.place)), one.place) for one, part in parts]
            dh_above = dx[0] if len(dx) == 1 else dx[0] + dx[1]
        starts = zip(*(self.initial[place.number] for place in self.model.places), strict=True)
        for name, of_places in zip(self.model.state_names, starts, strict=True):
            self.values[name] = np.stack(of_places) if len(of_places) > 1 else of_places[0]
        self.values["inputs"] = dh_above
        if self.model.concatenated:
            self.values["Wcat"] = np.concatenate([self.values["U"], self.values["W"]], axis=1)
        ends = [np.stack([one.steps[-1][state] for layer in layers for one in layer]) for state in self.states]
        return LineResults({name: self.values[name] for name in ("loss", *self.problem.differentiable)}, tuple(ends))

    def _forward(self, place: LayerDirection, x: np.ndarray) -> Layer:
        section = with_replacements(sections.CELLS[self.keys[-1]].forward, self.replaced, *self.keys)
        weights = self._weights(place, x.shape[-1])
        initial = [array.reshape(-1, *array.shape[-2:])[place.number] for array in self.problem.states.values()]
        before: Names = {f"{state}_before": array for state, array in zip(self.states, initial, strict=True)}
        mask = _turned(self.mask, place)[..., None]
        steps = []
        for t in range(self.T):
            position = {"x": x[t], "first": t == 0, "last": t == self.T - 1}
            names = execute(section, self.functions | weights | before | position)
            for state in self.states:  # past a length it is carried
                names[state] = np.where(mask[t], names[state], before[f"{state}_before"])
            before = {f"{state}_before": names[state] for state in self.states}
            steps.append(names)
        return Layer(place, weights, steps)

    def _weights(self, place: LayerDirection, width: int) -> Names:
        params, gates = self.problem.params, self.model.gates
        weights: Names = {name: params.get(place.name(name), 0.0) for name in ("U", "W", "b", "b_hn")}
        if self.model.concatenated:
            weights |= {"U": params["Wcat"][:, :width], "W": params["Wcat"][:, width:]}
        for name in "UW":
            of_gates = np.split(weights[name], max(1, len(gates)))
            weights |= {f"{name}_{gate}": part for gate, part in zip(gates, of_gates, strict=False)}
        return weights

    def _read_out(self, h: np.ndarray) -> np.ndarray:
        """The loss, and what every state receives from above."""
        params, model = self.problem.params, self.model
        section = with_replacements(sections.READOUT[model.loss], self.replaced, "readout", model.loss)
        with_loss = self.mask if model.loss_at == "every_step" else last_steps(self.mask)
        w = loss_weight(with_loss, model.reduction) * with_loss[..., None].astype(self.problem.dtype)
        Y = np.where(with_loss[..., None], one_hot(self.problem, model.output_size), 0)
        weights: Names = {"V": params["V"], "c": params.get("c", 0.0), "K": model.output_size}
        sums: Names = {"loss": self.problem.dtype.type(0), "dV": np.zeros_like(params["V"])}
        sums["dc"] = np.zeros_like(params["V"], shape=model.output_size)
        starts = self.problem.states["h0"].reshape(-1, *h.shape[1:-1], model.hidden_size)
        start = np.concatenate([starts[place.number] for place in model.layers[-1]], axis=-1)
        above = []
        for t in range(self.T):
            position = {
                "h": h[t],
                "h_before": h[t - 1] if t else start,
                "h_last": h[-1],
                "Y": Y[t],
                "w": w[t],
                "first": t == 0,
                "last": t == self.T - 1,
            }
            names = execute(section, self.functions | weights | sums | position)
            sums = {name: names[name] for name in sums}
            above.append(names["dh_above"])
        self.values |= {"loss": np.asarray(sums["loss"]), "V": sums["dV"], "c": sums["dc"]}
        return np.stack(above)

    def _backward(self, layer: Layer, dh_above: np.ndarray) -> np.ndarray:
        """The gradients of one direction of a layer; returns dx."""
        section = with_replacements(sections.CELLS[self.keys[-1]].backward, self.replaced, *self.keys)
        mask = _turned(self.mask, layer.place)[..., None]
        U, W = layer.weights["U"], layer.weights["W"]
        sums: Names = {"dU": np.zeros_like(U), "dW": np.zeros_like(W), "db": np.zeros_like(U, shape=len(U))}
        sums["db_hn"] = np.zeros_like(U, shape=W.shape[1])
        ends = {f"{state}_last": layer.steps[-1][state] for state in self.states}
        dx = [0 * names["x"] for names in layer.steps]
        nothing: State = (np.zeros_like(dh_above[0]),) * len(self.states)
        initial = nothing
        from_above, from_later, passes = self._backward_passes(_turned(self.mask, layer.place))
        for start, count, of_all_losses in passes:
            later = nothing
            for t in range(start, start - count, -1):
                above = dh_above[t] if of_all_losses or t == start else nothing[0]
                received = [np.where(from_later[t], d_state, 0) for d_state in later]
                names = layer.steps[t] | sums | ends | {"left": self.T - t}
                names["dh_above"] = np.where(from_above[t] & mask[t], above, 0)
                for state, d_state in zip(self.states, received, strict=True):
                    names[f"d{state}_later"] = np.where(mask[t], d_state, 0)
                execute(section, names)
                sums = {name: names[name] for name in sums}
                dx[t] = dx[t] + names["dx"]
                later = tuple(
                    np.where(mask[t], names[f"d{state}_before"], d_state)
                    for state, d_state in zip(self.states, received, strict=True)
                )
            if start < count:
                initial = tuple(one + other for one, other in zip(initial, later, strict=True))
        self.initial[layer.place.number] = initial
        self.values |= {layer.place.name(name[1:]): total for name, total in sums.items()}
        return np.stack(dx)

    def _backward_passes(self, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray, list[tuple[int, int, bool]]]:
        """Where gradients pass from above and from later; of each backward pass its first step, length, and losses."""
        truncation = options(self.model).get("truncation")
        if truncation and truncation[0] == "window":
            from_above, from_later = gradient_passes(None, mask)
            return from_above, from_later, [(t, min(truncation[1], t + 1), False) for t in range(self.T)]
        from_above, from_later = gradient_passes(truncation, mask)
        return from_above, from_later, [(self.T - 1, self.T, True)]


def _turned(array: np.ndarray, place: LayerDirection) -> np.ndarray:
    """From our order of time to that of a direction, or back."""
    return array[::-1] if place.is_reverse else array


def _states(layer: Layer, name: str) -> np.ndarray:
    return np.stack([names[name] for names in layer.steps])
