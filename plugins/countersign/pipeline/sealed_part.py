"""Secret files under a passphrase: a tar of them, encrypted piece by piece as it is written.

`countersign/secrets@v1`, a line feed, a 16-byte salt, then pieces of a mebibyte, each under
ChaCha20-Poly1305 with the key that scrypt (N = 2^16, r = 8, p = 1) makes of passphrase and salt.
A nonce is the piece's number in 11 bytes and 1 for the last piece, 0 before: so none can be
dropped, moved or added. Nothing is written unencrypted on the way.
"""

import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import IO, Any, Final, cast

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from countersign.errors import VerificationError

HEADER: Final = b"countersign/secrets@v1\n"
SALT_BYTES: Final = 16
_PIECE: Final = 2**20
_TAG_BYTES: Final = 16
_N, _R, _P = 2**16, 8, 1
Add = Callable[[str, bytes], None]


@contextmanager
def write(file: Path, passphrase: bytes, salt: bytes) -> Iterator[Add]:
    """Make a sealed part; the block is given what adds a file to it."""
    with file.open("xb") as out:
        file.chmod(0o600)
        out.write(HEADER + salt)
        sealing = _Sealing(out, _cipher(passphrase, salt))
        with tarfile.open(
            fileobj=cast("IO[bytes]", sealing), mode="w|", format=tarfile.GNU_FORMAT
        ) as tar:

            def add(name: str, content: bytes) -> None:
                member = tarfile.TarInfo(name)
                member.size, member.mode = len(content), 0o600
                tar.addfile(member, BytesIO(content))

            yield add
        sealing.finish()


def read(file: Path, passphrase: bytes) -> Iterator[tuple[str, bytes]]:
    """Every file of a sealed part; the last one comes only when nothing is missing.

    Raises:
        VerificationError: another passphrase, or bytes that were changed.
    """
    with file.open("rb") as source:
        if source.read(len(HEADER)) != HEADER:
            raise _unreadable(file, "another file")
        opened = _Opened(file, source, _cipher(passphrase, source.read(SALT_BYTES)))
        held: tuple[str, bytes] | None = None
        with tarfile.open(fileobj=cast("IO[bytes]", opened), mode="r|") as tar:
            for member in tar:
                found = tar.extractfile(member)
                if held is not None:
                    yield held
                held = (member.name, found.read() if found else b"")
        opened.drain()
        if held is not None:
            yield held


class _Sealing:
    """What a tar is written to: a piece goes out once it is known not to be the last."""

    def __init__(self, out: IO[bytes], cipher: ChaCha20Poly1305) -> None:
        self._out, self._cipher = out, cipher
        self._held, self._number = bytearray(), 0

    def write(self, content: bytes) -> int:
        self._held += content
        while len(self._held) > _PIECE:
            self._seal(bytes(self._held[:_PIECE]), is_last=False)
            del self._held[:_PIECE]
        return len(content)

    def finish(self) -> None:
        self._seal(bytes(self._held), is_last=True)

    def _seal(self, piece: bytes, *, is_last: bool) -> None:
        nonce = _nonce(self._number, is_last=is_last)
        self._out.write(self._cipher.encrypt(nonce, piece, HEADER))
        self._number += 1


class _Opened:
    """What a tar is read from."""

    def __init__(self, file: Path, source: IO[bytes], cipher: ChaCha20Poly1305) -> None:
        self._file, self._source, self._cipher = file, source, cipher
        self._left = file.stat().st_size - len(HEADER) - SALT_BYTES
        self._held, self._number = bytearray(), 0

    def read(self, size: int) -> bytes:
        while len(self._held) < size and self._left > 0:
            self._held += self._next()
        found = bytes(self._held[:size])
        del self._held[:size]
        return found

    def drain(self) -> None:
        while self._left > 0:
            self._next()

    def _next(self) -> bytes:
        sealed = self._source.read(min(_PIECE + _TAG_BYTES, self._left))
        self._left -= len(sealed)
        try:
            nonce = _nonce(self._number, is_last=self._left == 0)
            piece = self._cipher.decrypt(nonce, sealed, HEADER)
        except InvalidTag:
            said = "another passphrase, or changed bytes" if not self._number else "changed bytes"
            raise _unreadable(self._file, said) from None
        self._number += 1
        return piece


def _cipher(passphrase: bytes, salt: bytes) -> ChaCha20Poly1305:
    kdf: Any = Scrypt(salt=salt, length=32, n=_N, r=_R, p=_P)
    return ChaCha20Poly1305(kdf.derive(passphrase))


def _nonce(number: int, *, is_last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([is_last])


def _unreadable(file: Path, observed: str) -> VerificationError:
    return VerificationError(
        f"secret part {file.name}",
        expected="what was sealed under this passphrase",
        observed=observed,
        remedy="Nothing was restored. Give the passphrase that this backup was made with.",
    )
