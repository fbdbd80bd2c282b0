"""Exported files in an object store: what a `file:` folder is, at an address `s3:`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from countersign.config import Source, Storage
from countersign.errors import EvidenceError, Fault, SourceError
from countersign.lake.object_store import ObjectStore
from countersign.lake.store import Listed
from countersign.pipeline.buckets import bucket

_DENIED: Final = {"PermissionDeniedError", "UnauthenticatedError"}


@dataclass(frozen=True)
class BucketFolder:
    """The objects below a bucket's folder, or one object (`Folder`). Nothing is ever written."""

    source: str
    store: ObjectStore

    @classmethod
    def bound(
        cls, name: str, source: Source, storage: Storage, secret: Callable[[str], str]
    ) -> "BucketFolder":
        """The folder of a source, reached by its own `storage` and credential, else `[storage]`.

        Raises:
            ConfigError: no bucket's address, or a credential that is absent or has another form.
        """
        own = source.storage or storage
        if source.credential is not None:
            own = own.model_copy(update={"credential": source.credential})
        return cls(name, ObjectStore(bucket(source.url, own, secret)))

    def names(self) -> Sequence[str]:
        """Every object's path below the folder, sorted; hidden ones are left out.

        Raises:
            SourceError: nothing is there, or it may not be listed.
        """
        try:
            names = [found.name for found in self.store.listed() if _is_file(found)]
            if names:
                return tuple(sorted(names))
            above, name = self._alone
            if name and above.exists(name):
                return (name,)
        except EvidenceError as error:
            raise self._failed("", error) from error
        raise self._error(Fault.UNREACHABLE, "", "exported files", "no objects there")

    def read(self, name: str) -> bytes:
        """The bytes of one object.

        Raises:
            SourceError: it is not there or cannot be read.
        """
        above, alone = self._alone
        try:
            if name == alone and not self.store.exists(name):
                return above.get(name)
            return self.store.get(name)
        except EvidenceError as error:
            raise self._failed(name, error) from error

    @property
    def _alone(self) -> tuple[ObjectStore, str]:
        """The folder above, and the name in it that the address may be an object of."""
        held = self.store.bucket
        above, _, name = held.url.rstrip("/").rpartition("/")
        if not held.prefix:
            return self.store, ""
        return ObjectStore(replace(held, url=above)), name

    def _failed(self, name: str, error: EvidenceError) -> SourceError:
        denied = type(error.__cause__).__name__ in _DENIED
        fault = Fault.CREDENTIAL if denied else Fault.UNREACHABLE
        return self._error(fault, name, error.expected, error.observed)

    def _error(self, fault: Fault, name: str, expected: str, observed: str) -> SourceError:
        return SourceError(
            self.source,
            fault,
            page=name,
            expected=f"{expected} at {self.store.bucket.url}",
            observed=observed,
            remedy=f"Check [sources.{self.source}] url, its credential and the export job.",
        )


def _is_file(found: Listed) -> bool:
    """Neither hidden nor one of the empty objects by which consoles show an empty folder."""
    name = found.name.rsplit("/", 1)[-1]
    return bool(name) and not name.startswith(".") and (found.bytes > 0 or "." in name)
