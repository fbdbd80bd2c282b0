"""The shape of a control: one claim, `reduce` states relations, `conclude` judges.

Absence, emptiness, counting, provenance and outcome are written once, in `assess`; a control
sees only evidence that is there.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

import ibis.expr.types as ir
import pyarrow as pa

from countersign.canonical import Json
from countersign.model import Grade, Observation, State, Window
from countersign.records import Record


class Tables(Protocol):
    """Admitted rows of a window as Ibis relations. Nothing runs when one is asked for."""

    @property
    def window(self) -> Window:
        """The days that `table` covers."""
        ...

    def table(self, kind: type[Record]) -> ir.Table:
        """The stored rows of a kind: `records.stored_schema` and the source's own extra columns.

        Day kinds: rows of this window's days. Dated knowledge: every term, whatever the window.
        An absent kind is an empty relation with the full schema.
        """
        ...

    def over(self, window: Window) -> "Tables":
        """The same tables over another window, no further back than `history_weeks`."""
        ...


@dataclass(frozen=True)
class Conclusion:
    """What a control makes of the evidence.

    `state` is the control's own verdict; `assess` lowers it when evidence is missing. `reason`
    is one sentence with the value, its limit and the unit. `observations` are what was examined
    and is worth naming, worst first (every planted fact must be found here, one subject each);
    `examined` counts all that was looked at. `measures` are integers with units in their names;
    None is a measure that could not be computed (missing, never zero). `picture` and `tables`
    hold the numbers of the control's picture and of its tables, JSON without floats.
    `not_examined` says, a sentence each, what the evidence could not show. `relations` are
    reduced tables that later steps need (the verdict of each request).
    """

    state: State
    reason: str
    grade: Grade
    observations: tuple[Observation, ...]
    examined: int
    holding: int
    not_holding: int
    undecided: int
    measures: Mapping[str, int | None]
    picture: Mapping[str, Json]
    tables: Mapping[str, Json] = field(default_factory=dict)
    not_examined: tuple[str, ...] = ()
    relations: Mapping[str, pa.Table] = field(default_factory=dict)
    verdicts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Control(ABC):
    """One claim about the traffic. Settings are dataclass fields, printed in the packet."""

    claim: ClassVar[str]
    needs: ClassVar[tuple[type[Record], ...]]
    """Kinds without which the finding is inconclusive."""
    uses: ClassVar[tuple[type[Record], ...]] = ()
    """Kinds without which some measures are inconclusive; the control names them."""
    history_weeks: ClassVar[int] = 0
    """How many whole weeks before the window `tables.over` may reach."""
    maps_to: ClassVar[tuple[tuple[str, str], ...]] = ()
    """(framework, provision) pairs, printed with the date of the mapping in configuration."""

    @abstractmethod
    def reduce(self, tables: Tables) -> dict[str, ir.Table]:
        """State the relational work as Ibis expressions; the pipeline runs them. Pure."""

    @abstractmethod
    def conclude(self, reduced: Mapping[str, pa.Table], window: Window) -> Conclusion:
        """Judge from the reduced relations. Pure; randomness is seeded from their content."""

    def leave(self, tables: Tables, conclusion: Conclusion) -> Iterator[tuple[str, ir.Table]]:
        """Relations for later steps that are too large for one memory: by name, piece by piece.

        The pipeline runs and stores each piece before it asks for the next. Pure; none by default.
        """
        del tables, conclusion
        return iter(())
