"""What is claimed about speed, each runnable: a module a claim, with `run() -> list[str]`.

Absolute figures do not travel between machines, so each benchmark also gives a ratio to something
that anyone can run beside it.
"""
