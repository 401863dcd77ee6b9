"""Mistakes in the cells and along time. `...` stands for the right side as it should be."""

from __future__ import annotations

from collections.abc import Callable

from ...backends import Problem
from .mistake import line_mistake

WRAPPED = "(h_last if first else h_before)"


def _has_activation(name: str) -> Callable[[Problem], bool]:
    return lambda problem: getattr(problem.model, "activation", "") == name


def _of_gates(**right_sides: str) -> tuple[dict[str, str], ...]:
    """The variants of a mistake that can be made in one gate of an LSTM, or in all of these at once."""
    of_one = [f"da_{gate} = {right_side}" for gate, right_side in right_sides.items()]
    return tuple({"lstm": text} for text in (*of_one, " ; ".join(of_one)))


PLAIN = (
    line_mistake(
        "φ′ missing",
        "multiply what reaches h by the activation's derivative",
        {"rnn": "da = dh", "hidden": "delta = da"},
        {"squared_error": "delta = do"},
        {"hidden": "delta = da", "squared_error": "delta = do"},
        {"rnn": "dh_before = dh @ W"},
        {"rnn": "db += dh.sum(axis=0)"},
        {"rnn": "dx = dh @ U"},
    ),
    line_mistake(
        "φ′ taken at h in place of a",
        "h is already φ(a): written in h, φ′ needs no further φ (tanh′ = 1 − h², σ′ = h (1 − h))",
        {"rnn": "da = dh * dphi(phi(h))", "hidden": "delta = da * dphi(phi(a))"},
        {"hidden": "delta = da * dphi(phi(a))", "squared_error": "delta = do * dphi(phi(a))"},
        {"squared_error": "delta = do * dphi(phi(a))"},
    ),
    line_mistake(
        "φ′ written in h, but given a",
        "1 − h² and h (1 − h) are to be given h = φ(a), not a",
        {"rnn": "da = dh * dphi(a)", "hidden": "delta = da * dphi(z)"},
        {"hidden": "delta = da * dphi(z)", "squared_error": "delta = do * dphi(z)"},
        {"squared_error": "delta = do * dphi(z)"},
    ),
    line_mistake(
        "φ in place of φ′",
        "multiply by φ′(a), not by φ(a)",
        {"rnn": "da = dh * h", "hidden": "delta = da * a"},
        {"hidden": "delta = da * a", "squared_error": "delta = do * a"},
        {"squared_error": "delta = do * a"},
    ),
    line_mistake(
        "φ′ applied twice",
        "φ′ belongs in da_t once; what reaches h_t is not multiplied by it",
        {"rnn": "da = dh * dphi(h) * dphi(h)", "hidden": "delta = da * dphi(a) * dphi(a)"},
        {"squared_error": "delta = do * dphi(a) * dphi(a)"},
    ),
    line_mistake(
        "φ′ of the step before", "da_t needs φ′ of step t: take h_t, not h_{t−1}", {"rnn": "da = dh * dphi(h_before)"}
    ),
    line_mistake(
        "tanh′ = 1 − h",
        "tanh′ = 1 − h²: the square is missing",
        {"rnn": "da = dh * (1 - h)", "hidden": "delta = da * (1 - a)"},
        where=_has_activation("tanh"),
    ),
    line_mistake(
        "tanh′ = 1 + h²",
        "tanh′ = 1 − h²: the sign",
        {"rnn": "da = dh * (1 + h * h)", "hidden": "delta = da * (1 + a * a)"},
        where=_has_activation("tanh"),
    ),
    line_mistake(
        "σ′ = 1 − h",
        "σ′ = h (1 − h): the factor h is missing",
        {"rnn": "da = dh * (1 - h)", "hidden": "delta = da * (1 - a)"},
        {"hidden": "delta = da * (1 - a)", "squared_error": "delta = do * (1 - a)"},
        where=_has_activation("sigmoid"),
    ),
    line_mistake(
        "derivative of another activation",
        "take the derivative of the activation that the forward pass uses",
        {"rnn": "da = dh * dtanh(h)", "hidden": "delta = da * dtanh(a)"},
        {"hidden": "delta = da * dtanh(a)", "squared_error": "delta = do * dtanh(a)"},
        {"rnn": "da = dh * dsigmoid(h)", "hidden": "delta = da * dsigmoid(a)"},
        {"hidden": "delta = da * dsigmoid(a)", "squared_error": "delta = do * dsigmoid(a)"},
        {"rnn": "da = dh * (h > 0)", "hidden": "delta = da * (a > 0)"},
    ),
    line_mistake(
        "W transposed",
        "the product forward is W h_{t−1}; back it is Wᵀ da_t, and in rows da @ W",
        {"rnn": "dh_before = da @ W.T"},
        {"lstm": "dh_before = da_i @ W_i.T + da_f @ W_f.T + da_g @ W_g.T + da_o @ W_o.T"},
        {"gru after": "dh_before = dh * z + da_r @ W_r.T + da_z @ W_z.T + dq @ W_n.T"},
        {"rnn": "a = x @ U.T + h_before @ W + b"},
        {"rnn": "a = x @ U.T + h_before @ W + b ; dh_before = da @ W.T ; dW += h_before.T @ da"},
    ),
    line_mistake(
        "dW transposed",
        "dW is the outer product of da_t with h_{t−1}, in this order: in rows da.T @ h_before",
        {"rnn": "dW += h_before.T @ da"},
        {"lstm": "dW += vstack([h_before.T @ da_i, h_before.T @ da_f, h_before.T @ da_g, h_before.T @ da_o])"},
        {"gru after": "dW += vstack([h_before.T @ da_r, h_before.T @ da_z, h_before.T @ dq])"},
    ),
)

