"""The command line: what it prints, what it writes, and its exit codes."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from importlib import metadata

import pytest
from gradparity.backends import Problem, backend_names, default_backend_names
from gradparity.compare import SYSTEMS
from gradparity.compare.campaign import cases as campaign
from projects import BACKENDS

WRONG_BACKEND = """
from faults import Faulty, in_gradients
import numpy as np
backend = Faulty(in_gradients("W", np.transpose))
"""


def test_an_agreement_is_a_table_and_exit_code_0(gradparity):
    code, out, err = gradparity("compare", "elman-softmax", "--seed", 0, "--seed", 7)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert [word for word in lines[0].split() if word in backend_names()] == list(default_backend_names())
    assert lines[2].split()[:2] == ["elman-softmax", "float64"]
    assert lines[3].split()[:1] == ["float32"]
    assert all("agree (rounding)" in line for line in lines[2:4])
    assert "4 problems from seeds 0, 7, " in out
    assert ": 4 agree (" in out


def test_a_disagreement_is_reported_with_exit_code_1(gradparity, tmp_path):
    (tmp_path / "wrong_backend.py").write_text(WRONG_BACKEND)
    options = ("--backend", "torch", "--backend", "manual", "--backend", "wrong_backend:backend", "--seed", 0)
    code, out, _ = gradparity("compare", "elman-relu", "--dtype", "float64", *options, "--save-case", "cases")
    assert code == 1
    assert "dW: mine differs from torch and manual at [" in out
    assert "Likely cause: transposed." in out
    (case,) = (tmp_path / "cases").iterdir()
    assert case.name.startswith("elman-relu-")
    assert f"Try: gradparity compare --case cases/{case.name}" in out
    assert ": 1 disagree (" in out

    again, out, _ = gradparity("compare", "--case", case, "--backend", "wrong_backend:backend")
    assert again == 1
    assert case.name in out
    assert gradparity("compare", "--case", case)[0] == 0


def test_backends_of_ones_own_are_said_to_agree_with_each_other_only(gradparity, tmp_path):
    (tmp_path / "own.py").write_text(
        "from faults import Faulty, nothing\na, b = Faulty(nothing, 'a'), Faulty(nothing, 'b')\n"
    )
    two = ("compare", "elman-softmax", "--seed", 0, "--dtype", "float64", "--backend", "own:a", "--backend", "own:b")
    code, out, _ = gradparity(*two, "--json", "result.json")
    assert code == 0
    said = "a and b agree with each other only: no backend of gradparity's own was asked."
    assert "agree with each other (bitwise)" in out
    assert out.splitlines()[-1] == said
    (result,) = json.loads((tmp_path / "result.json").read_text())["results"]
    assert result["reservation"] == said
    code, out, _ = gradparity(*two, "--backend", "manual")
    assert (code, "each other" in out) == (0, False)


def test_json_follows_its_schema(gradparity, tmp_path):
    code, out, _ = gradparity("compare", "elman-logistic", "--seed", 3, "--dtype", "float32", "--json", "result.json")
    assert code == 0
    assert "elman-logistic" in out
    document = json.loads((tmp_path / "result.json").read_text())
    assert set(document) == {"schema", "environment", "results"}
    assert document["schema"] == 2
    assert {"versions", "blas", "threads", "processor", "tf32", "x64"} <= set(document["environment"])
    (result,) = document["results"]
    problem = SYSTEMS["elman-logistic"].problem(seed=3, dtype="float32")
    assert result["fingerprint"] == problem.fingerprint
    assert (result["system"], result["dtype"], result["seed"]) == ("elman-logistic", "float32", 3)
    assert (result["verdict"], result["strength"]) == ("agree", "rounding")
    assert set(result["backends"]) == {"manual", "torch", "jax"}
    assert set(result["skipped"]) == {"torch-nn"}
    for answer in result["backends"].values():
        assert {"loss", "distance_ulp", "failure"} <= set(answer)
        assert answer["loss"] == pytest.approx(result["backends"]["manual"]["loss"], rel=1e-5)
    assert {block["verdict"] for block in result["blocks"]} == {"agree"}


def test_json_on_standard_output_is_nothing_else(gradparity):
    code, out, err = gradparity("compare", "elman-softmax", "--seed", 0, "--dtype", "float64", "--json", "-")
    assert code == 0
    assert json.loads(out)["schema"] == 2
    assert "agree (rounding)" in err


def test_the_diagnosis_of_every_disagreement_stands_in_the_json(gradparity, tmp_path, monkeypatch):
    """Also of those of which no report is shown."""
    (tmp_path / "mine.py").write_text(WRONG_BACKEND)
    monkeypatch.setattr("gradparity.compare.campaign.display.MAX_REPORTS", 1)
    seeds = ("--seed", 0, "--seed", 1)
    only = ("--backend", "mine:backend", "--backend", "manual", "--dtype", "float64")
    code, out, err = gradparity("compare", "elman-logistic", *seeds, *only, "--json", "-")
    assert code == 1
    results = json.loads(out)["results"]
    assert len(results) == 2
    assert "… and 1 more cases that are no agreement." in err
    for result in results:
        (suspect, *_) = result["diagnoses"]["mine"]["suspects"]
        assert suspect["mistakes"] == ["dW transposed"]


def test_an_agreement_has_no_diagnosis_in_the_json(gradparity):
    _, out, _ = gradparity("compare", "elman-logistic", "--seed", 0, "--dtype", "float64", "--json", "-")
    assert [result["diagnoses"] for result in json.loads(out)["results"]] == [None]


def test_json_stays_strict_where_numbers_are_not_finite(gradparity, tmp_path):
    problem = SYSTEMS["elman-relu"].problem(seed=0, dtype="float32").writable_copy()
    problem.params["W"] *= 1e30
    path = Problem(**vars(problem)).save(tmp_path / "overflow.npz")
    code, out, _ = gradparity("compare", "--case", path, "--json", "-")
    assert code == 1
    (result,) = json.loads(out, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))["results"]
    assert result["verdict"] == "undecidable"


def test_the_picture_is_an_svg_of_the_table(gradparity, tmp_path):
    gradparity(
        "compare", "elman-softmax", "--seed", 0, "--backend", "manual", "--backend", "torch", "--svg", "table.svg"
    )
    assert ElementTree.parse(tmp_path / "table.svg").getroot().tag.endswith("svg")
    assert "elman-softmax" in (tmp_path / "table.svg").read_text()


def test_real_input_from_a_file_of_ones_own(gradparity, tmp_path):
    (tmp_path / "novel.txt").write_text("It was the best of times, it was the worst of times.")
    code, out, _ = gradparity("compare", "--data", "novel.txt", "--seed", 0)
    assert code == 0
    assert "on novel.txt" in out


def test_systems_and_backends_are_listed(gradparity):
    code, out, _ = gradparity("systems")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()[1:]] == list(SYSTEMS)
    code, out, _ = gradparity("backends", "--json", "-")
    assert code == 0
    statuses = {row["backend"]: row["status"] for row in json.loads(out)["backends"]}
    assert statuses == {name: "ready" if name in default_backend_names() else "on request" for name in backend_names()}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compare", "elman-sofmax"], "unknown system 'elman-sofmax': did you mean 'elman-softmax'?"),
        (["compare", "--backend", "troch"], "unknown backend 'troch': did you mean 'torch'?"),
        (["compare", "--backend", "nowhere:x"], "there is no module 'nowhere'"),
        (["compare", "--dtype", "float16"], "dtype is float16, expected float64 or float32"),
        (["compare", "--seed", "-1"], "'--seed': Input should be greater than or equal to 0"),
        (["compare", "--seed", "one"], "'--seed': Input should be a valid integer"),
        (["compare", "--data", "digit"], "unknown data set 'digit': did you mean 'digits'?"),
        (["compare", "--data", "none.csv"], "none.csv: no such file"),
        (["compare", "--data", "empty.txt"], "empty.txt: is empty"),
        (["compare", "--data", "one.txt"], "one.txt: holds 1 character"),
        (["compare", "--data", "words.csv"], "words.csv: no numeric column"),
        (["compare", "--data", "sunspots", "elman-softmax"], "sunspots needs squared_error"),
        (["compare", "--case", "none.npz"], "none.npz: no such file"),
        (["compare", "--case", "empty.txt"], "empty.txt: damaged, or not an .npz file"),
        (["compare", "--case", "none.npz", "elman-relu"], "--case stands alone"),
        (["compare", "--frobnicate"], "--frobnicate"),
        (["comapre"], "comapre"),
        (["compare", "--json", "none/x.json"], "none/x.json: cannot be written: there is no folder none"),
        (["compare", "--svg", "none/x.svg"], "none/x.svg: cannot be written: there is no folder none"),
        (["compare", "--save-case", "one.txt"], "one.txt: cannot be created as a folder"),
        (["compare", "--json", ""], "cannot be written"),
        (["compare", "--json", "folder"], "folder: cannot be written: it is a folder"),
        (["compare", "elman-sgd", "--steps", "0"], "'--steps': Input should be greater than or equal to 1"),
        (["compare", "elman-sgd", "--steps", "many"], "'--steps': Input should be a valid integer"),
        (["compare", "elman-sgd", "--batch-size", "0"], "'--batch-size': Input should be greater than or equal to 1"),
        (["compare", "elman-sgd", "--learning-rate", "0"], "learning_rate = 0.0, expected a positive number"),
        (["compare", "elman-sgd", "--learning-rate", "nan"], "learning_rate = nan, expected a finite number"),
        (["compare", "elman-sgd", "--until", "-1"], "until = -1.0, expected a positive number"),
        (
            ["compare", "elman-softmax", "--learning-rate", "0.1"],
            "--learning-rate is about learning, but elman-softmax does not learn: add --steps N",
        ),
        (
            ["compare", "gru", "--batch-size", "2"],
            "--batch-size is about learning, but gru does not learn: add --steps N",
        ),
        (
            ["compare", "--data", "digits", "--until", "0.1"],
            "--until is about learning, but elman-softmax does not learn",
        ),
        (["compare", "ordered-derivatives", "--steps", "3"], "--steps: ordered-derivatives has no loss to minimize"),
        (["compare", "mlp", "--data", "digits"], "mlp has no time, but digits is a sequence: try elman-softmax"),
        (["flow", "mlp"], "mlp has no time, and so no gradient flow: expected a recurrent system"),
        (["flow", "lstn"], "unknown system 'lstn': did you mean 'lstm'?"),
        (["flow", "--scale", "nan"], "--scale = nan, expected a finite number"),
        (["flow", "--scale", "big"], "'--scale': Input should be a valid number"),
        (["flow", "lstm", "--gate-bias", "inf"], "inf, expected a finite number"),
        (["flow", "--seq-len", "1"], "'--seq-len': Input should be greater than or equal to 2"),
        (["flow", "--seed", "-1"], "'--seed': Input should be greater than or equal to 0"),
        (["flow", "--backend", "troch"], "unknown backend 'troch': did you mean 'torch'?"),
        (["flow", "--plot", "x.gif"], "x.gif: cannot be drawn, expected a file that ends in .png, .svg, .pdf"),
        (["flow", "--plot", "none/x.png"], "none/x.png: cannot be written: there is no folder none"),
        (["flow", "--json", "folder"], "folder: cannot be written: it is a folder"),
    ],
)
def test_a_wrong_request_is_one_line_and_exit_code_2(gradparity, tmp_path, arguments, message):
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "one.txt").write_text("a")
    (tmp_path / "words.csv").write_text("name\nred\nblue\n")
    (tmp_path / "folder").mkdir()
    code, _, err = gradparity(*arguments)
    assert code == 2
    assert message in err
    assert err.count("\n") == 1
    assert err.startswith("gradparity: ")


UNUSUAL_BACKENDS = """
from faults import Faulty, nothing
from gradparity.backends import UnsupportedProblemError

