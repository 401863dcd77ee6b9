"""Problems: a model with its numbers; how they are drawn, checked, and kept in a file."""
