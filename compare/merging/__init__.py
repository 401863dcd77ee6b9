"""Logs of parts of one run become one log."""

from .merging import LogPart, MergedLog, merge_logs

__all__ = ["LogPart", "MergedLog", "merge_logs"]
