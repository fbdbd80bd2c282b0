"""The program's frame: the options that every command takes, and how a command opens its work.

Commands import what they need when they run.
"""

from collections.abc import Callable
from typing import Annotated, Any

import typer

from countersign.cli.edge import say

app = typer.Typer(
    name="countersign",
    help="Evidence about LLM traffic that someone who does not trust you can check.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

ConfigFile = Annotated[
    str | None,
    typer.Option("--config", metavar="FILE", help="Default: countersign.toml here."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output on stdout.")]
WindowText = Annotated[
    str,
    typer.Option("--window", metavar="START/END", help="Whole UTC days; END is not in it."),
]
Only = Annotated[
    list[str] | None,
    typer.Option("--only", metavar="ID", help="A source or control; may be repeated."),
]


def workspace(file: str | None) -> Any:
    """The installation that a command works on, with progress to stderr."""
    from countersign.pipeline.workspace import open_workspace

    return open_workspace(file, progress=say)


def load() -> Callable[[], object]:
    """The program with all its commands."""
    from countersign.cli import (  # noqa: F401 - each module adds its commands
        checking,
        duties,
        installing,
        keeping,
        reading,
        simulating,
        sourcing,
        working,
    )

    return app
