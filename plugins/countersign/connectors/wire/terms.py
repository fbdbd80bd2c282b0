"""Dated knowledge in files that people edit: TOML tables, or CSV with the same columns."""

import csv
import io
import tomllib
from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal

from countersign.connectors.wire.page import Page
from countersign.connectors.wire.value import Row
from countersign.errors import Fault


def rows(page: Page, table: str, columns: Collection[str]) -> Iterator[Row]:
    """Every `[[table]]` of a TOML file, or every line of a CSV file; an empty cell is absent.

    Raises:
        SourceError: neither of the two, cut short, without such a table or without its columns.
    """
    content = page.text()
    lines = (line.strip() for line in content.splitlines())
    opening = next((line for line in lines if line and not line.startswith("#")), "")
    if not opening:
        return iter(())
    is_toml = opening.startswith("[") or "=" in opening
    return _toml(page, content, table) if is_toml else _csv(page, content, columns)


def _toml(page: Page, content: str, table: str) -> Iterator[Row]:
    try:
        document = tomllib.loads(content, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        cut = "end of document" in str(error)
        raise page.fault(Fault.TRUNCATED if cut else Fault.MALFORMED, "TOML", str(error)) from None
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise page.fault(Fault.MALFORMED, "TOML", str(error)[:120]) from None
    if table not in document:
        found = ", ".join(map(repr, document)) or "nothing"
        raise page.fault(Fault.MALFORMED, f"[[{table}]] tables", found)
    yield from page.rows(document, table)


def _csv(page: Page, content: str, columns: Collection[str]) -> Iterator[Row]:
    reader = csv.DictReader(io.StringIO(content, newline=""), strict=True)
    try:
        absent = set(columns) - set(reader.fieldnames or ())
        if absent:
            raise page.fault(
                Fault.MALFORMED, f"columns {', '.join(columns)}", f"no column {min(absent)!r}"
            )
        for line in reader:
            yield _cells(page, line, reader.line_num)
    except csv.Error as error:
        cut = "unexpected end" in str(error)
        raise page.fault(
            Fault.TRUNCATED if cut else Fault.MALFORMED, "CSV", f"line {reader.line_num}: {error}"
        ) from None


def _cells(page: Page, line: Mapping[str | None, object], number: int) -> Row:
    if None in line or None in line.values():
        raise page.fault(
            Fault.MALFORMED, f"{len(line)} cells", f"another number of cells in line {number}"
        )
    return {str(name): cell for name, cell in line.items() if cell != ""}
