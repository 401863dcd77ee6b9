"""The hand derivation, compiled: it is the plain equations, and right; what has no rule is refused.

Numba takes seconds to compile a network. So most tests run the text that it would compile, as it stands, and a campaign
compiles it.
"""

import ast
import inspect
import os
import re
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from extended import without_shape_checks
from gradparity.backends import FeedForward, Problem, Recurrent, UnsupportedProblemError, Window, get_backend
from gradparity.backends.checks import DTYPES
from gradparity.backends.compiling.elementary import elementary_functions
from gradparity.backends.compiling.recurrence import recorded
from gradparity.backends.compiling.source import source_of
from gradparity.backends.compiling.stand_ins import NoRuleError
from gradparity.backends.models import ACTIVATIONS, LOSSES
from gradparity.backends.optional import manual_compiled_backend
from gradparity.compare import compare
from gradparity.compare.referee.explanation import explain
from gradparity.manual import equations, plain_loops
from numba import njit
from sampling import case, chequered

RNN, LSTM, GRU = (Recurrent(cell, 3, 5, 4) for cell in ("rnn", "lstm", "gru"))
MODELS = {
    "rnn": RNN,
    "lstm": LSTM,
    "gru": GRU,
    "gru, reset before": replace(GRU, reset="before"),
    "without biases": replace(GRU, bias=False),
    "one matrix": replace(RNN, concatenated=True),
    "mean of the last steps": replace(LSTM, loss_at="last_step", reduction="mean"),
}
RECORDED = {  # the arguments of `recorded`
    "rnn": (plain_loops.rnn, 1, ("h0",), {"activation": "tanh"}),
    "lstm": (plain_loops.lstm, 4, ("h0", "c0"), {}),
    "gru": (plain_loops.gru, 3, ("h0",), {"candidate_bias": True}),
    "gru, reset before": (plain_loops.gru, 3, ("h0",), {}),
}


def sum_columns(rows, B, out):
    out[:] = rows.sum(axis=0)


def interpreted(source, dtype):
    """What `function.compiled` returns, by Python and NumPy alone."""
    number = np.dtype(dtype).type
    namespace = {name: number(value) for name, value in source.constants.items()}
    namespace |= {"zero": number(0), "one": number(1), "least": number(-np.inf), "sum_columns": sum_columns}
    namespace |= {"dot": lambda left, right, out: np.dot(left, right, out=out), "maximum": np.maximum}
    namespace |= {name: getattr(np, name) for name in ("exp", "tanh", "log", "log1p")}
    exec(source.text, namespace)

    def quiet(*arguments):
        with np.errstate(all="ignore"):
            return namespace["run"](*arguments)

    return quiet


@pytest.fixture(autouse=True)
def unchecked_shapes():
    """What stands in for an array has no shape that jaxtyping could check."""
    with without_shape_checks():
        yield


@pytest.fixture
def compiler(request, monkeypatch):
    """Numba if it is asked for, and else none."""
    manual_compiled_backend._program.cache_clear()
    if not getattr(request, "param", False):
        monkeypatch.setattr(manual_compiled_backend, "compiled", interpreted)
    yield
    manual_compiled_backend._program.cache_clear()


COMPILERS = [case(False, campaign=False, id="text"), case(True, campaign=True, id="compiled")]
by_both = pytest.mark.parametrize("compiler", COMPILERS, indirect=True)
of_every_model = pytest.mark.parametrize("name", MODELS)
of_both_dtypes = pytest.mark.parametrize("dtype", DTYPES)


def make(model=RNN, dtype="float64", batch_size=2, **options):
    return Problem.from_seed(model, seed=0, dtype=dtype, seq_len=6, batch_size=batch_size, **options)


def assert_agrees(problem):
    comparison = compare(problem, ["manual", "manual-compiled"])
    assert set(comparison.answers) == {"manual", "manual-compiled"}, explain(comparison)
    assert comparison.verdict == "agree", explain(comparison)


