"""The referee: asks every backend, judges the answers, and explains the judgement."""

from .answer_checks import examine
from .block_result import WORST_FIRST, BlockResult, Verdict
from .comparison import DisagreementError, assert_agree, compare, compare_certified_if_possible, require_answered
from .explanation import explain
from .judgement import agreeing_groups, judge_values
from .results import Comparison, Failure

__all__ = [
    "WORST_FIRST",
    "BlockResult",
    "Comparison",
    "DisagreementError",
    "Failure",
    "Verdict",
    "agreeing_groups",
    "assert_agree",
    "compare",
    "compare_certified_if_possible",
    "examine",
    "explain",
    "judge_values",
    "require_answered",
]
