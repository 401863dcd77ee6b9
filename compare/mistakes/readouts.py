"""Mistakes in the read-out and in the loss. `...` stands for the right side as it should be."""

from __future__ import annotations

from .mistake import line_mistake

SOFTMAX, SIGMOID, SQUARED = "softmax_cross_entropy", "sigmoid_cross_entropy", "squared_error"
OF_PROBABILITIES = "w * softmax_backward(o, softmax(o) - Y)"  # of the squared error ½‖softmax(o) − y‖²

READOUTS = (
    line_mistake(
        "softmax treated elementwise",
        "∂p_i/∂o_j = p_i ([i = j] − p_j): every output moves every probability; with the logarithm, do = p − y",
        {SOFTMAX: "do = -w * Y * (1 - softmax(o))"},
        {SOFTMAX: "do = w * (softmax(o) - Y) * softmax(o) * (1 - softmax(o))"},
        {SOFTMAX: "do = -w * Y * softmax(o) * (1 - softmax(o))"},
    ),
    line_mistake(
        "derivative of the softmax or sigmoid missing or doubled",
        "the cross-entropy's derivative in the linear output is prediction − target, with no further factor",
        {SOFTMAX: "do = -w * Y / softmax(o)"},
        {SIGMOID: "do = w * (sigmoid(o) - Y) * dsigmoid(sigmoid(o))"},
        {SIGMOID: "do = w * (sigmoid(o) - Y) / dsigmoid(sigmoid(o))"},
    ),
    line_mistake(
        "gradient of another loss",
        "do has to be the derivative of the loss that is reported",
        {SOFTMAX: "do = w * (o - Y)", SIGMOID: "do = w * (o - Y)"},
        {SOFTMAX: f"do = {OF_PROBABILITIES}"},
        {SOFTMAX: "do = w * (sigmoid(o) - Y)", SIGMOID: "do = w * (softmax(o) - Y)"},
        {SQUARED: "do = w * (sigmoid(o) - Y)"},
        {SQUARED: "do = w * (softmax(o) - Y)"},
    ),
    line_mistake(
        "another loss",
        "compute the loss that the system has",
        {
            SOFTMAX: "loss += (w * (o - Y) ** 2 / 2).sum() ; do = w * (o - Y)",
            SIGMOID: "loss += (w * (o - Y) ** 2 / 2).sum() ; do = w * (o - Y)",
        },
        {SOFTMAX: f"loss += (w * (softmax(o) - Y) ** 2 / 2).sum() ; do = {OF_PROBABILITIES}"},
        {SIGMOID: "loss += (w * (sigmoid(o) - Y) ** 2 / 2).sum() ; do = w * (sigmoid(o) - Y) * dsigmoid(sigmoid(o))"},
    ),
    line_mistake(
        "target not subtracted",
        "do is prediction − target",
        {SOFTMAX: "do = w * softmax(o)", SIGMOID: "do = w * sigmoid(o)", SQUARED: "do = w * o"},
    ),
    line_mistake(
        "½ of the squared error forgotten",
        "the loss is ½‖o − y‖², whose derivative is o − y",
        {SQUARED: "do = 2 * (...)"},
        {SQUARED: "loss += 2 * (...) ; do = 2 * (...)"},
        {SQUARED: "loss += 2 * (...)"},
    ),
    line_mistake(
        "derivative of |o − y|",
        "the squared error's derivative is o − y, not its sign",
        {SQUARED: "do = w * sign(o - Y)"},
    ),
    line_mistake(
        "averaged over the outputs",
        "the loss is summed over the K outputs",
        {"readout": "do = (...) / K", "output": "do = (...) / K"},
        {"readout": "loss += (...) / K ; do = (...) / K", "output": "loss += (...) / K ; do = (...) / K"},
    ),
    line_mistake(
        "h_{t−1} for h_t in the read-out",
        "o_t = V h_t + c reads the state after the step",
        {"readout": "dV += do.T @ h_before"},
        {"readout": "dV += do.T @ (h_last if first else h_before)"},
        {"readout": "dV += (do.T @ h_before) * (not first)"},
    ),
    line_mistake(
        "V or U transposed",
        "back through o = V h + c goes Vᵀ do, in rows do @ V; and through U x, da @ U",
        {"readout": "dh_above = do @ V.T"},
        {"readout": "dV += h.T @ do"},
        {"cell": "dx = da @ U.T"},
        {"cell": "dU += x.T @ da"},
    ),
    line_mistake(
        "a layer's W transposed",
        "back through z = W a goes Wᵀ δ, in rows delta @ W; dW is delta.T @ a_below",
        {"layer": "da_below = delta @ W.T"},
        {"layer": "dW += a_below.T @ delta"},
    ),
    line_mistake(
        "a small number added inside the logarithm",
        "take the logarithm of the softmax in one piece (log-sum-exp): then no probability can be 0",
        *(
            {
                SOFTMAX: f"loss += -(w * Y * log(softmax(o) + {epsilon})).sum()",
                SIGMOID: f"loss += -(w * (Y * log(sigmoid(o) + {epsilon})"
                f" + (1 - Y) * log(1 - sigmoid(o) + {epsilon}))).sum()",
            }
            for epsilon in ("1e-6", "1e-7", "1e-8", "1e-9", "1e-10", "1e-12")
        ),
    ),
    line_mistake(
        "bias counted twice",
        "a bias enters once; its gradient is the sum of da_t, or of do_t",
        {"cell": "db += 2 * (...)"},
        {"readout": "dc += 2 * (...)"},
        {"layer": "db += 2 * (...)"},
        {
            "rnn": "a = (...) + b",
            "lstm": "a_i, a_f, a_g, a_o = hsplit(x @ U.T + h_before @ W.T + 2 * b, 4)",
            "gru": "x_r, x_z, x_n = hsplit(x @ U.T + 2 * b, 3)",
            "layer": "z = (...) + b",
        },
        {
            "rnn": "a = (...) + b ; db += 2 * (...)",
            "lstm": "a_i, a_f, a_g, a_o = hsplit(x @ U.T + h_before @ W.T + 2 * b, 4) ; db += 2 * (...)",
            "gru": "x_r, x_z, x_n = hsplit(x @ U.T + 2 * b, 3) ; db += 2 * (...)",
            "layer": "z = (...) + b ; db += 2 * (...)",
        },
        {"readout": "o = (...) + c"},
        {"readout": "o = (...) + c ; dc += 2 * (...)"},
    ),
    line_mistake(
        "bias forgotten",
        "add the bias to the linear part",
        {
            "rnn": "a = x @ U.T + h_before @ W.T",
            "lstm": "a_i, a_f, a_g, a_o = hsplit(x @ U.T + h_before @ W.T, 4)",
            "gru": "x_r, x_z, x_n = hsplit(x @ U.T, 3)",
            "layer": "z = a_below @ W.T",
        },
        {"readout": "o = h @ V.T"},
        {"gru after": "q = h_before @ W_n.T"},
    ),
    line_mistake(
        "bias averaged over the batch",
        "a bias serves every sample: its gradient is summed over the batch, as the weights' are",
        {"cell": "db += (...) / B"},
        {"readout": "dc += (...) / B"},
        {"cell": "db += (...) / B ; db_hn += (...) / B", "readout": "dc += (...) / B"},
        {"layer": "db += (...) / B"},
    ),
)

ORDERED = (
    line_mistake(
        "partial in place of total derivative",
        "what a variable receives comes also through every later one that depends on it",
        {"ordered": "total_i = c_i"},
        {"ordered": "dA_i = c_i * z"},
    ),
    line_mistake(
        "own term of the objective forgotten",
        "a variable's total derivative begins with its partial derivative c_i",
        {"ordered": "total_i = total @ A_later if len(total) else c_i"},
    ),
)
