"""Work in other processes, and logs of it that can be continued."""

from .journal import ASKED, Journal, JournalLine, asked_number, not_a_journal, open_journal, read_journal
from .lock import locked
from .processes import THREAD_VARIABLES, end_process, start_process, thread_limits
from .progress import CaseProgress, ShareProgress, StageProgress
from .records import record_from

__all__ = [
    "ASKED",
    "THREAD_VARIABLES",
    "CaseProgress",
    "Journal",
    "JournalLine",
    "ShareProgress",
    "StageProgress",
    "asked_number",
    "end_process",
    "locked",
    "not_a_journal",
    "open_journal",
    "read_journal",
    "record_from",
    "start_process",
    "thread_limits",
]
