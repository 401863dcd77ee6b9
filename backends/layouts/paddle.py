"""PaddlePaddle: as PyTorch, names included; gates i f g o and r z n, which it calls r z c, with the reset after.

Its layers hold every weight under two names in a state dictionary: `weight_ih_l0_reverse`, and that of the cell, which
is `0.cell_bw.weight_ih`; a layer with one direction has `0.cell.weight_ih`. A cell alone has `weight_ih`.
Source: `python/paddle/nn/layer/rnn.py`, whose docstrings have the equations.
"""

from __future__ import annotations

import re
from dataclasses import replace

from ..models import Recurrent
from . import torch_nn
from .packing import unsupported_reset_reason

CELL = re.compile(r"(^|\.)(\d+)\.cell(|_fw|_bw)\.(weight_ih|weight_hh|bias_ih|bias_hh|weight_ho)$")


def unsupported(model: Recurrent) -> str:
    if model.cell == "rnn" and model.activation not in ("tanh", "relu"):
        return f"paddle.nn.SimpleRNN has tanh and relu, not {model.activation}"
    return unsupported_reset_reason("paddle.nn.GRU", model, has="after")


def spelled(name: str) -> str:
    """`weight_ih_l0_reverse` of `0.cell_bw.weight_ih`."""
    reverse = "_reverse" if ".cell_bw." in name else ""
    return CELL.sub(rf"\1\4_l\2{reverse}", name)


LAYOUT = replace(torch_nn.LAYOUT, unsupported=unsupported, spelled=spelled, others=(("weight_ho", "a projection"),))
