"""What a stranger can check offline: keys, envelopes, statements, bundles, verification."""
