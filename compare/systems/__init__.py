"""The systems: the catalogue, real data, and how a system learns."""
