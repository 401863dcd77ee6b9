"""Two libraries' layers that should be the same, and weights that go from one to the other."""

from .conversion import convert
from .layer_comparison import LayerComparison
from .own_layer import OwnLayer
from .same_layer import assert_same_layer

__all__ = ["LayerComparison", "OwnLayer", "assert_same_layer", "convert"]
