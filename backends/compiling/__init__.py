"""Loops over the steps of a recurrent network, recorded from plain NumPy and compiled: `recorded`, `compiled`."""