TIME = (
    line_mistake(
        "recurrent path dropped: dh_{t+1} is not carried back",
        "a state receives from its read-out and from the step after it: add both",
        {"cell": "dh = dh_above"},
    ),
    line_mistake(
        "added up over the backward pass, where it should be replaced",
        "what h_{t−1} receives replaces what h_t received; = and not +=",
        {"cell": "dh_before = dh_later + (...)"},
        {"cell": "dh_before = dh + (...)"},
    ),
    line_mistake(
        "sign of the recurrent path", "what h_{t−1} receives has the sign of da_t", {"cell": "dh_before = -(...)"}
    ),
    line_mistake(
        "h_t for h_{t−1} in dW",
        "W was applied to the state before the step",
        {
            "rnn": "dW += da.T @ h",
            "lstm": "dW += da.T @ h",
            "gru after": "dW += vstack([da_r.T @ h, da_z.T @ h, dq.T @ h])",
            "gru before": "dW += vstack([da_r.T @ h, da_z.T @ h, da_n.T @ (r * h)])",
        },
    ),
    line_mistake(
        "h_{−1} wraps round to the last state",
        "a list of h_1 … h_T has no h_0: at the first step index −1 is the last state; put h_0 in front of it",
        {
            "rnn": f"dW += da.T @ {WRAPPED}",
            "lstm": f"dW += da.T @ {WRAPPED}",
            "gru after": f"dW += vstack([da_r.T @ {WRAPPED}, da_z.T @ {WRAPPED}, dq.T @ {WRAPPED}])",
            "gru before": f"dW += vstack([da_r.T @ {WRAPPED}, da_z.T @ {WRAPPED}, da_n.T @ (r * {WRAPPED})])",
        },
        {"lstm": f"dW += da.T @ {WRAPPED} ; da_f = dc * (c_last if first else c_before) * dsigmoid(f)"},
        {"lstm": "da_f = dc * (c_last if first else c_before) * dsigmoid(f)"},
    ),
    line_mistake(
        "h_0 left out of dW",
        "the first step applies W to h_0: its term belongs into dW as well",
        {"cell": "dW += (...) * (not first)"},
    ),
    line_mistake(
        "assigned in place of added up",
        "a weight is used at every step: its gradient is a sum over the steps; += and not =",
        *({"cell": f"{name} = ..."} for name in ("dU", "dW", "db")),
        {"cell": "dU = ... ; dW = ... ; db = ..."},
        {"cell": "dU = ... ; dW = ... ; db = ... ; db_hn = ..."},
        *({"readout": f"{name} = ..."} for name in ("dV", "dc")),
        *({"readout": f"{name} += (...) * first"} for name in ("dV", "dc")),
        {
            "readout": "dV += (...) * first ; dc += (...) * first",
            "cell": "dU = ... ; dW = ... ; db = ... ; db_hn = ...",
        },
        {"readout": "dV = ... ; dc = ...", "cell": "dU = ... ; dW = ... ; db = ... ; db_hn = ..."},
        {"readout": "dV += (...) * first ; dc += (...) * first"},
        {"readout": "dV = ... ; dc = ..."},
    ),
)

