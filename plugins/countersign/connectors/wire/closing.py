"""When money is final: a month is billed after it ended, and corrected in the next open period."""

from datetime import date, timedelta
from typing import Final

from countersign.model import Window

INVOICE_DAYS: Final = 5
"""How many days after a month its invoice is out, unless an installation knows better."""


def invoiced(day: date, days: int, *, open_periods: int = 0) -> int:
    """The instant from which the bill of a day's month is final.

    `days` after the month ended; with `open_periods`, after so many further months, since a
    correction of a closed period stands in the next open one.
    """
    months = day.year * 12 + day.month + open_periods  # counted from zero: of the month after
    ended = date(months // 12, months % 12 + 1, 1) - timedelta(days=1)
    return Window.day(ended + timedelta(days=days)).end_us
