"""The reports of compare and check: what is found stands on the page, and what the page says can be done again."""

from __future__ import annotations

import base64
import shlex
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from faults import Faulty, in_gradients
from gradparity.backends import Problem, RequestError
from gradparity.compare import SYSTEMS, check_derivation, check_gradients, compare, write_html
from gradparity.compare.check.report import check_page
from gradparity.compare.diagnosis import diagnosed
from gradparity.compare.referee.asked_problems import counted
from gradparity.compare.referee.report import block_map, comparison_parts, wrong_arrays
from gradparity.compare.report import Mark, Page, render
from gradparity.compare.result_pages import page_of
from html_pages import parsed
from sampling import case

WRONG_BACKEND = """
from faults import Faulty, in_gradients
import numpy as np
backend = Faulty(in_gradients("W", np.transpose))
"""
TWICE = """
import numpy as np


def gradients(params, x, y):
    W, b = params.values()
    z = x @ W.T + b
    p = 1 / (1 + np.exp(-z))
    dz = (p - y) * p * (1 - p) / len(x)
    return (np.logaddexp(0, z) - y * z).mean(), {"W1": dz.T @ x, "b1": dz.sum(axis=0)}


def arguments(rng):
    return {"W": rng.normal(size=(1, 4)), "b": rng.normal(size=1)}, rng.normal(size=(8, 4)), rng.random((8, 1))
"""


def page_at(path):
    return parsed(path.read_text(encoding="utf-8"))


def headings(document):
    return [one.text for one in document.all("h2")]


def verdict(document):
    return document.of_class("verdict")[0].text


def commands(document):
    """What the copy buttons copy."""
    return [one.all("code")[0].text for one in document.of_class("copyable")]


def saved_case(document, folder):
    """The case inside the page, saved as a browser does."""
    (link,) = [one for one in document.all("a") if "download" in one.attributes]
    path = folder / link.attributes["download"]
    path.write_bytes(base64.b64decode(link.attributes["href"].partition("base64,")[2]))
    return path


def test_an_agreement_has_a_matrix_of_systems_and_backends(gradparity, tmp_path):
    options = ("elman-softmax", "mlp", "--backend", "manual", "--backend", "torch", "--dtype", "float64", "--seed", 0)
    code, out, err = gradparity("compare", *options, "--report", "page.html")
    assert (code, err) == (0, "")
    document = page_at(tmp_path / "page.html")
    assert verdict(document) == f"✓ {out.splitlines()[-1]}"
    assert headings(document) == ["Systems and backends", "How far from the limit", "What was asked", "Environment"]
    (matrix,) = document.of_class("matrix")
    assert [one.text for one in matrix.all("thead")[0].all("th")] == ["system", "manual", "torch"]
    rows = [[one.text for one in (*row.all("th"), *row.all("td"))] for row in matrix.all("tbody")[0].all("tr")]
    assert [row[0] for row in rows] == ["elman-softmax, float64", "mlp, float64"]
    assert all(cell.startswith("✓ agree") for row in rows for cell in row[1:])
    assert commands(document) == [shlex.join(["gradparity", "compare", *map(str, options)])]


def test_a_disagreement_shows_where_how_far_and_what_and_can_be_compared_again(gradparity, tmp_path):
    (tmp_path / "wrong_backend.py").write_text(WRONG_BACKEND)
    backends = ("--backend", "torch", "--backend", "manual", "--backend", "wrong_backend:backend")
    code, _, _ = gradparity("compare", "elman-relu", *backends, "--seed", 0, "--report", "page.html")
    assert code == 1
    document = page_at(tmp_path / "page.html")
    assert verdict(document).startswith("✗ 2 problems from seed 0")
    (matrix,) = document.of_class("matrix")
    cells = [[one.text.split()[1] for one in row.all("td")] for row in matrix.all("tbody")[0].all("tr")]
    assert cells == [["agree", "agree", "disagree"]] * 2
    first = document.of_class("heatmap")[0]
    rows = {row.all("th")[0].text: row.all("td") for row in first.all("tbody")[0].all("tr")}
    assert [one.text for one in first.all("thead")[0].all("th")][:3] == ["block", "whole", "1"]
    beyond = {
        name
        for name, row in rows.items()
        if any(
            one.attributes["class"].startswith("shade") and one.attributes["class"][5] != "-"
            for one in row
            if "class" in one.attributes
        )
    }
    assert beyond == {"dW"}
    arrays = document.of_class("arrays")[0]
    assert [one.text for one in arrays.all("caption")] == ["right (torch)", "given (mine)"]
    assert [one.text[0] for one in arrays.of_class("bad")] == ["✗"] * len(arrays.of_class("good"))
    assert "transposed" in document.text
    saved_case(document, tmp_path)
    again = shlex.split(next(line for line in commands(document) if "--case" in line))
    code, out, _ = gradparity(*again[1:])
    assert code == 1
    assert "dW: mine differs from torch and manual" in out


