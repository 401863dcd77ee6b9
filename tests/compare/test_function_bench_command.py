"""What `gradparity bench FILE.py:FUNCTION …` is asked: what is refused in one line, and what the command writes."""

from __future__ import annotations

import json

import pytest
from gradparity.backends import RequestError
from gradparity.compare.function_bench import FunctionBench, FunctionMeasurement, FunctionTiming, plot
from gradparity.compare.function_bench.separate_candidate import Case
from gradparity.compare.function_bench.targets import parse_growth, parse_targets
from timed_functions import bench, write_files


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_files(tmp_path_factory.mktemp("functions"))


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (["mine"], "'mine' names no function"),
        (["a.py:f", "a.py:f"], "a.py:f is named twice"),
        ([f"a.py:f{number}" for number in range(17)], "17 functions are named, expected at most 16"),
        (["jxa:a.py:f"], "jxa:a.py:f: unknown framework 'jxa': did you mean 'jax'?"),
    ],
)
def test_a_target_that_is_none_is_refused_in_one_line(targets, message):
    with pytest.raises(RequestError) as refused:
        parse_targets(targets)
    assert str(refused.value).startswith(message)


@pytest.mark.parametrize("text", ["T", "T=", "T=a", "T=0,1", "T=1", "T=1,1", "=1,2", "T-1=1,2"])
def test_a_growth_that_is_none_is_refused_in_one_line(text):
    with pytest.raises(RequestError, match=f"--grow {text}: expected "):
        parse_growth([text])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"grow": ["Q=1,2"]}, "unknown size 'Q': expected one of T, D"),
        ({"arguments": "{}/mine.py:argumnets"}, "did you mean 'arguments'?"),
        ({"arguments": "{}/none.py:f"}, "none.py: no such file"),
        ({"arguments": "{}/a.npz", "grow": ["T=1,2"]}, "its arrays have one size"),
        ({"dtypes": ["float16"]}, "dtype"),
        ({"timeout": 0}, "timeout is 0"),
        ({"rounds": 0}, "rounds"),
        ({"threads": 1000}, "threads is 1000"),
    ],
)
def test_a_wrong_option_is_refused_in_one_line(folder, options, message):
    options = {name: value.format(folder) if isinstance(value, str) else value for name, value in options.items()}
    with pytest.raises(RequestError) as refused:
        bench(folder, "right", **options)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_arguments_that_nobody_says_are_asked_for(folder):
    with pytest.raises(RequestError, match="nothing says what in_torch"):
        bench(folder, "torch_side.py:in_torch")


def test_the_command_writes_its_tables_and_results_and_ends_with_1_if_a_function_is_wrong(gradparity, folder):
    targets = [f"{folder}/mine.py:{name}" for name in ("right", "wrong")]
    code, out, _ = gradparity(
        "bench", *targets, "--rounds", 2, "--grow", "T=2,4", "--json", "o.json", "--markdown", "o.md", "--plot", "o.svg"
    )
    assert code == 1
    assert "right: time ~ T^" in out
    assert "2 sets of arguments: 2 of 4 answers accepted; right is the fastest on 2" in out
    with open("o.json") as file:
        document = json.load(file, parse_constant=pytest.fail)
    assert [result["sizes"] for result in document["results"]] == [{"T": 2}, {"T": 4}]
    assert [fit["function"] for fit in document["growth"]] == ["right"]
    with open("o.md") as file:
        assert "| T | right | wrong |" in file.read()
    with open("o.svg") as file:
        assert "<svg" in file.read()


def timing(name, *seconds):
    return FunctionTiming(name, "accepted" if seconds else "disagrees", seconds=seconds, cores=seconds)


def figure_of(monkeypatch, measurements, growths):
    drawn = {}
    monkeypatch.setattr(plot, "figure_bytes", lambda figure, suffix: drawn.setdefault("figure", figure))
    plot.function_figure(FunctionBench(measurements, growths, {}, False, 1.0), ".svg")
    return drawn["figure"].axes


def test_the_picture_of_a_growth_has_multiples_of_the_fastest_at_each_size(monkeypatch):
    of_size = {2: (timing("f", 1.0, 1.0), timing("g", 3.0, 3.0)), 8: (timing("f", 4.0, 4.0), timing("g", 2.0, 2.0))}
    series = [FunctionMeasurement(Case((("T", size),)), "", False, timings) for size, timings in of_size.items()]
    (axes,) = figure_of(monkeypatch, series, parse_growth(["T=2,8"]))
    f, g = (container.lines[0].get_ydata() for container in axes.containers)
    assert (list(f), list(g)) == ([1.0, 2.0], [3.0, 1.0])
    assert [label.get_text() for label in axes.get_xticklabels()] == ["2", "8"]
    assert [text.get_text() for text in axes.texts] == ["● f", "■ g"]


def test_the_picture_without_a_growth_has_a_bar_for_each_function(monkeypatch):
    timings = (timing("f", 1.0, 1.0), timing("wrong"), timing("g", 3.0, 3.0))
    (axes,) = figure_of(monkeypatch, [FunctionMeasurement(Case(), "", False, timings)], [])
    assert [bar.get_width() for bar in axes.patches] == [1.0, 3.0]
    assert [text.get_text().strip() for text in axes.texts] == ["1.00 (1.00 s)", "disagrees", "3.00 (3.00 s)"]


@pytest.mark.parametrize("option", [("--cell", "rnn"), ("--quick",), ("--backend", "manual"), ("--device", "cuda")])
def test_options_about_backends_are_refused_beside_functions(gradparity, option):
    code, _, err = gradparity("bench", "mine.py:right", *option)
    assert code == 2
    assert f"{option[0]} is about backends, not about TARGETs" in err


def test_options_about_functions_are_refused_without_them(gradparity):
    code, _, err = gradparity("bench", "--grow", "T=1,2")
    assert code == 2
    assert "--grow is about TARGETs" in err
