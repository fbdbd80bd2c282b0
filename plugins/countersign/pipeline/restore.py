"""Restore: everything is checked before anything is written, and appears in one step.

The lake is written beside its place and renamed into it; in a bucket `lake.json` comes last. The
restored log is marked: nothing is appended before its witnesses were asked (`accept`).
"""

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from countersign.canonical import Json, encode
from countersign.errors import ConfigError, VerificationError
from countersign.lake import migration
from countersign.lake.store import LocalStore, Store, checked
from countersign.ledger import folder, merkle
from countersign.ledger.checkpoint import Checkpoint
from countersign.ledger.key import decode_vkey
from countersign.ledger.log import Log
from countersign.pipeline import sealed_part
from countersign.pipeline.backup import CONFIG, MANIFEST, SCHEMA, SECRETS
from countersign.pipeline.workspace import Workspace

NOTE: Final = "urn:countersign:restored:v0.1"
_CHUNK: Final = 2**20


@dataclass(frozen=True, slots=True)
class Restored:
    """What came out of a backup."""

    made_at: str
    files: int
    size: int
    backed_up: int
    with_secrets: bool

    @property
    def sentence(self) -> str:
        """For a person."""
        said = f"{self.files} files of the backup of {self.made_at} restored; log size {self.size}"
        if self.size > self.backed_up:
            said += f", {self.size - self.backed_up} entries newer than the backup"
        if not self.with_secrets:
            said += (
                "\nWITHOUT secrets: put page_keys/, salts/ and erased/ back into the lake yourself"
            )
        return said

    def document(self) -> dict[str, Json]:
        """For a program."""
        return {
            "made_at": self.made_at,
            "files": self.files,
            "size": self.size,
            "backed_up": self.backed_up,
            "with_secrets": self.with_secrets,
        }


@dataclass(frozen=True)
class Source:
    """A backup that was read and checked."""

    folder: Path
    manifest: Mapping[str, Any]
    passphrase: str | None

    @property
    def head(self) -> tuple[int, str]:
        """Size and root of its log."""
        return self.manifest["log"]["size"], self.manifest["log"]["root"]

    def files(self, part: str) -> Iterator[tuple[str, bytes]]:
        """Name and content of the files of a part."""
        for name in self.manifest["files"]:
            if name.startswith(f"{part}/"):
                yield name.removeprefix(f"{part}/"), (self.folder / name).read_bytes()

    def secrets(self, part: str) -> Iterator[tuple[str, bytes]]:
        """The same of the secret part."""
        if self.passphrase is not None and self.manifest["secrets"] is not None:
            for name, content in sealed_part.read(self.folder / SECRETS, self.passphrase.encode()):
                if name.startswith(f"{part}/"):
                    yield checked(name.removeprefix(f"{part}/")), content


def configure(backup: Path, file: Path) -> None:
    """Put the backup's configuration in place where there is none."""
    if not file.exists():
        kept = backup / CONFIG
        if not kept.is_file():
            raise _bad(f"file {CONFIG}", "in the backup", "nothing there")
        file.parent.mkdir(parents=True, exist_ok=True)
        folder.write(file.parent, {file.name: kept.read_bytes()})


def read(backup: Path, passphrase: str | None, *, without_secrets: bool = False) -> Source:
    """Check a whole backup: every file, the secret part to its end, and the log.

    Raises:
        VerificationError: something is missing, added or changed, or the passphrase is another.
        EvidenceError: a newer program made it.
        ConfigError: it has secrets, and no passphrase was given.
    """
    try:
        manifest: dict[str, Any] = json.loads((backup / MANIFEST).read_bytes())
    except (OSError, ValueError) as error:
        raise _bad(f"backup {backup}", f"a folder with {MANIFEST}", str(error)) from None
    if manifest.get("schema") != SCHEMA:
        raise _bad(f"backup {backup}", SCHEMA, str(manifest.get("schema")))
    migration.refuse_newer(manifest["lake"])
    listed = {
        **manifest["files"],
        **({SECRETS: manifest["secrets"]} if manifest["secrets"] else {}),
    }
    _check_files(backup, listed)
    if manifest["secrets"] and passphrase is None and not without_secrets:
        raise ConfigError(
            "restore", expected="--passphrase of the secret part, or --without-secrets"
        )
    source = Source(backup, manifest, None if without_secrets else passphrase)
    _check_secrets(source)
    _check_log(source)
    return source


def restore(ws: Workspace, source: Source, newer_log: Path | None = None) -> Restored:
    """Put a checked backup in the place of an installation that is not there.

    `newer_log` is a copy of the log that outlived the backup: it is put in place of the older one
    when it extends it, and tells what was erased since.

    Raises:
        ConfigError: the place is taken, or is another installation's.
        VerificationError: the newer log does not extend that of the backup.
    """
    _check_place(ws, source)
    log = source.folder / "log" if newer_log is None else newer_log
    size = _extends(source, log)
    place = ws.lake_root
    scratch = place.with_name(f".{place.name}.restoring")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True, mode=0o755)
    beside = LocalStore(scratch)
    count = _put_keys(ws, source) + _put(LocalStore(ws.out), source.files("out"))
    if ws.bucket is not None:
        count += _put_lake(ws.unchecked_lake.store, source)
        count += _put(beside, source.files("local"))
    else:
        count += _put_lake(beside, source)
    _put_log(scratch / "log", log, source, size)
    shutil.rmtree(place, ignore_errors=True)  # no file is in it: it was looked at
    scratch.rename(place)
    folder.write(place.parent, {})  # the new name is on disk
    is_whole = source.passphrase is not None and source.manifest["secrets"] is not None
    return Restored(source.manifest["made_at"], count, size, source.head[0], is_whole)


