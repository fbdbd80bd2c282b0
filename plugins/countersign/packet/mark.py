"""The four verdicts: word, order of attention, and where two of them stand to each other."""

from dataclasses import dataclass
from typing import Final

from countersign.model import State

WORDS: Final = {
    State.NOT_SATISFIED: "Not satisfied",
    State.INCONCLUSIVE: "Inconclusive",
    State.NOT_RUN: "Not run",
    State.SATISFIED: "Satisfied",
}
ATTENTION: Final = tuple(WORDS)
"""Most attention first; also the order from worse to better."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A verdict as it is shown: `state` names shape and colour, `word` stands beside it."""

    state: str
    word: str

    @classmethod
    def of(cls, state: State) -> "Mark":
        """The mark of a state."""
        return cls(state.value, WORDS[state])


def rank(state: State) -> int:
    """0 for what needs most attention."""
    return ATTENTION.index(state)
