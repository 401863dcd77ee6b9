"""Other people's recurrent layers as backends; each library is imported when its backend is asked for."""

from .layer_objects import from_params, held_layers, held_weights, to_params

__all__ = ["from_params", "held_layers", "held_weights", "to_params"]
