"""Hear machines; acknowledge only what a commit holds."""