def test_the_heat_map_has_each_block_at_its_step_in_multiples_of_its_limit():
    def late(answer, problem):
        answer.gradients["inputs"][4] *= 1.5

    comparison = compare(SYSTEMS["lstm"].problem(seed=0), ["manual", Faulty(late)])
    shown = block_map(comparison)
    rows = dict(shown.rows)
    assert set(rows) == {block.name if block.step else block.label for block in comparison.blocks}
    for block in comparison.blocks:
        column = shown.columns.index(str(block.step or "whole"))
        assert rows[block.name if block.step else block.label][column] == block.ratio
    assert [column for column, value in zip(shown.columns, rows["dx_t"], strict=True) if value and value > 1] == ["5"]


def test_what_cannot_be_decided_is_no_number_of_the_heat_map():
    def zero_argument(problem):
        params = {name: np.zeros_like(array) for name, array in problem.params.items()}
        return replace(problem, params=params, inputs=np.zeros_like(problem.inputs), h0=np.zeros_like(problem.h0))

    comparison = compare(zero_argument(SYSTEMS["elman-relu"].problem(seed=0)), ["manual", "torch"])
    values = {str(value) for _, row in block_map(comparison).rows for value in row if value is not None}
    assert ("?" in values) == any(block.verdict == "undecidable" for block in comparison.blocks)


def test_right_and_given_are_the_arrays_that_were_answered():
    comparison = compare(SYSTEMS["gru"].problem(seed=0), ["manual", "torch", Faulty(in_gradients("V", np.negative))])
    (diff,) = wrong_arrays(comparison)
    assert diff.caption.startswith("dV, ")
    right, given = (np.array([[float(entry) for entry in row[side]] for row in diff.rows]) for side in (1, 2))
    np.testing.assert_array_equal(given, -right)
    V = comparison.answers["torch"].gradients["V"]
    start = int(diff.rows[0][0]), int(diff.columns[0])
    shown = V[start[0] : start[0] + len(right), start[1] : start[1] + right.shape[1]]
    np.testing.assert_allclose(right, shown, rtol=1e-5)
    assert np.array([row[3] for row in diff.rows]).all()


def test_where_nobody_knows_who_is_right_nobody_is_called_so():
    comparison = compare(SYSTEMS["gru"].problem(seed=0), ["torch", Faulty(in_gradients("V", np.negative))])
    (diff,) = wrong_arrays(comparison)
    assert set(diff.names) == {"torch", "mine"}
    document = parsed(render(Page("p", Mark("v"), (diff,))))
    marked = len(document.of_class("unsure"))
    assert marked == 2 * sum(sum(row[3]) for row in diff.rows) > 0
    assert not document.of_class("good")
    assert not document.of_class("bad")


def test_a_named_mistake_stands_beside_its_equation_and_the_page_that_has_it(tmp_path):
    comparison = compare(
        SYSTEMS["elman-softmax"].problem(seed=0), ["manual", "torch", Faulty(in_gradients("V", lambda V: 2 * V))]
    )
    named = diagnosed(comparison)
    text = page_at(write_html(named, tmp_path / "page.html")).text
    for suspect in named.diagnoses["mine"].suspects:
        assert all(mistake in text for mistake in suspect.mistakes)
        assert all(f"equation ({number}), manual/derivation" in text for number in suspect.equations)