@by_both
@of_both_dtypes
@of_every_model
def test_the_compiled_equations_agree_with_the_hand_derivation(name, dtype, compiler):
    assert_agrees(make(MODELS[name], dtype))


@by_both
@of_both_dtypes
@of_every_model
def test_they_agree_on_a_single_sample(name, dtype, compiler):
    assert_agrees(make(MODELS[name], dtype, batch_size=1))


@pytest.mark.parametrize(("activation", "loss"), chequered(ACTIVATIONS, LOSSES))
def test_they_agree_with_every_activation_and_loss(activation, loss, compiler):
    assert_agrees(make(replace(RNN, activation=activation, loss=loss)))


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru", "mean of the last steps"])
def test_they_agree_on_unequal_lengths_whatever_lies_past_them(name, compiler):
    problem = make(MODELS[name], lengths=[6, 2])
    inputs = problem.inputs.copy()
    inputs[2:, 1] = 0.9 * np.finfo("float64").max
    assert_agrees(replace(problem, inputs=inputs))


@by_both
def test_a_prepared_run_returns_the_parameters_gradients_in_arrays_of_their_own(compiler):
    problem = make(GRU, "float32")
    evaluation, run = get_backend("manual-compiled").evaluate(problem), get_backend("manual-compiled").prepare(problem)
    (loss, gradients), (_, others) = run(), run()
    assert float(loss) == evaluation.loss
    assert gradients.keys() == problem.params.keys()
    for name, gradient in gradients.items():
        assert gradient.dtype == "float32"
        assert not np.shares_memory(gradient, others[name])
        np.testing.assert_array_equal(gradient, evaluation.gradients[name])


def numbered_lines():
    """The functions that the plain loops call, with each of their lines that has a number."""
    source = inspect.getsource(equations)
    called = re.findall(r"equations\.(\w+)", "".join(map(inspect.getsource, (*functions(), plain_loops._read_out))))
    called += ["softmax_cross_entropy", "cross_entropy"]
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef) and node.name in called:
            text = ast.get_source_segment(source, node)
            for line in text.splitlines():
                if re.search(r"# \(\d+\)$", line):
                    yield pytest.param(node.name, text, line, id=line.rpartition("# ")[2] + node.name)


def functions():
    return dict.fromkeys(program for program, *_ in RECORDED.values())


def scaled(line):
    """A line whose right side is 3 times what it was; of a sum over rows, its first factor is."""
    left, sign, right = re.match(r"(.*?)( \+?= )(.*?)  #", line).groups()
    if ".T @" in right:
        right = re.sub(r"(\w+)\.T @", r"(3 * \1).T @", right)
    elif right.endswith(".sum(axis=0)"):
        right = f"(3 * {right.removesuffix('.sum(axis=0)')}).sum(axis=0)"
    elif right.endswith(".sum()"):
        right = f"(3 * {right.removesuffix('.sum()')}).sum()"
    elif right.startswith("hsplit("):
        right = right.replace("hsplit(", "hsplit(3 * (").replace(", 4)", "), 4)")
    elif "," in left:
        right = f"3 * {right}"
    else:
        right = f"3 * ({right})"
    return left + sign + right


@pytest.mark.parametrize(("function", "text", "line"), list(numbered_lines()))
def test_a_changed_equation_changes_what_is_compiled(function, text, line, monkeypatch):
    before = {name: text_of(name) for name in RECORDED}
    namespace = dict(vars(equations))
    exec("from __future__ import annotations\n" + text.replace(line, scaled(line)), namespace)
    if function == "cross_entropy":
        monkeypatch.setitem(vars(equations), function, namespace[function])
    elif function == "softmax_cross_entropy":
        monkeypatch.setitem(plain_loops.LOSSES, function, namespace[function])
    else:
        monkeypatch.setattr(equations, function, namespace[function])
    changed = {name for name, source in before.items() if text_of(name) != source}
    assert changed == {name for name in RECORDED if uses(name, function)}


def text_of(name):
    program, gates, states, options = RECORDED[name]
    return source_of(recorded(program, gates, states, **options), single_row=False)


