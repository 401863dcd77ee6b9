"""Models: what is computed, without the numbers. There are three families."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ..errors import InvalidProblemError
from .feedforward import FeedForward
from .ordered import OrderedSystem
from .recurrent import Recurrent
from .truncation import TRUNCATIONS

Model = Recurrent | FeedForward | OrderedSystem
FAMILIES: dict[str, type[Model]] = {family.__name__: family for family in (Recurrent, FeedForward, OrderedSystem)}


def require_model(model: object) -> None:
    """Raises InvalidProblemError unless it is a model."""
    if not isinstance(model, Model):
        raise InvalidProblemError(f"model is a {type(model).__name__}, expected a {' or '.join(FAMILIES)}")


def describe(model: Model) -> dict[str, Any]:
    """The model as plain values, for JSON."""
    fields = asdict(model)
    if isinstance(model, Recurrent) and model.truncation:
        (name,) = (name for name, truncation in TRUNCATIONS.items() if type(model.truncation) is truncation)
        fields["truncation"] = {"kind": name, "steps": model.truncation.steps}
    return {"family": type(model).__name__, **fields}


def model_from(description: Mapping[str, Any]) -> Model:
    """The model that was described."""
    fields = dict(description)
    family = FAMILIES[fields.pop("family")]
    if fields.get("truncation"):
        fields["truncation"] = TRUNCATIONS[fields["truncation"]["kind"]](fields["truncation"]["steps"])
    if family is FeedForward:
        fields["sizes"] = tuple(fields["sizes"])
    return family(**fields)
