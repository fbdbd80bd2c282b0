"""Hourly manifests: the records of one UTC hour as a Merkle tree whose root is one log entry.

Records are sorted by tenant, time and request, so two adjacent leaves show that nothing lies
between them. An hour without requests is sealed too: an empty hour and a missing one differ.
Late rows make a new version that names the digest of the one it supersedes.

    countersign/hour-proof@v1
    hour 2026-11-09T10:00:00Z
    index 5
    count 120
    <base64 hash>...
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

from countersign import canonical
from countersign.attest import document
from countersign.attest.document import Document
from countersign.errors import EvidenceError, VerificationError
from countersign.ledger import merkle
from countersign.ledger.text import decode64, decode_decimal, decode_utf8, encode64
from countersign.model import moment

HEADER: Final = "countersign/hour-proof@v1"
ENTRY_TYPE: Final = "hour"


class Record(NamedTuple):
    """A leaf: its place in the order, and its canonical bytes."""

    tenant: str
    at: str
    request: str
    content: bytes


@dataclass(frozen=True, slots=True)
class HourProof:
    """That a record is leaf `index` of `count` of an hour."""

    hour: str
    index: int
    count: int
    hashes: tuple[bytes, ...]


def timestamp(instant_us: int) -> str:
    """RFC 3339 with six digits of fraction always, so that text sorts as time does."""
    return moment(instant_us).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def hour_of(at: str) -> str:
    """The hour that a timestamp lies in: `2026-11-09T10:00:00Z`."""
    return f"{at[:13]}:00:00Z"


@dataclass(frozen=True, slots=True)
class Hour:
    """One version of an hour, with its records in order."""

    hour: str
    version: int
    supersedes: str | None
    records: tuple[Record, ...]
    tree: merkle.Tree

    @classmethod
    def of(
        cls,
        hour: str,
        records: Iterable[Record],
        *,
        version: int = 1,
        supersedes: str | None = None,
    ) -> "Hour":
        """Sort the records of an hour into their tree.

        Raises:
            EvidenceError: a record of another hour, or two of one identity.
        """
        ordered = tuple(sorted(records))
        for record in ordered:
            if hour_of(record.at) != hour:
                raise EvidenceError(
                    f"record of request {record.request}", expected=hour, observed=record.at
                )
        for record, following in pairwise(ordered):
            if record[:3] == following[:3]:
                raise EvidenceError(
                    f"hour {hour}",
                    expected="one record for each tenant, time and request",
                    observed=f"two for {record.request}",
                )
        return cls(hour, version, supersedes, ordered, merkle.Tree.of(r.content for r in ordered))

    def entry(self) -> bytes:
        """The log entry of this version. Ends are named by leaf hash: they may be others' data."""
        ends = [merkle.leaf_hash(self.records[i].content).hex() for i in (0, -1) if self.records]
        return canonical.encode(
            {
                "type": ENTRY_TYPE,
                "hour": self.hour,
                "version": self.version,
                "supersedes": self.supersedes,
                "count": len(self.records),
                "first": ends[0] if ends else None,
                "last": ends[1] if ends else None,
                "root": self.tree.root.hex(),
            }
        )

    def find(self, request: str) -> int:
        """Index of a request's record.

        Raises:
            EvidenceError: the hour holds none.
        """
        for index, record in enumerate(self.records):
            if record.request == request:
                return index
        raise EvidenceError(f"hour {self.hour}", expected=f"request {request}", observed="none")

    def prove(self, index: int) -> bytes:
        """Proof file of one record."""
        hashes = merkle.prove_inclusion(index, self.tree.size, self.tree.subtree)
        return encode(HourProof(self.hour, index, self.tree.size, tuple(hashes)))


def encode(proof: HourProof) -> bytes:
    """The bytes of a proof file."""
    head = (HEADER, f"hour {proof.hour}", f"index {proof.index}", f"count {proof.count}")
    return "".join(f"{line}\n" for line in (*head, *map(encode64, proof.hashes))).encode()


def decode(content: bytes) -> HourProof:
    """Read a proof file.

    Raises:
        VerificationError: names what is malformed.
    """
    lines = decode_utf8(content, "hour proof").split("\n")[:-1]
    names = ("hour ", "index ", "count ")
    if len(lines) < 4 or lines[0] != HEADER:
        raise VerificationError("hour proof, line 1", expected=HEADER, observed=repr(lines[0][:60]))
    for number, (name, line) in enumerate(zip(names, lines[1:4], strict=True), 2):
        if not line.startswith(name):
            raise VerificationError(
                f"hour proof, line {number}", expected=repr(name), observed=repr(line[:60])
            )
    hour, index, count = (line.split(" ", 1)[1] for line in lines[1:4])
    hashes = tuple(decode64(line, f"hour proof, line {n}") for n, line in enumerate(lines[4:], 5))
    return HourProof(
        hour,
        decode_decimal(index, "hour proof, line 3"),
        decode_decimal(count, "hour proof, line 4"),
        hashes,
    )


def decode_entry(content: bytes) -> Document:
    """Read the log entry of an hour.

    Raises:
        VerificationError: it is no such entry.
    """
    entry = document.decode(content, "hour entry")
    if entry.get("type") != ENTRY_TYPE:
        raise VerificationError("log entry", expected="type hour", observed=str(entry.get("type")))
    for name in ("version", "count"):
        document.integer(entry, name, "hour entry")
    for name in ("hour", "root"):
        document.text(entry, name, "hour entry")
    return entry


def check_record(record: bytes, proof: bytes, entry: bytes) -> HourProof:
    """Verify that a record is in the hour of a log entry.

    Raises:
        VerificationError: it is not, or it does not say that hour itself.
    """
    found, hour = decode(proof), decode_entry(entry)
    at = document.text(document.decode(record, "record"), "at", "record")
    stated = (hour["hour"], hour["count"])
    if (found.hour, found.count) != stated or hour_of(at) != found.hour:
        raise VerificationError(
            "hour proof",
            expected=f"hour {stated[0]} with {stated[1]} records, as the log entry says",
            observed=f"hour {found.hour} with {found.count} records, for a record of {at}",
        )
    leaf, root = merkle.leaf_hash(record), _root(hour)
    merkle.check_inclusion(leaf, found.index, found.count, found.hashes, root)
    return found


def check_neighbours(
    left: tuple[bytes, bytes], right: tuple[bytes, bytes], entry: bytes
) -> tuple[int, int]:
    """Verify that of two records with their proofs nothing lies between them in the hour.

    Raises:
        VerificationError: one is not in the hour, or they are not adjacent and in order.
    """
    first, second = (check_record(record, proof, entry).index for record, proof in (left, right))
    if second != first + 1:
        raise VerificationError(
            "neighbours", expected=f"leaf {first + 1} after leaf {first}", observed=f"leaf {second}"
        )
    if not _place(left[0]) < _place(right[0]):
        raise VerificationError(
            "neighbours", expected="records in order", observed="the later record first"
        )
    return first, second


def _place(record: bytes) -> tuple[str, ...]:
    found = document.decode(record, "record")
    return tuple(document.text(found, name, "record") for name in ("tenant", "at", "request"))


def _root(entry: Document) -> bytes:
    text = document.text(entry, "root", "hour entry")
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise VerificationError(
            "hour entry, field root", expected="64 hexadecimal digits", observed=repr(text[:70])
        ) from None