def uses(name, function):
    """Whether a cell is computed by a function of the equations; those of one cell have its name in theirs."""
    if function == "recurrent_weights_backward":
        return name in ("rnn", "lstm")
    cell = function.split("_")[0]
    if cell not in ("rnn", "lstm", "gru"):
        return True
    reset = "before" if "before" in name else "after"
    return name.startswith(cell) and not ({"before", "after"} - {reset}) & set(function.split("_"))


@by_both
def test_a_fault_planted_in_an_equation_is_found_by_the_referee(compiler, monkeypatch):
    def gru_state(h_before, z, n):
        return (1 - z) * n + z * n

    monkeypatch.setattr(equations, "gru_state", gru_state)
    comparison = compare(make(GRU), ["manual", "manual-compiled"])
    assert comparison.verdict == "disagree"


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (FeedForward((3, 4)), "manual-compiled computes recurrent networks only"),
        (replace(RNN, num_layers=2), "manual-compiled has one layer in one direction"),
        (replace(GRU, bidirectional=True), "manual-compiled has one layer in one direction"),
        (replace(RNN, truncation=Window(2)), "manual-compiled has no truncation"),
        (replace(RNN, differentiation="forward"), "manual-compiled differentiates in reverse mode only"),
    ],
)
def test_what_it_cannot_compute_it_refuses_with_a_reason(model, reason):
    assert get_backend("manual-compiled").supports(model, "float64").startswith(reason)


@pytest.mark.parametrize("activation", ["relu", "identity"])
def test_lengths_are_refused_where_a_state_could_overflow_past_them(activation):
    problem = make(replace(RNN, activation=activation), lengths=[6, 2])
    with pytest.raises(UnsupportedProblemError, match=f"^manual-compiled has no lengths with {activation}: "):
        get_backend("manual-compiled").evaluate(problem)


def planted(**changes):
    """The plain cell's loop with another function of NumPy's, or another equation, in it."""
    names = {"rnn_forward", "rnn_backward", "recurrent_weights_backward", "input_backward", "state_backward"}
    names |= {"readout_forward", "readout_backward"}
    other = SimpleNamespace(**{name: getattr(equations, name) for name in names} | changes)
    source = inspect.getsource(plain_loops.rnn).partition("\n")[2]
    read_out = inspect.getsource(plain_loops._read_out)
    namespace = vars(plain_loops) | {"equations": other}
    exec("from __future__ import annotations\n" + read_out + source, namespace)
    return namespace["rnn"]


def counting():
    steps = iter(range(9))

    def rnn_forward(x, h_before, U, W, b, phi):
        return phi(x @ U.T + h_before @ W.T + b * next(steps))

    return rnn_forward


def scalar_gradient(da, h_before, dW):
    dW += (da * h_before).sum()


def overwriting(x, h_before, U, W, b, phi):
    a = x @ U.T + h_before @ W.T
    a += b
    return phi(a)


def uninitialised(x, h_before, U, W, b, phi):
    return phi(x @ U.T + h_before @ W.T + b + np.empty_like(h_before))


def test_the_program_in_which_faults_are_planted_is_the_plain_cells():
    _, gates, states, options = RECORDED["rnn"]
    assert source_of(recorded(planted(), gates, states, **options), single_row=False) == text_of("rnn")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"rnn_forward": lambda x, h, U, W, b, phi: np.sin(x @ U.T + h @ W.T + b)}, "there is no rule for np.sin"),
        ({"rnn_forward": lambda x, h, U, W, b, phi: phi(x @ W.T + b)}, "a product with W has other sizes than W"),
        ({"rnn_forward": counting()}, "the steps that were recorded are not alike"),
        ({"recurrent_weights_backward": lambda da, h, dW: None}, "nothing is added to the gradient of W"),
        ({"recurrent_weights_backward": scalar_gradient}, "dW receives what is no sum over the rows"),
        ({"rnn_forward": overwriting}, "there is no rule for writing into an array that has been computed"),
        ({"rnn_forward": uninitialised}, "the steps that were recorded are not alike"),
    ],
    ids=["no rule", "sizes", "steps that differ", "left out", "no matrix", "overwritten", "never written"],
)
def test_a_program_that_is_no_recurrence_is_refused_and_not_compiled_by_halves(changes, reason):
    _, gates, states, options = RECORDED["rnn"]
    with pytest.raises(NoRuleError, match=f"^{reason}"):
        recorded(planted(**changes), gates, states, **options)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "largest_error"), [("exp", 2), ("tanh", 3)])
