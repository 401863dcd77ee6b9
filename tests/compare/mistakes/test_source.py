"""The lines of the equations are read from their source, and what is no equation is refused."""

from __future__ import annotations

import pytest
from gradparity.compare.mistakes.equation_source import Line, changed, lines_of_function, section, statements
from gradparity.compare.mistakes.namespace import execute, with_replacements
from gradparity.manual import equations

SOURCE = '''
def step(x, h_before, W, dW):
    """It says φ′ before the lines."""
    a, b = x * W, h_before  # (1)
    dW += a * φ(b)  # (2)
    rest = a + b
    return rest, b
'''


def test_lines_have_their_sides_their_text_and_their_number():
    assert lines_of_function(SOURCE, "step") == (
        Line("a, b", "x * W, h_before", "a, b = x * W, h_before", 1),
        Line("dW", "a * φ(b)", "dW += a * φ(b)", 2),
        Line("rest", "a + b", "rest = a + b", None),
    )


def test_a_section_has_the_lines_of_its_functions_one_after_another():
    lines = section(equations.state_backward, equations.rnn_backward)
    assert [line.left for line in lines] == ["dh", "da", "dh_before"]
    assert [line.equation for line in lines] == [32, 33, 34]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("phi(x)", "expected a line such as `a = b` or `a \\+= b`, got 'phi\\(x\\)'"),
        ("x", "got 'x'"),
        ("a -= x", "got 'a -= x'"),
        ("a = b = x", "got 'a = b = x'"),
        ("a: float = x", "got 'a: float = x'"),
        ("a = (\n        x)", "a line of its own"),
        ("a = x; b = x", "a line of its own"),
        ("a = x  # by the chain rule", "no more behind it than its number"),
        ("for a in x:\n        b = a", "a line of its own"),
        ("return 2 * x", "got 'return 2 \\* x'"),
    ],
)
def test_what_is_no_equation_of_one_line_is_refused(body, message):
    with pytest.raises(ValueError, match=message):
        lines_of_function(f"def step(x):\n    {body}\n", "step")


def test_a_mistakes_text_is_read_statement_by_statement():
    left_sides = [line.left for line in statements("dU = ... ; r, z = z, r ; dW += 2 * (...)")]
    assert left_sides == ["dU", "r, z", "dW"]
    with pytest.raises(ValueError, match="got 'dU'"):
        statements("dW = ... ; dU")


def test_a_changed_line_is_run_with_names_that_the_right_one_does_not_have():
    right = section(equations.state_backward)
    names = {"dh_above": 1.0, "dh_later": 2.0, "last": True}
    assert execute(right, dict(names))["dh"] == 3
    wrong = with_replacements(right, {"cell": {"dh": "dh = dh_above if last else dh_later"}}, "cell")
    assert execute(wrong, dict(names))["dh"] == 1
    assert [line.equation for line in wrong] == [32]
    assert changed(right, {"da": "da = dh"}) == right
