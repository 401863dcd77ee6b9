"""What rounding, another writing, underflow or a kink can do is no error, and the reason is said."""

from __future__ import annotations

import numpy as np
import pytest
from faults import Faulty, in_gradients
from gradparity.backends import Evaluation, FeedForward, Problem, Recurrent, get_backend
from gradparity.compare import compare
from gradparity.compare.referee import explain
from gradparity.compare.tolerance import measure_tolerance

BACKENDS = ["manual", "torch"]  # jax, which takes a second to compile, where it is what matters


def reasons(comparison):
    return {block.reason for block in comparison.blocks if block.verdict == "undecidable"}


def assert_undecidable(problem, reason, backends=BACKENDS, *, says):
    """Nobody is wrong, no mistake is named, and the reason is said; with a certificate nobody is wrong either."""
    comparison = compare(problem, backends)
    assert (comparison.verdict, reason in reasons(comparison)) == ("undecidable", True), explain(comparison)
    assert says in explain(comparison)
    assert "Likely cause" not in explain(comparison)
    assert compare(problem, backends, certify=True).verdict != "disagree"


# A relu's argument is 0 in decimal numbers, and one of ±1e-17 in binary ones


def at_a_kink(u, x, b=0.0, *, dtype="float64"):
    """One unit whose pre-activation is u·x + b, 0 but for its roundings."""
    model = Recurrent("rnn", len(u), 1, 1, activation="relu", loss="squared_error")
    params = {"U": [u], "W": [[0.5]], "b": [b], "V": [[2.0]], "c": [0.25]}
    arrays = {name: np.array(values, dtype) for name, values in params.items()}
    inputs, targets, h0 = np.array([[x]], dtype), np.array([[[1.0]]], dtype), np.zeros((1, 1), dtype)
    return Problem(model, arrays, inputs, targets, h0=h0)


DECIMALS = [
    ([0.1, 0.2, -0.3], [1.0, 1.0, 1.0], 0.0),
    ([0.1, 0.7, -0.8], [1.0, 1.0, 1.0], 0.0),
    ([0.3, 0.3, 0.3], [0.1, 0.1, 0.1], -0.09),
    ([0.1] * 10, [0.1] * 10, -0.1),
]


