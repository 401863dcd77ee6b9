"""The referee: asks every backend the same question, judges the answers, and tells what it found."""

from .catalogue import SYSTEMS, System
from .referee import DisagreementError, assert_agree, compare
from .results import BlockResult, Comparison, Failure
from .tolerance import Tolerance, measure_tolerance

__all__ = [
    "SYSTEMS",
    "BlockResult",
    "Comparison",
    "DisagreementError",
    "Failure",
    "System",
    "Tolerance",
    "assert_agree",
    "compare",
    "measure_tolerance",
]
