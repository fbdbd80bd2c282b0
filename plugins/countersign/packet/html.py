"""From the view to one HTML document, by Jinja2 templates that hold words and no logic."""

from collections.abc import Mapping
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from countersign.packet import reports
from countersign.packet.pictures import marks
from countersign.packet.pictures.palette import PRINT
from countersign.packet.summary import SummaryRow
from countersign.packet.view import View


def page(view: View, folder_override: Path | None = None) -> str:
    """The packet as HTML; a template of the override folder comes before the packaged one."""
    stylesheet = reports.read("page.css", folder_override).decode()
    return render(
        "packet.html.j2",
        {"view": view, "stylesheet": Markup(stylesheet), "strip": _strip},
        folder_override,
    )


def render(name: str, values: Mapping[str, object], folder_override: Path | None = None) -> str:
    """One template with its values; an undefined name is an error, text is escaped."""
    return _environment(folder_override).get_template(name).render(**values)


def _strip(row: SummaryRow) -> Markup:
    states = [mark.state if mark else None for mark in row.weeks]
    return Markup(marks.strip(states, row.weeks_text, PRINT))


def _environment(folder_override: Path | None) -> Environment:
    return Environment(
        loader=FileSystemLoader(reports.folders(folder_override)),
        autoescape=select_autoescape(disabled_extensions=("txt.j2",), default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
