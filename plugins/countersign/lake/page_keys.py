"""Raw pages under keys of their own, so that destroying a key destroys a page in every copy.

A page's file is `countersign/page@v1`, a line feed, a 12-byte nonce, and AES-256-GCM of the page
with the page's digest as associated data. Its 256-bit key lies in `page_keys/`, wrapped in the
same way under the lake's master key, which lies outside the lake. A file without that header is
a page of an older lake, as it came.
"""

import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from countersign.errors import EvidenceError
from countersign.lake.store import LocalStore, Store

HEADER: Final = b"countersign/page@v1\n"
FOLDER: Final = "page_keys"
_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12


@dataclass(frozen=True)
class PageKeys:
    """The keys of a lake's pages. `master` is the file of the key that wraps them."""

    store: Store
    master: Path
    random: Callable[[int], bytes]
    _held: list[bytes] = field(default_factory=list, repr=False)

    def make(self) -> None:
        """Make the master key, unless there is one.

        Raises:
            EvidenceError: it is gone while pages are there, or others may read it.
        """
        self._master()

    def seal(self, name: str, content: bytes, page_digest: str) -> bytes:
        """The file of a page, under the page's key; the key is on disk when this returns.

        The nonce is fresh each time, since a page may be written again after a kill.
        """
        return HEADER + _encrypt(self._key(name, page_digest), content, page_digest, self.random)

    def open(self, name: str, stored: bytes, page_digest: str) -> bytes:
        """The page in a file.

        Raises:
            EvidenceError: its key is gone, or the file is not what the key sealed.
        """
        if not stored.startswith(HEADER):
            return stored
        wrapped = self.store.get(_key_name(name))
        thing = f"lake file {name}"
        key = _decrypt(self._master(), wrapped, page_digest, f"{thing}, its key")
        return _decrypt(key, stored[len(HEADER) :], page_digest, thing)

    def exists(self, name: str) -> bool:
        """Whether a page has a key."""
        return self.store.exists(_key_name(name))

    def destroy(self, name: str) -> None:
        """Destroy the key of a page: nothing can open it any more, here or in a copy."""
        self.store.delete(_key_name(name))

    def _key(self, name: str, page_digest: str) -> bytes:
        if not self.exists(name):
            fresh = self.random(_KEY_BYTES)
            wrapped = _encrypt(self._master(), fresh, page_digest, self.random)
            self.store.put_new(_key_name(name), wrapped, private=True)
        # Read back: another process may have created it first, and the first one holds.
        wrapped = self.store.get(_key_name(name))
        return _decrypt(self._master(), wrapped, page_digest, f"lake file {_key_name(name)}")

    def _master(self) -> bytes:
        if not self._held:
            if not self.master.exists():
                self._refuse_second_master()
                LocalStore(self.master.parent).put_new(
                    self.master.name, self.random(_KEY_BYTES).hex().encode() + b"\n", private=True
                )
            self._held.append(_read_master(self.master))
        return self._held[0]

    def _refuse_second_master(self) -> None:
        if next(iter(self.store.listed(FOLDER)), None) is not None:
            raise EvidenceError(
                f"master key {self.master}",
                expected="the key that wraps the keys of this lake's pages",
                observed="nothing there",
                remedy="Restore it from where you keep it; without it no raw page can be read.",
            )


def _key_name(name: str) -> str:
    return f"{FOLDER}/{name.removeprefix('raw/')}"


def _read_master(file: Path) -> bytes:
    if stat.S_IMODE(file.stat().st_mode) & (stat.S_IRWXG | stat.S_IRWXO):
        raise _unfit(file, "a file that only its owner may read", oct(file.stat().st_mode & 0o777))
    try:
        key = bytes.fromhex(file.read_text("ascii").strip())
    except ValueError:
        key = b""
    if len(key) != _KEY_BYTES:
        raise _unfit(file, f"{2 * _KEY_BYTES} hexadecimal digits", "something else")
    return key


def _unfit(file: Path, expected: str, observed: str) -> EvidenceError:
    return EvidenceError(f"master key {file}", expected=expected, observed=observed)


def _encrypt(key: bytes, content: bytes, page: str, random: Callable[[int], bytes]) -> bytes:
    nonce = random(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, content, page.encode())


def _decrypt(key: bytes, sealed: bytes, page: str, thing: str) -> bytes:
    try:
        nonce, body = sealed[:_NONCE_BYTES], memoryview(sealed)[_NONCE_BYTES:]
        return AESGCM(key).decrypt(nonce, body, page.encode())
    except (InvalidTag, ValueError):
        raise EvidenceError(
            thing,
            expected="the bytes that were sealed under its key",
            observed="other bytes",
            remedy="The file was altered after it was kept; restore it from a backup.",
        ) from None
