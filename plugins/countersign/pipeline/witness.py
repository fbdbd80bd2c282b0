"""Witnesses: others who remember how large the log was, and sign that they saw it grow.

The client of C2SP tlog-witness. A witness cosigns a checkpoint that extends the one it knows.
One that knows a larger tree, or another tree of the same size, has seen what this log no longer
shows: that is an error at any time. One that does not answer says nothing.

What the witnesses signed is kept in the log's folder, `cosignatures/<size>`, one line each. How
many must have signed before somebody believes a checkpoint is not decided here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import httpx

from countersign.config import Witness
from countersign.errors import EvidenceError, VerificationError
from countersign.ledger import checkpoint, folder, note
from countersign.ledger.checkpoint import Checkpoint
from countersign.ledger.key import Algorithm, VerifierKey, decode_vkey
from countersign.ledger.log import Log
from countersign.ledger.text import decode_decimal, encode64
from countersign.pipeline.workspace import Workspace

FOLDER: Final = "cosignatures"
SIZE_MEDIA: Final = "text/x.tlog.size"
_TRIES: Final = 4
_TIMEOUT_S: Final = 20.0
_MOST_BYTES: Final = 65_536


@dataclass(frozen=True, slots=True)
class Reply:
    """What a witness answered."""

    status: int
    media: str
    body: bytes


class Post(Protocol):
    """Sends a body to an address."""

    def __call__(self, url: str, body: bytes) -> Reply:
        """The reply.

        Raises:
            OSError: there was none.
        """
        ...


class UnansweredError(EvidenceError):
    """A witness gave no answer that says what it knows."""


@dataclass(frozen=True, slots=True)
class Cosigned:
    """A witness's signature lines under a checkpoint, and the size that it knew before."""

    url: str
    before: int
    size: int
    lines: bytes

    @property
    def sentence(self) -> str:
        """One line for a person."""
        knew = f"knew {self.before} entries" if self.before else "had never seen this log"
        return f"witness {self.url} {knew} and cosigned {self.size}"


def post(url: str, body: bytes) -> Reply:
    """Ask over HTTP; no redirect is followed, and no long answer is read."""
    try:
        with httpx.stream("POST", url, content=body, timeout=_TIMEOUT_S) as got:
            said = b""
            for piece in got.iter_bytes():
                said += piece
                if len(said) > _MOST_BYTES:
                    raise ConnectionError(f"{url} answered more than {_MOST_BYTES} bytes")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ConnectionError(str(error) or type(error).__name__) from error
    return Reply(got.status_code, got.headers.get("content-type", ""), said)


def ask(ws: Workspace, witness: Witness, send: Post = post) -> Cosigned:
    """Have a witness cosign the current checkpoint, whatever size it knew before.

    Raises:
        UnansweredError: it cannot be reached, or does not know this log.
        EvidenceError: it knows a larger tree, or another history.
        VerificationError: its answer is not signed by its key.
    """
    key, head, signed = _key(witness), ws.log.head(), _signed(ws)
    old = head.size
    for _ in range(_TRIES):
        reply = _sent(send, witness, _request(ws.log, old, head.size, signed))
        if reply.status == httpx.codes.OK:
            return Cosigned(witness.url, old, head.size, _lines(reply.body, signed, key))
        seen = _size(reply)
        if reply.status == httpx.codes.UNPROCESSABLE_ENTITY or seen == old == head.size:
            raise _another_history(witness, old, head)
        if seen is None:
            raise _unanswered(witness, f"{reply.status} {reply.body[:80]!r}")
        if seen > head.size:
            raise _larger(witness, seen, head)
        old = seen
    raise _unanswered(witness, f"another size at each of {_TRIES} tries")


def cosign(ws: Workspace, send: Post = post) -> list[Cosigned]:
    """Ask every configured witness and keep what they signed; who does not answer is named.

    Raises:
        EvidenceError: a witness knows a larger tree, or another history.
    """
    done = []
    for witness in ws.config.log.witnesses:
        try:
            done.append(ask(ws, witness, send))
            ws.progress(done[-1].sentence)
        except UnansweredError as error:
            ws.progress(str(error))
    if done:
        keep(ws.log, done)
    return done


