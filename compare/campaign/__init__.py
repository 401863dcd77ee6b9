"""A campaign: many cases, planned, compared, summed up and shown."""

from .cases import CaseResult, LeftOut, plan
from .display import show_campaign, verdict_text
from .export import campaign_json
from .run import run_cases, save_cases
from .summary import CampaignReport, campaign_notes

__all__ = [
    "CampaignReport",
    "CaseResult",
    "LeftOut",
    "campaign_json",
    "campaign_notes",
    "plan",
    "run_cases",
    "save_cases",
    "show_campaign",
    "verdict_text",
]
