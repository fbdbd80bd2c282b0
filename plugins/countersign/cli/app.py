"""The program's frame: options that every command takes, errors as sentences, exit codes.

Exit 0: the work was done, whatever the findings say. 1: not satisfied or invalid (`verify`,
`assess --table`, `log check`). 2: wrong use or configuration. 3: a source or I/O failed.
Answers go to stdout, progress to stderr. Commands import what they need when they run, so that
`verify` stays light.
"""

import json
import sys
from typing import Annotated, Any

import typer

from countersign.errors import (
    ConfigError,
    CountersignError,
    EvidenceError,
    SourceError,
    VerificationError,
)

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

EXIT_CODES = {ConfigError: 2, SourceError: 3, EvidenceError: 3, VerificationError: 1}


def say(line: str) -> None:
    """Progress, for the person who waits: stderr."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def answer(text: str, document: Any, *, as_json: bool) -> None:
    """The result, for a person or a program: stdout."""
    sys.stdout.write((json.dumps(document, indent=2) if as_json else text) + "\n")


def workspace(file: str | None) -> Any:
    """The installation that a command works on, with progress to stderr."""
    from countersign.pipeline.workspace import open_workspace

    return open_workspace(file, progress=say)


def main() -> None:
    """Run the program; a failure that a person can act on is a sentence, not a traceback."""
    from countersign.cli import (  # noqa: F401 - each module adds its commands
        checking,
        installing,
        reading,
        simulating,
        working,
    )

    try:
        app()
    except CountersignError as error:
        say(f"countersign: {error}")
        raise SystemExit(EXIT_CODES.get(type(error), 3)) from None
