"""The append-only log: what was sealed, in which order, and proofs of both."""
