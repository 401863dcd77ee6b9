"""The tolerance: measured for each block of each problem, by stochastic arithmetic."""

from .limits import (
    FLOOR_ULP,
    MAX_RELATIVE_TOLERANCE,
    Choice,
    Entries,
    Reason,
    Tolerance,
    units_in_the_last_place,
)
from .measurement import (
    LARGE,
    NUMBER_OF_PROBES,
    measure_definition,
    measure_rounding,
    measure_tolerance,
    steps_to_settle,
)

__all__ = [
    "FLOOR_ULP",
    "LARGE",
    "MAX_RELATIVE_TOLERANCE",
    "NUMBER_OF_PROBES",
    "Choice",
    "Entries",
    "Reason",
    "Tolerance",
    "measure_definition",
    "measure_rounding",
    "measure_tolerance",
    "steps_to_settle",
    "units_in_the_last_place",
]
