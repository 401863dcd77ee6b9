"""A recurrent layer in PyTorch as one writes it for oneself, to time the backends `torch-nn` and `torch` beside it.

Once by the layer that `torch.nn` has, and once as a loop, where W is one matrix for all gates. In a folder that has
this one in it, `nox --sessions plain` times all, or:

    gradparity bench --backend torch-nn --backend tests.examples.plain_torch:PlainLayer
    gradparity bench --backend torch --backend tests.examples.plain_torch:PlainLoop
"""

import torch
from gradparity.backends import Evaluation, Recurrent
from torch import nn
from torch.nn import functional


def rnn(p, from_x, h):
    return (torch.tanh(from_x + functional.linear(h, p["W"])),)


def lstm(p, from_x, h, c):
    i, f, g, o = (from_x + functional.linear(h, p["W"])).chunk(4, dim=-1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


def gru(p, from_x, h):
    x_r, x_z, x_n = from_x.chunk(3, dim=-1)
    h_r, h_z, h_n = functional.linear(h, p["W"]).chunk(3, dim=-1)
    r, z = (x_r + h_r).sigmoid(), (x_z + h_z).sigmoid()
    return ((1 - z) * (x_n + r * (h_n + p["b_hn"])).tanh() + z * h,)


STEPS = {"rnn": rnn, "lstm": lstm, "gru": gru}
LAYERS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


class Plain:
    """What both have in common."""

    partial = True
    devices = ("cpu", "cuda")

    def supports(self, model, dtype):
        usual = isinstance(model, Recurrent) and model == Recurrent(model.cell, *model.sizes)
        return "" if usual else "a single layer with the usual options only"

    def evaluate(self, problem, *, trace=False):
        loss, gradients = self.prepare(problem)()
        return Evaluation(loss.item(), {name: gradient.numpy() for name, gradient in gradients.items()}, None)


class PlainLayer(Plain):
    """`torch.nn.RNN`, `LSTM` or `GRU`, with both of its biases, and `backward`."""

    name = "plain-torch-nn"

    def prepare(self, problem, *, device="cpu"):
        model, p = problem.model, {name: torch.tensor(array, device=device) for name, array in problem.params.items()}
        x, y = torch.tensor(problem.inputs, device=device), torch.tensor(problem.targets, device=device)
        states = tuple(torch.tensor(array, device=device)[None] for array in problem.states.values())
        layer = LAYERS[model.cell](model.input_size, model.hidden_size, dtype=x.dtype, device=device)
        head = nn.Linear(model.hidden_size, model.output_size, dtype=x.dtype, device=device)
        bias_hh = torch.zeros_like(p["b"])
        if "b_hn" in p:
            bias_hh[-model.hidden_size :] = p["b_hn"]
        layer.load_state_dict(
            {"weight_ih_l0": p["U"], "weight_hh_l0": p["W"], "bias_ih_l0": p["b"], "bias_hh_l0": bias_hh}
        )
        head.load_state_dict({"weight": p["V"], "bias": p["c"]})
        initial = states if len(states) > 1 else states[0]

        def run():
            layer.zero_grad()
            head.zero_grad()
            h, _ = layer(x, initial)
            loss = functional.cross_entropy(head(h).flatten(0, 1), y.flatten(), reduction="sum")
            loss.backward()
            gradients = {"U": layer.weight_ih_l0.grad, "W": layer.weight_hh_l0.grad, "b": layer.bias_ih_l0.grad}
            if "b_hn" in p:
                gradients["b_hn"] = layer.bias_hh_l0.grad[-model.hidden_size :]
            return loss.detach(), {**gradients, "V": head.weight.grad, "c": head.bias.grad}

        return run


class PlainLoop(Plain):
    """A loop over the steps, and `backward`."""

    name = "plain-torch"

    def prepare(self, problem, *, device="cpu"):
        step = STEPS[problem.model.cell]
        p = {name: torch.tensor(a, requires_grad=True, device=device) for name, a in problem.params.items()}
        x, y = torch.tensor(problem.inputs, device=device), torch.tensor(problem.targets, device=device)
        initial = tuple(torch.tensor(array, device=device) for array in problem.states.values())

        def run():
            for parameter in p.values():
                parameter.grad = None
            state, hs = initial, []
            for from_x in functional.linear(x, p["U"], p["b"]).unbind():
                state = step(p, from_x, *state)
                hs.append(state[0])
            o = functional.linear(torch.stack(hs), p["V"], p["c"])
            loss = functional.cross_entropy(o.flatten(0, 1), y.flatten(), reduction="sum")
            loss.backward()
            return loss.detach(), {name: parameter.grad for name, parameter in p.items()}

        return run


LAYER, LOOP = PlainLayer(), PlainLoop()
