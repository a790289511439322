"""A consortium in memory: real stores and signatures, a network with a temper, and no waiting.

Every world is decided by its seed, so a failure is a number that can be run again:
`make worlds SEED=`.
"""
