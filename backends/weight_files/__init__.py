"""Files of weights as people have them: what is in them, and what they say of it. No code of a file is ever run."""

from .named_arrays import read_weights, write_weights
from .reading import read_weight_file
from .weight_file import LayerInFile, Statement, WeightFile

__all__ = ["LayerInFile", "Statement", "WeightFile", "read_weight_file", "read_weights", "write_weights"]
