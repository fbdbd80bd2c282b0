"""A folder of an S3-compatible bucket as a store.

Every write is one PUT, so an object is there whole or not at all. Nothing is private by mode
here: who may read the salts is for the bucket's policy to say.
"""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from countersign.errors import ConfigError, EvidenceError, Fault
from countersign.lake import probe, uploads
from countersign.lake.bucket import Bucket
from countersign.lake.store import Listed, Swept, checked, kept_bytes_missing

_PAGE: Final = 1_000
_CHUNK: Final = 8 * 2**20
_NOWHERE: Final = "probe-of-the-bucket"


@dataclass(frozen=True)
class ObjectStore:
    """A store in a bucket (`Store`). Before the first write the bucket is put to the test."""

    bucket: Bucket

    def put_new(self, name: str, content: bytes, *, private: bool = False) -> bool:
        """Create the name; False when it exists already."""
        del private
        self.prove()
        return self.create(name, content)

    def replace(self, name: str, content: bytes, *, private: bool = False) -> None:
        """Set the name's bytes in one step."""
        del private
        self.prove()
        with self._asked(name):
            self._library.put(self._client, checked(name), content, use_multipart=False)

    def create(self, name: str, content: bytes) -> bool:
        """Create the name without having tested the bucket.

        An answer that was lost is asked for again, and may then say False of our own write:
        whoever needs to know reads back.
        """
        with self._asked(name):
            try:
                self._library.put(self._client, checked(name), content, mode="create")
            except self._library.exceptions.AlreadyExistsError:
                return False
        return True

    def get(self, name: str) -> bytes:
        """The bytes of a name."""
        client = self._client
        with self._asked(name):
            try:
                return bytes(self._library.get(client, checked(name)).bytes())
            except FileNotFoundError:
                raise kept_bytes_missing(name) from None

    def copy(self, name: str, file: Path) -> None:
        """Write the bytes of a name into a file, piece by piece."""
        client = self._client
        with self._asked(name):
            try:
                found = self._library.get(client, checked(name))
            except FileNotFoundError:
                raise kept_bytes_missing(name) from None
            with file.open("wb") as out:
                for piece in found.stream(_CHUNK):
                    out.write(piece)

    def exists(self, name: str) -> bool:
        """Whether the name was written."""
        client = self._client
        with self._asked(name):
            try:
                self._library.head(client, checked(name))
            except FileNotFoundError:
                return False
        return True

    def names(self, prefix: str = "") -> list[str]:
        """Every name below a folder, sorted."""
        return sorted(listed.name for listed in self.listed(prefix))

    def listed(self, prefix: str = "") -> Iterator[Listed]:
        """Every name below a folder with its size and age; one page is held at a time."""
        below = checked(prefix) if prefix else None
        with self._asked(prefix):
            for page in self._library.list(self._client, below, chunk_size=_PAGE):
                for found in page:
                    written = int(found["last_modified"].timestamp()) * 1_000_000
                    yield Listed(found["path"], found["size"], written)

    def delete(self, name: str) -> None:
        """Remove a name for good."""
        with self._asked(name):
            self._library.delete(self._client, checked(name))

    def sweep(self, before_us: int) -> Swept:
        """Abort uploads in parts that began before an instant and were never completed."""
        return uploads.abort(self.bucket, before_us)

    def prove(self) -> None:
        """Refuse a bucket that would lose commits; asked once.

        Raises:
            ConfigError: the bucket lets a name be created twice.
        """
        _ = self._proven

    @cached_property
    def _proven(self) -> bool:
        probe.probe(self.create, self, self.bucket.url)
        return True

    @cached_property
    def _library(self) -> Any:
        try:
            return importlib.import_module("obstore")
        except ImportError:
            raise ConfigError(
                f"object store {self.bucket.url}",
                expected="the package obstore",
                observed="not installed",
                remedy="pip install 'countersign[s3]'",
            ) from None

    @cached_property
    def _client(self) -> Any:
        library, stores = self._library, importlib.import_module("obstore.store")
        with self._asked(""):
            client = stores.S3Store(self.bucket.name, **self.bucket.client())
            # To ask for one name cannot tell a bucket that is not there from one without it.
            next(iter(library.list(client, _NOWHERE)), None)
        return client

    @contextmanager
    def _asked(self, name: str) -> Iterator[None]:
        """Name the object when the store refuses or does not answer."""
        library = self._library
        try:
            yield
        except (library.exceptions.BaseError, ValueError, FileNotFoundError) as error:
            raise store_failed(self.bucket.address(name), error) from error


def store_failed(thing: str, error: Exception) -> EvidenceError:
    """The error of a request that an object store did not do."""
    return EvidenceError(
        f"{thing}: {Fault.STORAGE}",
        expected="the object store to do it",
        observed=" ".join(str(error).split())[:300],
        remedy="Check [storage] and the bucket's policy, then run it again: the old state is"
        " unharmed.",
    )
