"""The plain equations give what the fast code gives, a fault in any line of them is seen, and each has its number."""

from __future__ import annotations

import inspect
import re
from collections import Counter
from itertools import product
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from gradparity.backends import Evaluation, FeedForward, OrderedSystem, Problem, Recurrent
from gradparity.compare import SYSTEMS, compare
from gradparity.compare.check.user_function import Derivation
from gradparity.compare.mistakes.equation_source import lines_of_function
from gradparity.compare.mistakes.namespace import one_hot
from gradparity.manual import equations
from gradparity.manual import plain_loops as plain
from gradparity.manual.losses import last_steps, loss_weight

SOURCE = inspect.getsource(equations)
LOSSES = ("softmax_cross_entropy", "sigmoid_cross_entropy", "squared_error")
ACTIVATIONS = ("tanh", "relu", "sigmoid", "identity")


class Plain(Derivation):
    """The plain form as a backend; it does not return the outputs."""

    def evaluate(self, problem, *, trace=False):
        loss, gradients = plain_gradients(problem)
        return Evaluation(float(loss), {name: gradients[name] for name in problem.differentiable}, None)


def plain_gradients(problem):
    """The loss and the gradients of the plain form, on problems that it knows."""
    model, dtype = problem.model, problem.dtype
    if isinstance(model, OrderedSystem):
        return plain.ordered(problem.params["A"], np.array(model.objective, dtype), problem.inputs)
    with_loss = np.ones(problem.leading, dtype=bool)
    if isinstance(model, Recurrent) and model.loss_at == "last_step":
        with_loss = last_steps(with_loss)
    w = loss_weight(with_loss, model.reduction) * with_loss[..., None].astype(dtype)
    if isinstance(model, FeedForward):
        Y = one_hot(problem, model.sizes[-1])
        return plain.feed_forward(problem.params, problem.inputs, Y, w, activation=model.activation, loss=model.loss)
    rows = len(problem.params["W"])
    biases = {"b": np.zeros(rows, dtype), "c": np.zeros(model.output_size, dtype)}
    options = {"loss": model.loss} | ({"activation": model.activation} if model.cell == "rnn" else {})
    cell = {"rnn": plain.rnn, "lstm": plain.lstm, "gru": plain.gru}[model.cell]
    Y = one_hot(problem, model.output_size)
    return cell({**biases, **problem.params}, problem.inputs, Y, w, *problem.states.values(), **options)


PLAIN_FORM = Plain(plain_gradients, "plain")


def is_plain(model):
    """Whether a model has the form of `plain_loops`: what it lacks has its own bookkeeping around the same lines."""
    if not isinstance(model, Recurrent):
        return True
    return model.num_layers == 1 and not (model.bidirectional or model.concatenated or model.truncation)


def verdicts(problem):
    """On plain and fast code, block by block, with a tolerance that is measured."""
    comparison = compare(problem, [PLAIN_FORM, "manual"])
    assert not comparison.failures
    return {block.verdict for block in comparison.blocks}


def recurrent(cell, **options):
    return Problem.from_seed(Recurrent(cell, 3, 5, 4, **options), seq_len=6, batch_size=2, seed=3)


def feed_forward(*sizes, **options):
    return Problem.from_seed(FeedForward(sizes, **options), batch_size=3, seed=3)


IN_CATALOGUE = [
    name
    for name, system in SYSTEMS.items()
    if not system.training and is_plain(system.model) and system.problem(seed=0).lengths is None
]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", IN_CATALOGUE)
def test_the_equations_give_the_fast_codes_gradients_on_the_catalogue(name, dtype):
    assert verdicts(SYSTEMS[name].problem(seed=7, dtype=dtype)) == {"agree"}


def test_every_cell_and_every_network_without_time_is_in_that_part_of_the_catalogue():
    assert {"elman-softmax", "lstm", "gru", "gru-reset-before", "mlp", "ordered-derivatives"} <= set(IN_CATALOGUE)