def test_a_wrong_function_is_shown_with_its_source_the_mistake_and_a_case_that_shows_it(gradparity, tmp_path):
    (tmp_path / "twice.py").write_text(TWICE)
    options = ("check", "twice.py:gradients", "--system", "logistic-regression", "--seed", 0, "--ordinary-only")
    code, out, _ = gradparity(*options, "--report", "page.html")
    assert code == 1
    document = page_at(tmp_path / "page.html")
    assert verdict(document) == f"✗ {out.splitlines()[-1]}"
    assert headings(document)[:5] == [
        "Gradients",
        "In the source",
        "The mistake",
        "What is not right",
        "A problem that shows it",
    ]
    (source,) = document.of_class("source")
    assert source.all("mark")[0].text == "(p - y) * p * (1 - p) / len(x)"
    numbers = [int(one.text) for one in source.of_class("number")]
    assert numbers == [6, 7, 8, 9, 10]  # and two empty lines
    hit = next(one for one in source.of_class("line") if one.all("mark"))
    assert TWICE.splitlines()[int(hit.of_class("number")[0].text) - 1].strip() in hit.text
    assert "derivative of the softmax or sigmoid missing or doubled" in document.text
    assert "equation (18), manual/derivation.md" in document.text
    saved_case(document, tmp_path)
    again = next(line for line in commands(document) if "--case" in line)
    code, out, _ = gradparity(*shlex.split(again)[1:])
    assert code == 1
    assert "gradients is wrong" in out


@pytest.mark.parametrize(
    ("lines", "code", "sign", "says"),
    [
        case("return loss, {'W': dz.T @ x, 'b': dz.sum(axis=0)}", 0, "✓", "is right on the loss", campaign=False),
        case("return loss, {'W': 2 * dz.T @ x}", 1, "✗", "4 of 4 entries differ", campaign=False),
        case("raise ValueError('<b>no</b>')", 2, "?", "Nothing was judged: ", campaign=False),
        case("return loss, {'W': dz, 'b': dz.sum(axis=0)}", 1, "✗", "has shape (8, 1), expected (1, 4)", campaign=True),
        case(
            "return loss, {'W': dz.T @ x, 'b': np.random.default_rng().random(1)}",
            1,
            "✗",
            "is not reproducible",
            campaign=True,
        ),
    ],
    ids=["right", "incomplete", "raises", "shape", "not-reproducible"],
)
def test_every_verdict_on_a_function_of_ones_own_has_an_honest_page(lines, code, sign, says, gradparity, tmp_path):
    body = TWICE.replace("dz = (p - y) * p * (1 - p)", "dz = (p - y)").partition("    return (np")
    end = body[2].partition("\n")[2]
    loss = "    loss = (np.logaddexp(0, z) - y * z).mean()"
    (tmp_path / "mine.py").write_text(f"{body[0]}{loss}\n    {lines}\n{end}\n")
    done = gradparity("check", "mine.py:gradients", "--seed", 0, "--ordinary-only", "--report", "page.html")
    assert done[0] == code
    document = page_at(tmp_path / "page.html")
    assert verdict(document)[0] == sign
    assert says in document.all("header")[0].text + document.all("main")[0].text
    assert ("What is not right" in headings(document)) == (code == 1)
    assert not document.all("b")


def test_a_derivation_that_fails_on_every_problem_has_a_page_with_its_error(gradparity, tmp_path):
    (tmp_path / "mine.py").write_text("def f(params, x, y):\n    raise ValueError('<b>no</b>')\n")
    code, out, _ = gradparity("check", "mine.py:f", "--system", "logistic-regression", "--report", "page.html")
    assert code == 2
    document = page_at(tmp_path / "page.html")
    assert verdict(document) == f"✗ {out.splitlines()[-1]}"
    assert any("ValueError: <b>no</b>" in one.text for one in document.all("pre"))
    assert not document.of_class("heatmap")  # of what was never answered


