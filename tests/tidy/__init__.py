"""The rules of docs/architecture.md as functions: a folder comes in, its breaches go out.

Each check takes the root of a tree and returns a sentence for each breach, so that the same checks
judge the house itself and copies of it in which a breach was planted.
"""
