"""The referee: asks every backend, judges the answers, and explains the judgement."""

from .answer_checks import examine
from .block_result import WORST_FIRST, BlockResult, Verdict
from .comparison import DisagreementError, assert_agree, compare, compare_certified_if_possible, require_answered
from .cost_estimate import Cost, TooLargeError, estimate_cost, require_affordable
from .explanation import explain, findings, not_given_lines
from .judgement import agreeing_groups, judge_values
from .results import Comparison, Failure

__all__ = [
    "WORST_FIRST",
    "BlockResult",
    "Comparison",
    "Cost",
    "DisagreementError",
    "Failure",
    "TooLargeError",
    "Verdict",
    "agreeing_groups",
    "assert_agree",
    "compare",
    "compare_certified_if_possible",
    "estimate_cost",
    "examine",
    "explain",
    "findings",
    "judge_values",
    "not_given_lines",
    "require_affordable",
    "require_answered",
]
