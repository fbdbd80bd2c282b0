"""Checking what was published: verify and log check. Trust comes from outside the file."""

import os
import tomllib
from pathlib import Path
from typing import Annotated

import typer

from countersign.cli.app import AsJson, ConfigFile, answer, app, say, workspace
from countersign.errors import ConfigError, VerificationError

TRUST_VARIABLE = "COUNTERSIGN_TRUST"
log_app = typer.Typer(help="The append-only log.")
app.add_typer(log_app, name="log")


@app.command()
def verify(
    files: Annotated[list[Path], typer.Argument(metavar="FILE ...")],
    key: Annotated[
        list[str] | None,
        typer.Option("--key", metavar="VKEY", help="A trusted key, or a file that holds one."),
    ] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Check packets, attestation bundles, proofs and checkpoints, offline.

    Without a key from --key, COUNTERSIGN_TRUST or [trust] the signer is not identified: exit 1.
    """
    from countersign.pipeline import verify as verb

    trusted = _trusted(key or [], config)
    good = True
    report: list[dict[str, object]] = []
    for group in verb.group(files):
        try:
            verdict = verb.verify(group, trusted)
        except VerificationError as error:
            good = False
            report.append({"file": str(group.subject), "valid": False, "error": str(error)})
            continue
        good = good and verdict.valid and verdict.identified
        said = {"sentence": verb.sentence(verdict), **verb.document(verdict)}
        report.append({"file": str(group.subject), **said})
    answer("\n".join(map(_told, report)), report, as_json=as_json)
    if not good:
        raise SystemExit(1)


@log_app.command()
def check(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Derive the whole log again from its entries; name the first bad one."""
    from countersign.model import rfc3339

    ws = workspace(config)
    ws.log.check()
    document = {"size": ws.log.size, "checked_at": rfc3339(ws.now_us())}
    answer(f"{ws.log.size} entries: every hash derives again", document, as_json=as_json)


def _trusted(given: list[str], config: str | None) -> tuple[str, ...]:
    """vkeys from --key, else COUNTERSIGN_TRUST (comma-separated), else [trust] keys."""
    if given:
        return tuple(map(_vkey, given))
    variable = os.environ.get(TRUST_VARIABLE, "")
    if variable.strip():
        return tuple(_vkey(part.strip()) for part in variable.split(",") if part.strip())
    file = Path(config or os.environ.get("COUNTERSIGN_CONFIG") or "countersign.toml")
    if not file.exists():
        return ()
    # Read without the full configuration model: an auditor's cold start should stay light.
    keys = tomllib.loads(file.read_text(encoding="utf-8")).get("trust", {}).get("keys", [])
    return tuple(_vkey(str(k), file.resolve().parent) for k in keys)


def _vkey(text: str, folder: Path | None = None) -> str:
    if "+" in text and "\n" not in text.strip() and not Path(text).exists():
        return text.strip()
    try:
        return (folder or Path()).joinpath(text).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigError(
            f"key {text}", expected="a C2SP verifier key or a file that holds one",
            observed=error.strerror or str(error),
        ) from None  # fmt: skip


def _told(entry: dict[str, object]) -> str:
    if "error" in entry:
        say(f"countersign: {entry['file']}: {entry['error']}")
        return f"{entry['file']}: REFUSED"
    return f"{entry['file']}: {entry['sentence']}"
