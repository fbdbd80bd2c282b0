"""Backup: lake, log, packets and public keys in one folder, whole while others go on working.

`backup.json` lists every file with digest and size, and the log's size and root. What makes
commitments and raw pages readable (salts, page keys, the list of the erased, the vocabulary)
lies in one encrypted file, `secrets`; private keys come along only when asked for.

The order makes it consistent, since whatever refers is taken before what it refers to: the
admitted state, seals and packets, then the log, then the tables' logs and manifests, then the
rest, whose files never change, then page keys and salts. Erasure and retention wait meanwhile.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from countersign.canonical import Json, encode
from countersign.errors import ConfigError, EvidenceError
from countersign.lake import migration
from countersign.lake.delta import TABLES
from countersign.lake.store import LocalStore, Store
from countersign.ledger import folder
from countersign.ledger.key import encode_vkey
from countersign.ledger.log import Log
from countersign.model import rfc3339
from countersign.pipeline import duty, sealed_part, witness
from countersign.pipeline.workspace import Workspace

SCHEMA: Final = "urn:countersign:backup:v0.1"
MANIFEST: Final = "backup.json"
SECRETS: Final = "secrets"
CONFIG: Final = "countersign.toml"
PUBLIC: Final = ("log.vkey", "packet.pem")
PRIVATE: Final = ("log.key", "packet.key", "lake.key")
HIDDEN: Final = ("page_keys/", "salts/", "erased/", "vocabulary/")
"""What of a lake goes into the encrypted part."""
_LEFT_OUT: Final = ("log/", "tmp/", "copies/", "locks/", "duties.lock", *HIDDEN)
_REFERRING: Final = (migration.NAME, "admitted.json", "seals/", "packets/")
_REFERRED: Final = (f"{TABLES}/", "raw/")
_HINT: Final = "/_last_checkpoint"
"""A table's hint at its newest checkpoint may name one that came after; it can be done without."""


@dataclass(frozen=True, slots=True)
class Backup:
    """What was backed up, and where it lies."""

    target: Path
    files: int
    bytes: int
    size: int
    root: str
    secrets: str
    """Which secrets it holds, in words."""

    @property
    def sentence(self) -> str:
        """For a person."""
        return (
            f"{self.target}: {self.files} files, {self.bytes:,} bytes; log size {self.size},"
            f" root {self.root[:16]}…\n{self.secrets}"
        )

    def document(self) -> dict[str, Json]:
        """For a program."""
        return {
            "target": str(self.target),
            "files": self.files,
            "bytes": self.bytes,
            "size": self.size,
            "root": self.root,
            "secrets": self.secrets,
        }


@dataclass(frozen=True, slots=True)
class Secrecy:
    """How the secret part is made. Without a passphrase there is none."""

    passphrase: str | None
    random: Callable[[int], bytes]
    private_keys: bool = False

    @property
    def sentence(self) -> str:
        """What that means for whoever keeps the backup."""
        if self.passphrase is None:
            return (
                "WITHOUT secrets: no raw page in it can be opened and no commitment checked."
                " Keep page_keys/, salts/ and erased/ of the lake elsewhere."
            )
        said = f"{SECRETS} holds salts and page keys: whoever has it and its passphrase can undo"
        said += " an erasure, so let it end with your shortest retention."
        if self.private_keys:
            return f"{said} It holds the private keys too ({', '.join(PRIVATE)})."
        return f"{said} Private keys are NOT in it: keep {', '.join(PRIVATE)} yourself."


