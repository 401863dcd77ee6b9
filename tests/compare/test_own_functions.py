"""A function of one's own is judged by the loss that it returns, or by another program's."""

from __future__ import annotations

from collections import namedtuple
from dataclasses import dataclass

import numpy as np
import pytest
from gradparity.backends import RequestError, stopped
from gradparity.backends.errors import DerivationError
from gradparity.backends.tracing.recorder import NotRecordableError
from gradparity.compare import DisagreementError, assert_gradients, certified_gradients, check_gradients
from gradparity.compare.check.wording import summary

RNG = np.random.default_rng(0)
PARAMS = {"U": RNG.normal(size=(3, 2)), "W": RNG.normal(size=(3, 3)), "b": RNG.normal(size=3)}
X, H0 = RNG.normal(size=(4, 2)), np.zeros(3)


def cell(params, x, h0, slope=lambda h: 1 - h * h):
    """A plain cell with the squared states as its loss."""
    U, W, b = params["U"], params["W"], params["b"]
    h = [h0]
    for row in x:
        h.append(np.tanh(U @ row + W @ h[-1] + b))
    gradients = {name: np.zeros_like(array) for name, array in params.items()}
    later = np.zeros_like(h0)
    for t in reversed(range(len(x))):
        da = (later + h[t + 1]) * slope(h[t + 1])
        gradients["U"] += np.outer(da, x[t])
        gradients["W"] += np.outer(da, h[t])
        gradients["b"] += da
        later = W.T @ da
    return 0.5 * sum((state * state).sum() for state in h[1:]), gradients


def loss_of_cell(params, x, h0):
    h, loss = h0, 0.0
    for row in x:
        h = np.tanh(params["U"] @ row + params["W"] @ h + params["b"])
        loss = loss + 0.5 * (h * h).sum()
    return loss


def verdicts(check):
    return {row["quantity"]: row["verdict"] for row in check.rows()}


def test_a_right_function_is_right_and_says_what_it_was_asked():
    check = check_gradients(cell, PARAMS, X, H0)
    assert check.verdict == "agree"
    assert verdicts(check) == dict.fromkeys(("loss", "dU", "dW", "db"), "right")
    assert [asked.name for asked in check.asked][:4] == ["as given", "every second number 0", "times 4", "times 30"]
    assert "cell is right on the loss that it returns, " in summary(check)
    assert summary(check).endswith(" problems (certified).")


def test_only_the_gradient_that_is_wrong_is_wrong():
    def wrong(params, x, h0):
        loss, gradients = cell(params, x, h0)
        return loss, gradients | {"W": gradients["W"].T}

    check = check_gradients(wrong, PARAMS, X, H0)
    assert check.verdict == "disagree"
    assert verdicts(check) == {"loss": "right", "dU": "right", "dW": "wrong", "db": "right"}
    with pytest.raises(DisagreementError, match="dW: wrong is wrong at"):
        assert_gradients(wrong, PARAMS, X, H0)


CLIP, HALF = "right up to a clip at ±0.1", "right up to a factor of 0.5 in all gradients"


@pytest.mark.parametrize(("change", "words"), [(lambda g: np.clip(g, -0.1, 0.1), CLIP), (lambda g: 0.5 * g, HALF)])
def test_what_wrong_gradients_are_like_is_said_and_they_are_wrong(change, words):
    def wrong(params, x, h0):
        loss, gradients = cell(params, x, h0)
        return loss, {name: change(array) for name, array in gradients.items()}

    check = check_gradients(wrong, PARAMS, X, H0)
    assert check.verdict == "disagree"
    assert words in check.notes


def test_gradients_of_zeros_are_like_nothing():
    """Where a relu lets nothing pass, what is ten times the right gradient is right, and no clip to a norm of 0."""

    def ten_times(w):
        left = np.maximum(1 - w @ w, 0)
        return left**2, {"w": -40 * left * w}

    check = check_gradients(ten_times, np.array([0.3, 0.2, -0.1]))
    assert {"agree", "disagree"} <= {asked.verdict for asked in check.asked}
    assert "right up to a factor of 10 in all gradients" in check.notes


