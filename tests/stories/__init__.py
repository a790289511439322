"""Whole stories on real processes, one file each: `make story S=NAME` runs `test_NAME.py`.

A story takes the fixture `figures` and calls it with what it counted, by name; the runner prints
them as the last line.
"""
