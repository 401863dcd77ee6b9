"""Logs of shards become one: overlaps count once, gaps are listed, and what does not belong together is refused."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest
from gradparity.backends import RequestError
from gradparity.compare.bench import Timing, Workload
from gradparity.compare.bench.results import Measurement
from gradparity.compare.detection import CorrectResult, MistakeResult, OwnCase, OwnResult
from gradparity.compare.detection.checks import CheckResult
from gradparity.compare.detection.log import LoggedResult, read_detection_log, result_from
from gradparity.compare.jobs import JournalLine
from gradparity.compare.localization import Localization, Located
from gradparity.compare.merging import merge_logs
from gradparity.compare.merging.merging import in_ranges
from gradparity.compare.sweep import draw_problem, run_sweep
from gradparity.compare.sweep.judging import outcome_of
from gradparity.compare.workers import Shard

ENVIRONMENT = {"versions": {"gradparity": "0.1.0", "numpy": "2.4.6"}, "processor": "one", "python": "3.11.7"}
SWEEP = {"schema": 3, "seed": 0, "numbers": 10, "backends": ["manual", "torch"], "asked": 6, "environment": ENVIRONMENT}
CASES = {"has_catalogue": True, "has_own": True, "quick": True, "everywhere": False, "programs": []}
DETECTION = {"schema": 1, "checks": ["gradparity"], "cases": CASES, "asked": 4, "environment": ENVIRONMENT}
BENCH = {"schema": 1, "backends": ["manual"], "threads": 1, "rounds": 2, "device": "cpu", "environment": ENVIRONMENT}
OUTCOMES = [asdict(outcome_of(draw_problem(n), "agree", strength="rounding", share=0.25)) for n in range(6)]

WRONG, RIGHT = CheckResult("wrong"), CheckResult("right")
LOCATED = Located("rows.py", "gradients", 3, ("a = b", "    ^"), "should be c", ("dW",))
EDIT, SLIP = ("a sign", 3, "a", "b"), Localization((LOCATED,), "so")
SIGN = MistakeResult("time", "sign", "", "elman-softmax", False, {"gradparity": WRONG}, (("sign", "other"),), True)
RESULTS = [
    LoggedResult(0, "sign, on elman-softmax", "mistake", SIGN),
    LoggedResult(1, "right: ordinary", "right", CorrectResult("ordinary", "lstm", 7, {"gradparity": RIGHT})),
    LoggedResult(2, "rows, line 3: a sign", "own", OwnResult("rows", *EDIT, WRONG, "named", True, SLIP, (), 0.5)),
    LoggedResult(
        *(3, "rows, without a slip", "own"),
        OwnResult("rows", "", 0, "", "", RIGHT, "not named", False, Localization(), (), 0.0),
    ),
]


def measured(cell, seconds=(0.1, 0.2), verdict="accepted"):
    timings = (
        Timing("floor", "accepted", calls=1, seconds=(0.1, 0.1)),
        Timing("manual", verdict, calls=3, seconds=seconds),
    )
    return Measurement(Workload(cell, "float64", 2, 3, 4, 5), timings).as_json()


MEASURED = [measured(cell) for cell in ("rnn", "lstm", "gru")]
LABELS = ["rnn float64 B=2 T=3 D=4 H=5", "lstm float64 B=2 T=3 D=4 H=5", "gru float64 B=2 T=3 D=4 H=5"]


@pytest.fixture
def log(tmp_path):
    def write(name, header, *lines, end="\n"):
        path = tmp_path / name
        path.write_text("\n".join(json.dumps(line) for line in (header, *lines)) + end)
        return path

    return write


def test_logs_of_shards_become_the_log_of_the_whole(gradparity, tmp_path, monkeypatch):
    """As it is used: each part is done alone, and the merged log is continued by the same command."""
    (tmp_path / "agreeing.py").write_text("from faults import Faulty, nothing\nright = Faulty(nothing, 'right')\n")
    monkeypatch.syspath_prepend("")
    backends = ["manual", "agreeing:right"]
    whole = run_sweep(9, seed=7, numbers=2, backends=backends, jobs=1, log=tmp_path / "whole")
    for number in (1, 2, 3):
        run_sweep(
            9, seed=7, numbers=2, backends=backends, jobs=1, log=tmp_path / f"part{number}", shard=Shard(number, 3)
        )
    code, out, err = gradparity("merge", "part1", "part2", "part3", "--log", "merged")
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == "9 of 9 problems of a sweep, in merged"
    lines = (tmp_path / "merged").read_text().splitlines()
    assert lines[1:] == sorted(
        (tmp_path / "whole").read_text().splitlines()[1:], key=lambda line: json.loads(line)["number"]
    )
    again = run_sweep(9, seed=7, numbers=2, backends=backends, log=tmp_path / "merged")
    assert again.outcomes == whole.outcomes
    assert again.earlier == 9


def test_gaps_are_listed_in_ranges_and_the_exit_code_is_1(gradparity, log):
    log("a", SWEEP | {"shard": "1/3"}, OUTCOMES[0])
    log("b", SWEEP | {"shard": "2/3"}, OUTCOMES[3])
    code, out, _ = gradparity("merge", "a", "b")
    assert code == 1
    assert "missing: 4 problems: 1–2, 4–5" in out
    assert "note: no log is of shard 3 of 3" in out
    assert out.splitlines()[-1] == "2 of 6 problems of a sweep"


def test_what_was_asked_for_later_is_missed_too(log):
    merged = merge_logs([log("a", SWEEP, *OUTCOMES, {"asked": 8})])
    assert merged.missing == (6, 7)
    assert merged.header["asked"] == 8


def test_a_log_that_does_not_say_how_much_was_asked_for_is_read(log):
    header = {name: value for name, value in SWEEP.items() if name != "asked"}
    merged = merge_logs([log("a", header, OUTCOMES[0], OUTCOMES[3])])
    assert merged.missing == (1, 2)
    assert "no log says how much was asked for: problems are missed up to the last one only" in merged.notes


def test_an_overlap_counts_once_and_is_told(log):
    other = OUTCOMES[2] | {"share": 0.26}
    merged = merge_logs([log("a", SWEEP, *OUTCOMES[:4]), log("b", SWEEP, other, *OUTCOMES[3:])])
    assert [row["repeated"] for row in merged.rows()] == [0, 2]
    assert list(merged.results) == list(range(6))
    assert merged.results[2] == OUTCOMES[2]
    assert merged.notes == ("of the repeated results, 1 differ in times or rounding: the first one counts",)
    assert merged.is_complete


def test_an_overlap_with_another_outcome_is_refused_with_both_places(log):
    a, b = log("a", SWEEP, *OUTCOMES[:4]), log("b", SWEEP, OUTCOMES[5], OUTCOMES[2] | {"verdict": "disagree"})
    with pytest.raises(RequestError, match=r"b: line 3: problem 2 has another outcome than in line 4 of .*a "):
        merge_logs([a, b])


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (SWEEP | {"seed": 1}, "b: is the log of a sweep with seed 1, expected 0 as in .*a"),
        (SWEEP | {"backends": ["manual"]}, r"with backends \['manual'\], expected \['manual', 'torch'\]"),
        (
            SWEEP | {"environment": {"versions": {"gradparity": "0.1.0", "numpy": "2.2.0"}}},
            r"b has numpy 2\.2\.0, expected 2\.4\.6 as in .*a",
        ),
        (
            SWEEP | {"environment": {"versions": {"gradparity": "0.1.0"}}},
            r"b has no numpy, expected 2\.4\.6 as in .*a",
        ),
        (BENCH, "b: is a log of a benchmark, expected a sweep as .*a"),
        ({"schema": 3}, "b: is no log of a sweep, a detection run or a benchmark"),
        ([], "b: is no log of a sweep, a detection run or a benchmark"),
        (SWEEP | {"asked": "all"}, "b: is no log of a sweep, and was left as it is"),
        (SWEEP | {"shard": "three"}, "expected k/n with k from 1 to n"),
    ],
)
def test_what_does_not_belong_together_is_refused(log, header, message):
    with pytest.raises(RequestError, match=message) as error:
        merge_logs([log("a", SWEEP, OUTCOMES[0]), log("b", header)])
    assert "\n" not in str(error.value)


def test_a_damaged_line_is_refused_and_a_cut_one_is_left_out(log):
    with pytest.raises(RequestError, match="a: line 3: number is -1, expected at least 0"):
        merge_logs([log("a", SWEEP, OUTCOMES[0], OUTCOMES[1] | {"number": -1})])
    merged = merge_logs([log("a", SWEEP, *OUTCOMES, end="")])
    assert merged.missing == (5,)
    assert any("a line at its end was not written whole, and is left out" in note for note in merged.notes)


def test_a_log_of_other_problems_is_refused(log):
    path = log("a", SWEEP, OUTCOMES[1] | {"fingerprint": "0123456789ab"})
    with pytest.raises(RequestError, match="a version of gradparity that drew other problems"):
        merge_logs([path])


def test_other_processors_are_told(log):
    b = log("b", SWEEP | {"environment": ENVIRONMENT | {"processor": "two"}}, *OUTCOMES[3:])
    assert merge_logs([log("a", SWEEP, *OUTCOMES[:3]), b]).notes == ("processor: one in a; two in b",)


def test_a_file_that_is_there_is_not_written_over(gradparity, log):
    path = log("a", SWEEP, *OUTCOMES)
    before = path.read_bytes()
    code, out, err = gradparity("merge", "a", "--log", "a")
    assert (code, out) == (2, "")
    assert "a: is there already, expected the name of a new file" in err
    assert path.read_bytes() == before
    assert gradparity("merge", "none")[0] == 2


# Detection runs


def lines_of(*numbers):
    return [json.loads(json.dumps(RESULTS[number].as_json())) for number in numbers]


def test_a_result_of_a_detection_run_survives_the_log(tmp_path):
    for line, result in zip(lines_of(0, 1, 2, 3), RESULTS, strict=True):
        assert result_from(JournalLine(tmp_path, 2, line)) == result


def test_logs_of_a_detection_run_are_put_together(log):
    slower = lines_of(2)[0]
    slower["result"]["seconds"] = 0.7
    merged = merge_logs([log("a", DETECTION, *lines_of(2, 0)), log("b", DETECTION, slower, *lines_of(3))])
    assert (list(merged.results), merged.missing) == ([0, 2, 3], (1,))
    assert merged.results[2]["result"]["seconds"] == 0.5
    slower["result"]["verdict"] = ["right", ""]
    with pytest.raises(RequestError, match="case 2 has another outcome than in line 2"):
        merge_logs([log("a", DETECTION, *lines_of(2, 0)), log("b", DETECTION, slower)])


VALUES = {"kind": "ordinary", "system": "", "seed": 1, "verdicts": {}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "lapse"}, "line 2: kind is 'lapse', expected one of mistake, right, own"),
        ({"number": -1}, "line 2: number is -1, expected at least 0"),
        ({"result": None}, "line 2: it is None, expected an object"),
        ({"more": 1}, "line 2: more is no field"),
        ({"result": VALUES | {"verdicts": {"x": ["wrong"]}}}, "expected a list of 2"),
        ({"result": VALUES | {"verdicts": 3}}, "verdicts is 3, expected an object"),
        ({"result": VALUES | {"verdicts": {"x": ["bad", ""]}}}, "'bad', expected one"),
    ],
)
def test_a_line_that_is_no_result_of_a_detection_run_is_refused(log, changes, message):
    with pytest.raises(RequestError, match=message):
        merge_logs([log("a", DETECTION, lines_of(1)[0] | changes)])


def test_a_log_of_other_cases_is_not_continued(log):
    settings = {name: value for name, value in DETECTION.items() if name not in ("asked", "environment")}
    path = log("a", DETECTION, *lines_of(3))
    with pytest.raises(RequestError, match="a version of gradparity with other cases: begin a new log"):
        read_detection_log(path, settings, [OwnCase("rows")] * 3)


@pytest.mark.campaign
def test_a_detection_run_is_done_in_shards_by_others(gradparity, tmp_path):
    """Nine cases: two by this process, the others by two; the third command shows all from the log."""
    command = ("detect", "--program", "rows", "--quick", "--check", "gradparity")
    assert gradparity(*command, "--shard", "1/2", "--log", "a")[0] == 0
    assert gradparity(*command, "--shard", "2/2", "--log", "b", "--jobs", "1")[0] == 0
    assert gradparity("merge", "a", "b", "--log", "c")[0] == 0
    before = (tmp_path / "c").read_bytes()
    code, out, _ = gradparity(*command, "--log", "c")
    assert code == 0
    assert "Of 5 slips in a program of our own, gradparity sees 5" in out
    assert (tmp_path / "c").read_bytes() == before


# Benchmarks


def test_logs_of_a_benchmark_are_put_together_in_the_order_of_its_workloads(log):
    header = BENCH | {"asked": LABELS}
    slower = measured("lstm", seconds=(0.3, 0.4))
    merged = merge_logs([log("a", header, MEASURED[1]), log("b", header, MEASURED[0], slower)])
    assert list(merged.results) == LABELS[:2]
    assert merged.missing == (LABELS[2],)
    assert merged.results[LABELS[1]] == MEASURED[1]
    refused = measured("lstm", seconds=(), verdict="disagrees")
    with pytest.raises(RequestError, match="workload lstm float64 B=2 T=3 D=4 H=5 has another outcome than in line 2"):
        merge_logs([log("a", header, MEASURED[1]), log("b", header, refused)])


def test_times_of_different_machines_are_not_put_together(log):
    other = BENCH | {"environment": ENVIRONMENT | {"processor": "two"}}
    with pytest.raises(RequestError, match=r"b: has times of another machine: processor is two, expected one"):
        merge_logs([log("a", BENCH, MEASURED[0]), log("b", other, MEASURED[1])])


def test_successive_numbers_are_a_range():
    assert in_ranges([]) == ""
    assert in_ranges([1, 2, 3, 7, 9, 10]) == "1–3, 7, 9–10"
    assert in_ranges(["rnn", "gru"]) == "rnn, gru"
