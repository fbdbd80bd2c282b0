"""Log files that a web server publishes: one, or one a day."""

from collections.abc import Iterator

from countersign.connectors.interface import Fetch
from countersign.model import Window


def files(fetch: Fetch, path: str, window: Window) -> Iterator[bytes]:
    """Yield the file behind the path, or with `{day}` in it one file for each day, in order."""
    if "{day}" not in path:
        yield fetch(path)
        return
    for day in window.days():
        yield fetch(path.replace("{day}", day.isoformat()))
