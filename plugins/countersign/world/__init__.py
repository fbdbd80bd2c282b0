"""The simulated world: weeks of plausible traffic that knows its own truth.

It writes the wire formats of the real sources by hand and shares no parser with the connectors:
a shared mistake would hide itself.
"""

from countersign.world.build import build
from countersign.world.installation import CREDENTIALS
from countersign.world.score import Line, Score, score
from countersign.world.server import Running, serve

__all__ = ["CREDENTIALS", "Line", "Running", "Score", "build", "score", "serve"]
