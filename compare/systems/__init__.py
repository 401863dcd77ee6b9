"""The systems: the catalogue, real data, and how a system learns."""

from .catalogue import SEEDS, SYSTEMS, System, get_system
from .datasets import BUILT_IN, load_dataset
from .learning_options import Learning

__all__ = ["BUILT_IN", "SEEDS", "SYSTEMS", "Learning", "System", "get_system", "load_dataset"]