@pytest.mark.parametrize(("loss", "activation"), list(product(LOSSES, ACTIVATIONS)))
def test_the_equations_give_them_with_every_loss_and_activation(loss, activation):
    options = {"loss": loss, "activation": activation, "reduction": "mean"}
    assert verdicts(recurrent("rnn", **options, loss_at="last_step")) == {"agree"}
    assert verdicts(feed_forward(4, 3, 5, **options)) == {"agree"}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("options", [{"cell": "lstm"}, {"cell": "gru"}, {"cell": "gru", "reset": "before"}], ids=str)
def test_the_gated_cells_give_them_with_every_loss(options, loss):
    assert verdicts(recurrent(**options, loss=loss, loss_at="last_step", reduction="mean")) == {"agree"}


RUN_BY = {
    "(rnn|state|recurrent|input|readout|softmax)_": recurrent("rnn"),
    "sigmoid_": recurrent("rnn", loss="sigmoid_cross_entropy"),
    "squared_": recurrent("rnn", loss="squared_error"),
    "lstm_": recurrent("lstm"),
    "gru_.*before": recurrent("gru", reset="before"),
    "gru_": recurrent("gru"),
    "(layer|activated|hidden)_": feed_forward(4, 3, 5),
    "linear_": feed_forward(4, 3, 5, loss="softmax_cross_entropy"),
    "ordered_": SYSTEMS["ordered-derivatives"].problem(seed=3),
}  # by how a function's name begins: a problem that calls it
WITHIN_A_LINE = {"softmax", "cross_entropy"}  # functions that are no equations of their own
FUNCTIONS = [name for name in re.findall(r"^def (\w+)", SOURCE, re.MULTILINE) if name not in WITHIN_A_LINE]


def with_fault(name, line):
    """The module with what a line computes doubled."""
    start = SOURCE.index(f"def {name}(")
    is_pair = "," in line.left
    doubled = f"(2 * part for part in ({line.right}))" if is_pair else f"2 * ({line.right})"
    faulty = line.text.removesuffix(line.right) + doubled
    module = ModuleType(equations.__name__)
    module.__package__ = equations.__package__
    exec(SOURCE[:start] + SOURCE[start:].replace(line.text, faulty, 1), vars(module))
    return module


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_fault_in_any_line_is_seen(name, monkeypatch):
    problem = next(problem for begins, problem in RUN_BY.items() if re.match(begins, name))
    lines = lines_of_function(SOURCE, name)
    assert lines
    for line in lines:
        faulty = with_fault(name, line)
        monkeypatch.setattr(plain, "equations", faulty)
        monkeypatch.setattr(plain, "LOSSES", {loss: getattr(faulty, loss) for loss in LOSSES})
        assert "disagree" in verdicts(problem), line.text


ELSEWHERE = {
    **dict.fromkeys(range(5, 13), "an activation or its derivative: a function of `activations`"),
    16: "a function of `losses`",
    **dict.fromkeys((3, 21), "which steps there are and which have a loss, not what one computes"),
    **dict.fromkeys((22, 23, 28), "the weight of a step's loss, which its lines are given as w"),
    39: "what the steps backward end in",
    **dict.fromkeys((40, 41), "U and W side by side in one matrix"),
    **dict.fromkeys(range(42, 50), "the same gradient in other ways"),
    **dict.fromkeys(range(50, 54), "truncation"),
    **dict.fromkeys((79, 80), "how layers and directions are put together"),
    87: "learning, which begins when the gradient is there",
}
TWICE = {
    36: "the GRU with its reset gate after W_n has the same sum, of other vectors for the rows of n",
    74: "each form of the GRU has its own dr in it",
    75: "each form of the GRU has its own path through the candidate in it",
    83: "has two forms on the page, with and without the activation",
}


def test_every_equation_has_its_line_once_or_a_reason():
    pages = "\n".join(page.read_text() for page in Path(equations.__file__).parent.glob("*.md"))
    numbers = {int(number) for number in re.findall(r"\\tag\{(\d+)\}", pages)}
    in_lines = Counter(int(number) for number in re.findall(r"#.*?\((\d+)\)", SOURCE))
    assert in_lines == {number: 2 if number in TWICE else 1 for number in numbers - ELSEWHERE.keys()}
