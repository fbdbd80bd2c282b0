"""Checking what was published: verify and log check."""

import typer

from countersign.cli import verifying
from countersign.cli.app import AsJson, ConfigFile, app, workspace
from countersign.cli.edge import answer

log_app = typer.Typer(help="The append-only log.")
app.add_typer(log_app, name="log")


@app.command(
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def verify(context: typer.Context) -> None:
    """Check packets, attestation bundles, proofs and checkpoints, offline."""
    verifying.run(context.args)


@log_app.command()
def check(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Derive the whole log again from its entries; name the first bad one.

    Then look for every raw page that it speaks of: kept, erased, past its retention, or missing.
    """
    from countersign.model import rfc3339
    from countersign.pipeline import evidence

    ws = workspace(config)
    ws.log.check()
    found = evidence.check(ws)
    document = {"size": ws.log.size, "checked_at": rfc3339(ws.now_us()), **found.document()}
    said = f"{ws.log.size} entries: every hash derives again; {found.sentence}"
    answer(said, document, as_json=as_json)
