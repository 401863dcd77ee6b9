"""Fault localization: which expression of a way back is wrong, told by experiments on the recorded run.

Where these tell nothing: which change of the way back through the recorded loss gives what was returned.
"""

from .forward_findings import ForwardFindings, findings_of
from .forward_pass import NEAR
from .forward_search import explained
from .located import Located, located_from
from .loss_repairs import LossRepairs, RightAnswer, after_change, loss_repairs, loss_repairs_from
from .recorded_copies import with_copies
from .rounded_inside import Precision
from .search import MOST_OPERATIONS
from .whole import search
from .wording import Localization, in_words, localization_from
from .written_program import WrittenProgram

__all__ = [
    "MOST_OPERATIONS",
    "NEAR",
    "ForwardFindings",
    "Localization",
    "Located",
    "LossRepairs",
    "Precision",
    "RightAnswer",
    "WrittenProgram",
    "after_change",
    "explained",
    "findings_of",
    "in_words",
    "localization_from",
    "located_from",
    "loss_repairs",
    "loss_repairs_from",
    "search",
    "with_copies",
]