def _check_files(backup: Path, listed: Mapping[str, Any]) -> None:
    there = {n for n in LocalStore(backup).names() if n != MANIFEST}
    for name in sorted(there ^ set(listed)):
        found = "there, not listed" if name in there else "listed, not there"
        raise _bad(f"file {name} of the backup", "listed and there", found)
    for name, said in listed.items():
        with (backup / checked(name)).open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != said["sha256"]:
            raise _bad(f"file {name} of the backup", f"sha256 {said['sha256']}", f"sha256 {found}")


def _check_secrets(source: Source) -> None:
    """Read them to the end; they name the list of the other files."""
    if source.passphrase is None or source.manifest["secrets"] is None:
        return
    expected = hashlib.sha256(encode(source.manifest["files"])).digest()
    for name, content in sealed_part.read(source.folder / SECRETS, source.passphrase.encode()):
        if name == "files" and content != expected:
            raise _bad(
                f"{MANIFEST} of the backup", "the list that the secret part names", "another"
            )


def _check_log(source: Source) -> None:
    size, root = source.head
    found = Checkpoint("", 0, merkle.EMPTY_ROOT)
    if size:
        found = Log(source.folder / "log", decode_vkey(source.manifest["vkey"])).check()
    if (found.size, found.root.hex()) != (size, root):
        said = f"size {found.size}, root {found.root.hex()}"
        raise _bad("log of the backup", f"size {size}, root {root}", said)


def _extends(source: Source, path: Path) -> int:
    """The size of a log that holds everything that the backup's holds."""
    size, root = source.head
    log = Log(path, decode_vkey(source.manifest["vkey"]))
    if not size:
        return log.head().size
    head = log.check()
    if head.size < size:
        raise _bad(f"log {path}", f"{size} entries or more", f"{head.size} entries")
    proof = log.prove_consistency(size)
    merkle.check_consistency(size, head.size, proof, bytes.fromhex(root), head.root)
    return head.size


def _check_place(ws: Workspace, source: Source) -> None:
    ours, theirs = ws.config.countersign.origin, decode_vkey(source.manifest["vkey"])
    if theirs.name != ours:
        raise ConfigError("restore", expected=f"a backup of {ours}", observed=theirs.name)
    if source.manifest["is_bucket"] != (ws.bucket is not None):
        kind = "a bucket" if source.manifest["is_bucket"] else "a folder"
        raise ConfigError("restore", expected=f"[countersign] lake in {kind}, as when it was made")
    stores: list[tuple[str, Store]] = [(str(ws.lake_root), LocalStore(ws.lake_root))]
    if ws.bucket is not None:
        stores.append((ws.bucket.url, ws.unchecked_lake.store))
    for place, store in stores:
        if (found := next(iter(store.listed()), None)) is not None:
            raise ConfigError(
                f"restore into {place}",
                expected="an empty place",
                observed=found.name,
                remedy="Nothing was written. Move what is there away first.",
            )
    for part, at in (("keys", ws.keys), ("out", ws.out)):
        for name, content in (*source.files(part), *source.secrets(part)):
            if (at / name).exists() and (at / name).read_bytes() != content:
                raise ConfigError(
                    f"restore {at / name}",
                    expected="nothing there, or the same file",
                    observed="another file",
                    remedy="Nothing was written. Move it away first.",
                )


def _put_keys(ws: Workspace, source: Source) -> int:
    store = LocalStore(ws.keys)
    return _put(store, source.files("keys")) + _put(store, source.secrets("keys"), private=True)


def _put_lake(store: Store, source: Source) -> int:
    """The lake's files; what says that there is a lake comes last."""
    count = _put(store, (f for f in source.files("lake") if f[0] != migration.NAME))
    count += _put(store, source.secrets("lake"), private=True)
    return count + _put(store, (f for f in source.files("lake") if f[0] == migration.NAME))


def _put(store: Store, files: Iterator[tuple[str, bytes]], *, private: bool = False) -> int:
    count = 0
    for count, (name, content) in enumerate(files, 1):  # noqa: B007 - the count is the result
        store.put_new(name, content, private=private)
    return count


def _put_log(target: Path, log: Path, source: Source, size: int) -> None:
    """The log, marked before it can be seen in its place."""
    restored = Log(target, decode_vkey(source.manifest["vkey"]))
    note: dict[str, Json] = {
        "schema": NOTE,
        "made_at": source.manifest["made_at"],
        "backed_up": {"size": source.head[0], "root": source.head[1]},
        "size": size,
    }
    restored.mark_restored(encode(note))
    if size:
        held = Log(log, restored.key)
        folder.write(target, dict(held.files()))
        signed = LocalStore(log)
        folder.write(target, {n: signed.get(n) for n in signed.names("cosignatures")})


def note(ws: Workspace) -> Mapping[str, Any] | None:
    """What was noted about the restored log; None when nothing is to be accepted."""
    found = ws.log.restored()
    return None if found is None else json.loads(found)


def _bad(thing: str, expected: str, observed: str) -> VerificationError:
    remedy = "Nothing was restored. Take another copy of the backup."
    return VerificationError(thing, expected=expected, observed=observed, remedy=remedy)