LSTM = (
    line_mistake(
        "σ in place of σ′ in a gate",
        "a gate's linear part receives σ′ = σ (1 − σ), the candidate's 1 − g²",
        *_of_gates(o="dh * tanh(c) * o", f="dc * c_before * f", i="dc * g * i"),
        {"gru after": "da_r = dr * r"},
        {"gru before": "da_r = d_rh * h_before * r"},
        {"gru": "da_z = dh * (h_before - n) * z"},
        {"lstm": "da_g = dc * i * g"},
        {"gru": "da_n = dh * (1 - z) * n"},
    ),
    line_mistake(
        "derivative of a gate missing",
        "what reaches a gate is multiplied by σ′ of that gate, and what reaches the candidate by tanh′",
        *_of_gates(o="dh * tanh(c)", f="dc * c_before", i="dc * g"),
        {"lstm": "da_g = dc * i"},
        {"lstm": "da_o = dh * tanh(c) ; da_f = dc * c_before ; da_i = dc * g ; da_g = dc * i"},
        {"gru after": "da_r = dr"},
        {"gru before": "da_r = d_rh * h_before"},
        {"gru": "da_z = dh * (h_before - n)"},
        {"gru": "da_n = dh * (1 - z)"},
    ),
    line_mistake(
        "tanh′ and σ′ mixed up",
        "i, f, o, r and z are sigmoids; the candidate is a tanh",
        *_of_gates(o="dh * tanh(c) * dtanh(o)", f="dc * c_before * dtanh(f)", i="dc * g * dtanh(i)"),
        {"lstm": "da_g = dc * i * dsigmoid(g)"},
        {"gru after": "da_r = dr * dtanh(r)"},
        {"gru before": "da_r = d_rh * h_before * dtanh(r)"},
        {"gru": "da_z = dh * (h_before - n) * dtanh(z)"},
        {"gru": "da_n = dh * (1 - z) * dsigmoid(n)"},
    ),
    line_mistake(
        "sigmoid in place of tanh for the candidate",
        "g and n are tanh of their linear part",
        {
            "lstm": "i, f, g, o = sigmoid(a_i), sigmoid(a_f), sigmoid(a_g), sigmoid(a_o) ; da_g = dc * i * dsigmoid(g)",
            "gru after": "n = sigmoid(x_n + r * q) ; da_n = dh * (1 - z) * dsigmoid(n)",
            "gru before": "n = sigmoid(x_n + (r * h_before) @ W_n.T) ; da_n = dh * (1 - z) * dsigmoid(n)",
        },
    ),
    line_mistake(
        "dc_{t+1} is not carried back",
        "the cell state receives from the cell state after it: add dc_later",
        {"lstm": "dc = dh * o * dtanh(tanh(c))"},
    ),
    line_mistake(
        "path from h_t to the cell state dropped",
        "h_t = o ⊙ tanh(c_t): what reaches h_t goes on into c_t at every step",
        {"lstm": "dc = dc_later"},
        {"lstm": "dc = dc_later + last * (dh * o * dtanh(tanh(c)))"},
    ),
    line_mistake(
        "forget gate missing along the cell state",
        "c_t = f ⊙ c_{t−1} + …: what c_{t−1} receives is multiplied by f",
        {"lstm": "dc_before = dc"},
        {"lstm": "dc_before = dc * i"},
    ),
    line_mistake(
        "tanh(c) forgotten",
        "h_t = o ⊙ tanh(c_t): tanh stands in da_o, and its derivative in dc",
        {"lstm": "h = o * c ; da_o = dh * c * dsigmoid(o) ; dc = dc_later + dh * o"},
        {"lstm": "da_o = dh * c * dsigmoid(o) ; dc = dc_later + dh * o"},
        {"lstm": "da_o = dh * c * dsigmoid(o)"},
        {"lstm": "dc = dc_later + dh * o"},
    ),
    line_mistake(
        "tanh′ of the cell state taken wrongly",
        "the derivative is 1 − tanh²(c_t)",
        {"lstm": "dc = dc_later + dh * o * dtanh(c)"},
        {"lstm": "dc = dc_later + dh * o * dtanh(tanh(tanh(c)))"},
        {"lstm": "dc = dc_later + dh * o * tanh(c)"},
        {"lstm": "dc = dc_later + dh * dtanh(tanh(c))"},
    ),
    line_mistake(
        "c_t for c_{t−1} in the forget gate",
        "f multiplies the cell state before the step",
        {"lstm": "da_f = dc * c * dsigmoid(f)"},
    ),
    line_mistake(
        "factors of input gate and candidate swapped",
        "c_t = … + i ⊙ g: what reaches i is multiplied by g, and what reaches g by i",
        {"lstm": "da_i = dc * i * dsigmoid(i) ; da_g = dc * g * dtanh(g)"},
        {"lstm": "da_i = dc * i * dsigmoid(i)"},
        {"lstm": "da_g = dc * g * dtanh(g)"},
    ),
    line_mistake(
        "path through a gate dropped on the way to h_{t−1}",
        "h_{t−1} is used in every gate: it receives from each of them",
        {"lstm": "dh_before = da_f @ W_f + da_g @ W_g + da_o @ W_o"},
        {"lstm": "dh_before = da_i @ W_i + da_g @ W_g + da_o @ W_o"},
        {"lstm": "dh_before = da_i @ W_i + da_f @ W_f + da_o @ W_o"},
        {"lstm": "dh_before = da_i @ W_i + da_f @ W_f + da_g @ W_g"},
        {
            "gru after": "dh_before = dh * z + da_z @ W_z + dq @ W_n",
            "gru before": "dh_before = dh * z + da_z @ W_z + d_rh * r",
        },
        {
            "gru after": "dh_before = dh * z + da_r @ W_r + dq @ W_n",
            "gru before": "dh_before = dh * z + da_r @ W_r + d_rh * r",
        },
        {"gru": "dh_before = dh * z + da_r @ W_r + da_z @ W_z"},
    ),
)

