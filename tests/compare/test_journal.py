"""Logs that are damaged, foreign or in use: refused with the line's number, and left as they are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import pytest
from gradparity.backends import RequestError
from gradparity.compare.bench import Timing, Workload
from gradparity.compare.bench.results import Measurement
from gradparity.compare.bench.run import _logged
from gradparity.compare.jobs import locked, record_from
from gradparity.compare.jobs.journal import strict_json
from gradparity.compare.sweep import draw_problem
from gradparity.compare.sweep.judging import outcome_of
from gradparity.compare.sweep.log import read_log

HEADER = {"schema": 3, "seed": 0, "numbers": 10, "backends": ["manual", "torch"]}
ROW = asdict(outcome_of(draw_problem(1), "agree", strength="rounding", share=0.25))


def changed(**values):
    return json.dumps(ROW | values)


@pytest.fixture
def log(tmp_path):
    def write(*lines, header=HEADER):
        path = tmp_path / "log"
        path.write_text("".join(f"{line}\n" for line in (json.dumps(header), *lines)))
        return path

    return write


def test_a_whole_log_is_read(log):
    (outcome,) = read_log(log(changed()), HEADER).outcomes.values()
    assert asdict(outcome) == ROW


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (changed(number=[1]), r"number is \[1\], expected an integer"),
        (changed(number=-1), "number is -1, expected at least 0"),
        (changed(number=True), "number is True, expected an integer"),
        (changed(number=1.0), r"number is 1\.0, expected an integer"),
        (changed(share="0.5"), "share is '0.5', expected a finite number"),
        (changed(share=-0.5), r"share is -0\.5, expected at least 0"),
        (changed(share=False), "share is False, expected a finite number"),
        (changed().replace("0.25", "1e400"), "share is inf, expected a finite number"),
        (changed().replace("0.25", "NaN"), "is no JSON: NaN is no number in JSON"),
        (changed().replace("0.25", "9" * 400), "share is 9999.*…, expected a finite number"),
        (changed(verdict="agreed"), "unknown verdict 'agreed': did you mean 'agree'"),
        (changed(verdict=None), "verdict is None, expected a string"),
        (changed(family="rnnn"), "unknown family 'rnnn': did you mean 'rnn'"),
        (changed(dtype="float16"), "unknown dtype 'float16'"),
        (changed(note="hello"), "note is no field, expected number, "),
        (json.dumps({"number": 1}), "family is missing"),
        ("[]", r"it is \[\], expected an object"),
        ("null", "it is None, expected an object"),
        ("[" * 100_000, "is no JSON: it is nested too deeply"),
        ('{"a":' * 100_000, "is no JSON: it is nested too deeply"),
        (changed()[:-1] + ', "number": 2}', "is no JSON: 'number' stands in it twice"),
        ("", "is no JSON: "),
        (changed(number=1, verdict="disagree"), "problem 1 has another outcome in an earlier line"),
    ],
    ids=lambda text: text[:40],
)
def test_a_line_that_is_no_outcome_is_refused_with_its_number(log, line, message):
    path = log(changed(), line, changed())
    before = path.read_bytes()
    with pytest.raises(RequestError, match=f"log: line 3: {message}") as error:
        read_log(path, HEADER)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 400
    assert path.read_bytes() == before


def test_a_refused_line_is_one_line_on_the_screen_and_code_2(gradparity, log):
    path = log(changed(number=-1))
    code, out, err = gradparity("sweep", "--log", path, "--backend", "manual", "--backend", "torch")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "log: line 2: number is -1, expected at least 0 (the file was left as it is)" in err
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("setting", [{"seed": False}, {"seed": 0.0}, {"numbers": "10"}])
def test_a_setting_of_another_type_is_another_setting(log, setting):
    with pytest.raises(RequestError, match="is the log of a sweep with"):
        read_log(log(header=HEADER | setting), HEADER)


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/full"])
def test_a_device_is_no_log(path):
    with pytest.raises(RequestError, match="cannot be a log: it is no file that can be read again"):
        read_log(Path(path), HEADER)


TIMED = Timing("manual", "accepted", calls=3, seconds=(0.1, 0.2))
FLOOR = Timing("floor", "accepted", calls=1, seconds=(0.1, 0.1))
MEASURED = Measurement(Workload("rnn", "float64", 2, 3, 4, 5), (FLOOR, TIMED)).as_json()
SETTINGS = {"schema": 1, "backends": ["manual"], "threads": 1, "rounds": 2, "device": "cpu"}


@pytest.mark.parametrize(
    ("where", "value", "message"),
    [
        (("workload", "seq_len"), [3], r"workload\.seq_len is \[3\], expected an integer"),
        (("workload", "hidden_size"), 2.5, r"workload\.hidden_size is 2\.5, expected an integer"),
        (("timings", 1, "seconds"), [0.1, "x"], r"timings\[1\]\.seconds\[1\] is 'x', expected a finite number"),
        (("timings", 1, "seconds"), [0.1, -1.0], "timings.* are .*, expected numbers above 0"),
        (("timings", 1, "verdict"), "accept", r"timings\[1\]: unknown verdict 'accept': did you mean 'accepted'"),
        (("timings", 1, "calls"), None, r"timings\[1\]\.calls is None, expected an integer"),
        (("timings", 0, "backend"), "torch", "timings have no floor"),
        (("timings",), 3, "is no measurement"),
    ],
)
def test_a_line_that_is_no_measurement_is_refused_with_its_number(log, where, value, message):
    line = json.loads(json.dumps(MEASURED))
    *way, last = where
    place = line
    for key in way:
        place = place[key]
    place[last] = value
    assert _logged(log(json.dumps(MEASURED), header=SETTINGS), SETTINGS)[0]
    with pytest.raises(RequestError, match=f"log: line 3: {message}"):
        _logged(log(json.dumps(MEASURED), json.dumps(line), header=SETTINGS), SETTINGS)


@dataclass(frozen=True)
class Part:
    kind: Literal["near", "far"]
    distance: float | None = None


@dataclass(frozen=True)
class Whole:
    parts: tuple[Part, ...]
    best: Part | None = None
    right: bool = True


def test_a_record_is_built_by_its_fields_types():
    values = strict_json('{"parts": [{"kind": "near", "distance": 2}], "best": {"kind": "far"}, "right": false}')
    record = record_from(Whole, values)
    assert record == Whole((Part("near", 2.0),), Part("far"), False)
    assert isinstance(record.parts[0].distance, float)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"parts": {}}, r"parts is {}, expected a list"),
        ({"parts": [{"kind": "nearby"}]}, r"parts\[0\]\.kind is 'nearby', expected one of near, far"),
        ({"parts": [], "best": 3}, "best is 3, expected an object"),
        ({"parts": [], "best": {"distance": 1}}, r"best\.kind is missing"),
        ({"parts": [], "right": 1}, "right is 1, expected true or false"),
    ],
)
def test_a_record_says_which_value_is_wrong(values, message):
    with pytest.raises(ValueError, match=message):
        record_from(Whole, values)


HOLDING = """
import sys, time
from pathlib import Path
from gradparity.compare.jobs import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_log_that_another_process_writes_is_refused_until_that_ends(tmp_path):
    log = tmp_path / "log"
    with subprocess.Popen([sys.executable, "-c", HOLDING, log], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        message = rf"log: is being written by another process \({holder.pid}\): wait until it ends"
        with pytest.raises(RequestError, match=message), locked(log):
            pass
        holder.kill()  # which leaves the lock's file behind
    with locked(log):
        assert (tmp_path / "log.lock").read_text() == f"{os.getpid()}\n"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "command",
    [
        ("sweep", "--problems", 1, "--jobs", 1),
        ("bench", "--size", "1,1,1,1", "--cell", "rnn", "--dtype", "float64", "--rounds", 1),
    ],
    ids=["sweep", "bench"],
)
def test_two_commands_on_one_log_are_refused(gradparity, tmp_path, command):
    with locked(tmp_path / "log"):
        code, out, err = gradparity(*command, "--log", "log", "--backend", "manual", "--backend", "torch")
    assert (code, out) == (2, "")
    assert "log: is being written by another process" in err
    assert not (tmp_path / "log").exists()
