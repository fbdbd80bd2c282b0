"""The shape of a connector: `pages` fetches bytes, `parse` reads them, nothing else.

Settings are dataclass fields, filled from the source's table in `countersign.toml`. A connector
never holds a secret: `Fetch` is already bound to the host and its credential.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Protocol

from countersign.canonical import Json
from countersign.errors import Fault, SourceError
from countersign.model import Window
from countersign.records import Record
from countersign.registry import plugin_id

Params = Mapping[str, str | int | Sequence[str]]


class Fetch(Protocol):
    """One host and one credential. Retries, Retry-After and time-outs live behind it."""

    def __call__(
        self,
        path: str,
        params: Params | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        body: Json = None,
    ) -> bytes:
        """GET, or POST of a JSON `body` that only asks; return the reply's body, verbatim.

        A path that is a whole `https:` address (a signed link) is asked without the credential.

        Raises:
            SourceError: unreachable, refused, throttled beyond patience, or cut short.
        """
        ...


class Folder(Protocol):
    """Read-only files of an export, named by `/`-separated paths below one folder."""

    def names(self) -> Sequence[str]:
        """Every file's path, sorted."""
        ...

    def read(self, name: str) -> bytes:
        """The bytes of one file."""
        ...


class Database(Protocol):
    """Read-only SQL on one database with one credential."""

    def __call__(self, statement: str, values: Sequence[object] = ()) -> Iterator[bytes]:
        """Yield the rows as JSON Lines, each row as the database itself writes it, in pages.

        Raises:
            SourceError: unreachable, refused, or cut short.
        """
        ...


@dataclass(frozen=True)
class Connector(ABC):
    """A source of records. One subclass per module; its id is the module's name in kebab-case."""

    kinds: ClassVar[tuple[type[Record], ...]]
    """The kinds that `parse` yields."""
    lag: ClassVar[timedelta] = timedelta(days=1)
    """How long after a day ends its pages may still change: re-read until then, then final."""
    credential_header: ClassVar[str] = "Authorization: Bearer {}"
    """How the source wants its credential."""

    records: tuple[str, ...] | None = None
    """Take only these kinds from the source; None is all. Others are dropped at admission, and
    a connector may spare itself the work of reading them."""

    @abstractmethod
    def pages(self, fetch: Fetch, window: Window) -> Iterator[bytes]:
        """Yield every page of the window as the API gave it; the only I/O.

        A page is yielded before it is looked into, so that it is kept even when unreadable.

        Raises:
            SourceError: with the page number, when the source fails or a page cannot be read.
        """

    def export(self, folder: Folder, window: Window) -> Iterator[bytes]:
        """Yield the files of an exported folder that can hold rows of the window: all of them."""
        del window  # an exporter's file names rarely say which days a file holds
        for name in folder.names():
            yield folder.read(name)

    def select(self, database: Database, window: Window) -> Iterator[bytes]:
        """Yield the window's rows of a database that is read in place, as pages of JSON Lines.

        Raises:
            SourceError: the source has no table to read, or the database refuses.
        """
        del database, window
        raise SourceError(
            plugin_id(type(self)),
            Fault.REFUSED,
            page="",
            expected="an address https: or file:",
            observed="a database",
            remedy="This source is read by its API or its export.",
        )

    @abstractmethod
    def parse(self, page: bytes) -> Iterator[Record]:
        """Yield the records of one page (API page or export file). Pure.

        Raises:
            SourceError: the page is truncated or malformed.
        """
