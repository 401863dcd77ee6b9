"""The names are true of programs that were not made by the catalogue: each here has one mistake, in its own text."""

from __future__ import annotations

import inspect

import numpy as np
import programs
import pytest
from gradparity.backends import FeedForward, Problem, Recurrent, Window, get_backend
from gradparity.compare.diagnosis.search import diagnose
from gradparity.compare.mistakes import MISTAKES
from programs import elman, gru, lstm, perceptron, windowed
from sampling import case

SIZES = {"input_size": 3, "hidden_size": 6, "output_size": 5}
MODELS = {
    elman: Recurrent("rnn", **SIZES),
    windowed: Recurrent("rnn", **SIZES, truncation=Window(3)),
    lstm: Recurrent("lstm", **SIZES),
    gru: Recurrent("gru", **SIZES),
    perceptron: FeedForward((3, 7, 6, 5), activation="sigmoid"),
}
TANH = "(1 - states[t] ** 2)"
SHAPE, NEXT = "T, B = targets.shape", "np.roll(targets, -1, axis=0)"
ALL = "dU, dW, db, dV, dc, dx, dh_next"
NORM = "np.sqrt(sum((d**2).sum() for d in (dU, dW, db, dV, dc)))"
RETURN = 'return loss, {"U"'
Z_FLIPPED = [("n + z * (state - n)", "z * n + (1 - z) * state"), ("dh * (1 - z) * (1 - n", "dh * z * (1 - n")]
Z_FLIPPED += [("(old - n)", "(n - old)"), ("dh = dh * z + dr", "dh = dh * (1 - z) + dr")]
UNPACKED = "(Ui, Uf, Ug, Uo), (Wi, Wf, Wg, Wo), (bi, bf, bg, bo)"
OTHERWISE = "truncated otherwise than asked"

