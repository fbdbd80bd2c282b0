"""The delivery row: what every meter writes and the `delivery-beacon` connector reads.

    {"request_id":"0b6f...","response_id":"chatcmpl-...","meter":"gateway","tenant":"aster-bank",
     "started_at":"2026-11-09T10:00:00.123456Z","ended_at":"2026-11-09T10:00:03.900000Z",
     "ended":"completed","rendered_characters":412,"rendered_tokens":97,
     "tokenizer":"o200k_base","served_by":null}

`request_id` is LiteLLM's call id (the header `x-litellm-call-id`), `response_id` the provider's
id of the answer. `ended` is one of `ENDINGS`. `null` is not known; 0 is nothing shown. Rows hold
counts, never text.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

ENDINGS: Final = ("completed", "user_stop", "disconnect", "error")
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


def line(row: Mapping[str, object]) -> bytes:
    """One row as one line of JSONL."""
    return _encode(row).encode() + b"\n"


def stamp(moment: datetime) -> str:
    """`2026-11-09T10:00:00.123456Z`, always with microseconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
