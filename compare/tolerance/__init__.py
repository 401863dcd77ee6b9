"""The tolerance: measured for each block of each problem, by stochastic arithmetic."""