def test_a_clip_that_ordinary_numbers_never_reach_is_found_by_large_ones():
    check = check_gradients(lambda w: ((w * w).sum(), {"w": np.clip(2 * w, -40, 40)}), np.array([1.0, -2.0]))
    assert {asked.name: asked.verdict for asked in check.asked}["as given"] == "agree"
    assert check.verdict == "disagree"
    assert "right up to a clip at ±40" in check.notes


# What defines the right answer


def test_another_program_says_what_the_loss_is():
    check = check_gradients(lambda params, x, h0: cell(params, x, h0)[1], PARAMS, X, H0, of=loss_of_cell)
    assert check.verdict == "agree"
    assert "it returns no loss: that of the definition stands in its place" in check.notes


def test_a_wrong_forward_pass_is_found_by_the_definition_and_by_nothing_else():
    def without_bias(params, x, h0):
        zero = {**params, "b": 0 * params["b"]}
        loss, gradients = cell(zero, x, h0)
        return loss, gradients | {"b": 0 * gradients["b"]}

    assert check_gradients(without_bias, PARAMS, X, H0, ordinary_only=True).verdict == "agree"
    check = check_gradients(without_bias, PARAMS, X, H0, of=loss_of_cell, ordinary_only=True)
    assert verdicts(check)["loss"] == "wrong"


def test_a_truncated_gradient_is_that_of_a_definition_that_stops():
    def truncated(W, x):
        h1 = np.tanh(W @ x)
        h2 = np.tanh(W @ h1)
        return {"W": np.outer(2 * h2 * (1 - h2 * h2), h1)}

    def loss(W, x):
        h2 = np.tanh(W @ stopped(np.tanh(W @ x)))
        return (h2 * h2).sum()

    def whole(W, x):
        h2 = np.tanh(W @ np.tanh(W @ x))
        return (h2 * h2).sum()

    assert check_gradients(truncated, PARAMS["W"], H0 + 1, of=loss).verdict == "agree"
    assert check_gradients(truncated, PARAMS["W"], H0 + 1, of=whole).verdict == "disagree"


def test_a_layer_without_a_loss_is_asked_with_a_cotangent():
    def forward(x, W):
        y = np.tanh(x @ W)
        return y, (x, W, y)

    def backward(dy, cache, power=2):
        x, W, y = cache
        da = dy * (1 - y**power)
        return da @ W.T, x.T @ da

    assert check_gradients(X, PARAMS["U"].T, vjp=(forward, backward)).verdict == "agree"
    wrong = check_gradients(X, PARAMS["U"].T, vjp=(forward, lambda dy, cache: backward(dy, cache, 1)))
    assert wrong.verdict == "disagree"
    assert verdicts(wrong) == {"loss": "right", "dx": "wrong", "dW": "wrong"}


def test_a_rule_of_pytorch_is_judged_by_a_program_in_numpy():
    import torch

    class Cell(torch.autograd.Function):
        power = 2

        @staticmethod
        def forward(ctx, x, W):
            y = torch.tanh(x @ W)
            ctx.save_for_backward(x, W, y)
            return y

        @staticmethod
        def backward(ctx, dy):
            x, W, y = ctx.saved_tensors
            da = dy * (1 - y**Cell.power)
            return da @ W.T, x.T @ da

    def gradients(x, W):
        leaves = torch.tensor(x, requires_grad=True), torch.tensor(W, requires_grad=True)
        loss = (Cell.apply(*leaves) ** 2).sum()
        return loss, torch.autograd.grad(loss, leaves)

    def loss(x, W):
        return (np.tanh(x @ W) ** 2).sum()

    assert check_gradients(gradients, X, PARAMS["U"].T, of=loss).verdict == "agree"
    Cell.power = 1
    assert verdicts(check_gradients(gradients, X, PARAMS["U"].T, of=loss))["dW"] == "wrong"


