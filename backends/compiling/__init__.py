"""A recurrent network's loops in plain NumPy, recorded (`recurrence`), written as one step (`source`), and compiled."""
