"""What a recorded program consists of: operations, decisions, and entries that are numbered in a row."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from gradparity.backends import InvalidProblemError, Problem, get_backend
from gradparity.backends.models import decided, traced_parts
from gradparity.backends.models.operations import OPERATIONS, result_shape
from gradparity.backends.tracing import decisions
from gradparity.backends.tracing.primitives import PRIMITIVES
from gradparity.backends.tracing.trace import trace
from gradparity.compare.certificate import certify


def test_gaps_between_entries_are_closed_and_an_entry_that_nothing_makes_is_none():
    traced = trace(lambda w: (np.sinh(w), w * w)[1].sum(), {"w": np.ones(2)})
    model = traced.model(traced.returned, {"w": "w"})
    gapped = replace(model, operations=model.operations[1:])
    problem = Problem(gapped, {"w": np.ones(2)})
    loaded = Problem.from_bytes(problem.to_bytes())
    assert loaded.fingerprint == problem.fingerprint
    assert gapped.loss.number - loaded.model.loss.number == 2
    assert get_backend("tape").evaluate(loaded).gradients["w"].tolist() == [2.0, 2.0]
    for damaged in (replace(model, operations=model.operations[2:]), replace(model, operations=model.operations[:2])):
        with pytest.raises(InvalidProblemError, match=r"-1, expected|an entry that there is not"):
            Problem.from_bytes(Problem(damaged, {"w": np.ones(2)}).to_bytes())


def test_the_order_along_the_last_axis_that_nobody_named_is_a_decision():
    def loss(w):
        return w.sum() * np.argsort(w)[0, 0]

    given = {"w": np.array([[2.0, 1.0, 3.0]])}
    traced = trace(loss, given)
    problem = Problem(traced.model(traced.returned, {"w": "w"}), given)
    for one in (problem, Problem.from_bytes(problem.to_bytes())):
        assert [float(ball) for ball in certify(one).exact["dw"].blocks[0]] == [1.0, 1.0, 1.0]


def test_every_operation_has_a_rule_and_a_shape():
    assert set(OPERATIONS) == set(PRIMITIVES)
    assert result_shape("add", [(2, 1), (1, 3)], {}) == (2, 3)
    assert result_shape("logdet", [(4, 2, 2)], {}) == (4,)
    assert result_shape("cast", [(2,)], {"dtype": np.dtype("float32")}) == (2,)


def test_the_decisions_that_are_kept_are_those_with_margins():
    known = (decisions.COMPARISONS, decisions.OF_SIGNS, decisions.ORDERS, decisions.STEPS, decisions.OF_ZEROS)
    assert {getattr(np, name) for name in decided.UNDERSTOOD} == {function for table in known for function in table}
    assert traced_parts.name_of_decision(lambda x: x) == "<lambda>"
    np_less = traced_parts.name_of_decision(np.less)
    assert np_less == "less"
    less = type("less", (), {"__name__": "less"})()
    assert traced_parts.name_of_decision(less) == "another less"


@pytest.mark.parametrize(
    ("name", "shapes", "axis", "result"),
    [
        ("less", [(2,)], None, [True, True]),
        ("less", [(2,), (3,)], None, [True, True]),
        ("less", [(2,), (2,)], 0, [True, True]),
        ("less", [(2,), (1,)], None, True),
        ("sign", [(2,)], None, [1.0]),
        ("argmax", [(2, 3)], 2, [0, 0]),
        ("argmax", [(2, 3)], 1, [0, 3]),
        ("argmax", [(2, 3)], 1, [0, -1]),
        ("argmax", [(2, 3)], 1, [0, 0, 0]),
        ("argmax", [(2, 3)], None, 6),
        ("argsort", [(2, 3)], 1, [[0, 1, 2], [0, 1, 1]]),
        ("argsort", [(3,)], 0, [0, 1, 3]),
        ("argsort", [(2, 2)], None, [[0, 1], [0, 1]]),
    ],
)
def test_a_result_that_a_decision_cannot_have_is_refused(name, shapes, axis, result):
    with pytest.raises(ValueError, match=name):
        decided.check_result(name, shapes, axis, np.array(result))


@pytest.mark.parametrize(
    ("name", "shapes", "parameters"),
    [
        ("save", [(2,)], {}),
        ("add", [(2,)], {}),
        ("add", [(2,), (2, 2)], {}),
        ("add", [(2,), (3,)], {}),
        ("tanh", [(2,)], {"axis": -1}),
        ("matmul", [(2, 3), (2, 3)], {}),
        ("matmul", [(3,), (3, 3)], {}),
        ("inverse", [(2, 3)], {}),
        ("sum", [(2, 3)], {"axes": (0,)}),
        ("sum", [(2, 3)], {"axes": (-1, -1)}),
        ("cumsum", [(2, 3)], {"axis": -3}),
    ],
)
def test_an_operation_of_wrong_operands_is_refused(name, shapes, parameters):
    with pytest.raises(ValueError, match=name):
        result_shape(name, shapes, parameters)