MADE = [
    (elman, "φ′ missing", (f"{TANH} * dh", "dh")),
    (elman, "φ′ taken at h in place of a", (TANH, "(1 - np.tanh(states[t]) ** 2)")),
    (elman, "φ in place of φ′", (TANH, "states[t]")),
    (elman, "φ′ applied twice", (TANH, f"{TANH} ** 2")),
    (elman, "φ′ of the step before", (TANH, "(1 - before**2)")),
    (elman, "tanh′ = 1 − h", (TANH, "(1 - states[t])")),
    (elman, "tanh′ = 1 + h²", (TANH, "(1 + states[t] ** 2)")),
    (elman, "derivative of another activation", (TANH, "states[t] * (1 - states[t])")),
    (elman, "another activation: sigmoid", ("np.tanh(U", "sigmoid(U"), (TANH, "states[t] * (1 - states[t])")),
    (elman, "W transposed", ("dh_next = W.T @", "dh_next = W @")),
    (elman, "dW transposed", ("da @ before.T", "before @ da.T")),
    (elman, "recurrent path dropped", ("V.T @ do + dh_next", "V.T @ do")),
    (elman, "last step only", ("* seen[t]\n        dV", "* seen[t] * (t == T - 1)\n        dV")),
    (elman, "added up over the backward pass", ("dh_next = W.T", "dh_next += W.T")),
    (elman, "sign of the recurrent path", ("dh_next = W.T", "dh_next = -W.T")),
    (elman, "h_t for h_{t−1} in dW", ("da @ before.T", "da @ states[t].T")),
    (elman, "h_{−1} wraps round", ("states[t - 1] if t > 0 else start", "states[t - 1]")),
    (elman, "h_0 left out of dW", ("else start", "else 0 * start")),
    (elman, "assigned in place of added up", ("dW += da", "dW = da")),
    (elman, "assigned in place of added up", ("dc += do", "dc = do")),
    (elman, "h_{t−1} for h_t in the read-out", ("do @ states[t].T", "do @ states[t - 1].T")),
    (elman, "softmax treated elementwise", ("(ps[t] - y)", "-y * (1 - ps[t])")),
    (elman, "softmax treated elementwise", ("(ps[t] - y)", "(ps[t] - y) * ps[t] * (1 - ps[t])")),
    (elman, "derivative of the softmax or sigmoid missing", ("(ps[t] - y)", "-y / ps[t]")),
    (elman, "target not subtracted", ("(ps[t] - y)", "ps[t]")),
    (elman, "averaged over the outputs", ("do = w *", "do = w / len(c) *")),
    (elman, "a small number added inside the logarithm", (".sum(axis=0))[seen", ".sum(axis=0) + 1e-8)[seen")),
    (elman, "bias counted twice", ("db += da", "db += 2 * da")),
    (elman, "bias forgotten", ("V @ states[t] + c", "V @ states[t]")),
    (elman, "bias averaged over the batch", ("da.sum(axis=1", "da.mean(axis=1")),
    (elman, "labels shifted by a step: the next", (SHAPE, f"targets = {NEXT}\n    {SHAPE}")),
    (elman, "labels shifted by a step: the step's before", ("y = one_hot(targets[t]", "y = one_hot(targets[t - 1]")),
    (elman, "initial state ignored", ("start = h0.T", "start = 0 * h0.T")),
    (elman, "sum for mean, or mean for sum", ("w = 1.0", "w = 1 / (T * B)")),
    (elman, "multiplied by T, B or K: 1/B, loss", ("w = 1.0", "w = 1 / B")),
    (elman, "multiplied by T, B or K: 1/T, the gradients", ("do = w *", "do = w / T *")),
    (elman, "sign: all gradients", ("do = w *", "do = -w *")),
    (elman, "clipped: at ±1", (RETURN, f"{ALL} = (np.clip(d, -1, 1) for d in ({ALL}))\n    {RETURN}")),
    (elman, "clipped by norm", (RETURN, f"norm = {NORM}\n    {ALL} = (d / norm for d in ({ALL}))\n    {RETURN}")),
    (
        elman,
        "weight decay added: 0.01",
        (RETURN, f"dU, dW, dV = dU + U / 100, dW + W / 100, dV + V / 100\n    {RETURN}"),
    ),
    (elman, "in backward order of time", ("dx[t]", "dx[T - 1 - t]")),
    (elman, "a single gradient multiplied: db by 0.5", ("db[:, 0]", "db[:, 0] / 2")),
    (elman, f"{OTHERWISE}: stopped every 3", ("dh_next = W.T", "dh_next = (t % 3 > 0) * W.T")),
    (
        elman,
        f"{OTHERWISE}: the last 3 steps alone",
        ("dh = V.T", "dh = (t > T - 4) * V.T"),
        ("* dh * seen[t]", "* (t > T - 4) * dh * seen[t]"),
    ),
    (windowed, f"{OTHERWISE}: each loss reaches back over 4 steps", ("n = 3", "n = 4")),
    (windowed, f"{OTHERWISE}: each loss reaches back over 2 steps", ("n = 3", "n = 2")),
    (windowed, f"{OTHERWISE}: not truncated", ("n = 3", "n = 100")),
    (lstm, "state carried over between samples", ("h, s = h0[sample], c0[sample]\n", "pass\n")),
    (
        lstm,
        "tanh(c) forgotten",
        ("h = o * np.tanh(s)", "h = o * s"),
        ("dh * np.tanh(s_new)", "dh * s_new"),
        (" * (1 - np.tanh(s_new) ** 2)", ""),
    ),
    (lstm, "tanh(c) forgotten", ("dh * np.tanh(s_new)", "dh * s_new")),
    (lstm, "tanh′ of the cell state taken wrongly", ("np.tanh(s_new) ** 2", "s_new**2")),
    (lstm, "c_t for c_{t−1} in the forget gate", ("ds * s_old", "ds * s_new")),
    (lstm, "dc_{t+1} is not carried back", ("ds = ds_next + dh", "ds = dh")),
    (lstm, "path from h_t to the cell state dropped", ("ds_next + dh * o * (1 - np.tanh(s_new) ** 2)", "ds_next")),
    (lstm, "forget gate missing along the cell state", ("ds_next = ds * f", "ds_next = ds")),
    (lstm, "factors of input gate and candidate swapped", ("ds * m * i", "ds * i * i")),
    (lstm, "path through a gate dropped", ("Wi.T @ ti + ", "")),
    (lstm, "σ in place of σ′", ("* f * (1 - f)", "* f")),
    (lstm, "derivative of a gate missing", (" * o * (1 - o)", "")),
    (lstm, "tanh′ and σ′ mixed up", ("* (1 - m**2)", "* m * (1 - m)")),
    (lstm, "1 added to the forget gate's bias", ("Wf @ h + bf", "Wf @ h + bf + 1")),
    (lstm, "gates in another order: gradient", ("[ti, tf, tm, to]", "[ti, tf, to, tm]")),
    (
        lstm,
        "gates in another order: rows",
        (UNPACKED, "(Ui, Uf, Uo, Ug), (Wi, Wf, Wo, Wg), (bi, bf, bo, bg)"),
        ("[ti, tf, tm, to]", "[ti, tf, to, tm]"),
    ),
    (gru, "z flipped", *Z_FLIPPED),
    (gru, "z flipped", Z_FLIPPED[2]),
    (
        gru,
        "b_hn put outside r",
        ("state @ Wn.T + b_hn", "state @ Wn.T"),
        ("r * q)", "r * q + b_hn)"),
        ("d_bhn += dq", "d_bhn += dn"),
    ),
    (gru, "r forgotten behind the candidate", ("(dn, dq)", "(dn, dn)")),
    (gru, "what r multiplies taken wrongly", ("dn * q * r", "dn * old * r")),
    (gru, "direct path through z dropped", ("dh = dh * z + dr", "dh = dr")),
    (gru, "1 − z forgotten in the candidate", ("dh * (1 - z) * (1 - n", "dh * (1 - n")),
    (gru, "a term of the update gate's derivative missing", ("(old - n)", "old")),
    (
        gru,
        "sigmoid in place of tanh for the candidate",
        ("np.tanh(x @ Un", "sigmoid(x @ Un"),
        ("(1 - n**2)", "n * (1 - n)"),
    ),
    (
        gru,
        "reset before in place of after",
        ("state @ Wn.T + b_hn", "(r * state) @ Wn.T + b_hn"),
        ("r * q)", "q)"),
        ("dr = dn * q", "dr = dn @ Wn * old"),
        ("dq = dn * r", "dq = dn"),
        ("from_h.T @ old", "from_h.T @ (r * old if k == 2 else old)"),
        ("dq @ Wn", "dq @ Wn * r"),
    ),
    (perceptron, "φ′ missing", ("(a[-1] - y) * a[-1] * (1 - a[-1])", "a[-1] - y")),
    (perceptron, "φ′ missing", (" * (a[k] * (1 - a[k]))", "")),
    (perceptron, "φ′ taken at h", ("(a[k] * (1 - a[k]))", "sigmoid(a[k]) * (1 - sigmoid(a[k]))")),
    (perceptron, "½ of the squared error forgotten", ("delta = (a[-1] - y)", "delta = 2 * (a[-1] - y)")),
    (perceptron, "derivative of |o − y|", ("delta = (a[-1] - y)", "delta = np.sign(a[-1] - y)")),
    (perceptron, "bias forgotten", ("W @ a[-1] + b", "W @ a[-1]")),
]


