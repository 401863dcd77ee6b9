"""A derivation by hand is judged by its numbers, whoever wrote it."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from derivations import elman, verdicts
from gradparity.backends import Problem, RequestError
from gradparity.backends.references import manual_backend as numpy_manual
from gradparity.compare import SYSTEMS, check_derivation, cli
from gradparity.compare.certificate.enclosure import UncertifiableError
from gradparity.compare.check import checking
from gradparity.compare.check.smaller_problems import small_problems
from gradparity.compare.check.user_function import load_function
from gradparity.compare.diagnosis.search import Diagnosis, Findings
from gradparity.compare.referee import comparison as referee
from gradparity.manual import feedforward, loss_and_gradients, ordered
from sampling import case

checked = partial(check_derivation, seeds=[0], ordinary_only=True)  # few tests are about the other problems
undiagnosed = pytest.mark.usefixtures("no_diagnosis")  # which takes longer than the check, and is not what is claimed


@pytest.fixture
def no_diagnosis(monkeypatch):
    monkeypatch.setattr(checking, "find_mistakes", lambda *_, **__: Findings(Diagnosis()))


def test_a_right_derivation_is_right_and_certified_and_what_is_missing_is_said():
    check = checked(elman)
    assert check.verdict == "agree"
    assert check.smallest is None
    assert check.missing == ("h0", "inputs")
    assert {comparison.strength for comparison in check.comparisons} == {"certified"}
    assert set(verdicts(check)) == {"loss", "dU", "dW", "db", "dV", "dc", "dh_t", "da_t"}


@undiagnosed
def test_the_wrong_gradient_is_named_and_seen_on_the_smallest_problem():
    check = checked(lambda *arguments: elman(*arguments, before=1), name="mine")
    assert {name for name, verdict in verdicts(check).items() if verdict == "wrong"} == {"dW"}
    assert check.smallest.problem.seq_len == check.smallest.problem.batch_size == 1
    assert {block.label for block in check.smallest.blocks if block.verdict == "disagree"} == {"dW"}


@undiagnosed
def test_a_mistake_that_needs_two_steps_is_shown_on_two_steps():
    check = checked(lambda *arguments: elman(*arguments, later=0.0), name="mine")
    assert check.smallest.problem.seq_len == 2
    assert check.smallest.problem.model.hidden_size == 1


@undiagnosed
def test_a_wrong_loss_is_found_where_all_gradients_follow_from_it():
    check = checked(lambda *arguments: elman(*arguments, label_shift=1), name="mine")
    assert verdicts(check)["loss"] == "wrong"


def test_a_part_of_the_gradients_or_the_loss_alone_will_do():
    def only_two(*arguments):
        loss, gradients, _ = elman(*arguments)
        return loss, {name: gradients[name] for name in "bc"}

    assert set(verdicts(checked(only_two))) == {"loss", "db", "dc"}
    alone = checked(lambda *arguments: elman(*arguments)[0], name="mine")
    assert alone.verdict == "agree"
    assert alone.missing == ("U", "W", "b", "V", "c", "h0", "inputs")


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("lstm", lambda params, x, y, h0, c0: loss_and_gradients(params, x, y, h0, c0, cell="lstm")[:2]),
        ("gru", lambda params, x, y, h0: loss_and_gradients(params, x, y, h0, cell="gru")[:2]),
        ("mlp", lambda params, x, y: feedforward.loss_and_gradients(params, x, y)[:2]),
        (
            "ordered-derivatives",
            lambda params, z1, objective: ordered.loss_and_gradients(params["A"], objective, z1)[:2],
        ),
    ],
)
def test_a_function_gets_what_its_system_has(name, function):
    assert checked(function, name, seeds=[0], name="mine").verdict == "agree"


def failure(function, system="elman-softmax"):
    (comparison,) = checked(function, system, seeds=[0], name="mine").comparisons
    (refused,) = comparison.failures
    return refused


def raising(params, inputs, targets, h0):
    return helper(params["U"], inputs)


def helper(U, inputs):
    return U @ inputs[0]


def test_an_exception_is_reported_with_the_lines_of_user_code_only():
    message = failure(raising).message
    first, *places = message.splitlines()
    assert first.startswith("it raised ValueError: matmul")
    assert [place.split(", in ")[1] for place in places] == [
        'raising: return helper(params["U"], inputs)',
        "helper: return U @ inputs[0]",
    ]


@undiagnosed
@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ([1, 2], "it returned (int, int), expected loss, loss and gradients, or loss, gradients and adjoints"),
        ("1.5", "its loss is '1.5', expected a number"),
        (None, "it returned None, expected loss, or loss and gradients: is there a return?"),
        (np.zeros(3), "its loss is an array of shape (3,), expected a number"),
        ((1.0, [np.zeros(3)]), "it returned (float, list), expected loss, loss and gradients, or loss, gradients and"),
        ((1.0, {}, {}, {}), "it returned (float, dict, dict, dict), expected "),
        ((1.0, {"Wxh": np.zeros((8, 4))}), "gradients has an unknown 'Wxh', expected U, W, b, V, c, h0, inputs"),
        (
            (1.0, {"U": np.zeros((4, 8))}),
            "gradients['U'] has shape (4, 8), expected (8, 4): the shape of its transpose",
        ),
        ((float("nan"), {}), "loss is nan"),
    ],
)
def test_another_form_is_reported_in_a_line(returned, message):
    assert failure(lambda *arguments: returned).message.startswith(message)


@undiagnosed
def test_it_may_not_change_what_it_is_given():
    def changing(params, inputs, targets, h0):
        params["W"] *= 2
        return elman(params, inputs, targets, h0)

    assert failure(changing).kind == "mutation"


def test_lengths_come_last_where_sequences_differ_in_length():
    def with_lengths(params, inputs, targets, h0, lengths):
        return loss_and_gradients(params, inputs, targets, h0, reduction="mean", lengths=lengths)[:2]

    assert checked(with_lengths, "elman-lengths").verdict == "agree"


def test_a_derivation_is_not_blamed_for_what_others_do(monkeypatch):
    """Here the hand derivation that it is compared with is wrong, and the certificate knows it."""

    def wrong_manual(self, problem, *, trace=False):
        answer = manual_evaluate(self, problem, trace=trace)
        return replace(answer, gradients=answer.gradients | {"W": answer.gradients["W"] * 2})

    manual_evaluate = numpy_manual.ManualBackend.evaluate
    monkeypatch.setattr(numpy_manual.ManualBackend, "evaluate", wrong_manual)
    check = checked(elman)
    assert check.verdict == "agree"
    assert {comparison.verdict for comparison in check.comparisons} == {"disagree"}


@undiagnosed
def test_one_that_fails_on_other_sizes_has_no_smallest_problem():
    def for_these_sizes_only(params, inputs, targets, h0):
        if inputs.shape != (12, 3, 4):
            raise ValueError("other sizes")
        return elman(params, inputs, targets, h0, before=1)

    check = checked(for_these_sizes_only)
    assert (check.verdict, check.smallest) == ("disagree", None)


@undiagnosed
def test_adjoints_are_judged_even_where_forward_mode_has_none():
    def nonsense(*arguments):
        loss, gradients, adjoints = elman(*arguments)
        return loss, gradients, {"h": adjoints["h"] + 1}

    assert verdicts(checked(nonsense, "elman-forward-mode"))["dh_t"] == "wrong"


@undiagnosed
def test_a_wrong_truncation_is_seen_on_a_small_problem():
    whole = checked(elman, "elman-window", seeds=[0], name="whole")
    assert whole.verdict == "disagree"
    assert whole.smallest.problem.seq_len == 6  # one more than the window that the system has
    assert whole.smallest.problem.model.truncation == SYSTEMS["elman-window"].model.truncation


def test_without_the_certificate_that_may_be_missing_it_is_still_compared(monkeypatch):
    def refuse(problem, training, progress):
        raise UncertifiableError("too large")

    monkeypatch.setattr(referee, "certify_problem", refuse)
    check = checked(elman)
    assert {comparison.strength for comparison in check.comparisons} == {"rounding"}


def test_a_function_may_be_called_like_the_hand_derivation():
    assert checked(elman, name="manual").name == "yours"


def test_a_file_may_be_called_like_a_module_and_has_neighbours(tmp_path):
    (tmp_path / "helper_of_numpy.py").write_text("def double(a): return 2 * a\n")
    (tmp_path / "numpy.py").write_text("from helper_of_numpy import double\ndef f(): return double(1)\n")
    assert load_function(f"{tmp_path / 'numpy.py'}:f")() == 2
    assert sys.modules["numpy"] is np
    assert str(tmp_path) not in sys.path


@undiagnosed
def test_a_float32_inside_is_not_excused_by_a_wide_tolerance():
    def careless(*arguments):
        loss, gradients, _ = elman(*arguments)
        return loss, {name: array.astype("float32").astype("float64") for name, array in gradients.items()}

    said = verdicts(checked(careless))
    assert set(said.values()) == {"right", "wrong"}
    assert said["dU"] == "wrong"


@pytest.mark.parametrize("name", [name for name, system in SYSTEMS.items() if not system.training])
def test_small_problems_grow_and_begin_with_one_of_everything(name):
    small = list(small_problems(SYSTEMS[name], seed=0, dtype="float64"))
    assert all(isinstance(problem, Problem) for problem in small)
    sizes = [sum(array.size for array in problem.arrays().values()) for problem in small]
    assert sizes[0] == min(sizes)
    assert small[0].seq_len == small[0].batch_size == 1


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (lambda: checked(3), "3 is not a function"),
        (lambda: checked(elman, "elman-sgd"), "elman-sgd learns: a derivation is checked on a single"),
        (lambda: checked(elman, "lstn"), "unknown system 'lstn': did you mean 'lstm'"),
        (lambda: checked(elman, seeds=[]), "no seed was given"),
        (lambda: load_function("mine"), "'mine' names no function: expected MODULE:FUNCTION or FILE.py:FUNCTION"),
        (lambda: load_function("nofile.py:f"), "nofile.py: no such file"),
        (lambda: load_function("no_such_module:f"), "there is no module 'no_such_module'"),
        (lambda: load_function("json:dump_"), "json: unknown function 'dump_': did you mean 'dump'"),
        (lambda: load_function("json:decoder"), "json:decoder: decoder is a module, expected a function"),
    ],
)
def test_a_wrong_request_is_refused_in_a_line(request_, message):
    with pytest.raises(RequestError) as error:
        request_()
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def run(*arguments):
    with pytest.raises(SystemExit) as exit_:
        cli.main(arguments)
    return exit_.value.code or 0


@pytest.fixture
def file(tmp_path):
    """A derivation of two in a file: one right, one wrong from the second step on."""
    path = tmp_path / "mine.py"
    path.write_text(
        "import numpy as np\n"
        "def backward(params, inputs, targets, h0, later=1):\n"
        "    U, W, b, V, c = params.values()\n"
        "    h = [h0]\n"
        "    for x in inputs: h.append(np.tanh(x @ U.T + h[-1] @ W.T + b))\n"
        "    do = [a @ V.T + c - y for a, y in zip(h[1:], targets)]\n"
        "    db, dh = np.zeros_like(b), 0\n"
        "    for t in reversed(range(len(inputs))):\n"
        "        da = (do[t] @ V + dh) * (1 - h[t + 1] ** 2)\n"
        "        db, dh = db + da.sum(0), later * da @ W\n"
        "    return sum(0.5 * (d**2).sum() for d in do), {'b': db}\n"
        "def local(*arguments): return backward(*arguments, later=0)\n"
    )
    return path


def test_the_command_says_right_and_exits_with_zero(file, capsys):
    assert run("check", f"{file}:backward", "--system", "elman-squared-error") == 0
    out = capsys.readouterr().out
    assert "backward is right on elman-squared-error, 7 problems (certified); not given" in out
    assert "seed 0, seed 1, seed 2, zeros and ties, large gradients, one sample, T = 60." in out


def test_the_command_says_what_is_wrong_shows_the_smallest_problem_and_writes_json(file, capsys, tmp_path):
    cases, written = tmp_path / "cases", tmp_path / "checked.json"
    options = "--system", "elman-squared-error", "--ordinary-only"
    assert run("check", f"{file}:local", *options, "--save-case", str(cases), "--json", str(written)) == 1
    out = capsys.readouterr().out
    assert "db: local is wrong at [" in out
    assert "T=2 B=1 D=1 H=1 K=1" in out
    assert "  db: given [" in out
    (saved,) = cases.iterdir()
    assert Problem.load(saved).seq_len == 2
    document = json.loads(written.read_text())
    assert (document["function"], document["verdict"], document["missing"][0]) == ("local", "disagree", "U")
    assert {row["quantity"]: row["verdict"] for row in document["quantities"]} == {"loss": "right", "db": "wrong"}
    assert [asked["name"] for asked in document["asked"]] == ["seed 0", "seed 1", "seed 2"]
    assert document["sizes"].keys() == {"T = 1", "T = 2", "one sample", "one unit"}
    assert document["mistakes"][0].keys() >= {"mistakes", "remedies", "equations", "lines", "explains"}


def test_a_wrong_request_ends_with_two(file, capsys):
    assert run("check", f"{file}:backwards") == 2
    assert "unknown function 'backwards': did you mean 'backward'?" in capsys.readouterr().err


def mistaken_over_the_batch(*arguments):
    """The bias of the read-out is averaged over the batch."""
    loss, gradients, _ = elman(*arguments)
    return loss, gradients | {"c": gradients["c"] / arguments[1].shape[1]}


def with_square_transposed(*arguments):
    """dW is transposed, which is not seen of a single unit."""
    loss, gradients, _ = elman(*arguments)
    return loss, gradients | {"W": gradients["W"].T}


@undiagnosed
@pytest.mark.parametrize(
    ("function", "right_on"),
    [
        case(lambda *arguments: elman(*arguments, later=0.0), {"T = 1"}, campaign=False, id="a step back"),
        case(lambda *arguments: elman(*arguments, before=1), set(), campaign=True, id="everywhere"),
        case(mistaken_over_the_batch, {"one sample"}, campaign=True, id="the batch"),
        case(with_square_transposed, {"one unit"}, campaign=False, id="a transposed matrix"),
    ],
)
def test_a_size_that_hides_a_mistake_is_reported(function, right_on):
    sizes = checked(function, seeds=[0], certify=False, name="mine").sizes
    assert set(sizes) == {"T = 1", "T = 2", "one sample", "one unit"}
    assert {size for size, verdict in sizes.items() if verdict == "agree"} == right_on
    assert sizes["T = 2"] == "disagree"


def test_what_is_right_has_no_diagnosis_and_needs_no_smaller_sizes():
    check = checked(elman, seeds=[0])
    assert (check.diagnosis, dict(check.sizes)) == (Diagnosis(), {})


def wrong_in(system, change):
    """Where each quantity is said to be wrong, if the hand derivation's gradients are changed."""

    def changed(params, inputs, targets, *states):
        cell = SYSTEMS[system].model.cell
        loss, gradients, *_ = loss_and_gradients(params, inputs, targets, *states, cell=cell)
        gradients = {name: array.copy() for name, array in gradients.items()}
        change(gradients)
        return loss, gradients

    rows = checked(changed, system, seeds=[0], certify=False, name="mine").rows()
    return {row["quantity"]: row["wrong_in"] for row in rows if row["verdict"] == "wrong"}


def scaled(name, place):
    def change(gradients):
        gradients[name][place] *= 1.5

    return change


@undiagnosed
@pytest.mark.parametrize(
    ("system", "change", "expected"),
    [
        case("lstm", scaled("U", slice(8, 16)), {"dU": "dU_f"}, campaign=True),
        case("gru", scaled("b", slice(0, 16)), {"db": "db_r, db_z"}, campaign=False),
        case("lstm", scaled("W", slice(None)), {"dW": "everywhere"}, campaign=True),
        case("elman-softmax", scaled("W", [2, 5]), {"dW": "rows 2, 5"}, campaign=True),
        case("elman-softmax", scaled("V", 3), {"dV": "row 3"}, campaign=False),
        case("elman-softmax", scaled("W", (slice(None), 2)), {"dW": "everywhere"}, campaign=True),
        case("elman-softmax", scaled("inputs", [1, 7]), {"dx_t": "dx_2, dx_8"}, campaign=False),
        case("elman-softmax", scaled("inputs", slice(None)), {"dx_t": "everywhere"}, campaign=True),
    ],
)
def test_where_a_gradient_is_wrong_is_reported(system, change, expected):
    assert wrong_in(system, change) == expected
