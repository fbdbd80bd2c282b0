"""One file per source. A connector reads; it decides nothing."""
