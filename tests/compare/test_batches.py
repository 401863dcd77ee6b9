"""What all backends share on their way: the batches, the step at which it ends, and the accuracy there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from faults import Faulty
from gradparity.backends import Problem, Recurrent
from gradparity.backends.references.manual_backend import answer
from gradparity.compare import SYSTEMS, assert_agree, compare
from gradparity.compare.answers.training import Training, accuracy, batch_of
from gradparity.compare.testing.strategies import problems
from hypothesis import given, settings
from learners import ELMAN, MLP, of_every_kind
from sampling import examples


def batches(problem, steps, size, seed=0):
    return list(Training(0.1, steps, batch_size=size, seed=seed).batches(problem))


@pytest.mark.parametrize(
    ("size", "sizes"), [(1, [1] * 6), (2, [2, 2, 2]), (3, [3, 3]), (4, [4, 2]), (5, [5, 1]), (6, [6])]
)
def test_each_pass_has_every_sample_once_and_its_last_batch_has_the_rest(size, sizes):
    drawn = batches(MLP, 5 * len(sizes), size)
    for start in range(0, len(drawn), len(sizes)):
        of_a_pass = drawn[start : start + len(sizes)]
        assert [len(batch) for batch in of_a_pass] == sizes
        assert sorted(np.concatenate(of_a_pass)) == list(range(6))


def test_the_samples_are_drawn_anew_in_every_pass_and_from_the_seed_alone():
    def drawn(seed=0):
        return [batch.tolist() for batch in batches(MLP, 12, 2, seed)]

    assert drawn() == drawn()
    assert drawn() != drawn(1)
    assert drawn()[:3] != drawn()[3:6]


@pytest.mark.parametrize("size", [None, 6, 100])
def test_without_batches_every_step_has_all_samples(size):
    assert [batch.tolist() for batch in batches(MLP, 3, size)] == [list(range(6))] * 3


@of_every_kind
def test_all_backends_get_the_same_batches(problem):
    seen = {"one": [], "other": []}

    def looking(name):
        def look(answer, problem):
            seen[name].append((problem.inputs, problem.targets))

        return Faulty(look, name)

    training = Training(0.5, 5, batch_size=2)
    assert compare(problem, [looking("one"), looking("other")], training=training).verdict == "agree"
    expected = [batch_of(problem, samples, problem.params) for samples in training.batches(problem)]
    for name in seen:
        *on_the_way, end = seen[name]
        for (inputs, targets), batch in zip(on_the_way, expected, strict=True):
            np.testing.assert_array_equal(inputs, batch.inputs)
            np.testing.assert_array_equal(targets, batch.targets)
        np.testing.assert_array_equal(end[0], problem.inputs)  # where the accuracy is taken: all samples


@settings(max_examples=examples(60))
@given(problem=problems(most_steps=4, dtype="float64", loss="squared_error"))
def test_a_part_of_a_problem_is_the_problem_of_those_samples(problem):
    """The loss is a sum over samples; 1e-12 is some thousand roundings of it, far below one sample's loss."""
    problem = replace(problem, model=replace(problem.model, reduction="sum"))
    samples = [batch_of(problem, np.array([b]), problem.params) for b in range(problem.batch_size)]
    losses = [answer(Problem(**vars(sample))).loss for sample in samples]
    assert sum(losses) == pytest.approx(answer(problem).loss, rel=1e-12)


def test_mini_batches_average_over_their_samples():
    """With one learning rate for all sizes of a batch: copies of one sample give the same way in batches of 1 and 6."""
    copies = replace(MLP, inputs=MLP.inputs[[0] * 6], targets=MLP.targets[[0] * 6])
    ways = [
        compare(copies, ["manual"], training=Training(0.5, 5, batch_size=size)).answers["manual"] for size in (1, 6)
    ]
    np.testing.assert_allclose(ways[0].losses, ways[1].losses, rtol=1e-12)  # the mean of six equal numbers rounds


# When to stop


def test_until_the_loss_has_settled_all_go_as_far_as_the_hand_derivation():
    comparison = compare(ELMAN, ["manual", "torch", "jax"], training=Training(0.1, 500, until=1e-2))
    assert comparison.verdict == "agree"
    steps = {len(trajectory.losses) for trajectory in comparison.answers.values()}
    assert steps == {comparison.training.steps}
    losses = comparison.answers["manual"].losses
    changes = np.abs(np.diff(losses)) / losses[1:]
    assert changes[-1] <= 1e-2
    assert np.all(changes[:-1] > 1e-2)


def test_a_backend_whose_loss_settles_earlier_goes_on_all_the_same():
    def settled(answer, problem):
        return replace(answer, loss=1.0)

    comparison = compare(ELMAN, ["manual", Faulty(settled)], training=Training(0.1, 500, until=1e-2))
    assert len(comparison.answers["mine"].losses) == len(comparison.answers["manual"].losses) > 2


def test_a_loss_that_does_not_settle_ends_with_the_steps():
    comparison = compare(ELMAN, ["manual", "torch"], training=Training(0.1, 7, until=1e-12))
    assert comparison.training.steps == 7


@pytest.mark.parametrize(("batch_size", "of_a_pass"), [(2, 3), (4, 2)])
def test_with_batches_the_losses_of_two_passes_are_compared(batch_size, of_a_pass):
    """The loss of a small batch goes up and down with its samples: between two batches it may happen to be equal."""
    training = Training(0.05, 400, batch_size=batch_size, until=2e-2)
    losses = compare(MLP, ["manual"], training=training).answers["manual"].losses
    assert len(losses) % of_a_pass == 0
    passes = losses.reshape(-1, of_a_pass).mean(axis=1)
    changes = np.abs(np.diff(passes)) / passes[1:]
    assert changes[-1] <= 2e-2
    assert np.all(changes[:-1] > 2e-2)


# Accuracy


def test_accuracy_is_the_part_of_samples_whose_label_has_the_largest_output():
    outputs = np.array([[3.0, 1.0, 2.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 5.0, 6.0, 7.0]])
    three = replace(MLP, inputs=MLP.inputs[:3], targets=np.array([0, 1, 3]))
    assert accuracy(three, outputs) == pytest.approx(2 / 3)


def test_of_sequences_the_last_step_within_the_length_counts():
    """At every other step the prediction is wrong; at the last one of each sequence it is right, but for the fourth."""
    T, B, K = 3, 4, 3
    outputs, targets = np.zeros((T, B, K)), np.ones((T, B), int)
    lengths = [3, 1, 2, 3]
    for b, length in enumerate(lengths[:3]):
        outputs[length - 1, b, 2], targets[length - 1, b] = 1, 2
    problem = Problem.from_seed(Recurrent("rnn", 2, 3, K), seq_len=T, batch_size=B, seed=0, lengths=lengths)
    problem = replace(problem, targets=targets)
    assert accuracy(problem, outputs) == pytest.approx(3 / 4)
    assert accuracy(replace(problem, lengths=None), outputs) == pytest.approx(1 / 4)


def test_without_labels_there_is_no_accuracy():
    problem = SYSTEMS["elman-squared-error"].problem(seed=0)
    comparison = compare(problem, ["manual", "torch"], training=Training(0.01, 2))
    assert {trajectory.accuracy for trajectory in comparison.answers.values()} == {None}


def test_an_mlp_that_learns_long_enough_is_right_on_all_samples_in_all_backends():
    comparison = assert_agree(MLP, ["manual", "torch", "jax"], training=Training(4.0, 80))
    assert {trajectory.accuracy for trajectory in comparison.answers.values()} == {1.0}
