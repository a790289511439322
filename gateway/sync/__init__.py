"""Heads and a message -> what to do: what peers say, and what follows from it."""
