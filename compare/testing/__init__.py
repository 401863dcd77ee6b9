"""For the tests of a library: the pytest plugin, the conformance suite and Hypothesis strategies.

This face loads nothing: pytest imports it whenever it starts.
"""
