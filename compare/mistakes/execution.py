"""Runs the lines on a problem: the loss and all gradients, right, or with lines replaced."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ...backends import FeedForward, Model, OrderedSystem, Problem, Recurrent
from ...backends.models import Traced
from . import equation_sections as sections
from .equation_source import Line, Section
from .feedforward import run_feed_forward, run_ordered
from .namespace import LineResults, Replaced
from .recurrent import Network, cell_keys


def run(problem: Problem, replaced: Replaced | None = None) -> LineResults:
    """The loss and the gradients of a problem, as the lines have them.

    Args:
        problem: a model and its numbers, which may round at random.
        replaced: lines in place of others, by the keys of `lines_of`.
    """
    with np.errstate(all="ignore"):
        match problem.model:
            case Recurrent():
                return Network(problem, problem.model, replaced or {}).results()
            case FeedForward():
                return run_feed_forward(problem, problem.model, replaced or {})
            case OrderedSystem():
                return run_ordered(problem, problem.model, replaced or {})
            case Traced():
                raise TypeError("a recorded function has no lines of ours")


def has_lines(problem: Problem) -> bool:
    """Whether the lines of a problem's network are known here."""
    model = problem.model
    return isinstance(model, FeedForward | OrderedSystem) or (
        isinstance(model, Recurrent) and cell_keys(model)[-1] in sections.CELLS
    )


@lru_cache(maxsize=64)
def lines_of(model: Model) -> dict[str, dict[str, Line]]:
    """The right lines by their left sides, under every key by which they can be replaced."""
    by_key: dict[str, Section] = {}
    match model:
        case Recurrent():
            keys = cell_keys(model)
            cell = sections.CELLS[keys[-1]]
            by_key = dict.fromkeys(keys, cell.forward + cell.backward)
            by_key |= dict.fromkeys(("readout", model.loss), sections.READOUT[model.loss])
        case FeedForward():
            by_key = {"layer": sections.LAYER_FORWARD + sections.LAYER_BACKWARD}
            by_key |= {"hidden": sections.LAYER_HIDDEN} if len(model.sizes) > 2 else {}
            by_key |= dict.fromkeys(("output", model.loss), sections.OUTPUT[model.loss])
        case OrderedSystem():
            by_key = {"ordered": sections.ORDERED_FORWARD + sections.ORDERED_BACKWARD}
    return {key: {line.left: line for line in section} for key, section in by_key.items()}
