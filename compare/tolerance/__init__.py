"""The tolerance: measured for each block of each problem, by stochastic arithmetic."""

from .measurement import (
    FLOOR_ULP,
    LARGE,
    MAX_RELATIVE_TOLERANCE,
    NUMBER_OF_PROBES,
    Reason,
    Tolerance,
    measure_definition,
    measure_rounding,
    measure_tolerance,
    steps_to_settle,
    units_in_the_last_place,
)

__all__ = [
    "FLOOR_ULP",
    "LARGE",
    "MAX_RELATIVE_TOLERANCE",
    "NUMBER_OF_PROBES",
    "Reason",
    "Tolerance",
    "measure_definition",
    "measure_rounding",
    "measure_tolerance",
    "steps_to_settle",
    "units_in_the_last_place",
]
