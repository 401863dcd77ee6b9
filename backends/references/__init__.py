"""The references: the hand derivation, and PyTorch and JAX with forward passes of their own.

Each is loaded when it is asked for.
"""