def test_a_rule_of_jax_is_judged_by_a_program_in_numpy():
    import jax
    import jax.numpy as jnp

    def ruled(power):
        cell = jax.custom_vjp(lambda x, W: jnp.tanh(x @ W))

        def backward(kept, dy):
            x, W, y = kept
            da = dy * (1 - y**power)
            return da @ W.T, x.T @ da

        cell.defvjp(lambda x, W: ((y := jnp.tanh(x @ W)), (x, W, y)), backward)

        def gradients(x, W):
            value, (dx, dW) = jax.value_and_grad(lambda x, W: (cell(x, W) ** 2).sum(), (0, 1))(x, W)
            return value, {"x": dx, "W": dW}

        return gradients

    def loss(x, W):
        return (np.tanh(x @ W) ** 2).sum()

    arguments = X.astype("float32"), PARAMS["U"].T.astype("float32")
    assert check_gradients(ruled(2), *arguments, of=loss, ordinary_only=True).verdict == "agree"
    assert check_gradients(ruled(1), *arguments, of=loss, ordinary_only=True).verdict == "disagree"


# What it may return


Pair = namedtuple("Pair", "w x")


@dataclass
class Parts:
    w: np.ndarray
    x: np.ndarray


def product(w, x):
    return (w * w * x).sum()


def slopes(w, x):
    return 2 * w * x, w * w


W1, X1 = np.array([1.0, -2.0]), np.array([3.0, 0.5])


@pytest.mark.parametrize(
    "gradients",
    [
        lambda dw, dx: {"w": dw, "x": dx},
        lambda dw, dx: {"dw": dw, "grad_x": dx},
        lambda dw, dx: {"d_w": dw, "x_grad": dx},
        lambda dw, dx: (dw, dx),
        lambda dw, dx: [dw, dx],
        lambda dw, dx: Parts(dw, dx),
        lambda dw, dx: {"w": dw.tolist(), "x": dx.tolist()},
    ],
)
def test_gradients_are_taken_in_every_usual_form(gradients):
    def right(w, x):
        return product(w, x), gradients(*slopes(w, x))

    def wrong(w, x):
        dw, dx = slopes(w, x)
        return product(w, x), gradients(dw, 2 * dx)

    options = {"ordinary_only": True, "diagnosis": False}
    assert check_gradients(right, W1, X1, **options).verdict == "agree"
    assert verdicts(check_gradients(wrong, W1, X1, **options)) == {"loss": "right", "dw": "right", "dx": "wrong"}


def test_values_in_a_row_are_named():
    def right(w, x):
        return slopes(w, x)[0], "log", product(w, x), slopes(w, x)[1]

    assert check_gradients(right, W1, X1, returns=("dw", "_", "loss", "dx")).verdict == "agree"


def test_a_gradient_that_stands_alone_belongs_to_the_first_argument():
    check = check_gradients(lambda w, x: (product(w, x), slopes(w, x)[0]), W1, X1)
    assert (check.verdict, check.notes) == ("agree", ("gradient is the gradient with respect to w",))


def test_a_gradient_of_a_plain_number_and_of_a_list_is_judged():
    def right(w, scale):
        total = sum(one * one for one in w)
        return scale * total, {"w": [2 * scale * one for one in w], "scale": total}

    assert check_gradients(right, [1.0, 2.0], 0.5).verdict == "agree"

    def wrong(w, scale):
        loss, gradients = right(w, scale)
        return loss, gradients | {"scale": 2 * gradients["scale"]}

    assert verdicts(check_gradients(wrong, [1.0, 2.0], 0.5))["dscale"] == "wrong"


def test_names_with_digits_and_brackets_are_told_apart():
    def right(net):
        return (net["layers"][0]["norm1"] * net["layers"][1]["norm1"]).sum(), {
            "layers": [{"norm1": net["layers"][1]["norm1"]}, {"norm1": net["layers"][0]["norm1"]}]
        }

    wrt = {f"layers[{i}].norm1": f"net['layers'][{i}]['norm1']" for i in (0, 1)}
    check = check_gradients(right, {"layers": [{"norm1": W1}, {"norm1": X1}]}, wrt=wrt)
    assert verdicts(check) == dict.fromkeys(("loss", "dnet_layers_0_norm1", "dnet_layers_1_norm1"), "right")


