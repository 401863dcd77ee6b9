"""The times as a pyperf suite, for `python -m pyperf stats`, `hist`, `compare_to` and `check`."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from ...backends.frameworks.loading import require
from .results import Bench


def pyperf_suite(bench: Bench) -> str:
    """The times as the JSON of a pyperf suite: a benchmark for each workload and backend, a run for each round.

    Raises:
        MissingFrameworkError: pyperf is not installed.
        ValueError: no backend has times, of which pyperf wants one at least.
    """
    require("pyperf", needed_by="--pyperf", extra="bench")
    import pyperf

    benchmarks = [
        pyperf.Benchmark(
            [
                pyperf.Run(
                    [seconds],
                    metadata={"name": f"{measurement.workload.label} {timing.backend}", "loops": timing.calls},
                    collect_metadata=False,
                )
                for seconds in timing.seconds
            ]
        )
        for measurement in bench.measurements
        for timing in measurement.timings
        if timing.seconds
    ]
    suite = pyperf.BenchmarkSuite(benchmarks)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "suite.json"
        suite.dump(str(file))
        return json.dumps(json.loads(file.read_text()), indent=1) + "\n"
