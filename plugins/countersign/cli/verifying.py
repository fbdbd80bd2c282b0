"""`countersign verify`: offline, and light: an auditor's cold start loads nothing it does not need.

Trust comes from outside the file: --key, COUNTERSIGN_TRUST or [trust]. Without a key the signer
is not identified, and the exit code is 1.
"""

import argparse
import os
import tomllib
from collections.abc import Sequence
from pathlib import Path

from countersign.cli.edge import answer, say
from countersign.errors import ConfigError, VerificationError
from countersign.pipeline import verify as verb

TRUST_VARIABLE = "COUNTERSIGN_TRUST"


def run(arguments: Sequence[str]) -> None:
    """Check packets, attestation bundles, proofs and checkpoints."""
    given = _parser().parse_args(arguments)
    trusted = _trusted(given.key, given.config)
    report = [_checked(group, trusted) for group in verb.group(given.files)]
    answer("\n".join(map(_told, report)), report, as_json=given.json)
    if not all(entry["valid"] for entry in report):
        raise SystemExit(1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="countersign verify",
        description="Check packets, attestation bundles, proofs and checkpoints, offline.",
        epilog="Without a trusted key the signer is not identified: exit 1.",
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument(
        "--key", action="append", default=[], metavar="VKEY",
        help="a trusted key, or a file that holds one; may be repeated "
        f"(else {TRUST_VARIABLE}, else [trust] keys)",
    )  # fmt: skip
    parser.add_argument("--config", metavar="FILE", help="default: countersign.toml here")
    parser.add_argument("--json", action="store_true", help="machine-readable output on stdout")
    return parser


def _checked(group: verb.Group, trusted: tuple[str, ...]) -> dict[str, object]:
    try:
        verdict = verb.verify(group, trusted)
    except VerificationError as error:
        return {"file": str(group.subject), "valid": False, "error": str(error)}
    said = {"sentence": verb.sentence(verdict), **verb.document(verdict)}
    return {"file": str(group.subject), **said}


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
