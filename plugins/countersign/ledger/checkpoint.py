"""A log's signed tree head (C2SP tlog-checkpoint): origin, size and root, one line each. Pure.

    example.com/behind-the-sofa
    20852163
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

Lines after the third are extensions: signed, but monitors cannot audit them. We write none.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from countersign.errors import VerificationError
from countersign.ledger import merkle, note
from countersign.ledger.key import Algorithm, SigningKey, VerifierKey
from countersign.ledger.text import decode64, decode_decimal, decode_utf8, encode64


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of a log: which log, how many entries, and the root over them."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()


def encode(checkpoint: Checkpoint) -> bytes:
    """The note text of a checkpoint."""
    head = (checkpoint.origin, str(checkpoint.size), encode64(checkpoint.root))
    return "".join(f"{line}\n" for line in (*head, *checkpoint.extensions)).encode()


def decode(text: bytes) -> Checkpoint:
    """Read the note text of a checkpoint.

    Raises:
        VerificationError: names the line that is missing or malformed.
    """
    lines = decode_utf8(text, "checkpoint").split("\n")[:-1]
    if len(lines) < 3:
        raise VerificationError(
            "checkpoint", expected="origin, size and root", observed=f"{len(lines)} lines"
        )
    for number, line in enumerate(lines, 1):
        if not line:
            raise VerificationError(
                f"checkpoint, line {number}", expected="some text", observed="an empty line"
            )
    origin, size_text, root_text, *extensions = lines
    size = decode_decimal(size_text, "checkpoint, line 2 (size)")
    root = decode64(root_text, "checkpoint, line 3 (root)")
    _check_root(size, root)
    return Checkpoint(origin, size, root, tuple(extensions))


def sign(checkpoint: Checkpoint, signer: SigningKey) -> bytes:
    """The checkpoint as a note signed by the log's key."""
    return note.sign(encode(checkpoint), signer)


def verify(
    content: bytes, keys: Iterable[VerifierKey], *, strict: bool = True
) -> tuple[Checkpoint, tuple[VerifierKey, ...]]:
    """Return the checkpoint and who signed it: the log's own key, perhaps witnesses.

    Strict also refuses lines by unknown keys and extension lines, which our logs never write.

    Raises:
        VerificationError: as `note.verify`, or the log's own key is not among the signers.
    """
    text, signers = note.verify(content, keys, strict=strict)
    checkpoint = decode(text)
    if strict and checkpoint.extensions:
        raise VerificationError(
            "checkpoint, line 4", expected="no extension lines", observed=checkpoint.extensions[0]
        )
    if not any(
        key.name == checkpoint.origin and key.algorithm is Algorithm.ED25519 for key in signers
    ):
        raise VerificationError(
            "checkpoint",
            expected=f"a signature by the log {checkpoint.origin} itself",
            observed="signatures by " + ", ".join(key.name for key in signers),
        )
    return checkpoint, signers


def open_by(
    content: bytes, keys: Sequence[VerifierKey]
) -> tuple[Checkpoint, tuple[VerifierKey, ...]]:
    """As `verify`; without any key the signatures are left unjudged, and nobody has signed.

    Raises:
        VerificationError: as `verify`.
    """
    if keys:
        return verify(content, keys)
    return decode(note.decode(content).text), ()


def _check_root(size: int, root: bytes) -> None:
    if len(root) != merkle.HASH_BYTES:
        raise VerificationError(
            "checkpoint, line 3 (root)", expected="32 bytes", observed=f"{len(root)} bytes"
        )
    if size == 0 and root != merkle.EMPTY_ROOT:
        raise VerificationError(
            "checkpoint, line 3 (root)",
            expected=f"the root of an empty tree, {merkle.EMPTY_ROOT.hex()}",
            observed=root.hex(),
        )