GRU = (
    line_mistake(
        "z flipped",
        "h_t = (1 − z) ⊙ n + z ⊙ h_{t−1}: z keeps the state",
        {
            "gru": "h = z * n + (1 - z) * h_before ; "
            "da_n = dh * z * dtanh(n) ; da_z = dh * (n - h_before) * dsigmoid(z)",
            "gru after": "dh_before = dh * (1 - z) + da_r @ W_r + da_z @ W_z + dq @ W_n",
            "gru before": "dh_before = dh * (1 - z) + da_r @ W_r + da_z @ W_z + d_rh * r",
        },
        {"gru": "h = z * n + (1 - z) * h_before"},
        {"gru": "da_n = dh * z * dtanh(n)"},
        {"gru": "da_z = dh * (n - h_before) * dsigmoid(z)"},
        {
            "gru after": "dh_before = dh * (1 - z) + da_r @ W_r + da_z @ W_z + dq @ W_n",
            "gru before": "dh_before = dh * (1 - z) + da_r @ W_r + da_z @ W_z + d_rh * r",
        },
    ),
    line_mistake(
        "direct path through z dropped",
        "h_t contains z ⊙ h_{t−1}: h_{t−1} receives dh ⊙ z beside what comes through the gates",
        {
            "gru after": "dh_before = da_r @ W_r + da_z @ W_z + dq @ W_n",
            "gru before": "dh_before = da_r @ W_r + da_z @ W_z + d_rh * r",
        },
        {
            "gru after": "dh_before = dh + da_r @ W_r + da_z @ W_z + dq @ W_n",
            "gru before": "dh_before = dh + da_r @ W_r + da_z @ W_z + d_rh * r",
        },
    ),
    line_mistake(
        "1 − z forgotten in the candidate", "n enters h_t multiplied by 1 − z", {"gru": "da_n = dh * dtanh(n)"}
    ),
    line_mistake(
        "a term of the update gate's derivative missing",
        "h_t depends on z twice, in (1 − z) ⊙ n and in z ⊙ h_{t−1}: dz = dh ⊙ (h_{t−1} − n)",
        {"gru": "da_z = dh * h_before * dsigmoid(z)"},
        {"gru": "da_z = dh * -n * dsigmoid(z)"},
        {"gru": "da_z = dh * (h - n) * dsigmoid(z)"},
    ),
    line_mistake(
        "r forgotten behind the candidate",
        "what r multiplies (after: W_n h_{t−1} + b_hn, before: h_{t−1}) goes back multiplied by r",
        {
            "gru after": "dq = da_n",
            "gru before": "dW += vstack([da_r.T @ h_before, da_z.T @ h_before, da_n.T @ h_before])",
        },
        {"gru after": "dW += vstack([da_r.T @ h_before, da_z.T @ h_before, da_n.T @ h_before])"},
        {"gru after": "db_hn += da_n.sum(axis=0)"},
        {
            "gru after": "dW += vstack([da_r.T @ h_before, da_z.T @ h_before, da_n.T @ h_before]) ; "
            "db_hn += da_n.sum(axis=0)"
        },
        {
            "gru after": "dh_before = dh * z + da_r @ W_r + da_z @ W_z + da_n @ W_n",
            "gru before": "dh_before = dh * z + da_r @ W_r + da_z @ W_z + d_rh",
        },
    ),
    line_mistake(
        "what r multiplies taken wrongly",
        "with the reset after, dr = da_n ⊙ (W_n h_{t−1} + b_hn); with it before, dr = (W_nᵀ da_n) ⊙ h_{t−1}",
        {"gru after": "dr = da_n * h_before"},
        {"gru after": "dr = da_n * (q - b_hn)"},
        {"gru before": "da_r = da_n * h_before * dsigmoid(r)"},
    ),
    line_mistake(
        "reset before in place of after",
        "r multiplies the product W_n h_{t−1} + b_hn, not h_{t−1} itself, as in PyTorch and cuDNN",
        {
            "gru after": "q = (r * h_before) @ W_n.T + b_hn ; n = tanh(x_n + q) ; "
            "dr = (da_n @ W_n) * h_before ; dq = da_n ; "
            "dh_before = dh * z + da_r @ W_r + da_z @ W_z + (da_n @ W_n) * r ; "
            "dW += vstack([da_r.T @ h_before, da_z.T @ h_before, da_n.T @ (r * h_before)])"
        },
        equations=(68, 73, 77),
    ),
    line_mistake(
        "reset after in place of before",
        "r multiplies h_{t−1} before the product with W_n, as in the original paper",
        {
            "gru before": "n = tanh(x_n + r * (h_before @ W_n.T)) ; d_rh = da_n * r ; "
            "da_r = da_n * (h_before @ W_n.T) * dsigmoid(r) ; "
            "dh_before = dh * z + da_r @ W_r + da_z @ W_z + (da_n * r) @ W_n ; "
            "dW += vstack([da_r.T @ h_before, da_z.T @ h_before, (da_n * r).T @ h_before])"
        },
        equations=(66, 67, 72, 76),
    ),
    line_mistake(
        "b_hn put outside r",
        "b_hn stands within what r multiplies: n = tanh(x_n + r ⊙ (W_n h_{t−1} + b_hn))",
        {
            "gru after": "q = h_before @ W_n.T ; n = tanh(x_n + r * q + b_hn) ; db_hn += da_n.sum(axis=0)",
        },
    ),
)
