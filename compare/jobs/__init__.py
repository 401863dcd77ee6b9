"""Work in other processes, and logs of it that can be continued."""

from .journal import not_a_journal, open_journal, read_journal, rewrite_journal
from .processes import THREAD_VARIABLES, end_process, start_process, thread_limits
from .progress import CaseProgress, ShareProgress, StageProgress

__all__ = [
    "THREAD_VARIABLES",
    "CaseProgress",
    "ShareProgress",
    "StageProgress",
    "end_process",
    "not_a_journal",
    "open_journal",
    "read_journal",
    "rewrite_journal",
    "start_process",
    "thread_limits",
]
