"""Tell others and listen: the edge that carries out what sync decides, and its links."""
