"""The `countersign` program: the same for a person, a task and a test."""

from countersign.cli.app import main

__all__ = ["main"]
