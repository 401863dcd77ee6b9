"""The referee: asks every backend, judges the answers, keeps and explains what was found."""

from .comparison import DisagreementError, assert_agree, compare, require_answered
from .explanation import explain
from .judgement import agreeing_groups, answer_failure, judge_values
from .results import BlockResult, Comparison, Failure, Verdict, has_wrong_numbers, own_verdict

__all__ = [
    "BlockResult",
    "Comparison",
    "DisagreementError",
    "Failure",
    "Verdict",
    "agreeing_groups",
    "answer_failure",
    "assert_agree",
    "compare",
    "explain",
    "has_wrong_numbers",
    "judge_values",
    "own_verdict",
    "require_answered",
]
