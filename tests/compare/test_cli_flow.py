"""`gradparity flow`: what it prints, what it writes, and its exit codes."""

from __future__ import annotations

import json

import pytest

TWO = ("--backend", "manual", "--backend", "torch")
FLOW = ("flow", "elman-softmax", "lstm", "--scale", 1, *TWO)


def test_a_flow_is_a_chart_and_a_table(gradparity):
    code, out, err = gradparity(*FLOW, "--seq-len", 30)
    assert (code, err) == (0, "")
    assert "‖∂L_T/∂h_t‖" in out
    rows = {line.split()[1]: line for line in out.splitlines() if line[:3].strip() in ("a", "b")}
    assert rows["elman-softmax"].split()[2:4] == ["×", "1"]
    assert "vanishes" in rows["elman-softmax"]
    assert "holds" in rows["lstm"]
    assert all("agree (rounding)" in row for row in rows.values())


def test_the_flow_as_json_on_standard_output_is_nothing_else(gradparity):
    code, out, err = gradparity(*FLOW, "--seq-len", 6, "--json", "-")
    assert code == 0
    assert "‖∂L_T/∂h_t‖" in err
    document = json.loads(out)
    assert set(document) == {"schema", "flows"}
    first, second = document["flows"]
    assert (first["system"], second["system"], first["scale"]) == ("elman-softmax", "lstm", 1.0)
    assert len(first["norms"]) == 7
    assert (first["verdict"], first["backends"]) == ("agree", ["manual", "torch"])


@pytest.mark.parametrize(("name", "begin"), [("x.png", b"\x89PNG"), ("x.svg", b"<?xml"), ("x.PDF", b"%PDF")])
def test_the_flow_is_drawn_into_a_file(gradparity, tmp_path, name, begin):
    assert gradparity(*FLOW, "--seq-len", 4, "--plot", name)[0] == 0
    assert (tmp_path / name).read_bytes().startswith(begin)


def test_the_gates_and_the_scale_can_be_chosen(gradparity):
    _, out, _ = gradparity("flow", "lstm", "--scale", 0.5, "--scale", 2, "--gate-bias", 0, "--seq-len", 40, *TWO)
    assert "lstm × 0.5" in out
    assert "lstm × 2" in out
    assert "vanishes" in out


WRONG_ADJOINT = """
from faults import Faulty, in_adjoints
backend = Faulty(in_adjoints(("h", 2)))
"""


def test_a_flow_that_disagrees_is_exit_code_1(gradparity, tmp_path):
    (tmp_path / "wrong_adjoint.py").write_text(WRONG_ADJOINT)
    code, out, _ = gradparity("flow", "gru", "--scale", 1, "--seq-len", 4, "--backend", "wrong_adjoint:backend")
    assert code == 1
    assert "disagree" in out


def test_a_flow_that_leaves_the_range_of_numbers_is_undecidable_and_exit_code_1(gradparity):
    code, out, _ = gradparity("flow", "elman-relu", "--scale", 1e308, "--seq-len", 3, *TWO)
    assert code == 1
    assert "undecidable" in out
    assert "holds" not in out


def test_without_plotext_the_flow_is_a_table_and_a_note(gradparity, hide):
    hide("plotext")
    code, out, _ = gradparity(*FLOW, "--seq-len", 4)
    assert code == 0
    assert 'the terminal chart needs plotext, which is not installed: pip install "gradparity[plot]"' in out
    assert "lstm × 1" in out


def test_without_matplotlib_a_picture_is_refused_before_anything_is_computed(gradparity, hide, tmp_path):
    hide("matplotlib")
    code, out, err = gradparity(*FLOW, "--plot", "x.png")
    assert (code, out) == (2, "")
    assert err == 'gradparity: a picture needs matplotlib, which is not installed: pip install "gradparity[plot]"\n'
    assert list(tmp_path.iterdir()) == []
