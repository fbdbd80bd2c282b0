"""Keeping: migrate, backup, restore, and the restored log's way back."""

from pathlib import Path
from typing import Annotated

import typer

from countersign.cli.app import AsJson, ConfigFile, app, workspace
from countersign.cli.checking import log_app
from countersign.cli.edge import answer

Passphrase = Annotated[
    str | None,
    typer.Option("--passphrase", metavar="REF", help="Reference of the passphrase: env:NAME."),
]
WithoutSecrets = Annotated[
    bool, typer.Option("--without-secrets", help="Leave salts and page keys out.")
]
Authority = Annotated[
    str, typer.Option("--authority", metavar="TEXT", help="Who decided; stays in the log for ever.")
]
WithoutWitness = Annotated[
    list[str] | None,
    typer.Option("--without-witness", metavar="URL", help="Go on though this one does not answer."),
]


@app.command()
def migrate(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Bring a lake that an older version wrote to the layout of this one. May be repeated."""
    from countersign.pipeline import migrate as verb

    done = verb.migrate(workspace(config))
    answer(done.sentence, done.document(), as_json=as_json)


@app.command()
def backup(
    target: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that is not there yet.")],
    passphrase: Passphrase = None,
    without_secrets: WithoutSecrets = False,
    with_private_keys: Annotated[
        bool, typer.Option("--with-private-keys", help="In the encrypted part.")
    ] = False,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Copy lake, log, packets and public keys while work goes on; every file is listed by digest.

    Salts and page keys go into a part of their own under a passphrase: an erasure is only final
    when the backups that hold its keys have ended.
    """
    import secrets

    from countersign.errors import ConfigError
    from countersign.pipeline import backup as verb

    if (passphrase is None) != without_secrets:
        raise ConfigError("backup", expected="either --passphrase REF or --without-secrets")
    ws = workspace(config)
    text = None if passphrase is None else ws.secret(passphrase)
    done = verb.backup(ws, target, verb.Secrecy(text, secrets.token_bytes, with_private_keys))
    answer(done.sentence, done.document(), as_json=as_json)


@app.command()
def restore(
    source: Annotated[Path, typer.Argument(metavar="DIR", help="What `backup` wrote.")],
    passphrase: Passphrase = None,
    without_secrets: WithoutSecrets = False,
    log: Annotated[
        Path | None, typer.Option("--log", metavar="DIR", help="A copy of the log that is newer.")
    ] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Put a backup where nothing is, whole or not at all; everything is checked before.

    The configuration is restored when it is gone. Nothing can be appended to the log before
    `countersign log accept-restore`.
    """
    from countersign.config import find, secret
    from countersign.pipeline import restore as verb

    text = None if passphrase is None else secret(passphrase)
    checked = verb.read(source, text, without_secrets=without_secrets)
    verb.configure(source, find(config))
    done = verb.restore(workspace(config), checked, log)
    said = f"{done.sentence}\nNext: countersign log accept-restore, then countersign log check"
    answer(said, done.document(), as_json=as_json)


@log_app.command("accept-restore")
def accept_restore(
    authority: Authority = "",
    without_witness: WithoutWitness = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Ask the witnesses whether they saw a larger tree than the restored log, and let it grow.

    Then people whose erasure the log knows and the backup does not are erased again.
    """
    from countersign.pipeline import accept as verb

    done = verb.accept(workspace(config), authority, tuple(without_witness or ()))
    answer(done.sentence, done.document(), as_json=as_json)


@log_app.command()
def cosign(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Have the witnesses of [log] cosign the current checkpoint."""
    from countersign.pipeline import witness as verb

    done = verb.cosign(workspace(config))
    text = "\n".join(found.sentence for found in done) or "no witness cosigned"
    document = [{"url": d.url, "before": d.before, "size": d.size} for d in done]
    answer(text, document, as_json=as_json)
