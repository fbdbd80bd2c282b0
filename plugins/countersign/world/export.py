"""The exported form of every source: the files that a real installation would hand over."""

from collections.abc import Iterable
from datetime import date
from pathlib import Path

from countersign.model import Window
from countersign.world import wire_anthropic, wire_openai
from countersign.world.books import Books
from countersign.world.installation import PriceList


def calls(folder: Path, day: date, payloads: Iterable[str]) -> None:
    """LiteLLM's payloads of a day: `litellm/2026-11-09/batch_….jsonl`."""
    target = folder / "litellm" / f"{day}"
    target.mkdir(parents=True)
    (target / f"batch_23-59-59_{day:%Y%m%d}.jsonl").write_text(_lines(payloads), "utf-8")


def beacons(folder: Path, day: date, rows: Iterable[tuple[int, int, str]]) -> None:
    """The meters' rows of a day: `beacons/2026-11-09.jsonl`."""
    target = folder / "beacons"
    target.mkdir(exist_ok=True)
    (target / f"{day}.jsonl").write_text(_lines(body for _, _, body in sorted(rows)), "utf-8")


def reports(world: Path, day: date, now_us: int, prices: PriceList) -> None:
    """One page a day of each usage and cost report, as the APIs show it at `now_us`."""
    books, span = Books(world / "books", now_us), Window.day(day)
    ends = (span.start_us, span.end_us)
    pages = {
        "openai-usage": wire_openai.exported_usage(books, *ends),
        "openai-costs": wire_openai.exported_costs(books, *ends, prices),
        "anthropic-usage": wire_anthropic.exported_usage(books, *ends),
        "anthropic-cost": wire_anthropic.exported_costs(books, *ends, prices),
    }
    for source, page in pages.items():
        target = world / "export" / source
        target.mkdir(exist_ok=True)
        (target / f"{day}.json").write_bytes(page)


def _lines(rows: Iterable[str]) -> str:
    return "".join(f"{row}\n" for row in rows)