def test_elementary_functions_are_right_to_a_few_units_in_the_last_place(name, largest_error, dtype):
    function = elementary_functions(dtype)[name]

    @njit(error_model="numpy")
    def fill(x, out):
        for i in range(x.size):
            out[i] = function(x[i])

    rng = np.random.default_rng(0)
    x = np.concatenate([rng.standard_normal(5000) * scale for scale in (1e-30, 1e-8, 0.01, 1, 10, 80)]).astype(dtype)
    found, more = np.empty_like(x), "float64" if dtype == "float32" else "longdouble"
    fill(x, found)
    with np.errstate(over="ignore", under="ignore"):
        right = getattr(np, name)(x.astype(more))
    normal = (abs(right) > np.finfo(dtype).tiny) & (abs(right) < np.finfo(dtype).max)
    assert normal.sum() > 25_000
    error = abs(found - right)[normal] / np.spacing(abs(right[normal]).astype(dtype))
    assert error.max() <= largest_error
    special = np.array([np.nan, np.inf, -np.inf, 0, -0.0, 1e4, -1e4], dtype)
    fill(special, found)
    with np.errstate(over="ignore", under="ignore"):
        np.testing.assert_array_equal(found[: special.size], getattr(np, name)(special))


@pytest.mark.campaign
@pytest.mark.parametrize("compiler", [True], indirect=True)
def test_what_is_compiled_in_single_precision_is_right_and_has_no_double_in_it(compiler):
    assert_agrees(make(RNN, "float32"))
    options = (RNN.cell, RNN.loss, RNN.activation, RNN.reset)
    _, function = manual_compiled_backend._program(*options, single_row=False, dtype="float32")
    (code,) = function.inspect_llvm().values()
    body = code[code.index("define ") : code.index("@_ZN7cpython")]  # what follows makes a Python number of the loss
    assert "float" in body
    assert "double" not in body


def test_a_missing_package_is_explained_with_the_command_that_installs_it():
    for package in ("numba", "scipy"):
        code = f"""
import importlib.util as u
find = u.find_spec
u.find_spec = lambda name, *rest: None if name == {package!r} else find(name, *rest)
from gradparity.backends import MissingFrameworkError, get_backend
try:
    get_backend("manual-compiled")
except MissingFrameworkError as error:
    print(error)
"""
        expected = f"backend 'manual-compiled' needs {package}, which is not installed: "
        assert in_a_fresh_process(code) == expected + 'pip install "gradparity[numba]"\n'


@pytest.mark.campaign
def test_the_global_state_is_afterwards_as_the_host_had_it():
    code = """
import os, random, threading, warnings
import numpy as np
from gradparity.backends import Problem, Recurrent, get_backend
def state():
    draws = random.getstate(), repr(np.random.get_state())
    return warnings.filters[:], np.geterr(), dict(os.environ), threading.active_count(), draws
import numba
before = state()
backend = get_backend("manual-compiled")
backend.prepare(Problem.from_seed(Recurrent("rnn", 1, 2, 1, loss="squared_error"), seed=0, seq_len=2, batch_size=1))()
assert state() == before
try:
    numba.threading_layer()
except ValueError as error:
    print(error)
"""
    assert in_a_fresh_process(code) == "Threading layer is not initialized.\n"


def in_a_fresh_process(code):
    options = {"capture_output": True, "text": True, "check": True, "env": dict(os.environ)}
    return subprocess.run([sys.executable, "-c", code], **options).stdout
