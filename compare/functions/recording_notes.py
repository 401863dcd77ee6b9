"""What is to be said of a recorded loss beside the verdict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ...backends.models.traced import Traced
from ..localization.precision import rounded_at
from .recorded_loss import RecordedLoss
from .returned import Returned

MOST_PATHS = 6  # in a note


def notes_on(recording: RecordedLoss, changed: Sequence[str], returned: Returned) -> tuple[str, ...]:
    """The notes, a line each.

    Args:
        recording: of the loss.
        changed: the paths of what a call of the function changes.
        returned: what the function returned.
    """
    return (*_changes(changed), *recording.notes, *_wider(returned, recording), *_rounded(recording))


def _changes(paths: Sequence[str]) -> Iterator[str]:
    """What a call changed, which was put back."""
    if paths:
        more = f" and {len(paths) - MOST_PATHS} more" if len(paths) > MOST_PATHS else ""
        yield f"it changes {', '.join(paths[:MOST_PATHS])}{more}: each call found these as they were before"


def _wider(returned: Returned, recording: RecordedLoss) -> Iterator[str]:
    """Which gradients came in a wider dtype than their arrays have."""
    for key, name in recording.names.items():
        of_array, of_gradient = recording.problem.params[name].dtype, returned.gradients[key].dtype
        if of_gradient.kind == "f" and of_gradient.itemsize > of_array.itemsize:
            yield f"{key} is returned in {of_gradient}, of an array in {of_array}"


def _rounded(recording: RecordedLoss) -> Iterator[str]:
    """Where a loss of arrays in float64 is computed in float32."""
    model, params = recording.problem.model, recording.problem.params.values()
    if isinstance(model, Traced) and all(array.dtype == np.dtype("float64") for array in params):
        yield from (f"precision: the loss is rounded to float32 at {place}" for place in rounded_at(model.operations))
