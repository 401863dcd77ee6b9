"""How long work reports its progress: three kinds of functions, which it calls now and then."""

from __future__ import annotations

from collections.abc import Callable

ShareProgress = Callable[[float], None]  # the share of the work that is done, from 0 to 1
CaseProgress = Callable[[str, float], None]  # a label, and how many cases are done
StageProgress = Callable[[str], None]  # what is being done
