"""What is kept of a benchmark of functions: its log, which is continued, and what a later run is compared with."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from gradparity.backends import RequestError
from gradparity.compare.function_bench import run
from gradparity.compare.function_bench.log import measurement_from, read_function_bench
from gradparity.compare.function_bench.results import FunctionBench, FunctionMeasurement, FunctionTiming
from gradparity.compare.function_bench.separate_candidate import Case
from timed_functions import bench, write_files


@pytest.fixture
def folder(tmp_path):
    return write_files(tmp_path)


@pytest.fixture
def at_once(monkeypatch):
    """Nothing is timed: what is kept of a measurement does not depend on how it was made."""
    measured = []

    def measure(targets, told, settings, case, rounds, recordings):
        measured.append(case.label)
        timings = [
            FunctionTiming(name, "accepted", seconds=(1.0, 1.5), cores=(1.0, 1.0), framework="numpy") for name in told
        ]
        return FunctionMeasurement(
            case, "by nobody", False, (*timings, FunctionTiming("g", "failed", "it raised")), ("a note",)
        )

    monkeypatch.setattr(run, "measure", measure)
    return measured


def test_a_log_is_continued_and_what_is_in_it_not_measured_again(folder, at_once):
    log = folder / "log.jsonl"
    first = bench(folder, "right", grow=["T=2,4"], log=log)
    with log.open("a") as file:
        file.write('{"sizes": {"T"')  # it was killed while it wrote
    at_once.clear()
    shown = []
    second = bench(folder, "right", grow=["T=2,4,8"], log=log, measured=shown.append)
    assert at_once == ["T=8"]
    assert second.measurements[:2] == first.measurements
    assert shown == second.measurements
    assert len(log.read_text().splitlines()) == 4  # the header, too


def test_a_file_that_has_changed_is_no_file_of_the_log(folder, at_once):
    log = folder / "log.jsonl"
    bench(folder, "right", log=log)
    before = log.read_bytes()
    with (folder / "mine.py").open("a") as file:
        file.write("\n# another line\n")
    with pytest.raises(RequestError) as refused:
        bench(folder, "right", log=log)
    assert str(refused.value) == f"{log}: {folder}/mine.py has changed since its times were written: begin a new log"
    assert log.read_bytes() == before


def test_a_log_of_other_settings_or_of_something_else_is_refused(folder, at_once):
    log = folder / "log.jsonl"
    bench(folder, "right", log=log)
    with pytest.raises(RequestError, match="is the log of a benchmark of functions with rounds 1, but 2 was asked for"):
        bench(folder, "right", log=log, rounds=2)
    with pytest.raises(RequestError, match="with functions"):
        bench(folder, "right", "loud", log=log)
    log.write_text("no log\n")
    with pytest.raises(RequestError, match="is no log of a benchmark of functions, and was left as it is"):
        bench(folder, "right", log=log)
    assert log.read_text() == "no log\n"


def measurement():
    timing = FunctionTiming("f", "accepted", "", 1.0, 0.1, 0.2, 3, (1.0, 2.0), 100, framework="numpy", cores=(1.0, 0.9))
    return FunctionMeasurement(Case((("T", 3),), "float32"), "by f", True, (timing,), ("a note",))


def test_a_measurement_survives_json():
    for one in (measurement(), replace(measurement(), case=Case())):
        assert measurement_from(json.loads(json.dumps(one.as_json()))) == one


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sizes": [1]}, "sizes"),
        ({"cores": [1.0]}, "2 rounds, but 1 of cores"),
        ({"seconds": [0.0, 1.0]}, "numbers above 0"),
        ({"verdict": "fine"}, "unknown verdict 'fine'"),
    ],
)
def test_a_line_that_is_no_measurement_says_why(change, message):
    line = json.loads(json.dumps(measurement().as_json()))
    (line if "sizes" in change else line["timings"][0]).update(change)
    with pytest.raises(ValueError, match=message):
        measurement_from(line)


def test_the_file_of_an_earlier_run_is_read_and_another_one_refused(tmp_path):
    document = FunctionBench([measurement()], (), {"processor": "Zen"}, False, 1.0).as_json()
    (tmp_path / "old.json").write_text(json.dumps(document))
    old = read_function_bench(tmp_path / "old.json")
    assert (old.measurements, old.environment) == ([measurement()], {"processor": "Zen"})
    with pytest.raises(RequestError, match="cannot be read"):
        read_function_bench(tmp_path / "missing.json")
    (tmp_path / "other.json").write_text(
        '{"schema": 1, "environment": {}, "results": [{"workload": {}, "timings": []}]}'
    )
    with pytest.raises(RequestError, match="is no benchmark of functions, expected a file that"):
        read_function_bench(tmp_path / "other.json")


@pytest.mark.campaign
def test_the_command_compares_with_an_earlier_run(gradparity, folder):
    targets = (f"{folder}/mine.py:right", "--rounds", 2)
    assert gradparity("bench", *targets, "--json", "old.json", "--log", "log.jsonl")[0] == 0
    code, out, _ = gradparity("bench", *targets, "--log", "log.jsonl", "--against", "old.json", "--report", "page.html")
    assert code == 0
    assert "as drawn, before and now" in out
    assert "no change" in out
    assert "to floor" not in out
    content = (folder / "page.html").read_text(encoding="utf-8")
    assert "0 faster, 0 slower, 1 no change" in content
