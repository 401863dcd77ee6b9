"""A campaign: many cases, planned, compared, summed up and shown."""

from .cases import CaseResult, LeftOut, plan
from .run import run_cases, save_cases, without_gradients

__all__ = [
    "CaseResult",
    "LeftOut",
    "plan",
    "run_cases",
    "save_cases",
    "without_gradients",
]
