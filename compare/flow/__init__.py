"""Gradient flow: how far the loss of the last step reaches back, measured, drawn and shown."""
