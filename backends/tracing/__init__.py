"""Recorders of NumPy programs."""
