"""The shape of a connector: `pages` fetches bytes, `parse` reads them, nothing else.

Settings are dataclass fields, filled from the source's table in `countersign.toml`. A connector
never holds a secret: `Fetch` is already bound to the host and its credential.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import ClassVar, Protocol, runtime_checkable

import pyarrow as pa

from countersign.canonical import Json, digest
from countersign.connectors.wire.cut import Cut, Whose, cut
from countersign.errors import Fault, SourceError
from countersign.model import Window
from countersign.records import Record, tables
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


@runtime_checkable
class Pieces(Protocol):
    """A folder whose files can be read piece by piece."""

    def pieces(self, name: str, size: int) -> Iterator[bytes]:
        """Yield the bytes of one file, so many at a time."""
        ...


class Database(Protocol):
    """Read-only SQL on one database with one credential."""

    def __call__(self, statement: str, values: Sequence[object] = ()) -> Iterator[bytes]:
        """Yield the rows as JSON Lines, each row as the database itself writes it, in pages.

        Raises:
            SourceError: unreachable, refused, or cut short.
        """
        ...


class History(Protocol):
    """Read-only questions to one git repository."""

    def log(self, branch: str, paths: Sequence[str]) -> bytes:
        """Every commit of the branch that touched the paths, every merge, and what they changed.

        Raises:
            SourceError: no repository, no such branch, or refused.
        """
        ...

    def blobs(self, names: Sequence[str]) -> bytes:
        """The objects of these names, as `git cat-file --batch` prints them.

        Raises:
            SourceError: refused, or more than a repository of prompts can hold.
        """
        ...


@dataclass(frozen=True)
class Connector(ABC):
    """A source of records. One subclass per module; its id is the module's name in kebab-case."""

    kinds: ClassVar[tuple[type[Record], ...]]
    """The kinds that `parse` yields."""
    lag: ClassVar[timedelta] = timedelta(days=1)
    """How long after a day ends its pages may still change: it is read again until then."""
    credential_header: ClassVar[str] = "Authorization: Bearer {}"
    """How the source wants its credential."""

    records: tuple[str, ...] | None = None
    """Take only these kinds from the source; None is all. Others are dropped at admission, and
    a connector may spare itself the work of reading them."""

    def settled(self, day: date) -> int:
        """The instant from which the source revises a day no more: final when read after it. Pure.

        A source of money says here when a day is billed; its day is then read once more.
        """
        return Window.day(day).end_us + self.lag // timedelta(microseconds=1)

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
        raise self._unread("a database", "This source is read by its API or its export.")

    def history(self, repository: History, window: Window) -> Iterator[bytes]:
        """Yield what a git repository tells, as git prints it.

        Raises:
            SourceError: the source is no repository, or git refuses.
        """
        del repository, window
        raise self._unread("a git repository", "Only prompt-history reads repositories.")

    def _unread(self, observed: str, remedy: str) -> SourceError:
        return SourceError(
            plugin_id(type(self)),
            Fault.REFUSED,
            page="",
            expected="an address https: or file:",
            observed=observed,
            remedy=remedy,
        )

    @abstractmethod
    def parse(self, page: bytes) -> Iterator[Record]:
        """Yield the records of one page (API page or export file). Pure.

        Raises:
            SourceError: the page is truncated or malformed.
        """

    def tables(self, page: bytes) -> Mapping[type[Record], pa.Table]:
        """The records of one page as one Arrow table a kind: what admission takes. Pure.

        A source of many rows builds the columns itself, and `parse` from them.

        Raises:
            SourceError: the page is truncated or malformed, or a value fits no column.
        """
        return tabled(plugin_id(type(self)), page, self.parse(page))

    def without(self, page: bytes, whose: Whose) -> Cut:
        """The page without the rows of somebody, to erase a person. Pure.

        JSON Lines, and JSON documents with lists of rows, packed by gzip or not, are cut row by
        row; a connector whose pages have another form says here how, or the whole page goes.
        """
        everything = replace(self, records=None)  # a row's owner may be in a kind not taken
        return cut(page, everything.parse, whose)


def tabled(source: str, page: bytes, records: Iterable[Record]) -> dict[type[Record], pa.Table]:
    """The records of a page as one table a kind.

    Raises:
        SourceError: a value fits no column.
    """
    try:
        return tables(records)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
        raise SourceError(
            source,
            Fault.MALFORMED,
            page=f"sha256:{digest(page)[:16]}",
            expected="values that fit their columns",
            observed=str(error)[:300],
            remedy="The page is kept; the day is admitted when the source sends it right.",
        ) from error
