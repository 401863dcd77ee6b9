"""The names that the fields of a model take."""

from __future__ import annotations

ACTIVATIONS = ("tanh", "relu", "sigmoid", "identity")
LOSSES = ("softmax_cross_entropy", "sigmoid_cross_entropy", "squared_error")
REDUCTIONS = ("sum", "mean")
RESETS = ("after", "before")
LOSS_AT = ("every_step", "last_step")
DIFFERENTIATIONS = ("reverse", "expanded", "closed_form", "forward")
