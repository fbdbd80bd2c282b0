"""Log entries: canonical JSON that names what was sealed, by digest.

Every entry has `type`, `sha256` and `bytes`; the document itself stays in the lake or goes out
as a file. (The entry of an hour, `hours.Hour.entry`, holds a root instead.)
"""

from countersign import canonical
from countersign.attest import document
from countersign.attest.document import Document
from countersign.canonical import Json
from countersign.errors import VerificationError
from countersign.ledger.key import VerifierKey, encode_vkey
from countersign.ledger.tiles import check_entry

TYPES = (
    "pages",
    "finding",
    "packet",
    "key",
    "hour",
    "attestation",
    "erasure",
    "retention",
    "hold",
    "restore",
)


def pages(source: str, day: str, manifest: bytes, *, count: int, version: int = 1) -> bytes:
    """A manifest of raw pages: which bytes one source gave for one day."""
    return _entry("pages", manifest, source=source, day=day, count=count, version=version)


def finding(
    control: str,
    window: str,
    content: bytes,
    *,
    state: str,
    status: str,
    version: int = 1,
    supersedes: str | None = None,
) -> bytes:
    """A finding document."""
    return _entry(
        "finding",
        content,
        control=control,
        window=window,
        state=state,
        status=status,
        version=version,
        supersedes=supersedes,
    )


def packet(
    name: str,
    window: str,
    content: bytes,
    *,
    status: str,
    version: int = 1,
    supersedes: str | None = None,
    approved: str | None = None,
    unsigned: str | None = None,
) -> bytes:
    """A signed packet, the whole file; who approved it, and the digest of what they approved."""
    return _entry(
        "packet",
        content,
        name=name,
        window=window,
        status=status,
        version=version,
        supersedes=supersedes,
        approved=approved,
        unsigned=unsigned,
    )


def key(verifier: VerifierKey, action: str) -> bytes:
    """A key that was put to use or taken out of use; the digest is its fingerprint."""
    return _entry("key", verifier.public, action=action, vkey=encode_vkey(verifier))


def attestation(scope: str, envelope: bytes) -> bytes:
    """An attestation that was given out: the DSSE envelope."""
    return _entry("attestation", envelope, scope=scope)


def erasure(
    content: bytes, *, outcome: str, subject: str, authority: str, because: str | None = None
) -> bytes:
    """An erasure that was asked for: its tombstone, or the document that says why not.

    `outcome` is erased or refused, `subject` a salted commitment, `because` the hold or the
    retention duty that forbade it, or kept some rows.
    """
    return _entry(
        "erasure", content, outcome=outcome, subject=subject, authority=authority, because=because
    )


def retention(content: bytes, *, rule: str, authority: str, pages: int, rows: int) -> bytes:
    """Pages and rows that were deleted because a rule's time had passed: the tombstone."""
    return _entry("retention", content, rule=rule, authority=authority, pages=pages, rows=rows)


def hold(content: bytes, *, action: str, hold: str, authority: str) -> bytes:
    """A legal hold that was placed or lifted: the document of its scope, without names."""
    return _entry("hold", content, action=action, hold=hold, authority=authority)


def restore(content: bytes, *, authority: str, asked: int, without: int) -> bytes:
    """A log that came out of a backup and is appended to again: the document of who was asked.

    `asked` witnesses confirmed that they know no larger tree; `without` were left out.
    """
    return _entry("restore", content, authority=authority, asked=asked, without=without)


def decode(content: bytes) -> Document:
    """Read a log entry of any of these types.

    Raises:
        VerificationError: not canonical, or of another type.
    """
    found = document.decode(content, "log entry")
    kind = document.text(found, "type", "log entry")
    if kind not in TYPES:
        raise VerificationError("log entry", expected="type " + " or ".join(TYPES), observed=kind)
    return found


def check_content(entry: Document, content: bytes, thing: str) -> None:
    """Verify that bytes are those that an entry names.

    Raises:
        VerificationError: another digest or size, or the entry names no bytes.
    """
    expected = document.text(entry, "sha256", "log entry")
    observed = canonical.digest(content)
    if observed != expected:
        raise VerificationError(
            f"{thing} differs from the log",
            expected=f"sha256 {expected}",
            observed=f"sha256 {observed}",
            remedy="It is not the file that was sealed, or it was changed since.",
        )
    size = document.integer(entry, "bytes", "log entry")
    if size != len(content):
        raise VerificationError(
            f"{thing} differs from the log",
            expected=f"{size} bytes",
            observed=f"{len(content)} bytes",
        )


def _entry(kind: str, content: bytes, **fields: Json) -> bytes:
    encoded = canonical.encode(
        {
            **fields,
            "type": kind,
            "sha256": canonical.digest(content),
            "bytes": len(content),
        }
    )
    check_entry(encoded)
    return encoded