class Net:
    """Keeps parameters and gradients, as people write it."""

    def __init__(self):
        self.W = np.array([1.0, 2.0])
        self.grads = {"W": np.zeros(2)}

    def step(self, x):
        self.grads["W"][...] = 2 * (self.W @ x) * x
        return (self.W @ x) ** 2, self.grads


def test_gradients_of_attributes_are_judged_and_nothing_is_left_changed():
    net = Net()
    check = check_gradients(net.step, X1)
    assert check.verdict == "agree"
    assert check.notes == ("it changes self.grads['W']: each call found these as they were before",)
    assert net.grads["W"].tolist() == [0.0, 0.0]


def test_float32_is_judged_in_float32_and_a_wider_gradient_is_noted():
    def right(w, x):
        return product(w, x), {"w": slopes(w.astype("float64"), x.astype("float64"))[0]}

    check = check_gradients(right, W1.astype("float32"), X1.astype("float32"))
    assert check.verdict == "agree"
    assert "w is returned in float64, of an array in float32" in check.notes


# What is refused


@pytest.mark.parametrize(
    ("function", "arguments", "options", "words"),
    [
        (lambda w: (1 / 0, w), (W1,), {}, "it raised ZeroDivisionError"),
        (lambda w: (np.log(-(w * w)).sum(), w), (W1,), {}, "the loss of <lambda> is nan"),
        (lambda w: w.sum(), (W1,), {}, "expected \\(loss, gradients\\)"),
        (lambda w: ({"w": w}, w.sum()), (W1,), {}, "its first value is a dict, expected the loss"),
        (lambda w: ((w * w), {"w": w}), (W1,), {}, "its loss has shape \\(2,\\), expected one number"),
        (
            lambda w: (w.sum(), {"v": np.ones(3)}),
            (W1,),
            {},
            "the gradient v has shape \\(3,\\), and no array has its name",
        ),
        (lambda w: (w.sum(), {"w": 1 + 0 * w}), (W1,), {"wrt": {"v": "w"}}, "wrt names 'v', which is not returned"),
        (lambda w: (w.sum(), {"w": 1 + 0 * w}), (W1, 2), {}, "is called with 2 arguments: too many"),
        (lambda w, x: ((w * x).sum(), [x]), (W1, X1), {}, "\\[0\\] has shape \\(2,\\), and may belong to w or x"),
    ],
)
def test_what_is_no_answer_is_refused_in_a_line(function, arguments, options, words):
    with pytest.raises(DerivationError, match=words):
        check_gradients(function, *arguments, **options)


@pytest.mark.parametrize("array", [np.array([1, 2]), np.ma.array([1.0, 2.0]), np.array([1.0, 2.0], "float16")])
def test_what_cannot_be_differentiated_by_is_refused(array):
    with pytest.raises(DerivationError, match=r"w is (of int64|a numpy\.ma\.MaskedArray|of float16), expected"):
        check_gradients(lambda w: (3.0, {"dw": np.zeros(2)}), array)


def test_what_is_no_function_is_refused():
    with pytest.raises(RequestError, match="3 is no function"):
        check_gradients(3, W1)


def test_a_loss_that_cannot_be_followed_is_refused_with_its_place():
    with pytest.raises(NotRecordableError, match=r"test_own_functions.py:\d+, in <lambda>: np.fft"):
        check_gradients(lambda w: (np.fft.rfft(w).real.sum(), {"w": w}), W1)


# The right gradient


def test_the_right_gradient_of_a_loss_is_correctly_rounded():
    def loss(w, x):
        return np.log(np.exp(w * x).sum())

    value, gradients = certified_gradients(loss, np.array([3.0, 1.0]), np.array([1.0, 1.0]))
    p = 1 / (1 + np.exp(np.longdouble(-2)))
    assert value == float(np.logaddexp(np.longdouble(3), 1))
    assert gradients["w"].tolist() == [float(p), float(1 - p)]
    assert list(certified_gradients(loss, W1, X1, wrt=["x"])[1]) == ["x"]
    with pytest.raises(DerivationError, match="wrt names 'v'"):
        certified_gradients(loss, W1, X1, wrt=["v"])
