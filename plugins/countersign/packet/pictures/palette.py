"""Colours: literal for print, the style sheet's variables for the auditors' pages."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Palette:
    """What each colour means; verdict colours are for verdicts and violations only."""

    paper: str
    tint: str
    ink: str
    mute: str
    rule: str
    data: str
    ref: str
    satisfied: str
    not_satisfied: str
    inconclusive: str
    not_run: str

    def verdict(self, state: str) -> str:
        """The colour of a state."""
        return str(getattr(self, state.replace("-", "_")))


PRINT: Final = Palette(
    paper="#FFFFFF", tint="#F3F5F7", ink="#17212B", mute="#56626F", rule="#C5CDD5",
    data="#2B6195", ref="#7A8692", satisfied="#023F4D", not_satisfied="#7D0C14",
    inconclusive="#986501", not_run="#666F77",
)  # fmt: skip
WEB: Final = Palette(
    **{name: f"var(--{name.replace('_', '-')})" for name in Palette.__dataclass_fields__}
)
