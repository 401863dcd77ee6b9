"""What `gradparity.compare` offers; its face loads this when a name is first asked for."""

from __future__ import annotations

from .answers import Training
from .check import Check, check_derivation
from .functions import assert_gradients, certified_gradients, check_gradients
from .layers import OwnLayer, assert_same_layer
from .referee import BlockResult, Comparison, DisagreementError, Failure, assert_agree, compare
from .result_pages import write_html
from .systems import SYSTEMS, System
from .tolerance import Tolerance, measure_tolerance

__all__ = [
    "SYSTEMS",
    "BlockResult",
    "Check",
    "Comparison",
    "DisagreementError",
    "Failure",
    "OwnLayer",
    "System",
    "Tolerance",
    "Training",
    "assert_agree",
    "assert_gradients",
    "assert_same_layer",
    "certified_gradients",
    "check_derivation",
    "check_gradients",
    "compare",
    "measure_tolerance",
    "write_html",
]
