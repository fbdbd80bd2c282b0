"""The lake: raw pages, salts, admitted tables, and what they amount to as evidence."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from countersign.canonical import Json
from countersign.lake import great, rules, state
from countersign.lake.admission import Admission, Admitter
from countersign.lake.batch import Kinds, Parse
from countersign.lake.bucket import Bucket
from countersign.lake.copies import Copies
from countersign.lake.delta import TABLES, DeltaFolder
from countersign.lake.engine import Limits, connect, connection
from countersign.lake.erased import Erased
from countersign.lake.inventory import Inventory
from countersign.lake.object_store import ObjectStore
from countersign.lake.page_keys import PageKeys
from countersign.lake.purge import Purge
from countersign.lake.raw import RawPages
from countersign.lake.rules import Suite
from countersign.lake.salts import Salts
from countersign.lake.state import Admitted
from countersign.lake.store import LocalStore, Store
from countersign.lake.tables import LakeTables
from countersign.lake.text import TextRules, Texts
from countersign.lake.tidy import Tidied, tidy
from countersign.model import Evidence, Window
from countersign.records import Record


@dataclass(frozen=True)
class Lake:
    """One folder, or one bucket with a folder of this machine beside it.

    `random` gives unpredictable bytes for its secrets. With a bucket, `root` holds the engine's
    scratch files and copies of table files, which may be lost, and nothing else that is not
    named below.
    """

    root: Path
    random: Callable[[int], bytes]
    memory: str = "1GB"
    threads: int = 2
    bucket: Bucket | None = None
    master: Path | None = None
    """The file of the key that wraps the keys of raw pages; `lake.key` in the root when absent."""

    @cached_property
    def store(self) -> Store:
        """Where everything lies."""
        return LocalStore(self.root) if self.bucket is None else ObjectStore(self.bucket)

    @cached_property
    def raw(self) -> RawPages:
        """What sources said, verbatim."""
        return RawPages(self.store, self.page_keys)

    @cached_property
    def page_keys(self) -> PageKeys:
        """The keys of raw pages."""
        return PageKeys(self.store, self.master or self.root / "lake.key", self.random)

    @cached_property
    def salts(self) -> Salts:
        """Secrets and salts of commitments."""
        return Salts(self.store, self.random)

    @cached_property
    def erased(self) -> Erased:
        """Who was erased, as far as rows can be held against it."""
        return Erased(self.store, self.random)

    @property
    def purge(self) -> Purge:
        """What takes rows out of the tables for good."""
        return Purge(self.store, self.delta)

    @property
    def delta(self) -> DeltaFolder:
        """The tables' folder."""
        if isinstance(self.store, ObjectStore):
            return DeltaFolder.of(self.store, self._copies)
        return DeltaFolder(self.root / TABLES)

    @property
    def _copies(self) -> Path:
        return self.root / "copies"

    @property
    def limits(self) -> Limits:
        """What the engine may use."""
        return Limits(self.root / "tmp", self.memory, self.threads)

    def admitted(self) -> Admitted:
        """The state that readers see now."""
        return state.load(self.store)

    def admit(
        self,
        parse: Parse,
        kinds: Kinds,
        *,
        expectations: Sequence[Path],
        now_us: int,
        window: Window | None = None,
        text: TextRules | None = None,
        second_opinion: bool | None = None,
    ) -> Admission:
        """Admit every source's day whose pages changed, in a window or anywhere. Repeatable.

        `parse` reads a source's page, `kinds` says which kinds are taken from a source,
        `expectations` are the folders of suites, the first that has a kind's suite wins.
        `second_opinion` asks Great Expectations too; by default when it is installed.

        Raises:
            ConfigError: a suite is absent or unreadable.
            EvidenceError: the disk refuses; everything is as it was.
        """
        suites: dict[str, Suite] = {}

        def suite(kind: str) -> Suite:
            if kind not in suites:
                suites[kind] = rules.load(kind, expectations)
            return suites[kind]

        con = connection(self.limits)
        try:
            return Admitter(
                store=self.store,
                raw=self.raw,
                salts=self.salts,
                tables=self.delta,
                texts=Texts(self.store, self.delta, self.salts, con, text or TextRules()),
                con=con,
                suite=suite,
                parse=parse,
                kinds=kinds,
                now_us=now_us,
                scratch=self.limits.temporary,
                second_opinion=great.is_installed() if second_opinion is None else second_opinion,
            ).admit(window)
        finally:
            con.close()

    def tidy(self, now_us: int) -> Tidied:
        """Remove what dead writers left more than a day ago. `now_us` is the machine's clock.

        Copies of files that the bucket no longer has are dropped too.
        """
        tidied = tidy(self.store, now_us)
        if isinstance(self.store, ObjectStore):
            Copies(self.store, self._copies).drop_all_but(self.store.names(TABLES))
        return tidied

    def tables(self, window: Window, history_weeks: int = 0) -> LakeTables:
        """Admitted rows of a window as relations, at the state of this moment."""
        return LakeTables(window, self.delta, self.admitted(), connect(self.limits), history_weeks)

    def evidence(
        self,
        kinds: Iterable[type[Record]],
        window: Window,
        declared: Mapping[str, Sequence[type[Record]]] | None = None,
    ) -> list[Evidence]:
        """What each source contributes to each kind over the window.

        `declared` are the configured sources and their kinds: one that never gave anything is
        then listed as missing. Without it only sources that gave the kind before are known.
        """
        return self._inventory().evidence(kinds, window, declared or {})

    def population(
        self,
        kinds: Iterable[type[Record]],
        window: Window,
        declared: Mapping[str, Sequence[type[Record]]] | None = None,
    ) -> dict[str, Json]:
        """Rows, refused rows, late and missing days of each kind over the window."""
        return self._inventory().population(kinds, window, declared or {})

    def admission(self, kinds: Iterable[type[Record]], window: Window) -> list[Json]:
        """What each kind's expectations counted over the window, summed over sources and days."""
        return self._inventory().admission(kinds, window)

    def _inventory(self) -> Inventory:
        return Inventory(self.store, self.raw, self.admitted())
