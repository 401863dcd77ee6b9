"""Fault localization: which expression of a way back is wrong, told by experiments on the recorded run."""
