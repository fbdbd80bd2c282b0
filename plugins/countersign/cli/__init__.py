"""The `countersign` program: the same for a person, a task and a test."""

import sys

from countersign.cli.edge import guard


def main() -> None:
    """Run the program. `verify` is dispatched before the rest is loaded: it must start cold."""
    if sys.argv[1:2] == ["verify"]:
        from countersign.cli import verifying

        guard(lambda: verifying.run(sys.argv[2:]))
        return
    from countersign.cli.app import load

    guard(load())


__all__ = ["main"]
