"""The gradient of every network, as lines of text that can be run: what a mistake is a change of.

Each line is an equation of `manual/derivation.md` for one step and a batch in rows, with its number. A section is the
part of a pass that is executed as one: a step of a cell forward, a step of it backward, the read-out, a layer. A
mistake replaces lines by others with the same left side; what is shown to a person is the text that was run.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from types import CodeType
from typing import NamedTuple

LINE = re.compile(r"(?P<left>[\w, ]+?) (?P<sign>\+?=) (?P<right>.+?)(?:\s+# \((?P<equation>\d+)\))?")


class Line(NamedTuple):
    """A statement.

    Attributes:
        left: what it assigns, or adds to.
        text: the whole statement.
        equation: its number in the derivation; None for one that only prepares another.
    """

    left: str
    text: str
    equation: int | None


def parse(text: str) -> tuple[Line, ...]:
    """The lines of a section, one below the other."""
    lines = []
    for each in filter(None, map(str.strip, text.splitlines())):
        found = LINE.fullmatch(each)
        assert found, each
        statement = f"{found['left']} {found['sign']} {found['right']}"
        lines.append(Line(found["left"], statement, int(found["equation"]) if found["equation"] else None))
    return tuple(lines)


FORWARD = {
    "rnn": parse("""
        a = x @ U.T + h_before @ W.T + b                                  # (1)
        h = phi(a)                                                        # (2)
    """),
    "lstm": parse("""
        a_i, a_f, a_g, a_o = gates(x @ U.T + h_before @ W.T + b)          # (54)
        i, f, g, o = sigmoid(a_i), sigmoid(a_f), tanh(a_g), sigmoid(a_o)  # (55)
        c = f * c_before + i * g                                          # (56)
        h = o * tanh(c)                                                   # (57)
    """),
    "gru after": parse("""
        x_r, x_z, x_n = gates(x @ U.T + b)
        r, z = sigmoid(x_r + h_before @ W_r.T), sigmoid(x_z + h_before @ W_z.T)  # (65)
        q = h_before @ W_n.T + b_hn                                       # (66)
        n = tanh(x_n + r * q)                                             # (67)
        h = (1 - z) * n + z * h_before                                    # (69)
    """),
    "gru before": parse("""
        x_r, x_z, x_n = gates(x @ U.T + b)
        r, z = sigmoid(x_r + h_before @ W_r.T), sigmoid(x_z + h_before @ W_z.T)  # (65)
        n = tanh(x_n + (r * h_before) @ W_n.T)                            # (68)
        h = (1 - z) * n + z * h_before                                    # (69)
    """),
}

THROUGH_TIME = "dh = dh_above + dh_later  # (32)"
AFFINE = """
        dU += da.T @ x                                                    # (35)
        db += da.sum(axis=0)                                              # (37)
        dx = da @ U                                                       # (38)
"""

BACKWARD = {
    "rnn": parse(f"""
        {THROUGH_TIME}
        da = dh * dphi(h)                                                 # (33)
        dh_before = da @ W                                                # (34)
        dW += da.T @ h_before                                             # (36)
        {AFFINE}
    """),
    "lstm": parse(f"""
        {THROUGH_TIME}
        da_o = dh * tanh(c) * dsigmoid(o)                                 # (58)
        dc = dc_later + dh * o * dtanh(tanh(c))                           # (59)
        da_f = dc * c_before * dsigmoid(f)                                # (60)
        da_i = dc * g * dsigmoid(i)                                       # (61)
        da_g = dc * i * dtanh(g)                                          # (62)
        da = joined(da_i, da_f, da_g, da_o)
        dc_before = dc * f                                                # (63)
        dh_before = da @ W                                                # (64)
        dW += da.T @ h_before                                             # (36)
        {AFFINE}
    """),
    "gru after": parse(f"""
        {THROUGH_TIME}
        da_n = dh * (1 - z) * dtanh(n)                                    # (70)
        da_z = dh * (h_before - n) * dsigmoid(z)                          # (71)
        dr = da_n * q                                                     # (72)
        dq = da_n * r                                                     # (76)
        da_r = dr * dsigmoid(r)                                           # (74)
        da = joined(da_r, da_z, da_n)
        dh_before = dh * z + da_r @ W_r + da_z @ W_z + dq @ W_n           # (75)
        dW += below(da_r.T @ h_before, da_z.T @ h_before, dq.T @ h_before)  # (36)
        db_hn += dq.sum(axis=0)                                           # (78)
        {AFFINE}
    """),
    "gru before": parse(f"""
        {THROUGH_TIME}
        da_n = dh * (1 - z) * dtanh(n)                                    # (70)
        da_z = dh * (h_before - n) * dsigmoid(z)                          # (71)
        d_rh = da_n @ W_n                                                 # (73)
        da_r = d_rh * h_before * dsigmoid(r)                              # (74)
        da = joined(da_r, da_z, da_n)
        dh_before = dh * z + da_r @ W_r + da_z @ W_z + d_rh * r           # (75)
        dW += below(da_r.T @ h_before, da_z.T @ h_before, da_n.T @ (r * h_before))  # (77)
        {AFFINE}
    """),
}

LOSSES = {
    "softmax_cross_entropy": """
        loss += (w * cross_entropy(o, Y)).sum()                           # (14)
        do = w * (softmax(o) - Y)                                         # (15)
    """,
    "sigmoid_cross_entropy": """
        loss += (w * (Y * softplus(-o) + (1 - Y) * softplus(o))).sum()    # (17)
        do = w * (sigmoid(o) - Y)                                         # (18)
    """,
    "squared_error": """
        loss += (w * (o - Y) ** 2 / 2).sum()                              # (19)
        do = w * (o - Y)                                                  # (20)
    """,
}

READOUT = {
    loss: parse(f"""
        o = h @ V.T + c                                                   # (4)
        {lines}
        dV += do.T @ h                                                    # (29)
        dc += do.sum(axis=0)                                              # (30)
        dh_above = do @ V                                                 # (31)
    """)
    for loss, lines in LOSSES.items()
}

LAYER_FORWARD = parse("""
        z = a_below @ W.T + b                                             # (81)
        a = phi(z)                                                        # (82)
""")
OUTPUT = {
    loss: parse(f"""
        {"o = a" if loss == "squared_error" else "o = z"}
        {lines}
        delta = {"do * dphi(a)" if loss == "squared_error" else "do"}     # (83)
    """)
    for loss, lines in LOSSES.items()
}
LAYER_HIDDEN = parse("delta = da * dphi(a)  # (86)")
LAYER_BACKWARD = parse("""
        dW += delta.T @ a_below                                           # (84)
        db += delta.sum(axis=0)                                           # (85)
        da_below = delta @ W
""")

ORDERED_FORWARD = parse("""
        z_i = z_i if first else A_i @ z                                   # (24)
        E += c_i * z_i                                                    # (25)
""")
ORDERED_BACKWARD = parse("""
        total_i = c_i + total @ A_later                                   # (26)
        dA_i = total_i * z                                                # (27)
""")


def changed(section: tuple[Line, ...], replacements: Mapping[str, str]) -> tuple[Line, ...]:
    """A section with lines replaced by others of the same left side; those without one in it are left out."""
    return tuple(line._replace(text=replacements[line.left]) if line.left in replacements else line for line in section)


@lru_cache(maxsize=4096)
def compiled(section: tuple[Line, ...]) -> CodeType:
    """A section, ready to be executed."""
    return compile("\n".join(line.text for line in section), "<lines>", "exec")
