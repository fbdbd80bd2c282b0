"""The command about sources: what a connector reads and cannot tell, and how a source fares."""

from typing import Annotated

import typer

from countersign.cli.app import AsJson, ConfigFile, app, workspace
from countersign.cli.edge import answer
from countersign.errors import ConfigError


@app.command()
def sources(
    source: Annotated[
        str, typer.Argument(metavar="ID", help="A source, or a kind of connector.")
    ] = "",
    accept_fields: Annotated[
        bool, typer.Option("--accept-fields", help="Take the source's new fields as known.")
    ] = False,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """The configured sources and their health; with ID, what one reads, needs and cannot tell.

    Health is the last complete day, rows, lag against what the source's own delay allows,
    failed and refused days, and fields that were never seen before.
    """
    from countersign.pipeline import health as verb

    if not source:
        if accept_fields:
            raise ConfigError("--accept-fields", expected="the ID of a source")
        found = verb.health(workspace(config))
        document = {name: one.document() for name, one in found.items()}
        answer("\n".join(one.text for one in found.values()), document, as_json=as_json)
        return
    _one(source, config, accept_fields=accept_fields, as_json=as_json)


def _one(source: str, config: str | None, *, accept_fields: bool, as_json: bool) -> None:
    from countersign import connectors
    from countersign.config import find
    from countersign.connectors.interface import Connector
    from countersign.pipeline import health as verb
    from countersign.pipeline.describe import Description
    from countersign.registry import discover

    known = discover(connectors, Connector)
    is_set_up = find(config).is_file() or source not in known
    ws = workspace(config) if is_set_up else None
    if ws is not None and source in ws.config.sources:
        if accept_fields:
            verb.accept_fields(ws, source)
        made = ws.sources[source]
        said, healthy = Description.of(type(made), made), verb.health(ws)[source]
        document = {**said.document(), "health": healthy.document()}
        answer(f"{healthy.text}\n{said.text}", document, as_json=as_json)
        return
    if source not in known or accept_fields:
        ids = sorted({*known, *(ws.config.sources if ws else ())})
        raise ConfigError("source", expected=" or ".join(ids), observed=source)
    said = Description.of(known[source])
    answer(said.text, {**said.document(), "health": None}, as_json=as_json)