@pytest.mark.parametrize(("u", "x", "b"), DECIMALS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_kink_is_undecidable_and_no_error(u, x, b, dtype):
    assert_undecidable(at_a_kink(u, x, b, dtype=dtype), "kink", says="a relu whose argument is 0 up to rounding")


@pytest.mark.parametrize(("u", "x"), [([0.0, 0.0], [1.0, 2.0]), ([3.0, -0.5], [0.0, 0.0]), ([0.0, 2.0], [0.1, 0.0])])
def test_an_argument_that_is_exactly_zero_is_decided(u, x):
    """All frameworks, and the derivation, have the slope 0 there."""
    assert compare(at_a_kink(u, x), BACKENDS).verdict == "agree"


def test_who_takes_the_other_side_of_a_kink_is_not_accused():
    def other_side(answer, problem):
        da = (2 * problem.params["V"]) * 0 + 1.0
        answer.gradients["b"] = np.asarray(da, problem.dtype).reshape(1)

    problem = at_a_kink(*DECIMALS[0])
    assert compare(problem, ["manual", Faulty(other_side)]).verdict == "undecidable"


def test_an_error_beside_a_kink_is_still_found():
    """The outputs and the loss do not depend on the side, and the read-out's bias receives the same from both."""
    problem = at_a_kink(*DECIMALS[0])
    comparison = compare(problem, ["manual", "torch", Faulty(in_gradients("c", lambda dc: 1.001 * dc))])
    assert comparison.verdict == "disagree"
    assert [block.label for block in comparison.blocks if block.verdict == "disagree"] == ["dc"]


def test_a_kink_of_a_feed_forward_network_is_one_too():
    model = FeedForward((2, 1, 1), "relu", loss="squared_error")
    params = {"W1": [[0.1, 0.2]], "b1": [-0.3], "W2": [[1.0]], "b2": [0.5]}
    arrays = {name: np.array(values) for name, values in params.items()}
    problem = Problem(model, arrays, np.ones((1, 2)), np.ones((1, 1)))
    assert_undecidable(problem, "kink", ["manual", "torch"], says="a relu whose argument is 0 up to rounding")


# Another way to write the same formula: a kernel's n + z (h − n) cancels where z is 1 and h is small


def saturated_gru(bias, size, dtype):
    problem = Problem.from_seed(Recurrent("gru", 3, 4, 2), seed=0, seq_len=3, batch_size=2)
    b = problem.params["b"].copy()
    b[4:8] += bias  # the update gate's
    params = {name: array.astype(dtype) for name, array in (problem.params | {"b": b}).items()}
    h0 = (problem.h0 * size).astype(dtype)
    return Problem(problem.model, params, problem.inputs.astype(dtype), problem.targets, h0=h0)


@pytest.mark.parametrize(
    ("bias", "size", "dtype"),
    [(120, 1e-4, "float32"), (110, 1e-6, "float32"), (800, 1e-20, "float64"), (900, 1e-16, "float64")],
)
def test_an_open_update_gate_with_a_small_state_is_no_error_of_a_kernel(bias, size, dtype):
    problem = saturated_gru(bias, size, dtype)
    backends = ["manual", "torch", "torch-nn"]
    says = "cancellation in another way to write the same formula"
    assert_undecidable(problem, "cancellation", backends, says=says)


@pytest.mark.parametrize(("bias", "size", "dtype"), [(20, 1e-4, "float32"), (40, 1e-14, "float64")])
def test_an_update_gate_that_rounds_to_one_is_rounding_itself(bias, size, dtype):
    problem = saturated_gru(bias, size, dtype)
    assert_undecidable(problem, "rounding", ["manual", "torch", "torch-nn"], says="rounding alone moves it")


@pytest.mark.parametrize(
    ("bias", "size", "dtype"), [(120, 1.0, "float32"), (120, 0.1, "float32"), (800, 0.1, "float64")]
)
def test_an_open_update_gate_with_an_ordinary_state_is_decided(bias, size, dtype):
    assert compare(saturated_gru(bias, size, dtype), ["manual", "torch", "torch-nn"]).verdict == "agree"


# Numbers below the normal range: flushed, kept, or lost in another order


@pytest.mark.parametrize("entry", [542, 0, 100, 599])
def test_a_flushed_subnormal_number_is_no_error_whichever_it_is(entry):
    U, x = np.zeros((1, 600), "f4"), np.zeros((1, 1, 600), "f4")
    U[0, entry], x[0, 0, entry] = 1e-40, 1e35
    params = {"U": U, "W": np.float32([[0.5]]), "b": np.float32([0]), "V": np.float32([[1]]), "c": np.float32([0])}
    model = Recurrent("rnn", 600, 1, 1, activation="identity", loss="squared_error")
    problem = Problem(model, params, x, np.float32([[[1]]]), h0=np.float32([[0]]))
    assert_undecidable(problem, "underflow", [*BACKENDS, "jax"], says="below the normal range of float32")


def lost_in_one_order(dtype, h, gate, target):
    """An LSTM of one unit whose cell state, gates and dc are small or large: a product of four of them."""
    model = Recurrent("lstm", 1, 1, 1, loss="squared_error")
    b = np.log(gate / (1 - gate))
    params = {
        "U": np.zeros((4, 1)),
        "W": np.zeros((4, 1)),
        "b": np.array([0.0, b, 0.0, 0.0]),
        "V": np.array([[1.0]]),
        "c": np.array([0.0]),
    }
    arrays = {name: array.astype(dtype) for name, array in params.items()}
    ones = np.ones((1, 1, 1), dtype)
    c0 = np.full((1, 1), h, dtype)
    return Problem(model, arrays, ones, target * ones, h0=np.zeros((1, 1), dtype), c0=c0)


@pytest.mark.parametrize(
    ("dtype", "h", "gate", "target"),
    [("float32", 1e-25, 1e-25, 1e15), ("float32", 1e-30, 1e-20, 1e17), ("float64", 1e-160, 1e-160, 1e150)],
)
def test_a_product_that_is_lost_in_another_order_is_no_error(dtype, h, gate, target):
    """da_f = dc ⊙ c_before ⊙ f (1 − f): in one order it is an ordinary number, in another 0."""
    problem = lost_in_one_order(dtype, h, gate, target)
    values = [get_backend(name).evaluate(problem, trace=True).adjoints["a"][0, 0, 1] for name in ("manual", "torch")]
    assert len(set(values)) == 2
    assert_undecidable(problem, "underflow", says="lost in another order")


def closed_form(W, V, *, T=4, dtype="float32"):
    """A linear network of one unit whose loss is that of the last step, Vᵀ do times a power of W after another."""
    options = {"activation": "identity", "loss": "squared_error", "loss_at": "last_step"}
    model = Recurrent("rnn", 1, 1, 1, differentiation="closed_form", **options)
    params = {"U": [[1.0]], "W": [[W]], "b": [0.5], "V": [[V]], "c": [0.25]}
    arrays = {name: np.array(values, dtype) for name, values in params.items()}
    inputs, targets = np.full((T, 1, 1), 0.75, dtype), np.ones((T, 1, 1), dtype)
    return Problem(model, arrays, inputs, targets, h0=np.ones((1, 1), dtype))


@pytest.mark.parametrize(
    ("W", "V", "dtype"), [(1e-30, 1e15, "float32"), (3e-20, 1e12, "float32"), (1e-250, 1e120, "float64")]
)
def test_a_power_that_underflows_is_no_error_of_the_closed_form(W, V, dtype):
    """W² is 0, and (Vᵀ do W) W is not."""
    assert_undecidable(closed_form(W, V, dtype=dtype), "underflow", says="lost in another order")


def test_a_closed_form_of_ordinary_numbers_is_decided():
    assert compare(closed_form(0.5, 2.0), BACKENDS).verdict == "agree"


def test_a_gate_of_ordinary_numbers_that_is_zero_is_an_error():
    problem = lost_in_one_order("float32", 0.5, 0.3, 2.0)
    assert compare(problem, ["manual", Faulty(in_gradients("b", lambda db: db * [1, 0, 1, 1]))]).verdict == "disagree"


# Nothing of this depends on the hand derivation


class Wrong:
    """The hand derivation with a change, under its name."""

    name = "manual"
    supports = staticmethod(lambda model, dtype: "")
    prepare = None

    def __init__(self, change):
        self.change = change

    def evaluate(self, problem, *, trace=False):
        answer = get_backend("manual").evaluate(problem, trace=True)
        arrays = [{name: array.copy() for name, array in part.items()} for part in (answer.gradients, answer.adjoints)]
        self.change(*arrays)
        return Evaluation(answer.loss, arrays[0], answer.outputs, arrays[1])


def zero_at_the_last_cell_state(gradients, adjoints):
    adjoints["c"][-1] = 0


def zero_weights(gradients, adjoints):
    gradients["W"][...] = 0


def noise(gradients, adjoints):
    gradients["U"] *= 1 + 1e-7 * np.random.default_rng(0).standard_normal(gradients["U"].shape)


@pytest.mark.parametrize(
    ("change", "label"), [(zero_at_the_last_cell_state, "dc_12"), (zero_weights, "dW_i"), (noise, "dU_i")]
)
def test_a_wrong_hand_derivation_accuses_nobody_else(change, label):
    problem = Problem.from_seed(Recurrent("lstm", 4, 8, 5), seq_len=12, batch_size=3, seed=0)
    backends = {"manual": Wrong(change), "torch": get_backend("torch"), "jax": get_backend("jax")}
    comparison = compare(problem, backends, certify=True)
    block = next(block for block in comparison.blocks if block.label == label)
    assert (block.verdict, block.truth.wrong) == ("disagree", ("manual",))


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_the_hand_derivation_moves_no_limit(monkeypatch, cell):
    problem = Problem.from_seed(Recurrent(cell, 2, 3, 2), seq_len=3, batch_size=2, seed=0)
    before = measure_tolerance(problem)
    for name in ("loss_and_gradients", "feedforward", "ordered"):
        monkeypatch.delattr(f"gradparity.backends.references.manual_backend.{name}")
    after = measure_tolerance(problem)
    for name, allowed in before.allowed.items():
        np.testing.assert_array_equal(after.allowed[name], allowed)


def test_the_exact_answer_sets_the_scale():
    problem = Problem.from_seed(Recurrent("rnn", 3, 4, 2), seq_len=5, batch_size=2, seed=0)
    comparison = compare(problem, ["manual", "torch"], certify=True)
    assert all(block.scale == block.truth.scale for block in comparison.blocks)


def test_a_tolerance_at_a_smaller_scale_decides_less():
    tolerance = measure_tolerance(Problem.from_seed(Recurrent("rnn", 3, 4, 2), seq_len=5, batch_size=2, seed=0))
    smaller = tolerance.at_scale({"dW": tolerance.scale["dW"] * 1e-15})
    assert not tolerance.undecidable["dW"].any()
    assert smaller.undecidable["dW"].all()
    assert smaller.reason("dW", 0) == "rounding"
    assert tolerance.reason("dW", 0) == ""
