"""The keys of an installation: made once by `init`, and never overwritten."""

import secrets
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from countersign.attest import certificate, entries
from countersign.attest import keys as stored
from countersign.lake import migration
from countersign.ledger.key import encode_vkey
from countersign.pipeline.workspace import Workspace

CERTIFICATE_YEARS = 5


@dataclass(frozen=True, slots=True)
class Made:
    """What an auditor must get by another way."""

    vkey: str
    vkey_file: Path
    fingerprint: str

    @property
    def spoken(self) -> str:
        """The fingerprint in groups of eight, to be read aloud."""
        return " ".join(self.fingerprint[i : i + 8] for i in range(0, 64, 8))


def make(ws: Workspace) -> Made:
    """Make what is missing: keys of log, packet and raw pages, a certificate; log their use."""
    origin = ws.config.countersign.origin
    if not (ws.keys / "log.key").exists():
        stored.create(f"file:{ws.keys / 'log.key'}", origin, secrets.token_bytes(32))
    if not (ws.keys / "packet.key").exists():
        key = stored.create_p256(f"file:{ws.keys / 'packet.key'}", secrets.token_bytes(48))
        now = ws.config.now()
        issued = certificate.issue(
            key,
            entity=ws.config.countersign.entity,
            serial=secrets.randbits(150) + 1,
            not_before=now - timedelta(days=1),
            not_after=now + timedelta(days=365 * CERTIFICATE_YEARS),
        )
        (ws.keys / "packet.pem").write_bytes(certificate.encode(issued))
    migration.stamp(ws.lake.store)
    ws.lake.page_keys.make()
    vkey = encode_vkey(ws.key.key)
    vkey_file = ws.keys / "log.vkey"
    vkey_file.write_text(vkey + "\n", encoding="utf-8")
    ws.log.append_once([entries.key(ws.key.key, "put to use")])
    return Made(vkey, vkey_file, ws.key.key.fingerprint)
