"""Programs of our own, each in another style: a function `gradients`, and `arguments(rng)` that it is called with.

They are read and run as a person's files are, and not imported. What may be edited of one stands behind the comment
`# backward`.
"""
