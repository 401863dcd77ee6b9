"""Jobs for processes of workers, which can be named there: some are harmless, and some are not."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from gradparity.backends import RequestError
from gradparity.compare.workers import Served

ENVIRONMENT = {"versions": {"numpy": "of the tests"}}


def harmless() -> Served:
    """Gives the square, and the process that computed it."""
    return Served(ENVIRONMENT, lambda number: (number**2, os.getpid()))


def slow() -> Served:
    """Gives the square after a moment."""
    return Served(ENVIRONMENT, lambda number: time.sleep(0.05) or number**2)


def asleep() -> Served:
    """Does not answer for long."""
    return Served(ENVIRONMENT, lambda number: time.sleep(600))


def noisy() -> Served:
    """Prints, and says how many threads it was given."""

    def answer(number: int) -> str:
        print("a backend prints")
        return os.environ["OMP_NUM_THREADS"]

    return Served(ENVIRONMENT, answer)


def harmful() -> Served:
    """Dies of 3, hangs at 4, raises at 5 and ends quietly at 6."""

    def answer(number: int) -> int:
        if number == 3:
            os._exit(7)
        if number == 4:
            time.sleep(600)
        if number == 5:
            raise ZeroDivisionError("of five")
        if number == 6:
            sys.exit(0)
        return number**2

    return Served(ENVIRONMENT, answer)


def dies_once(folder: str) -> Served:
    """Dies of each number the first time that any process is asked for it."""

    def answer(number: int) -> int:
        seen = Path(folder) / str(number)
        if not seen.exists():
            seen.touch()
            os._exit(9)
        return number**2

    return Served(ENVIRONMENT, answer)


def refuses() -> Served:
    """Cannot be loaded."""
    raise RequestError("there is no backend 'troch'")


def dies_at_the_start() -> Served:
    """Dies while it is loaded."""
    os._exit(5)
