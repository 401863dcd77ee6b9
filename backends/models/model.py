"""Models: what is computed, without the numbers. There are four families."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ..errors import InvalidProblemError
from .feedforward import FeedForward
from .ordered import OrderedSystem
from .recurrent import Recurrent
from .traced import Traced
from .truncation import TRUNCATIONS

Network = Recurrent | FeedForward | OrderedSystem  # its equations are known
Model = Network | Traced
FAMILIES: dict[str, type[Model]] = {
    family.__name__: family for family in (Recurrent, FeedForward, OrderedSystem, Traced)
}


def require_model(model: object) -> None:
    """Checks that an object is a model.

    Args:
        model: the object.

    Raises:
        InvalidProblemError: it is of none of the four families, or of a subclass, which nothing here can compute.
    """
    if not isinstance(model, Model):
        raise InvalidProblemError(f"model is a {type(model).__name__}, expected a {' or '.join(FAMILIES)}")
    family = next(family for family in FAMILIES.values() if isinstance(model, family))
    if type(model) is not family:
        raise InvalidProblemError(
            f"model is a {type(model).__name__}, expected a {family.__name__} itself: no backend computes a subclass; "
            "a function or a backend of your own is checked on a model of these families"
        )


def describe(model: Model) -> dict[str, Any]:
    """The model as plain values, for JSON.

    Args:
        model: a model of any family.

    Returns:
        The family's name under `family`, and the fields by name; a truncation as its name and its steps.

    Example:
        >>> from gradparity.backends import FeedForward
        >>> describe(FeedForward((4, 3)))["family"]
        'FeedForward'
    """
    if isinstance(model, Traced):
        return {"family": "Traced", **model.description}
    fields = asdict(model)
    if isinstance(model, Recurrent) and model.truncation:
        (name,) = (name for name, truncation in TRUNCATIONS.items() if type(model.truncation) is truncation)
        fields["truncation"] = {"kind": name, "steps": model.truncation.steps}
    return {"family": type(model).__name__, **fields}


def model_from(description: Mapping[str, Any]) -> Model:
    """The model of a description: the inverse of `describe`.

    Args:
        description: what `describe` returned, also after a way through JSON.

    Returns:
        The model.

    Raises:
        LookupError: the family or a truncation does not exist, or is not named.
        TypeError: a field is missing, or is one too many.
        InvalidProblemError: a field has a value that the family does not take.

    Example:
        >>> from gradparity.backends import FeedForward
        >>> model_from(describe(FeedForward((4, 3)))) == FeedForward((4, 3))
        True
    """
    fields = dict(description)
    family = FAMILIES[fields.pop("family")]
    if family is Traced:
        raise InvalidProblemError("a recorded function is not made from a description alone")
    if fields.get("truncation"):
        fields["truncation"] = TRUNCATIONS[fields["truncation"]["kind"]](fields["truncation"]["steps"])
    if family is FeedForward:
        fields["sizes"] = tuple(fields["sizes"])
    return family(**fields)