def test_a_refused_comparison_is_no_longer_the_page_of_an_earlier_one(gradparity, tmp_path):
    assert gradparity("compare", "mlp", "--seed", 0, "--report", "page.html")[0] == 0
    code, _, err = gradparity("compare", "nothing", "--report", "page.html")
    assert code == 2
    assert verdict(page_at(tmp_path / "page.html")) == f"? Nothing was judged: {err.partition(': ')[2].strip()}"


def test_what_cannot_be_decided_has_a_page_that_says_why(tmp_path):
    def relu(x, W):
        z = x @ W
        return np.maximum(z, 0).sum(), {"W": x.T @ (z > 0).astype(float)}

    check = check_gradients(relu, np.ones((2, 2)), np.array([[1.0], [-1.0]]))
    assert check.verdict == "undecidable"
    document = page_at(write_html(check, tmp_path / "page.html"))
    assert verdict(document).startswith("? relu cannot be decided")
    assert "The derivative there is a choice" in document.text


def test_a_name_that_a_person_chose_stays_text(tmp_path):
    def mine(params, inputs, targets):
        print("<script>alert(2)</script>")
        return 0.0, {}

    mine.__name__ = '"><script>alert(1)</script>'
    check = check_derivation(mine, "logistic-regression", seeds=[0], ordinary_only=True)
    document = parsed(render(check_page(check, target="</title><script>.py:f")))
    assert len(document.all("script")) == 1
    assert mine.__name__ in verdict(document)


def test_a_page_changes_no_random_state_of_the_host():
    """The console draws a number when it is imported, which a process of its own shows."""
    code = (
        "import random; from gradparity.compare.report.origin import environment_section; before = random.getstate(); "
        "environment_section(); import sys; print('rich' in sys.modules, random.getstate() == before)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True True\n"


@pytest.mark.parametrize(
    "arguments", [("compare", "elman-softmax", "--seed", 0), ("check", "nowhere.py:f")], ids=["compare", "check"]
)
def test_a_file_that_cannot_be_a_report_is_refused_before_anything_is_computed(arguments, gradparity, tmp_path):
    code, out, err = gradparity(*arguments, "--report", "page.pdf")
    assert (code, out) == (2, "")
    assert err == "gradparity: page.pdf: expected a file that ends in .html or .htm\n"


def test_without_jinja2_a_command_says_what_to_install(gradparity, hide):
    hide("jinja2")
    code, _, err = gradparity("compare", "elman-softmax", "--report", "page.html")
    assert code == 2
    assert err == 'gradparity: a report needs Jinja2, which is not installed: pip install "gradparity[report]"\n'


def test_only_a_result_has_a_page(tmp_path):
    with pytest.raises(RequestError, match="result is a Problem, expected a Comparison or a Check"):
        page_of(SYSTEMS["lstm"].problem(seed=0))


def test_options_of_many_problems_are_counted():
    assert counted([4, 4, 12], 3) == "4 × 2, 12 × 1"
    assert counted(list(range(10)), 10) == "0 to 9, median 4.5"
    assert counted(["tanh"], 2) == "tanh × 1"


def test_all_parts_of_a_comparison_that_learns_are_there():
    system = SYSTEMS["elman-sgd"]
    comparison = compare(system.problem(seed=0), ["manual", "torch"], training=system.training)
    caption = next(part.caption for part in comparison_parts(comparison) if type(part).__name__ == "HeatMap")
    assert caption.startswith("Block × step of learning")


def test_a_saved_case_is_the_problem_itself(tmp_path):
    problem = SYSTEMS["gru"].problem(seed=0)
    comparison = compare(problem, ["manual", Faulty(in_gradients("V", np.negative))])
    document = page_at(write_html(comparison, tmp_path / "page.html"))
    assert Problem.load(saved_case(document, tmp_path)).fingerprint == problem.fingerprint


def test_who_asks_for_no_page_loads_nothing_of_it():
    code = "import gradparity.compare.cli, sys; print([name for name in sys.modules if 'compare.report' in name])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
