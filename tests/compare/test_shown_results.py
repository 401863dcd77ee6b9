"""Results show themselves: as a fragment of HTML in a notebook, and as a line elsewhere."""

from __future__ import annotations

from gradparity.compare import SYSTEMS, check_gradients, compare
from run_notebook import words


def test_without_jinja2_the_conclusion_is_shown_and_what_to_install(hide):
    hide("jinja2")
    comparison = compare(SYSTEMS["elman-softmax"].problem(seed=0), ["manual", "torch"])
    shown = comparison._repr_html_()
    assert words(shown).strip().startswith("agree: manual, torch on rnn")
    assert 'pip install "gradparity[report]"' in shown.replace("&quot;", '"')
    b = SYSTEMS["elman-softmax"].problem(seed=0).params["b"]
    shown = check_gradients(
        lambda params: ((params["<b>"] ** 2).sum(), {"<b>": 3 * params["<b>"]}), {"<b>": b}
    )._repr_html_()
    assert "is wrong" in shown
    assert "<b>" not in shown


def test_a_result_is_a_line_where_there_is_no_notebook():
    comparison = compare(SYSTEMS["elman-softmax"].problem(seed=0), ["manual", "torch"])
    assert repr(comparison) == (
        "<Comparison: agree: manual, torch on rnn (tanh, softmax_cross_entropy), float64, T=12 B=3 D=4 H=8 K=5, "
        "case 0ab3baa41d3e>"
    )
