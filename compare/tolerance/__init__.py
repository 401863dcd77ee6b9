"""The tolerance: measured for each block of each problem, by stochastic arithmetic."""

from .measurement import (
    FLOOR_ULP,
    MAX_RELATIVE_TOLERANCE,
    PROBES,
    Tolerance,
    hand_trajectory,
    measure_rounding,
    measure_tolerance,
    units_in_the_last_place,
)

__all__ = [
    "FLOOR_ULP",
    "MAX_RELATIVE_TOLERANCE",
    "PROBES",
    "Tolerance",
    "hand_trajectory",
    "measure_rounding",
    "measure_tolerance",
    "units_in_the_last_place",
]
