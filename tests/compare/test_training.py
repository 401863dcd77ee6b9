"""Learning: whole trajectories are compared, step by step, as far as rounding lets them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from faults import Faulty, Learner, from_step, in_gradients, nothing
from gradparity.backends import FeedForward, InvalidProblemError, Problem, Recurrent, UnsupportedProblemError
from gradparity.backends.references.manual_backend import answer
from gradparity.compare import SYSTEMS, DisagreementError, assert_agree, compare, measure_tolerance
from gradparity.compare.answers.training import Training
from gradparity.manual import descend
from learners import ELMAN, LSTM, MLP, of_every_kind
from sampling import case

SIX = Training(0.5, 6)


def trained(problem, change, training=SIX):
    return compare(problem, ["manual", "torch", Faulty(change)], training=training)


def wrong_steps(comparison):
    """The steps at which blocks differ, by the quantity."""
    wrong = [block for block in comparison.blocks if block.verdict == "disagree"]
    assert all(block.outliers == ("mine",) for block in wrong)
    return {name: [block.step for block in wrong if block.name == name] for name in {block.name for block in wrong}}


def report_lines(problem, backend, training=SIX):
    """The lines of the report on a backend that does not learn as the others do."""
    with pytest.raises(DisagreementError) as error:
        assert_agree(problem, ["manual", "torch", backend], training=training)
    return str(error.value).splitlines()


@of_every_kind
def test_every_step_of_every_parameter_is_a_block(problem):
    comparison = assert_agree(problem, ["manual", "torch"], training=Training(0.5, 3))
    assert [block.label for block in comparison.blocks] == [
        f"{name}_{step}" for name in ("loss", *problem.params) for step in (1, 2, 3)
    ]
    for trajectory in comparison.answers.values():
        assert trajectory.losses.shape == (3,)
        for name, path in trajectory.params.items():
            assert path.shape == (3, *problem.params[name].shape)


@of_every_kind
def test_a_trajectory_is_that_of_gradient_descent(problem):
    """The parameters against the definition, θ ← θ − η ∂L/∂θ, and to the last bit."""
    trajectory = compare(problem, ["manual"], training=Training(0.5, 4)).answers["manual"]
    params = dict(problem.params)
    for step in range(4):
        derived = answer(replace(problem, params=params))
        assert trajectory.losses[step] == derived.loss
        params = {name: theta - 0.5 * derived.gradients[name] for name, theta in params.items()}
        for name, theta in params.items():
            np.testing.assert_array_equal(trajectory.params[name][step], theta)


@pytest.mark.parametrize("name", [name for name in SYSTEMS if SYSTEMS[name].training])
def test_every_system_that_learns_lowers_its_loss(name):
    system = SYSTEMS[name]
    comparison = assert_agree(system.problem(seed=0), ["manual", "torch"], training=system.training)
    for trajectory in comparison.answers.values():
        assert trajectory.loss < 0.9 * trajectory.losses[0]


@pytest.mark.parametrize(
    ("problem", "first"),
    [
        case(problem, first, campaign=campaign, id=f"{name}-{first}")
        for name, problem, campaign in (("elman", ELMAN, False), ("lstm", LSTM, True), ("mlp", MLP, False))
        for first in (1, 4, 6)
    ],
)
def test_a_gradient_that_is_wrong_from_a_step_on_is_found_at_that_step(problem, first):
    name = list(problem.params)[-1]
    comparison = trained(problem, from_step(first, in_gradients(name, lambda gradient: 1.001 * gradient)))
    steps = wrong_steps(comparison)
    assert steps[name] == list(range(first, 7))
    assert all(step > first for other in steps.keys() - {name} for step in steps[other])  # it spreads from there


def test_a_part_in_1e_10_of_one_gradient_is_found_at_its_step():
    def change(answer, problem):
        answer.gradients["W"][0, 0] *= 1 + 1e-10

    assert wrong_steps(trained(ELMAN, from_step(5, change)))["W"][0] == 5


def test_a_loss_that_is_wrong_at_a_step_is_found_there_and_nowhere_else():
    def change(answer, problem):
        return replace(answer, loss=1.01 * answer.loss)

    assert wrong_steps(trained(ELMAN, from_step(6, change))) == {"loss": [6]}


def test_the_story_tells_the_step_and_the_parameter():
    change = from_step(4, in_gradients("b", np.negative))
    lines = report_lines(ELMAN, Faulty(change))
    assert lines[-2] == "The trajectories part at step 4, first in b_4."
    assert any(line.startswith("b_") and "mine differs from manual and torch at [" in line for line in lines)


def test_the_next_step_repeats_the_training(tmp_path):
    training = Training(0.25, 3, batch_size=2)
    with pytest.raises(DisagreementError) as error:
        assert_agree(ELMAN, [Faulty(in_gradients("b", np.negative))], training=training, save_case=tmp_path)
    assert str(error.value).endswith(".npz --steps 3 --learning-rate 0.25 --batch-size 2")


def momentum():
    """An update that is right in the first step alone."""
    velocity = {}

    def update(params, gradients, rate):
        for name, gradient in gradients.items():
            velocity[name] = 0.9 * velocity.get(name, 0) + gradient
        return descend(params, velocity, rate)

    return update


def with_decay(params, gradients, rate):
    return descend(params, {name: gradient + 1e-6 * params[name] for name, gradient in gradients.items()}, rate)


def uphill(params, gradients, rate):
    return descend(params, gradients, -rate)


def all_but_the_bias(params, gradients, rate):
    return {**descend(params, gradients, rate), "b": params["b"]}


@pytest.mark.parametrize(
    ("update", "where"),
    [
        (momentum(), "step 2, first in U_2"),
        (with_decay, "step 1, first in U_1"),
        (uphill, "step 1, first in U_1"),
        (all_but_the_bias, "step 1, first in b_1"),
    ],
)
def test_a_wrong_update_of_ones_own_is_found_at_its_first_step(update, where):
    assert report_lines(ELMAN, Learner(update))[-2] == f"The trajectories part at {where}."


def in_place(params, gradients, rate):
    for name, gradient in gradients.items():
        params[name] -= rate * gradient
    return params


@pytest.mark.parametrize("update", [descend, in_place])
def test_a_right_update_of_ones_own_agrees(update):
    comparison = compare(ELMAN, ["manual", Learner(update)], training=SIX)
    assert (comparison.verdict, comparison.strength) == ("agree", "bitwise")


def test_a_backend_without_an_update_gets_that_of_the_hand_derivation():
    comparison = compare(ELMAN, ["manual", Faulty(nothing)], training=SIX)
    assert comparison.strength == "bitwise"


# Failures on the way


def raising(answer, problem):
    raise ValueError("no more")


def nan(answer, problem):
    answer.gradients["W"][0, 2] = np.nan


def refusing(answer, problem):
    raise UnsupportedProblemError("three steps are enough")


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        (raising, "error", "at step 3: it raised ValueError: no more"),
        (nan, "non-finite", "at step 3: gradients['W'][0, 2] is nan"),
        (
            in_gradients("W", lambda array: array[:2]),
            "shape",
            "at step 3: gradients['W'] has shape (2, 5), expected (5, 5)",
        ),
        (
            in_gradients("W", lambda array: array.astype("float32")),
            "dtype",
            "at step 3: gradients['W'] is float32, expected float64",
        ),
    ],
)
def test_a_backend_that_fails_on_the_way_is_told_with_its_step(change, kind, message):
    comparison = trained(ELMAN, from_step(3, change))
    (failure,) = comparison.failures
    assert (comparison.verdict, failure.backend, failure.kind, failure.message.splitlines()[0]) == (
        "disagree",
        "mine",
        kind,
        message,
    )
    assert {block.verdict for block in comparison.blocks} == {"agree"}  # of the others


def test_a_backend_that_fails_after_the_last_step_is_told_so():
    (failure,) = trained(ELMAN, from_step(7, raising)).failures
    assert failure.message.splitlines()[0] == "at the end: it raised ValueError: no more"


def test_a_backend_that_refuses_on_the_way_is_skipped_with_its_reason():
    comparison = trained(ELMAN, from_step(3, refusing))
    assert (comparison.verdict, comparison.skipped) == ("agree", {"mine": "three steps are enough"})


def broken(params, gradients, rate):
    raise ValueError("no step")


def nowhere(params, gradients, rate):
    return None


def forgetful(params, gradients, rate):
    updated = descend(params, gradients, rate)
    return {name: updated[name] for name in updated if name != "b"}


def inventive(params, gradients, rate):
    return {**descend(params, gradients, rate), "Z": np.zeros(2)}


def single(params, gradients, rate):
    return {name: theta.astype("float32") for name, theta in descend(params, gradients, rate).items()}


def flattened(params, gradients, rate):
    return {name: theta.ravel() for name, theta in descend(params, gradients, rate).items()}


def listed(params, gradients, rate):
    return {name: theta.tolist() for name, theta in descend(params, gradients, rate).items()}


def test_an_update_may_write_into_what_it_is_given():
    assert compare(ELMAN, ["manual", "torch", Learner(in_place)], training=SIX).verdict == "agree"


def only_twice(update):
    """The update, after two right ones."""
    steps = iter([descend, descend])
    return lambda *arguments: next(steps, update)(*arguments)


@pytest.mark.parametrize(
    ("update", "kind", "message"),
    [
        (broken, "error", "its descend raised ValueError: no step"),
        (nowhere, "names", "its descend returned NoneType, expected U, W, b, V, c"),
        (forgetful, "names", "its descend returned the names U, W, V, c, expected U, W, b, V, c"),
        (inventive, "names", "its descend returned the names U, W, b, V, c, Z, expected U, W, b, V, c"),
        (single, "dtype", "its descend returned U as float32, expected float64"),
        (flattened, "shape", "its descend returned U in (15,), expected (5, 3)"),
        (listed, "dtype", "its descend returned U as list, expected float64"),
    ],
)
def test_an_update_that_fails_is_told_with_its_step_and_the_others_are_compared(update, kind, message):
    comparison = compare(ELMAN, ["manual", "torch", Learner(only_twice(update))], training=SIX)
    (failure,) = comparison.failures
    assert (comparison.verdict, failure.backend, failure.kind) == ("disagree", "mine", kind)
    assert failure.message.splitlines()[0] == f"at step 3: {message}"
    assert set(comparison.answers) == {"manual", "torch"}
    assert {block.verdict for block in comparison.blocks} == {"agree"}


def test_an_ordered_system_has_nothing_to_learn():
    with pytest.raises(
        InvalidProblemError, match="an ordered system has no loss to minimize: learning needs a network"
    ):
        compare(SYSTEMS["ordered-derivatives"].problem(seed=0), training=SIX)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"learning_rate": 0}, r"learning_rate = 0.0, expected a positive number"),
        ({"learning_rate": float("nan")}, "learning_rate = nan, expected a finite number"),
        ({"steps": 0}, "steps = 0, expected an integer of at least 1"),
        ({"batch_size": 0}, "batch_size = 0, expected an integer of at least 1"),
        ({"until": -0.1}, r"until = -0.1, expected a positive number"),
    ],
)
def test_a_training_that_is_none_is_refused(arguments, message):
    with pytest.raises(InvalidProblemError, match=message):
        Training(**{"learning_rate": 0.1, "steps": 3, **arguments})


# Rounding


def in_float64(problem):
    """The same numbers, to be computed with more digits."""
    params = {name: array.astype("float64") for name, array in problem.params.items()}
    return replace(problem, params=params, inputs=problem.inputs.astype("float64"), h0=problem.h0.astype("float64"))


@pytest.mark.parametrize(("rate", "growth"), [case(0.5, 2, campaign=True), case(4.0, 1000, campaign=False)])
def test_the_measured_rounding_grows_along_the_way_as_the_true_one_does(rate, growth):
    """With the larger rate the loss swings, and the errors of the steps before are multiplied.

    The truth is the same way in float64, with errors a billion times smaller. 4 and 40 are the factors within which
    `test_tolerance` holds the spread of a single gradient to its true error. Where errors are multiplied, those of a
    whole way are one early error, which may be small by luck, another on each machine: hence three ways.
    """
    pairs = []
    for seed in range(3):
        problem = Problem.from_seed(ELMAN.model, seq_len=3, batch_size=4, seed=seed, dtype="float32")
        training = Training(rate, 30)
        spread = measure_tolerance(problem, training).spread
        computed, truth = (
            compare(start, ["manual"], training=training).answers["manual"] for start in (problem, in_float64(problem))
        )
        for name, path in computed.params.items():
            error = np.abs(path - truth.params[name]).reshape(30, -1).max(axis=1)
            assert spread[name][-1] > growth * spread[name][0], name
            assert np.all(error <= 4 * spread[name]), name
            pairs.append(spread[name] / error)
    assert np.median(pairs) < 40


CHAOTIC = {  # learning rates that throw the parameters about, until rounding decides where they land
    "tanh": (Recurrent("rnn", 3, 6, 4, reduction="mean"), 25.0),
    "lstm": (Recurrent("lstm", 3, 4, 3, reduction="mean"), 200.0),
    "mlp": (FeedForward((3, 8, 8, 4), activation="tanh", reduction="mean"), 5.0),
}


def chaotic(name, seed):
    model, rate = CHAOTIC[name]
    sizes = {size: {"seq_len": 4, "batch_size": 4}[size] for size in model.LEADING}
    return Problem.from_seed(model, seed=seed, dtype="float32", **sizes), Training(rate, 20)


@pytest.mark.parametrize(("name", "seed"), [case(name, seed, campaign=seed > 0) for name in CHAOTIC for seed in (0, 1)])
def test_a_chaotic_trajectory_ends_as_undecidable_and_never_as_a_disagreement(name, seed):
    problem, training = chaotic(name, seed)
    comparison = compare(problem, ["manual", "torch"], training=training)
    assert comparison.verdict == "undecidable"
    undecided = [block.step for block in comparison.blocks if block.verdict == "undecidable"]
    assert min(undecided) > 1  # it begins as rounding lets it
    assert wrong_steps(comparison) == {}


def test_a_chaotic_trajectory_is_told_with_the_step_up_to_which_it_agrees():
    problem, training = chaotic("tanh", 0)
    with pytest.raises(DisagreementError) as error:
        assert_agree(problem, ["manual", "torch"], training=training)
    comparison = error.value.comparison
    first = min(block.step for block in comparison.blocks if block.verdict == "undecidable")
    assert f"Up to step {first - 1} the trajectories agree; after it nothing can be decided in float32." in str(
        error.value
    )


def test_a_wrong_gradient_is_found_before_the_chaos():
    problem, training = chaotic("tanh", 0)
    change = in_gradients("W", lambda gradient: 1.1 * gradient)
    assert trained(problem, change, training).verdict == "disagree"


@pytest.mark.parametrize("dtype", [case("float64", campaign=True), case("float32", campaign=False)])
def test_a_trajectory_that_runs_off_to_infinity_is_undecidable(dtype):
    model = Recurrent("rnn", 3, 6, 4, activation="relu", loss="squared_error", reduction="mean")
    problem = Problem.from_seed(model, seq_len=4, batch_size=4, seed=0, dtype=dtype)
    comparison = compare(problem, ["manual", "torch", "jax"], training=Training(25.0, 12))
    assert not comparison.failures
    assert (comparison.verdict, comparison.overflows) == ("undecidable", True)
