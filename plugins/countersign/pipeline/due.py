"""Which days a source may still revise, and which of them are to be read again tonight."""

from datetime import date, timedelta
from itertools import count
from typing import Final

from countersign.lake.raw import DATED
from countersign.model import US_PER_DAY, Window
from countersign.pipeline.workspace import Workspace

_CATCH_UP_US: Final = 31 * US_PER_DAY
"""A day that settled longer ago and is not final yet is read again only when it is asked for."""


def is_settled(ws: Workspace, source: str, day: str) -> bool:
    """Whether the source revises a day no more: what is read now is final."""
    return day == DATED or ws.now_us() >= ws.sources[source].settled(date.fromisoformat(day))


def still_open(ws: Workspace, source: str, window: Window) -> list[str]:
    """Days before a window that were read, may have been revised since, and are not final.

    Those are the days within the source's lag, and those that have settled but were not read
    since: money, when its bill is out, and what nights without a run left behind.
    """
    connector, found = ws.sources[source], []
    for back in count(1):
        day = window.start - timedelta(days=back)
        settled_us = connector.settled(day)
        is_within_lag = timedelta(days=back - 1) < connector.lag
        if not is_within_lag and settled_us + _CATCH_UP_US < window.start_us:
            break
        if is_within_lag or settled_us <= ws.now_us():
            manifest = ws.lake.raw.manifest(source, day.isoformat())
            if manifest is not None and not manifest.final:
                found.append(day.isoformat())
    return found[::-1]
