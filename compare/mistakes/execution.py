"""Runs the lines on a problem: the loss and all gradients, right, or with lines replaced."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ...backends import FeedForward, Model, OrderedSystem, Problem, Recurrent
from . import lines
from .feedforward import run_feed_forward, run_ordered
from .lines import Line
from .namespace import Answer, Replaced
from .recurrent import Network, cell_keys


def run(problem: Problem, replaced: Replaced | None = None) -> Answer:
    """The loss and the gradients of a problem, as the lines have them.

    Args:
        problem: the question; its arrays may round at random.
        replaced: lines in place of others, by the keys of `lines_of`.
    """
    with np.errstate(all="ignore"):
        match problem.model:
            case Recurrent():
                return Network(problem, problem.model, replaced or {}).answer()
            case FeedForward():
                return run_feed_forward(problem, problem.model, replaced or {})
            case OrderedSystem():
                return run_ordered(problem, problem.model, replaced or {})


def has_lines(problem: Problem) -> bool:
    """Whether the lines of a problem's network are known here."""
    return not isinstance(problem.model, Recurrent) or cell_keys(problem.model)[-1] in lines.FORWARD


@lru_cache(maxsize=64)
def lines_of(model: Model) -> dict[str, dict[str, Line]]:
    """The right lines by their left sides, under every key by which they can be replaced."""
    found: dict[str, tuple[Line, ...]] = {}
    match model:
        case Recurrent():
            keys = cell_keys(model)
            found = dict.fromkeys(keys, lines.FORWARD[keys[-1]] + lines.BACKWARD[keys[-1]])
            found |= dict.fromkeys(("readout", model.loss), lines.READOUT[model.loss])
        case FeedForward():
            found = {"layer": lines.LAYER_FORWARD + lines.LAYER_BACKWARD}
            found |= {"hidden": lines.LAYER_HIDDEN} if len(model.sizes) > 2 else {}
            found |= dict.fromkeys(("output", model.loss), lines.OUTPUT[model.loss])
        case OrderedSystem():
            found = {"ordered": lines.ORDERED_FORWARD + lines.ORDERED_BACKWARD}
    return {key: {line.left: line for line in section} for key, section in found.items()}
