"""What a node signs: encoding, identity, rosters, records, feeds, runs and proofs."""
