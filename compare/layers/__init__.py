"""Two libraries' layers that should be the same, and weights that go from one to the other."""
