"""Other people's recurrent layers as backends; each library is imported when its backend is asked for."""

from .layer_objects import from_params, to_params, wrap_layer, wrap_library_weights

__all__ = ["from_params", "to_params", "wrap_layer", "wrap_library_weights"]
