"""Remember: one SQLite file, WAL, synchronous=FULL, one writer; records, heads, projections."""
