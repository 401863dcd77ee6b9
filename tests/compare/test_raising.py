"""A backend that fails is shown with its author's own lines; where the host's place is the reason, that is said."""

from __future__ import annotations

from dataclasses import replace

import pytest
from faults import Faulty, nothing
from gradparity.backends import Problem, Recurrent, RequestError
from gradparity.compare import DisagreementError, assert_agree, compare

PLAIN = Problem.from_seed(Recurrent("rnn", 3, 5, 4), seq_len=7, batch_size=2, seed=0)


class Raising(Faulty):
    """Raises an error in a helper, from another one."""

    def evaluate(self, problem, *, trace=False):
        try:
            return look_up(problem)
        except KeyError as error:
            raise ValueError("no such weight") from error


def look_up(problem):
    return problem.params["Wx"]


def test_a_backend_that_raises_is_shown_with_its_own_lines_and_the_cause():
    with pytest.raises(DisagreementError) as error:
        assert_agree(PLAIN, ["manual", Raising(nothing)])
    lines = str(error.value).splitlines()
    assert lines[1] == "mine: error: it raised ValueError: no such weight"
    assert lines[2].endswith(', in evaluate: raise ValueError("no such weight") from error')
    assert lines[3].startswith("  raised from KeyError: 'Wx' (test_raising.py:")
    assert lines[3].endswith(', in look_up: return problem.params["Wx"])')
    assert isinstance(error.value.__cause__, ValueError)


def test_inside_a_transformation_the_host_is_told_and_no_framework_is_blamed():
    import jax
    import torch

    def inside(function, names):
        def traced(x):
            compare(PLAIN, names)
            return x.sum()

        with pytest.raises(RequestError) as error:
            function(traced)
        return str(error.value)

    message = inside(lambda traced: jax.jit(traced)(jax.numpy.ones(2)), ["manual", "jax"])
    assert message.startswith("gradparity was called inside a transformation of JAX such as jax.jit (test_raising.py:")
    assert ", in traced: compare(PLAIN, names)): call it outside. There jax raised " in message
    message = inside(lambda traced: torch.func.grad(traced)(torch.ones(2)), ["manual", "torch"])
    assert message.startswith("gradparity was called inside a transformation of PyTorch such as torch.func.grad (")


def test_inside_a_transformation_another_failure_is_still_a_failure():
    import jax

    def traced(x):
        comparison = compare(PLAIN, ["manual", Raising(nothing)])
        assert [failure.kind for failure in comparison.failures] == ["error"]
        return x

    jax.jit(traced)(1.0)


def test_an_array_that_a_framework_traces_is_refused_in_a_line():
    import jax

    with pytest.raises(RequestError, match=r"^params\['W'\] is no array: TracerArrayConversionError: "):
        jax.jit(lambda W: replace(PLAIN, params={**PLAIN.params, "W": W}))(PLAIN.params["W"])


def test_a_traced_value_left_in_the_problem_is_named_as_the_array_that_changed():
    import jax

    def leaking(answer, problem):
        jax.jit(lambda W: problem.params.update(W=W) or W)(problem.params["W"])

    (failure,) = compare(PLAIN, ["manual", Faulty(leaking)]).failures
    assert failure.message == "it changed params.W, which it was given"


def test_a_subclass_of_a_model_is_refused_in_a_line():
    class Peephole(Recurrent):
        pass

    with pytest.raises(
        RequestError, match=r"^model is a Peephole, expected a Recurrent itself: no backend computes .*$"
    ):
        Problem.from_seed(Peephole("lstm", 4, 8, 5), seq_len=2, batch_size=2, seed=0)
