"""Commands that only read: usage, schema, controls."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from countersign.cli.app import AsJson, ConfigFile, app, workspace
from countersign.cli.edge import answer
from countersign.errors import ConfigError


@app.command()
def usage(
    provider: Annotated[str, typer.Option("--provider", metavar="NAME")],
    file: Annotated[
        Path | None, typer.Argument(help="A response or SSE stream; else stdin.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """One raw response or stream of a provider → canonical disjoint token counters."""
    from countersign import usage as reader

    body = sys.stdin.buffer.read() if file is None else _bytes(file)
    read = reader.read(provider, body)
    counters = read.counters.columns()
    about = {
        "wire": read.wire,
        "model": read.model,
        "response_id": read.response_id,
        "usage_quality": read.quality,
        "identity_holds": read.identity_holds,
        "unaccounted": read.unaccounted,
        "reason": read.reason,
    }
    lines = [f"{name:<20} {_shown(value)}" for name, value in counters.items()]
    lines += [f"{name:<20} {_shown(value)}" for name, value in about.items() if value != ""]
    answer(
        "\n".join(lines), {"counters": counters, **about, "usage_raw": read.raw}, as_json=as_json
    )


@app.command()
def schema(kind: Annotated[str, typer.Argument()] = "", as_json: AsJson = False) -> None:
    """The columns of a record kind as JSON Schema; without KIND, the kinds."""
    from countersign.records import KINDS, json_schema

    if not kind:
        answer("\n".join(KINDS), list(KINDS), as_json=as_json)
        return
    if kind not in KINDS:
        raise ConfigError("kind", expected=" or ".join(KINDS), observed=kind)
    document = json_schema(KINDS[kind])
    answer(json.dumps(document, indent=2), document, as_json=as_json)


@app.command()
def controls(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """The controls, their claims and what they need."""
    from countersign.records import kind_name

    found = workspace(config).controls
    document = {
        name: {"claim": c.claim, "needs": [kind_name(k) for k in c.needs]}
        for name, c in found.items()
    }
    lines = [f"{name}: {entry['claim']}" for name, entry in document.items()]
    answer("\n".join(lines), document, as_json=as_json)


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ConfigError(f"file {file}", expected="readable", observed=str(error)) from None


def _shown(value: object) -> str:
    return "not reported" if value is None else str(value)
