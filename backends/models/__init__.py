"""Models: what is computed, in three families, and what a model has to know of itself."""
