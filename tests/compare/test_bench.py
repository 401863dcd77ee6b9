"""The benchmark: who is timed, what is kept, and what is shown of it. No test looks at how long anything took."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from bench_candidates import CANDIDATES
from gradparity.backends import RequestError, get_backend
from gradparity.compare.bench import SIZES, Measurement, Timing, Workload, run_bench, workloads
from gradparity.compare.bench.changes import find_changes, read_bench
from gradparity.compare.bench.display import (
    bench_conclusion,
    duration,
    ratio_tables,
    show_bench,
    show_changes,
    show_measurement,
)
from gradparity.compare.bench.libraries import peak_device_memory, products_by
from gradparity.compare.bench.markdown import markdown_tables
from gradparity.compare.bench.matmul_floor import prepare_floor
from gradparity.compare.bench.results import Bench, measurement_from
from gradparity.compare.cli import main
from gradparity.compare.output import blas
from gradparity.compare.output.pictures import moved_apart
from rich.console import Console

TINY = Workload("lstm", "float64", 2, 3, 4, 5)


def in_module(folder, monkeypatch):
    """The names of the backends above, in a module in the folder, which becomes the current one."""
    (folder / "candidates.py").write_text(CANDIDATES)
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend("")
    return lambda *names: [f"candidates:{name}" for name in names]


@pytest.fixture
def candidates(tmp_path, monkeypatch):
    return in_module(tmp_path, monkeypatch)


@pytest.fixture
def at_once(monkeypatch):
    """No process is started: what is kept of a measurement does not depend on how it was made."""

    def measure_workload(workload, backends, threads, rounds, device, progress):
        progress(0.5)
        return measurement(workload=workload)

    monkeypatch.setattr("gradparity.compare.bench.run.measure_workload", measure_workload)


def bench(*names, timed=(TINY,), **options):
    return run_bench(list(timed), list(names), rounds=options.pop("rounds", 2), **options)


def by_name(measurement):
    return {timing.backend: timing for timing in measurement.timings}


def timing_of(name, *seconds):
    return Timing(name, "accepted", "", 1.0, 0.1, 0.2, 3, seconds, 2**20)


def measurement(manual=(2.0, 2.1, 2.2), floor=(1.0, 1.0, 1.0), workload=TINY):
    return Measurement(
        workload, (timing_of("floor", *floor), timing_of("manual", *manual), timing_of("jax", 3.0, 3.1, 3.2))
    )


# What is timed


def test_all_sizes_cells_and_dtypes_are_timed_unless_others_are_asked_for():
    usual = workloads()
    assert len(usual) == len(set(usual)) == 3 * 2 * len(SIZES)
    sizes = {(workload.batch_size, workload.seq_len, workload.input_size, workload.hidden_size) for workload in usual}
    assert sizes == set(SIZES)
    assert workloads(["gru"], ["float32"], ["2,3,4,5"]) == [Workload("gru", "float32", 2, 3, 4, 5)]
    assert {workload.dtype for workload in workloads(quick=True)} == {"float32"}


@pytest.mark.parametrize("size", ["20,35,200", "a,b,c,d", "0,1,1,1", "1,2,3,4,5"])
def test_a_size_that_is_none_is_refused_in_one_line(size):
    with pytest.raises(RequestError, match="size"):
        workloads(sizes=[size])


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_the_floor_multiplies_as_often_as_the_gradient_needs(cell, monkeypatch):
    workload = replace(TINY, cell=cell)
    run = prepare_floor(workload.problem())
    done = []
    matmul = np.matmul

    def counting(one, other, out):
        done.append(out.size * one.shape[-1])
        return matmul(one, other, out=out)

    monkeypatch.setattr(np, "matmul", counting)
    run()
    T, B, D, H, K = 3, 2, 4, 5, 10
    G = {"rnn": 1, "lstm": 4, "gru": 3}[cell] * H
    assert sum(done) == T * B * (2 * G * D + 3 * G * H + 3 * K * H)  # dx is not wanted


# What happens to whom


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    """Three rounds of every backend above."""
    with pytest.MonkeyPatch.context() as patched:
        name = in_module(tmp_path_factory.mktemp("candidates"), patched)
        names = name("Right", "Wrong", "Silent", "Odd", "Telling", "Dying", "Unable")
        return bench("manual", *names, rounds=3)


def test_everybody_who_is_right_is_timed_in_every_round(result):
    timings = [timing for timing in result.measurements[0].timings if timing.verdict == "accepted"]
    assert [timing.backend for timing in timings] == ["floor", "manual", "candidates:Right"]
    for timing in timings:
        assert len(timing.seconds) == 3
        assert timing.calls >= 1
        assert timing.memory is not None
        assert timing.memory >= 0


def test_who_disagrees_fails_or_dies_has_no_time_and_a_reason(result):
    timings = by_name(result.measurements[0])
    expected = {
        "Wrong": ("disagrees", "dW_"),
        "Silent": ("disagrees", "its run returned no gradient of U"),
        "Odd": ("failed", "TypeError: its run returned a Evaluation, expected (loss, gradients by name)"),
        "Telling": ("failed", "ValueError: 1 core, 1 thread"),
        "Dying": ("failed", "its process died, with exit code 7"),
        "Unable": ("unsupported", "it has no LSTM"),
    }
    for name, (verdict, reason) in expected.items():
        refused = timings[f"candidates:{name}"]
        assert refused.verdict == verdict
        assert refused.reason.startswith(reason)
        assert not refused.seconds
    assert {timing.backend for timing in result.refused} == {f"candidates:{name}" for name in [*expected][:5]}


def test_the_command_shows_it_and_ends_with_1_if_somebody_was_refused(candidates, capsys, monkeypatch):
    arguments = ["bench", "--cell", "rnn", "--dtype", "float32", "--size", "2,3,4,5", "--rounds", "2"]
    arguments += ["--backend", "manual"]
    right, wrong = candidates("Right", "Wrong")
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--backend", right, "--json", "times.json", "--plot", "times.svg", "--pyperf", "suite.json"])
    out = capsys.readouterr().out
    assert not ended.value.code
    assert "1 workload: 2 of 2 answers accepted" in out
    refused = Timing(wrong, "disagrees", "dW differs")
    monkeypatch.setattr(
        "gradparity.compare.bench.run.measure_workload",
        lambda workload, *_: Measurement(workload, (*measurement().timings, refused)),
    )
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--backend", right, "--backend", wrong, "--against", "times.json"])
    out = capsys.readouterr().out
    assert ended.value.code == 1
    assert "candidates:Wrong: disagrees: dW differs" in out
    assert "rnn float32 B=2 T=3 D=4 H=5, before and now" in out
    assert len(read_bench_file("times.json")["results"][0]["timings"]) == 3


def read_bench_file(path):
    with open(path) as file:
        return json.load(file, parse_constant=pytest.fail)


def test_the_files_are_a_picture_and_a_suite_that_pyperf_reads(tmp_path):
    pyperf = pytest.importorskip("pyperf")
    from gradparity.compare.bench.as_pyperf import pyperf_suite
    from gradparity.compare.bench.plot import bench_figure

    measurements = [measurement(), measurement(workload=replace(TINY, hidden_size=50))]
    assert bench_figure(measurements, ".png").startswith(b"\x89PNG")
    assert b"<svg" in bench_figure(measurements, ".svg")
    (tmp_path / "suite.json").write_text(pyperf_suite(Bench(measurements, {}, [], False, 1.0)))
    suite = pyperf.BenchmarkSuite.load(str(tmp_path / "suite.json"))
    assert suite.get_benchmark(f"{TINY.label} manual").median() == 2.1


def test_the_picture_has_a_panel_for_each_cell_and_dtype_with_multiples_of_the_floor(monkeypatch):
    from gradparity.compare.bench import plot

    drawn = {}
    monkeypatch.setattr(plot, "figure_bytes", lambda figure, suffix: drawn.setdefault("figure", figure))
    small, large = measurement(), measurement(manual=(4.0, 4.5, 5.0), workload=replace(TINY, hidden_size=50))
    without = Measurement(replace(TINY, cell="gru"), (*measurement().timings[:2], Timing("jax", "failed", "")))
    plot.bench_figure([large, small, without], ".svg")
    panels = drawn["figure"].axes
    assert [axes.get_title() for axes in panels] == ["lstm, float64", "gru, float64"]
    assert [label.get_text() for label in panels[1].get_xticklabels()] == ["2, 3, 4, 5", "2, 3, 4, 50"]
    manual, jax = (list(map(float, container.lines[0].get_ydata())) for container in panels[0].containers)
    np.testing.assert_allclose(manual, [2.1, 4.5])  # the size with less work first
    np.testing.assert_allclose(jax, [3.1, 3.1])
    assert [text.get_text() for text in panels[1].texts] == ["● manual"]


def test_the_libraries_that_multiply_are_said_and_older_files_without_them_are_read(capsys):
    kernels = [replace(timing_of("floor", 1.0), products="OpenBLAS (Zen)"), timing_of("jax", 3.0)]
    measured = Measurement(TINY, (*kernels, replace(timing_of("manual", 2.0), products="OpenBLAS (Zen)")))
    show_bench(Bench([measured], {}, [], False, 1.0), Console(width=80))
    assert "floor, manual: matrix products by OpenBLAS (Zen)" in capsys.readouterr().out
    line = json.loads(json.dumps(measured.as_json()))
    assert measurement_from(line) == measured
    for row in line["timings"]:
        del row["products"], row["device_memory"]
    assert {timing.products for timing in measurement_from(line).timings} == {""}


@pytest.mark.parametrize(("name", "said"), [("manual", blas()), ("torch", "PyTorch's own kernels "), ("jax", "XLA ")])
def test_every_reference_says_what_multiplies_for_it(name, said):
    loss, _ = get_backend(name).prepare(TINY.problem())()
    assert said in products_by(loss)
    assert peak_device_memory(loss, "cpu") is None


def test_names_at_the_ends_of_lines_do_not_lie_on_each_other():
    assert moved_apart([0.0, 30.0, 31.0], 10.0) == [0.0, 25.5, 35.5]
    assert moved_apart([3.0, 1.0, 2.0], 10.0) == [12.0, -8.0, 2.0]
    assert moved_apart([0.0, 9.0, 18.0, 50.0], 10.0) == [-1.0, 9.0, 19.0, 50.0]


# What is kept


def test_a_log_is_continued_and_what_is_in_it_not_measured_again(candidates, at_once, tmp_path, monkeypatch):
    log, names = tmp_path / "log.jsonl", ["manual", *candidates("Right")]
    other = replace(TINY, cell="gru")
    first = bench(*names, log=log)
    with log.open("a") as file:
        file.write('{"workload": {"cell": "gr')  # it was killed while it wrote
    second = bench(*names, timed=[TINY, other], log=log)
    assert second.measurements[0] == first.measurements[0]
    monkeypatch.setattr("gradparity.compare.bench.run.measure_workload", pytest.fail)
    assert bench(*names, timed=[other, TINY], log=log).measurements[::-1] == list(second.measurements)
    with pytest.raises(RequestError, match="is the log of a benchmark with rounds 2, but 5 was asked for"):
        bench(*names, log=log, rounds=5)
    log.write_text("no log\n")
    with pytest.raises(RequestError, match="is no log of a benchmark, and was left as it is"):
        bench(*names, log=log)
    assert log.read_text() == "no log\n"


def test_an_interrupted_run_keeps_what_it_measured(candidates, at_once, tmp_path):
    shown = []

    def interrupt(label, done):
        if done > 1:
            raise KeyboardInterrupt

    two, log = [TINY, replace(TINY, cell="gru")], tmp_path / "log.jsonl"
    result = bench("manual", *candidates("Right"), timed=two, measured=shown.append, progress=interrupt, log=log)
    assert result.interrupted
    assert [one.workload for one in result.measurements] == [one.workload for one in shown] == [TINY]
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 2  # the header, too


def test_a_measurement_survives_json():
    measured = measurement()
    assert measurement_from(json.loads(json.dumps(measured.as_json()))) == measured
    rows = {row["backend"]: row for row in measured.rows()}
    assert rows["manual"]["to_fastest"] == 1
    assert rows["manual"]["to_floor"] == 2.1
    assert rows["jax"]["to_fastest"] == pytest.approx(3.1 / 2.1)
    assert (rows["manual"]["minimum"], rows["manual"]["lower"], rows["manual"]["upper"]) == pytest.approx(
        (2.0, 2.05, 2.15)
    )


def test_the_page_has_a_table_for_each_cell_and_dtype():
    tables = markdown_tables([measurement(), measurement(workload=replace(TINY, cell="gru"))]).split("\n\n")
    assert [table.splitlines()[0] for table in tables] == [
        f"| {cell}, float64: B, T, D, H | floor | manual | jax | by hand ÷ fastest other | by hand ÷ floor |"
        for cell in ("gru", "lstm")
    ]
    assert tables[1].splitlines()[2] == "| 2, 3, 4, 5 | 1.00 s | 2.10 s | 3.10 s | 0.68 | 2.10 |"


def test_the_hand_derivation_that_is_compiled_is_no_rival_of_the_one_in_numpy():
    both = measurement()
    both = replace(both, timings=(*both.timings, timing_of("manual-compiled", 1.5, 1.6, 1.7)))
    assert both.by_hand_to_fastest_other == pytest.approx(1.6 / 3.1)
    bench = Bench([measurement(), both, measurement(manual=(3.0, 4.0, 5.0))], {}, (), False, 1.0)
    assert bench.wins_by_hand == {"manual": 1, "manual-compiled": 1}
    assert "manual is the fastest on 1 and manual-compiled is the fastest on 1 (1 s)" in bench_conclusion(bench)
    assert bench_conclusion(replace(bench, measurements=[measurement()])).endswith("manual is the fastest on 1 (1 s)")


# What changed


def test_a_change_is_told_from_noise_and_from_a_slower_machine():
    old = measurement()
    slower_machine = measurement(manual=(4.0, 4.2, 4.4), floor=(2.0, 2.0, 2.0))
    slower = measurement(manual=(3.0, 3.1, 3.2))
    faster = measurement(manual=(1.5, 1.5, 1.6))
    noisy = measurement(manual=(1.8, 2.3, 3.0))
    verdicts = [find_changes([old], [now])[0].verdict for now in (old, slower_machine, slower, faster, noisy)]
    assert verdicts == ["no change", "no change", "slower", "faster", "no change"]
    assert find_changes([old], [measurement(workload=replace(TINY, cell="gru"))]) == []


def test_everything_fits_on_a_terminal_of_80_columns(capsys):
    on = Console(width=80, force_terminal=True, color_system=None)
    show_measurement(measurement(), on)
    show_changes(find_changes([measurement()], [measurement(manual=(3.0, 3.1, 3.2))]), on)
    on.print(ratio_tables([measurement()])[0])
    out = capsys.readouterr().out
    assert "…" not in out
    assert "memory" in out
    assert "× floor" in out
    assert "slower" in out


def test_an_old_file_that_is_none_is_refused(tmp_path):
    with pytest.raises(RequestError, match="cannot be read"):
        read_bench(tmp_path / "missing.json")
    (tmp_path / "other.json").write_text('{"schema": 1}')
    with pytest.raises(RequestError, match="is no benchmark"):
        read_bench(tmp_path / "other.json")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--cell", "rnnn"], "unknown cell 'rnnn': did you mean 'rnn'?"),
        (["--size", "1,2,3"], "size '1,2,3': expected four numbers for B,T,D,H such as 20,35,200,200"),
        (["--backend", "manual"], "manual alone cannot be verified: a benchmark needs a second backend"),
        (["--threads", "9999", "--backend", "manual", "--backend", "torch"], "threads is 9999, but there are"),
        (["--device", "tpu", "--backend", "manual", "--backend", "torch"], "unknown device 'tpu'"),
        (["--against", "missing.json"], "missing.json: cannot be read"),
        (["--plot", "times.txt"], "times.txt: cannot be drawn"),
    ],
)
def test_a_wrong_request_is_one_line(arguments, message, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["bench", *arguments])
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("seconds", "text"), [(2.5e-4, "250 µs"), (1.234e-3, "1.23 ms"), (0.0456, "45.6 ms"), (3.2, "3.20 s"), (None, "")]
)
def test_durations_have_three_digits(seconds, text):
    assert duration(seconds) == text


def test_every_reference_can_be_timed():
    for name in ("manual", "torch", "torch-nn", "jax"):
        loss, gradients = get_backend(name).prepare(TINY.problem())()
        assert np.isfinite(float(loss))
        assert set(gradients) == set(TINY.problem().params)
