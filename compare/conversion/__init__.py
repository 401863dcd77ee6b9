"""Weights that go from one library to another, and files of weights beside each other."""

from .conversion import Conversion, convert, convert_layer

__all__ = ["Conversion", "convert", "convert_layer"]
