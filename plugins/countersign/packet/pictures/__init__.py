"""One picture per control: a pure function from its numbers and a palette to an SVG string.

`pictures.of("token-reconciliation")` is the module `token_reconciliation` beside this file, or
None. A module has `HEADING` (above the picture), `draw(picture, palette) -> str` (empty when
there is nothing to draw) and `numbers(detail) -> tuple[Table, ...]`, the same integers as tables.
"""

import importlib
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Protocol, cast

from countersign.canonical import Json
from countersign.packet.pictures.palette import Palette
from countersign.packet.table import Table


class Picture(Protocol):
    """What a picture module offers."""

    HEADING: str

    def draw(self, picture: Mapping[str, Json], palette: Palette) -> str:
        """The SVG, 482 units wide; empty when there is nothing to draw."""
        ...

    def numbers(self, detail: Mapping[str, Json]) -> tuple[Table, ...]:
        """The same numbers, as tables."""
        ...


def of(control: str) -> Picture | None:
    """The picture of a control, or None where it has none."""
    name = f"{__name__}.{control.replace('-', '_')}"
    if not control.replace("-", "").isalnum() or find_spec(name) is None:
        return None
    return cast("Picture", importlib.import_module(name))
