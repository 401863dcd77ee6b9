"""Answers: what is compared of them, block by block, and what becomes of them along a training."""
