"""A campaign: many cases, planned, compared, summed up and shown."""

from .cases import CaseResult, LeftOut, plan
from .run import require_affordable_cases, run_cases, save_cases
from .summary import CampaignReport, campaign_notes

__all__ = [
    "CampaignReport",
    "CaseResult",
    "LeftOut",
    "campaign_notes",
    "plan",
    "require_affordable_cases",
    "run_cases",
    "save_cases",
]