@dataclass
class _Draft:
    """The backup as it grows."""

    root: Path
    listed: dict[str, Json] = field(default_factory=dict)
    size: int = 0

    def add(self, name: str, content: bytes) -> None:
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        self.size += len(content)
        self.listed[name] = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def backup(ws: Workspace, target: Path, secrecy: Secrecy) -> Backup:
    """Write a backup into a folder that is not there yet: whole, or not at all.

    Raises:
        ConfigError: something is there already, or private keys without a passphrase are asked for.
        EvidenceError: the lake is of another layout, or something in it cannot be read.
    """
    if target.exists():
        raise ConfigError(f"backup {target}", expected="a new folder", observed="something there")
    if secrecy.private_keys and secrecy.passphrase is None:
        raise ConfigError("--with-private-keys", expected="--passphrase as well")
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = target.with_name(f".{target.name}.unfinished")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(mode=0o700)
    with duty.alone(ws):
        draft = _Draft(scratch)
        head = _copy(ws, draft)
        secrets = _hide(ws, draft, secrecy)
    manifest: dict[str, Json] = {
        "schema": SCHEMA,
        "made_at": rfc3339(ws.now_us()),
        "lake": migration.VERSION,
        "is_bucket": ws.bucket is not None,
        "vkey": encode_vkey(ws.key.key),
        "log": {"size": head[0], "root": head[1]},
        "secrets": secrets,
        "files": draft.listed,
    }
    folder.write(scratch, {MANIFEST: encode(manifest)})
    os.sync()
    scratch.rename(target)
    return Backup(target, len(draft.listed), draft.size, *head, secrecy.sentence)


def _copy(ws: Workspace, draft: _Draft) -> tuple[int, str]:
    """Everything that is not secret, in the order that keeps it consistent; the log's head."""
    _ = ws.lake.erased.commitment("", "")  # draws the salt, without which no erasure is replayed
    stores = {"lake": ws.lake.store}
    if ws.bucket is not None:
        stores["local"] = LocalStore(ws.lake_root)
    for part, store in stores.items():
        _take(draft, part, store, _named(store, _REFERRING))
    out = LocalStore(ws.out)
    _take(draft, "out", out, out.names())
    head = _log(ws, draft)
    for part, store in stores.items():
        tables = [n for n in _named(store, _REFERRED) if "/_delta_log/" in n]
        _take(draft, part, store, tables)
        _take(draft, part, store, _others(store))
        _take(draft, part, store, [n for n in _named(store, _REFERRED) if "/_delta_log/" not in n])
    keys = LocalStore(ws.keys)
    _take(draft, "keys", keys, [name for name in PUBLIC if keys.exists(name)])
    draft.add(CONFIG, ws.config.file.read_bytes())
    return head


def _log(ws: Workspace, draft: _Draft) -> tuple[int, str]:
    """The log at one checkpoint, with what witnesses signed of it."""
    if not ws.log.size:
        return 0, ws.log.head().root.hex()
    for path, content in ws.log.files():
        draft.add(f"log/{path}", content)
    signed = LocalStore(ws.log.path)
    _take(draft, "log", signed, signed.names(witness.FOLDER))
    head = Log(draft.root / "log", ws.log.key).head()
    return head.size, head.root.hex()


def _named(store: Store, prefixes: Iterable[str]) -> Iterator[str]:
    for prefix in prefixes:
        if prefix.endswith("/"):
            yield from (n for n in store.names(prefix.rstrip("/")) if not n.endswith(_HINT))
        elif store.exists(prefix):
            yield prefix


def _others(store: Store) -> Iterator[str]:
    known = (*_REFERRING, *_REFERRED, *_LEFT_OUT)
    return (name for name in store.names() if not name.startswith(known))


def _take(draft: _Draft, part: str, store: Store, names: Iterable[str]) -> None:
    for name in names:
        if any(piece.startswith(".") for piece in name.split("/")):
            continue  # half-written
        try:
            draft.add(f"{part}/{name}", store.get(name))
        except EvidenceError:
            if store.exists(name):
                raise  # else it was removed since it was listed: a note that no longer holds


def _hide(ws: Workspace, draft: _Draft, secrecy: Secrecy) -> Json:
    """The secret part: which holds the list of the others as well, so that none is exchanged."""
    if secrecy.passphrase is None:
        return None
    file, salt = draft.root / SECRETS, secrecy.random(sealed_part.SALT_BYTES)
    with sealed_part.write(file, secrecy.passphrase.encode(), salt) as add:
        add("files", hashlib.sha256(encode(draft.listed)).digest())
        for name in _named(ws.lake.store, HIDDEN):
            add(f"lake/{name}", ws.lake.store.get(name))
        for name in PRIVATE if secrecy.private_keys else ():
            if (ws.keys / name).exists():
                add(f"keys/{name}", (ws.keys / name).read_bytes())
    with file.open("rb") as made:
        found = hashlib.file_digest(made, "sha256").hexdigest()
    return {"sha256": found, "bytes": file.stat().st_size, "private_keys": secrecy.private_keys}
