"""What a provider says a reply cost: any wire's usage block as disjoint counters. Pure.

One module per wire; each knows which of its figures contain which others, because the same
word means different things: Anthropic's `input_tokens` leaves the cache out, OpenAI's does not.
"""

from countersign.usage.reader import PROVIDERS, Usage, read
from countersign.usage.tokens import Counters, Reading
from countersign.usage.wires import WIRES, counters, reading

__all__ = ["PROVIDERS", "WIRES", "Counters", "Reading", "Usage", "counters", "read", "reading"]
