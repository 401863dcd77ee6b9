"""Layers of any libraries that should be the same."""

from .layer_comparison import LayerComparison
from .own_layer import OwnLayer
from .same_layer import assert_same_layer

__all__ = ["LayerComparison", "OwnLayer", "assert_same_layer"]
