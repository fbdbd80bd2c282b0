"""Statistics on what is small after reduction: plain functions over counts, one idea a file."""
