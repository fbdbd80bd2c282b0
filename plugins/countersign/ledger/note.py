"""Signed notes (C2SP signed-note): text, an empty line, and one line for each signature. Pure.

    This is an example message.

    — example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYj...

A signature line carries the key's name and base64(key id || signature). A signature by a known
key that does not hold refuses the note; lines by unknown keys are ignored, or refused too where
the note is our own and nothing in it may be unauthenticated (`strict`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from countersign.errors import VerificationError
from countersign.ledger.key import Algorithm, SigningKey, VerifierKey, check_name
from countersign.ledger.text import decode64, decode_utf8, encode64

MAX_BYTES: Final = 1_000_000
MAX_SIGNATURES: Final = 64
_DASH: Final = "\N{EM DASH} "


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line. `value` starts with the time when the key is a witness's."""

    name: str
    key_id: bytes
    value: bytes
    line: int = 0


@dataclass(frozen=True, slots=True)
class Note:
    """A note as read: nothing in it is trusted before `verify`. `text` ends with a newline."""

    text: bytes
    signatures: tuple[Signature, ...]


def encode(note: Note) -> bytes:
    """The bytes of a signed note."""
    lines = [f"{_DASH}{s.name} {encode64(s.key_id + s.value)}\n" for s in note.signatures]
    return note.text + b"\n" + "".join(lines).encode()


def decode(content: bytes) -> Note:
    """Read a note without judging its signatures.

    Raises:
        VerificationError: names the line that is malformed.
    """
    if len(content) > MAX_BYTES:
        raise VerificationError(
            "signed note", expected=f"at most {MAX_BYTES} bytes", observed=str(len(content))
        )
    text = decode_utf8(content, "signed note")
    boundary = text.rfind("\n\n")
    if boundary < 0:
        raise VerificationError(
            "signed note", expected="an empty line before the signatures", observed="none"
        )
    body, lines = text[: boundary + 1], text[boundary + 2 :].split("\n")[:-1]
    if not 0 < len(lines) <= MAX_SIGNATURES:
        raise VerificationError(
            "signed note",
            expected=f"1 to {MAX_SIGNATURES} signature lines",
            observed=str(len(lines)),
        )
    first = body.count("\n") + 2
    signatures = tuple(_decode_line(line, n) for n, line in enumerate(lines, first))
    return Note(body.encode(), signatures)


def sign(text: bytes, *signers: SigningKey) -> bytes:
    """A note signed by each key.

    Raises:
        VerificationError: the text is no note text (UTF-8, no controls, newline at the end).
    """
    decode_utf8(text, "note text")
    signatures = [Signature(s.name, s.key.key_id, s.sign(text)) for s in signers]
    return encode(Note(text, tuple(signatures)))


def cosign(content: bytes, witness: SigningKey, unix_time: int) -> bytes:
    """The note with a witness's timestamped cosignature added (C2SP tlog-cosignature v1)."""
    note = decode(content)
    stamp = unix_time.to_bytes(8, "big")
    value = stamp + witness.sign(_cosigned(unix_time, note.text))
    line = Signature(witness.name, witness.key.key_id, value)
    return encode(Note(note.text, (*note.signatures, line)))


def verify(
    content: bytes, keys: Iterable[VerifierKey], *, strict: bool = False
) -> tuple[bytes, tuple[VerifierKey, ...]]:
    """Return the note's text and the keys that signed it, in the order of their lines.

    Raises:
        VerificationError: malformed, a known key's signature does not hold, or no known key
            signed; when strict also a line by an unknown key, or two by one key.
    """
    note = decode(content)
    known = {(key.name, key.key_id): key for key in keys}
    lines = [(s, known.get((s.name, s.key_id))) for s in note.signatures]
    for signature, key in lines:
        if key is not None:
            _check_signature(key, signature, note.text)
    signers = tuple(dict.fromkeys(key for _, key in lines if key is not None))
    if not signers:
        raise _no_known_key(note, known.values())
    if strict:
        _refuse_other_lines(lines)
    return note.text, signers


def _decode_line(line: str, number: int) -> Signature:
    thing = f"signed note, line {number}"
    name, separator, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not separator:
        raise VerificationError(
            thing, expected="'— name base64', a signature line", observed=repr(line[:60])
        )
    check_name(name)
    value = decode64(encoded, thing)
    if len(value) < 5:
        raise VerificationError(
            thing, expected="a key id of 4 bytes and a signature", observed=f"{len(value)} bytes"
        )
    return Signature(name, value[:4], value[4:], number)


def _check_signature(key: VerifierKey, signature: Signature, text: bytes) -> None:
    message, value = text, signature.value
    if key.algorithm is Algorithm.COSIGNATURE:
        message, value = _cosigned(int.from_bytes(value[:8], "big"), text), value[8:]
    if len(value) != 64 or not key.verify(value, message):
        raise VerificationError(
            f"signed note, line {signature.line}",
            expected=f"a signature of this text by {key.name}",
            observed="a signature that does not verify",
            remedy="The text or the signature was changed.",
        )


def _refuse_other_lines(lines: Sequence[tuple[Signature, VerifierKey | None]]) -> None:
    earlier: set[VerifierKey | None] = {None}
    for signature, key in lines:
        if key in earlier:
            raise VerificationError(
                f"signed note, line {signature.line}",
                expected="one signature by each trusted key, and no other line",
                observed=f"{'a second' if key else 'an unknown'} signature by {signature.name} "
                f"(key id {signature.key_id.hex()})",
            )
        earlier.add(key)


def _cosigned(unix_time: int, text: bytes) -> bytes:
    return f"cosignature/v1\ntime {unix_time}\n".encode() + text


def _no_known_key(note: Note, keys: Iterable[VerifierKey]) -> VerificationError:
    wanted = ", ".join(f"{key.name} ({key.key_id.hex()})" for key in keys) or "none was given"
    found = ", ".join(f"{s.name} ({s.key_id.hex()})" for s in note.signatures)
    return VerificationError(
        "signed note", expected=f"a signature by a trusted key: {wanted}", observed=found
    )
