"""The fault campaigns: what is broken on purpose, how often, and what must hold all the same.

Each module here is a campaign with `run(long: bool) -> str`: it raises when its promise does not
hold, and otherwise returns the figures it reached.
"""