def problem_of(program, lengths=None):
    sizes = {"batch_size": 4} if program is perceptron else {"seq_len": 7, "batch_size": 4, "lengths": lengths}
    return Problem.from_seed(MODELS[program], seed=101, **sizes)


def with_changes(program, changes):
    """The program with other text in some places, each of which it has once."""
    text = inspect.getsource(program)
    for right, wrong in changes:
        assert text.count(right) == 1, right
        text = text.replace(right, wrong)
    names = dict(vars(programs))
    exec(text, names)
    return names[program.__name__]


def judged(program, problem):
    """What it answers, and the names of what is wrong with that."""
    lengths = [] if problem.lengths is None else [problem.lengths]
    loss, gradients = program(problem.params, problem.inputs, problem.targets, *problem.states.values(), *lengths)
    right = get_backend("manual").evaluate(problem)
    truth = {"loss": np.array(right.loss), **right.gradients}
    values = {"loss": np.array(loss), **gradients}
    # numbers here are about 1; the smallest mistake, 1e-8 in a logarithm, is larger, and rounding smaller than this
    return values, {name for name in values if not np.allclose(values[name], truth[name], rtol=1e-11, atol=1e-13)}


@pytest.mark.parametrize("program", MODELS)
@pytest.mark.parametrize("lengths", [None, (7, 1, 4, 6)])
def test_the_programs_are_right_as_they_stand(program, lengths):
    if lengths is None or program is elman:
        assert judged(program, problem_of(program, lengths))[1] == set()


def assert_named(name, program, problem, changes):
    values, wrong = judged(with_changes(program, changes), problem)
    assert wrong
    diagnosis = diagnose([(problem, values)], wrong)
    assert diagnosis.suspects, diagnosis.partly
    assert diagnosis.suspects[0].mistakes[0].startswith(name), [suspect.mistakes for suspect in diagnosis.suspects]
    assert set(diagnosis.suspects[0].explains) == wrong


@pytest.mark.parametrize(
    ("program", "name", "changes"),
    [case(made[0], made[1], made[2:], campaign=number % 12 != 4) for number, made in enumerate(MADE)],
)
def test_a_mistake_in_somebodys_program_is_named_first(program, name, changes):
    assert_named(name, program, problem_of(program), changes)


def test_padded_steps_that_were_counted_are_named():
    seen = ("[t < lengths for", "[lengths > 0 for")
    assert_named("padded steps counted", elman, problem_of(elman, (7, 1, 4, 6)), [seen])


def test_there_are_at_least_forty_mistakes_by_different_names():
    names = [mistake.name for mistake in MISTAKES]
    assert len(names) == len(set(names)) >= 40


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_each_has_a_remedy_of_one_line(mistake):
    assert len(mistake.remedy) > 10
    assert "\n" not in mistake.remedy
    assert not mistake.remedy.endswith(".")
