"""What `gradparity.compare` offers; its face loads this when a name is first asked for."""

from __future__ import annotations

from .answers.training import Training
from .check.checking import Check, check_derivation
from .layers.same_layer import assert_same_layer
from .referee.comparison import DisagreementError, assert_agree, compare
from .referee.results import BlockResult, Comparison, Failure
from .systems.catalogue import SYSTEMS, System
from .tolerance.measurement import Tolerance, measure_tolerance

__all__ = [
    "SYSTEMS",
    "BlockResult",
    "Check",
    "Comparison",
    "DisagreementError",
    "Failure",
    "System",
    "Tolerance",
    "Training",
    "assert_agree",
    "assert_same_layer",
    "check_derivation",
    "compare",
    "measure_tolerance",
]
