"""What of a model every adapter can build of single layers: stacks, both directions, lengths, any loss."""

from __future__ import annotations

from ..models import Model, Recurrent


def unsupported_network_reason(model: Model) -> str:
    """The reason why a model is no network of a library's layers; empty if it is one.

    Args:
        model: a model of any family.

    Returns:
        The reason, for the tables of a comparison.
    """
    if not isinstance(model, Recurrent):
        return "it has recurrent layers only"
    if model.concatenated:
        return "its layers have U and W as two matrices, not concatenated"
    return "its layers have no truncation" if model.truncation is not None else ""


def layer_sizes(model: Recurrent) -> list[int]:
    """The number of inputs of each layer and direction, in the order of `model.places`."""
    return [model.parameter_shapes[place.name("U")][1] for place in model.places]
