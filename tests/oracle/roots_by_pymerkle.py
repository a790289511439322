"""Grow an RFC 6962 tree by the library `pymerkle`: contents in hex in, the root after each out."""

import json
import sys

from pymerkle import InmemoryTree

tree = InmemoryTree(algorithm="sha256")
roots = []
for content in json.load(sys.stdin):
    tree.append_entry(bytes.fromhex(content))
    roots.append(tree.get_root().hex())
json.dump(roots, sys.stdout)
