"""The pages of bench, sweep, detect and flow: what they say, that hostile names stay text, and that they stay small."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from gradparity.backends import get_backend
from gradparity.compare.bench import Bench, Measurement, Timing, Workload, find_changes
from gradparity.compare.bench.report import bench_page
from gradparity.compare.detection import Detection, checks
from gradparity.compare.detection.own_results import OwnResult
from gradparity.compare.detection.report import detection_report
from gradparity.compare.detection.results import CorrectResult, MistakeResult
from gradparity.compare.flow import measure_flow
from gradparity.compare.flow.report import flow_page
from gradparity.compare.function_bench import FunctionBench, FunctionMeasurement, FunctionTiming
from gradparity.compare.function_bench.changes import find_function_changes, machine_notes
from gradparity.compare.function_bench.report import function_page
from gradparity.compare.function_bench.separate_candidate import Case
from gradparity.compare.function_bench.targets import parse_growth
from gradparity.compare.localization import Localization
from gradparity.compare.report import MAX_BYTES, render
from gradparity.compare.report.charts import Axis, Bar, Curve, Point, bar_chart, line_chart
from gradparity.compare.sweep import Sweep, SweepOutcome, draw_problem
from gradparity.compare.sweep.report import sweep_page
from gradparity.compare.systems import SYSTEMS

HOSTILE = '"><script>alert(1)</script>{{7*7}}'
TINY = Workload("lstm", "float64", 2, 3, 4, 5)


class Words(HTMLParser):
    """The text of a page without its styles and scripts, and how often each element is there."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.words: list[str] = []
        self.feed(content)

    def handle_starttag(self, tag, attributes):
        self.elements.append(tag)

    def handle_data(self, data):
        if self.elements and self.elements[-1] not in ("style", "script"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def shown(page) -> Words:
    """What is on a page, which holds to what all pages promise."""
    content = render(page)
    assert len(content.encode()) <= MAX_BYTES
    words = Words(content)
    assert words.elements.count("script") == words.elements.count("h1") == 1
    assert re.findall(r"""(?:src|href)=["']?(?!#|data:)[^"'> ]+""", content) == []  # nothing is fetched
    return words


def timing(name, *seconds, **options):
    return Timing(name, "accepted", "", 1.0, 0.1, 0.2, 3, seconds, 2**20, **options)


def measurement(*seconds, workload=TINY, name="manual"):
    others = (timing("floor", 1.0, 1.0, 1.1), timing(name, *seconds), timing("jax", 3.0, 3.1, 3.2))
    return Measurement(workload, (*others, Timing("torch", "disagrees", "dW is <wrong>")))


def bench(*measurements):
    environment = {"python": "3.11", "blas": "OpenBLAS (Zen)", "versions": {}, "bench": {"rounds": 3, "threads": 1}}
    return Bench(measurements, environment, ["no <flax>"], False, 12.0)


# bench


def test_the_page_of_a_benchmark_has_the_winner_all_times_and_what_is_slower():
    now = bench(measurement(2.0, 2.1, 2.2), measurement(6.0, 6.1, 6.2, workload=replace(TINY, hidden_size=50)))
    changes = find_changes([measurement(1.0, 1.0, 1.1)], now.measurements)
    words = shown(bench_page(now, "gradparity bench --quick", changes))
    assert "2 workloads: 4 of 6 answers accepted; manual is the fastest on 1 (12 s)" in words.text
    assert "0 faster, 1 slower, 1 no change" in words.text
    assert "dW is <wrong>" in words.text
    assert "gradparity bench --quick" in words.text
    assert "OpenBLAS (Zen)" in words.text
    assert words.elements.count("svg") == 1  # one cell and dtype
    assert words.elements.count("polyline") == 2
    assert words.elements.count("tr") == 4 + 2 + 3 + 9 + 3  # standings, changes and all, times, who has none


def test_the_times_are_sorted_by_seconds_and_not_by_their_text():
    content = render(bench_page(bench(measurement(2e-3, 2.1e-3, 2.2e-3)), ""))
    assert 'data-value="0.0021">2.10 ms<' in content
    assert 'data-value="3.1">3.10 s<' in content


def test_a_page_without_an_earlier_run_says_nothing_of_changes():
    assert "earlier run" not in shown(bench_page(bench(measurement(2.0)), "")).text
    assert "Nothing was timed before" in shown(bench_page(bench(measurement(2.0)), "", [])).text


def test_hostile_names_stay_text():
    words = shown(bench_page(bench(measurement(2.0, 2.1, name=HOSTILE)), f"gradparity bench {HOSTILE}"))
    assert words.text.count(HOSTILE) >= 3
    hidden = line_chart("", [Curve("a\x07\u202eb", (Point(1, 1, 1, 1),))], *axes(), text="")
    assert "a\ufffd\ufffdb" in hidden.svg  # which turn the direction of writing, or are in no XML
    drawn = line_chart(HOSTILE, [Curve(HOSTILE, (Point(1, 1, 1, 1),))], *axes(), text=HOSTILE)
    assert "<script" not in drawn.svg


# functions


def function_timing(name, *seconds):
    verdict = "accepted" if seconds else "disagrees"
    return FunctionTiming(name, verdict, "" if seconds else "dW is wrong", seconds=seconds, cores=seconds, memory=2**20)


def function_bench(scale=1.0, processor="Zen"):
    of_size = {size: (scale * size, scale * 1.01 * size) for size in (2, 8, 32)}
    measurements = [
        FunctionMeasurement(
            Case((("T", size),)), "by the recording of f", True, (function_timing("f", *times), function_timing("g"))
        )
        for size, times in of_size.items()
    ]
    environment = {"processor": processor, "bench": {"functions": ["a.py:f"], "threads": 1, "schema": 1}}
    return FunctionBench(measurements, parse_growth(["T=2,8,32"]), environment, False, 3.0)


def test_the_page_of_functions_has_their_growth_with_its_error_and_how_they_were_verified():
    words = shown(function_page(function_bench(), "gradparity bench a.py:f"))
    assert "3 sets of arguments: 3 of 6 answers accepted; f is the fastest on 3" in words.text
    assert "f 1.00 0.01 1.00 0.00 8 to 32" in words.text or re.search(
        r"f 1\.00 0\.0\d 1\.00 0\.0\d 8 to 32", words.text
    )
    assert "f: verified by the recording of f." in words.text
    assert "dW is wrong" in words.text
    assert words.elements.count("svg") == 1


def test_the_page_of_functions_without_a_size_that_grows_has_bars():
    alone = replace(function_bench(), growths=(), measurements=function_bench().measurements[:1])
    words = shown(function_page(alone, ""))
    assert "2.01 s (1.00 ×)" in words.text
    assert words.elements.count("rect") == 1


def test_functions_are_compared_with_an_earlier_run_and_another_machine_is_told():
    before, now = function_bench(processor="Haswell"), function_bench(scale=1.5)
    changes = find_function_changes(before, now)
    assert [(change.workload.label, change.backend, change.verdict) for change in changes] == [
        (f"T={size}", "f", "slower") for size in (2, 8, 32)
    ]
    notes = machine_notes(before, now)
    assert notes == ["processor was Haswell before, and is Zen now: what changed may be that"]
    words = shown(function_page(now, "", changes, notes))
    assert "0 faster, 3 slower, 0 no change" in words.text
    assert "processor was Haswell" in words.text
    assert {change.verdict for change in find_function_changes(now, now)} == {"no change"}


# sweep


@pytest.fixture(scope="module")
def outcomes():
    """Outcomes of drawn problems as a sweep has them: most agree, every ninth is undecidable, a few are wrong."""
    drawn = [draw_problem(number) for number in range(0, 2000, 7)]
    found = []
    for number in range(20_000):
        one = drawn[number % len(drawn)]
        verdict = "disagree" if number % 199 == 5 else "undecidable" if number % 9 == 0 else "agree"
        report = "dW: torch is wrong at [1, 2] by 1e-3\n" * 60 if verdict == "disagree" else ""
        share = None if verdict == "undecidable" else (number % 400) / 5000
        words = (one.family, one.problem.summary, one.problem.dtype.name, one.gain, one.regime, "0123456789ab")
        found.append(SweepOutcome(number, *words, verdict, "rounding", share, report))
    return found


def test_the_page_of_a_sweep_of_20000_is_small_and_has_every_problem_that_is_no_agreement(outcomes):
    sweep = Sweep(outcomes, 3, 10, 0, 100.0, (), backends=("manual", "torch"))
    content = render(sweep_page(sweep, "gradparity sweep --problems 20000", "sweep.jsonl"))
    assert len(content.encode()) < MAX_BYTES
    assert "20000 random problems from seed 3: " in content
    wrong, undecidable = sweep.wrong, sweep.undecidable
    assert (len(wrong), len(undecidable)) == (101, 2212)
    for outcome in (wrong[0], wrong[-1], undecidable[0], undecidable[-1]):
        assert sweep.line_of(outcome) in content
    assert "All are in sweep.jsonl." in content


def test_the_matrix_of_a_sweep_counts_every_verdict_once(outcomes):
    sweep = Sweep(outcomes[:500], 0, 10, 0, 1.0, ())
    (matrix,) = (part for part in sweep_page(sweep, "").parts[0].parts if type(part).__name__ == "Matrix")
    marks = [mark for row in matrix.rows for mark in row.marks if mark]
    counted = [sum(map(int, re.findall(r"\d+", f"{mark.word} {mark.detail}"))) for mark in marks]
    assert sum(counted) == 500
    assert {mark.tone for mark in marks if "disagree" in mark.detail} == {"bad"}


def test_the_shares_of_the_limits_are_counted_once_each(outcomes):
    rows = Sweep(outcomes, 0, 10, 0, 1.0, ()).limits_used()
    assert sum(row["problems"] for row in rows) == sum(outcome.share is not None for outcome in outcomes)
    assert [row["up_to"] for row in rows] == [0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, math.inf]
    assert rows[0]["problems"] == sum(outcome.share == 0 for outcome in outcomes)


# detect


def mistake_result(system, verdict="wrong", suspects=(), named=False):
    found = {"gradcheck": checks.CheckResult("right"), "gradparity": checks.CheckResult(verdict)}
    return MistakeResult("plain cell", "sign", "of all", system, False, found, suspects, named)


@pytest.fixture
def detection():
    planted = (
        mistake_result("lstm", suspects=(("sign",),), named=True),
        mistake_result("lstm", suspects=(("sign",), ("scale",)), named=True),
        mistake_result("gru", suspects=(("scale",),)),
        mistake_result("mlp", "right"),
    )
    right = CorrectResult("ordinary", "lstm", 7, {name: checks.CheckResult("right") for name in planted[0].verdicts})
    own = OwnResult(
        *("rows", "a factor dropped", 30, "h * h", HOSTILE, checks.CheckResult("wrong"), "named", True),
        *(Localization(), (), 0.5),
    )
    return Detection(planted, (right,), ("gradcheck", "gradparity"), (), 5.0, (own,))


def test_the_page_of_a_detection_run_tells_named_from_among_several_not_named_and_missed(detection):
    assert [result.outcome for result in detection.planted] == ["named", "among several", "not named", "missed"]
    page = detection_report(detection, "gradparity detect --quick")
    words = shown(page)
    assert page.verdict.tone == "bad"
    (matrix,) = (part for section in page.parts for part in section.parts if type(part).__name__ == "Matrix")
    assert matrix.columns == ("lstm", "gru", "mlp")
    assert [(mark.word, mark.detail) for mark in matrix.rows[0].marks] == [
        ("among several", "1 named, 1 among several"),
        ("not named", ""),
        ("missed", ""),
    ]
    assert HOSTILE in words.text
    assert "taken for scale" in words.text
    assert "rows: 1 of 1 slips are placed on the line" in words.text


# flow


def test_the_page_of_flows_has_a_chart_for_each_system_and_a_row_for_each_flow():
    backends = [get_backend("manual"), get_backend("torch")]
    flows = measure_flow([SYSTEMS["elman-softmax"], SYSTEMS["lstm"]], [0.5, 1.0], backends, seq_len=12)
    words = shown(flow_page(flows, "gradparity flow"))
    assert "4 flows: " in words.text
    assert "the backends agree on 4" in words.text
    assert words.elements.count("svg") == 2
    assert words.elements.count("polyline") == 4
    assert words.elements.count("tr") == 5


# charts


def axes(low=0.5, high=2.0):
    return Axis("T", ((1, "1"), (2, "2")), 1, 2), Axis("× floor", ((1, "1"),), low, high, is_log=True)


def test_a_curve_has_a_gap_where_it_has_no_point():
    points = tuple(Point(x, 1, 1, 1) for x in (1.0, 1.2, 1.8, 2.0))
    whole = line_chart("", [Curve("f", points)], *axes(), text="f")
    broken = line_chart("", [Curve("f", (*points[:2], None, *points[2:]))], *axes(), text="f")
    nothing = line_chart("", [Curve("f", (None,))], *axes(), text="f")
    assert [picture.svg.count("<polyline") for picture in (whole, broken, nothing)] == [1, 2, 0]


def test_curves_are_told_apart_without_colour():
    curves = [Curve(str(number), (Point(1, 1, 1, 1), Point(2, 1, 1, 1))) for number in range(4)]
    svg = line_chart("", curves, *axes(), text="").svg
    assert len(set(re.findall(r' d="([^"]+)"', svg))) == 4
    assert len(set(re.findall(r'stroke-dasharray="([^"]+)"', svg))) == 3


def test_bars_are_as_long_as_their_numbers():
    svg = bar_chart([Bar("f", 1.0, "1"), Bar("g", 4.0, "4"), Bar("none", 0.0, "0")], text="").svg
    f, g, none = (float(width) for width in re.findall(r'width="([\d.]+)"', svg))
    assert g == pytest.approx(4 * f, rel=0.01)
    assert none == 0
    spread = bar_chart([Bar("f", 1.0, "1", (0.5, 3.0)), Bar("g", 2.0, "2")], text="").svg
    assert [float(width) for width in re.findall(r'width="([\d.]+)"', spread)][1] < g
    assert spread.count("<line") == 2  # one is the axis


# The commands

TWO = ("--backend", "manual", "--backend", "torch")


def test_the_commands_write_pages(gradparity, tmp_path):
    assert gradparity("flow", "lstm", "--scale", 1, "--seq-len", 4, *TWO, "--report", "flow.html")[0] == 0
    assert gradparity("sweep", "--problems", 3, "--jobs", 1, *TWO, "--log", "s.jsonl", "--report", "sweep.html")[0] == 0
    flow, sweep = (Words((tmp_path / f"{name}.html").read_text(encoding="utf-8")) for name in ("flow", "sweep"))
    assert "gradparity flow lstm --scale 1 --seq-len 4 --backend manual --backend torch" in flow.text
    assert "3 random problems from seed 0" in sweep.text
    again = gradparity("sweep", "--problems", 3, "--jobs", 1, *TWO, "--log", "s.jsonl", "--report", "again.html")
    assert again[0] == 0
    assert "all from the log" in (tmp_path / "again.html").read_text(encoding="utf-8")
    assert "processor" in (tmp_path / "again.html").read_text(encoding="utf-8")  # as the log has it


@pytest.mark.parametrize("command", ["bench", "sweep", "detect", "flow"])
def test_a_page_of_another_name_is_refused_before_anything_is_computed(gradparity, command):
    code, out, err = gradparity(command, "--report", "page.pdf")
    assert (code, out) == (2, "")
    assert err == "gradparity: page.pdf: expected a file that ends in .html or .htm\n"
