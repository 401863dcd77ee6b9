"""The tolerance: measured for each block of each problem, by stochastic arithmetic."""

from .formats import (
    MAX_RELATIVE_TOLERANCE,
    Format,
    format_of,
    half_format,
    rounded_to,
    units_in_the_last_place,
)
from .limits import FLOOR_ULP, Choice, Entries, Reason, Tolerance
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
    "Format",
    "Reason",
    "Tolerance",
    "format_of",
    "half_format",
    "measure_definition",
    "measure_rounding",
    "measure_tolerance",
    "rounded_to",
    "steps_to_settle",
    "units_in_the_last_place",
]
