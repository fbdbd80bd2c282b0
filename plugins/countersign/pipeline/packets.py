"""Where packets are kept: a folder per window and version, each file written once.

`packets/<start>_<end>/v1/` holds `unsigned.pdf` and `rendered.json` (what it was rendered from),
then `packet.pdf`, `signing.json` (its log entry), `packet.tlog-proof` and `signed.json` once a
person approved it, then `mailed.json`. A version is replaced only while it is unsigned.
"""

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from countersign.canonical import Json
from countersign.canonical import encode as canonical
from countersign.errors import EvidenceError
from countersign.model import Window


@dataclass(frozen=True, slots=True)
class KeptPacket:
    """One version of a window's packet."""

    folder: Path

    @property
    def version(self) -> int:
        """1 for the first."""
        return int(self.folder.name[1:])

    @property
    def unsigned(self) -> Path:
        """The rendered PDF."""
        return self.folder / "unsigned.pdf"

    @property
    def signed(self) -> Path:
        """The signed PDF."""
        return self.folder / "packet.pdf"

    @property
    def proof(self) -> Path:
        """The proof that the signed file is in the log."""
        return self.folder / "packet.tlog-proof"

    @property
    def is_signed(self) -> bool:
        """Whether a person approved it and it was signed and logged."""
        return (self.folder / "signed.json").exists()

    def note(self, name: str) -> dict[str, Any] | None:
        """`rendered`, `signed` or `mailed`: what happened, or None."""
        file = self.folder / f"{name}.json"
        return dict(json.loads(file.read_bytes())) if file.exists() else None

    def write(self, name: str, content: bytes | Mapping[str, Json]) -> Path:
        """Write a file of this version, whole or not at all."""
        data = content if isinstance(content, bytes) else canonical(dict(content))
        self.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=self.folder, prefix=".draft-", delete=False) as draft:
            draft.write(data)
            draft.flush()
            os.fsync(draft.fileno())
        target = self.folder / name
        Path(draft.name).replace(target)
        return target


@dataclass(frozen=True, slots=True)
class Packets:
    """The packets below one lake."""

    root: Path

    def latest(self, window: Window) -> KeptPacket | None:
        """The newest version, or None."""
        folders = [f for f in self._folder(window).glob("v*") if (f / "rendered.json").exists()]
        newest = max(folders, key=lambda folder: int(folder.name[1:]), default=None)
        return None if newest is None else KeptPacket(newest)

    def existing(self, window: Window) -> KeptPacket:
        """The newest version.

        Raises:
            EvidenceError: the window was never rendered.
        """
        latest = self.latest(window)
        if latest is None:
            raise EvidenceError(
                f"packet of {window}",
                expected="a rendered packet",
                observed="none",
                remedy=f"countersign render --window {window}",
            )
        return latest

    def next(self, window: Window, *, basis: str) -> KeptPacket:
        """The version that a rendering from this basis belongs to.

        An unsigned version is rendered again in place; a signed one stays for ever, and a
        rendering from the same basis belongs to it.
        """
        latest = self.latest(window)
        if latest is None:
            return KeptPacket(self._folder(window) / "v1")
        rendered = latest.note("rendered") or {}
        if not latest.is_signed or rendered.get("basis") == basis:
            return latest
        return KeptPacket(self._folder(window) / f"v{latest.version + 1}")

    def before(self, packet: KeptPacket) -> KeptPacket | None:
        """The version that this one supersedes."""
        earlier = KeptPacket(packet.folder.with_name(f"v{packet.version - 1}"))
        return earlier if earlier.is_signed else None

    def _folder(self, window: Window) -> Path:
        return self.root / f"{window.start}_{window.end}"