def keep(log: Log, cosigned: Sequence[Cosigned]) -> None:
    """Keep the newest line of each witness beside the checkpoint's own."""
    for size in sorted({found.size for found in cosigned}):
        file = log.path / FOLDER / str(size)
        before = file.read_bytes().splitlines(keepends=True) if file.exists() else []
        lines = {_signer(line): line for line in before}
        for found in cosigned:
            if found.size == size:
                fresh = found.lines.splitlines(keepends=True)
                lines |= {_signer(line): line for line in fresh}
        folder.write(log.path, {f"{FOLDER}/{size}": b"".join(lines.values())})


def _signer(line: bytes) -> bytes:
    return line.rsplit(b" ", 1)[0]


def _key(witness: Witness) -> VerifierKey:
    key = decode_vkey(witness.key)
    if key.algorithm is not Algorithm.COSIGNATURE:
        raise VerificationError(
            f"[log] witnesses, key {key.name}",
            expected="a vkey of type 0x04, a witness's",
            observed=f"type 0x{key.algorithm:02x}",
        )
    return key


def _signed(ws: Workspace) -> bytes:
    """The signed checkpoint; an empty log has none on disk."""
    head = ws.log.head()
    return ws.log.checkpoint() if head.size else checkpoint.sign(head, ws.key)


def _request(log: Log, old: int, size: int, signed: bytes) -> bytes:
    hashes = log.prove_consistency(old) if 0 < old < size else ()
    lines = [f"old {old}", *map(encode64, hashes), ""]
    return "".join(f"{line}\n" for line in lines).encode() + signed


def _sent(send: Post, witness: Witness, body: bytes) -> Reply:
    try:
        return send(witness.url.rstrip("/") + "/add-checkpoint", body)
    except OSError as error:
        raise _unanswered(witness, str(error)) from error


def _size(reply: Reply) -> int | None:
    """The size that a witness says it knows, in an answer 409."""
    is_said = reply.media.partition(";")[0].strip() == SIZE_MEDIA
    if reply.status != httpx.codes.CONFLICT or not is_said:
        return None
    try:
        text = reply.body.decode("ascii").removesuffix("\n")
        return decode_decimal(text, "size that a witness knows")
    except (UnicodeDecodeError, VerificationError):
        return None


def _lines(body: bytes, signed: bytes, key: VerifierKey) -> bytes:
    """The witness's own lines of its answer; lines by keys that nobody configured are left out."""
    text, _ = note.verify(signed + body, (key,))
    found = note.decode(text + b"\n" + body).signatures
    mine = tuple(s for s in found if (s.name, s.key_id) == (key.name, key.key_id))
    return note.encode(note.Note(text, mine)).removeprefix(text + b"\n")


def _larger(witness: Witness, seen: int, head: Checkpoint) -> EvidenceError:
    return EvidenceError(
        f"log {head.origin}",
        expected=f"at least the {seen} entries that witness {witness.url} cosigned",
        observed=f"{head.size} entries",
        remedy="Entries are missing: restore a newer backup, or a newer copy of the log with"
        " `countersign restore --log DIR`. To go on would fork the log, for everybody to see.",
    )


def _another_history(witness: Witness, old: int, head: Checkpoint) -> EvidenceError:
    return EvidenceError(
        f"log {head.origin}",
        expected=f"to hold the {old} entries that witness {witness.url} cosigned",
        observed=f"another history in its {head.size} entries",
        remedy="Restore the log that the witness saw; keep both as evidence of what happened.",
    )


def _unanswered(witness: Witness, observed: str) -> UnansweredError:
    return UnansweredError(
        f"witness {witness.url}",
        expected="an answer that says which tree it knows",
        observed=observed,
        remedy="Ask again later; 404 and 403 mean that it was not told of this log or its key.",
    )
