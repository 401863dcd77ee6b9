"""How the weights of two layers differ: entry by entry, and in words, by the conventions of the libraries."""

from .convention_differences import ConventionDifferences, convention_differences
from .plain_arrays import PlainDifferences, plain_differences
from .weight_differences import LayerWithWeights, WeightDifference, weight_differences

__all__ = [
    "ConventionDifferences",
    "LayerWithWeights",
    "PlainDifferences",
    "WeightDifference",
    "convention_differences",
    "plain_differences",
    "weight_differences",
]
