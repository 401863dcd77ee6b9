"""A campaign: many cases, planned, compared, summed up and shown."""

from .cases import CaseResult, LeftOut, plan
from .display import CampaignReport, show, verdict_text
from .export import campaign_json
from .run import run_cases, save_cases, without_gradients

__all__ = [
    "CampaignReport",
    "CaseResult",
    "LeftOut",
    "campaign_json",
    "plan",
    "run_cases",
    "save_cases",
    "show",
    "verdict_text",
    "without_gradients",
]