def refuse(answer, problem):
    raise UnsupportedProblemError("never")

def chatty(answer, problem):
    print("debugging")

bracketed = Faulty(nothing, "mine[/v2]")
refusing = Faulty(refuse, "refusing")
talking = Faulty(chatty, "talking")
"""


@pytest.fixture
def unusual_backends(tmp_path, monkeypatch):
    (tmp_path / "unusual_backends.py").write_text(UNUSUAL_BACKENDS)
    monkeypatch.delitem(sys.modules, "unusual_backends", raising=False)


def test_names_are_shown_as_they_are(gradparity, unusual_backends, tmp_path):
    (tmp_path / "a[red]b.txt").write_text("to be or not to be")
    code, out, _ = gradparity(
        "compare", "--backend", "unusual_backends:bracketed", "--data", "a[red]b.txt", "--svg", "x.svg"
    )
    assert code == 0
    assert "mine[/v2]" in out
    assert "on a[red]b.txt" in out


def test_a_case_that_no_two_can_compute_is_left_out_and_the_others_are_not(gradparity):
    options = ("--backend", "torch-nn", "--backend", "manual", "--seed", 0, "--dtype", "float64")
    code, out, _ = gradparity("compare", "elman-relu", "elman-logistic", *options)
    assert code == 0
    assert "note: elman-logistic was left out: no two backends can compute this: torch-nn: torch.nn.RNN has" in out
    assert "1 problem from seed 0" in out
    code, _, err = gradparity("compare", "elman-logistic", *options)
    assert code == 2
    assert "nothing could be compared" in err


def test_a_backend_that_refuses_everything_is_no_agreement(gradparity, unusual_backends):
    code, _, err = gradparity("compare", "elman-relu", "--backend", "unusual_backends:refusing")
    assert code == 2
    assert "refusing: never" in err


def test_what_a_backend_prints_does_not_get_into_the_json(gradparity, unusual_backends):
    _, out, err = gradparity(
        "compare", "elman-relu", "--seed", 0, "--backend", "unusual_backends:talking", "--json", "-"
    )
    assert json.loads(out)["schema"] == 2
    assert "debugging" in err


def test_a_script_that_exits_is_no_success(gradparity, tmp_path):
    (tmp_path / "exiting.py").write_text("import sys; sys.exit()")
    code, _, err = gradparity("compare", "--backend", "exiting:backend")
    assert code == 2
    assert "fails to load: SystemExit" in err


def test_help_teaches_by_example(gradparity):
    code, out, _ = gradparity()
    assert code == 0
    assert "Exit codes" in out
    code, out, _ = gradparity("compare", "--help")
    assert code == 0
    for option in ("--backend", "--dtype", "--seed", "--data", "--case", "--save-case", "--json", "--svg"):
        assert option in out
    for option in ("--steps", "--learning-rate", "--batch-size", "--until"):
        assert option in out
    assert "gradparity compare --data my_novel.txt" in out
    code, out, _ = gradparity("flow", "--help")
    assert code == 0
    for option in ("--scale", "--seq-len", "--gate-bias", "--plot", "--json"):
        assert option in out
    assert "gradparity flow elman-softmax elman-window --scale 1 --seq-len 30 --plot flow.svg" in " ".join(out.split())


def small_command(folder):
    """A comparison without a framework, which takes seconds to load."""
    (folder / "mine.py").write_text(BACKENDS)
    options = ("--seed", "0", "--backend", "manual", "--backend", "mine:right")
    return [sys.executable, "-m", "gradparity.compare", "compare", "elman-relu", *options]


def test_python_m_is_the_same_program_and_a_pipe_gets_no_progress_bar(tmp_path):
    done = subprocess.run(
        small_command(tmp_path),
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "agree (bitwise)" in done.stdout
    assert "\x1b" not in done.stdout


def test_a_terminal_gets_a_progress_bar(tmp_path):
    controller, terminal = pty.openpty()
    done = subprocess.Popen(
        small_command(tmp_path),
        stdout=subprocess.DEVNULL,
        stderr=terminal,
        cwd=tmp_path,
        env=os.environ | {"TERM": "xterm-256color"},
    )
    os.close(terminal)
    shown = b""
    while True:
        try:
            part = os.read(controller, 4096)
        except OSError:  # the terminal's end, on Linux
            break
        if not part:
            break
        shown += part
    assert done.wait() == 0
    assert b"elman-relu" in shown
    assert "━".encode() in shown


@pytest.mark.parametrize(("package", "extra"), [("torch", "torch"), ("jax", "jax"), ("sklearn", "data")])
def test_what_is_not_installed_is_left_out_with_a_note(gradparity, hide, monkeypatch, package, extra):
    """Of all that is compared when nothing is named; but one system stands for the catalogue."""
    hide(package)
    monkeypatch.setattr(campaign, "SYSTEMS", {"elman-softmax": SYSTEMS["elman-softmax"]})
    code, out, _ = gradparity("compare", "--seed", 0, "--dtype", "float64")
    assert code == 0
    assert f'pip install "gradparity[{extra}]"' in out
    assert out.count("elman-softmax") == (2 if package != "sklearn" else 1)
    assert ("on digits" in out) == (package != "sklearn")
    assert "on sunspots" in out


def test_the_version_is_the_distributions(gradparity):
    assert gradparity("--version") == (0, f"gradparity {metadata.version('gradparity')}\n", "")


def test_the_version_needs_no_framework():
    """Not even one that is installed: a framework takes seconds to load."""
    program = """
import sys
from gradparity.compare import cli
try:
    cli.main(["--version"])
finally:
    assert not {"torch", "jax", "autograd"} & sys.modules.keys()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("gradparity ")
