"""How the weights of two layers differ: entry by entry, and in words, by the conventions of the libraries."""

from .convention_differences import ConventionDifferences, convention_differences
from .plain_arrays import PlainDifferences, plain_differences
from .weight_differences import (
    LayerWithWeights,
    WeightDifference,
    entry_difference,
    rounded_forget_bias,
    weight_differences,
)

__all__ = [
    "ConventionDifferences",
    "LayerWithWeights",
    "PlainDifferences",
    "WeightDifference",
    "convention_differences",
    "entry_difference",
    "plain_differences",
    "rounded_forget_bias",
    "weight_differences",
]
