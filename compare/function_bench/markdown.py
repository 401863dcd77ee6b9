"""The tables of a benchmark of functions for a page."""

from __future__ import annotations

from ..output import markdown_table
from .display import HEADINGS, cells, function_names, growth_rows, growth_text
from .results import FunctionBench, FunctionMeasurement


def function_tables(bench: FunctionBench) -> str:
    """A table for each set of arguments, and one for each growth with the exponents below it."""
    parts = [_measurement_part(measurement) for measurement in bench.measurements]
    for growth in bench.growths:
        for dtype in bench.dtypes:
            if rows := growth_rows(bench, growth, dtype):
                heading = f"{growth.name}{f', {dtype}' if dtype else ''}"
                table = markdown_table([heading, *function_names(bench)], rows)
                fits = [fit for fit in bench.fits() if (fit.size, fit.dtype) == (growth.name, dtype)]
                lines = "".join(f"- {fit.function}: {growth_text(fit)}\n" for fit in fits)
                parts.append(f"{table}\n\n{lines}")
    return "\n".join(parts)


def _measurement_part(measurement: FunctionMeasurement) -> str:
    rows = [
        [timing.backend, *cells(timing, measurement)]
        if timing.seconds
        else [timing.backend, timing.verdict, *[""] * (len(HEADINGS) - 1)]
        for timing in measurement.timings
    ]
    table = markdown_table([measurement.case.label, *HEADINGS], rows)
    reasons = "".join(
        f"- {timing.backend}: {timing.verdict}: {timing.reason}\n" for timing in measurement.timings if timing.reason
    )
    return f"{table}\n\nVerified {measurement.verified}.\n\n{reasons}"
