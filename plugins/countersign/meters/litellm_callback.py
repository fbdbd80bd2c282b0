"""The gateway's meter: what a LiteLLM proxy really sent towards each client.

In the proxy's environment, `pip install --no-deps countersign`; in its YAML:

    litellm_settings:
      callbacks: [countersign.meters.litellm_callback.meter]

Settings are environment variables, so that the YAML stays as it is:

    COUNTERSIGN_METER_FOLDER   rows go to files below this folder (`url = "file:..."` reads them)
    COUNTERSIGN_METER_URL      or: rows are posted to a collecting endpoint (`meters.delivery`)
    COUNTERSIGN_METER_KEY      the endpoint's key
    COUNTERSIGN_METER_EVERY    seconds between two hand-overs; default 2

A row says how many characters of a *streamed* answer the server in front of the client took, how
many tokens that is where the model's tokenizer is known, when it ended and why. The reader got at
most that: a socket buffer of it may never have left, and a reader may stop reading before. An
answer that is not streamed leaves no row, since LiteLLM does not tell whether its client was still
there. The meter never raises into the proxy and never waits for a disk or a network; what a killed
proxy loses is said in `meters.batch`.
"""

import asyncio
import logging
import os
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

from litellm.integrations.custom_logger import (  # type: ignore[import-not-found]  # the proxy's
    CustomLogger,
)

from countersign.meters.batch import Batch
from countersign.meters.chunk import Reader
from countersign.meters.drop import Drop
from countersign.meters.post import Post
from countersign.meters.row import line, stamp
from countersign.meters.token import count

_LOG: Final = logging.getLogger(__name__)
_REMEMBERED: Final = 4_096


@dataclass(eq=False)
class Tally:
    """One answer while it is sent."""

    started_at: datetime
    call: Mapping[str, str | None]
    """request_id, tenant, model."""
    reader: Reader = field(default_factory=Reader)
    parts: list[str] | None = field(default_factory=list)
    """None once a piece could not be read: then the number is not known."""

    def add(self, piece: object) -> None:
        """A piece that the server took."""
        try:
            if self.parts is not None and (text := self.reader.text(piece)):
                self.parts.append(text)
        except Exception:  # noqa: BLE001 - an odd piece must still reach the client
            _LOG.exception("delivery meter: a piece could not be read")
            self.parts = None

    def line(self, ended: str, ended_at: datetime) -> bytes:
        """The row; made in the batch's thread, after the answer is over."""
        text = None if self.parts is None else "".join(self.parts)
        tokens, tokenizer = count(text, self.call["model"])
        return line(
            {
                "request_id": self.call["request_id"],
                "response_id": self.reader.response_id,
                "meter": "gateway",
                "tenant": self.call["tenant"],
                "started_at": stamp(self.started_at),
                "ended_at": stamp(ended_at),
                "ended": ended,
                "rendered_characters": None if text is None else len(text),
                "rendered_tokens": tokens,
                "tokenizer": tokenizer,
                "served_by": None,
            }
        )


class DeliveryMeter(CustomLogger):  # type: ignore[misc]  # LiteLLM lives in the proxy's environment
    """Counts what passes, and leaves it as it is."""

    def __init__(self, batch: Batch, clock: Callable[[], datetime]) -> None:
        super().__init__()
        self.batch = batch
        self._clock = clock
        self._streamed: OrderedDict[str, None] = OrderedDict()

    async def async_post_call_streaming_iterator_hook(
        self, user_api_key_dict: Any, response: Any, request_data: dict[str, Any]
    ) -> AsyncIterator[Any]:
        """Pass every piece on; it counts once the server asks for the next one."""
        tally = self._started(user_api_key_dict, request_data)
        self._remember(tally.call["request_id"])
        ended = "error"
        try:
            async for piece in response:
                yield piece
                tally.add(piece)
            ended = "completed"
        except (GeneratorExit, asyncio.CancelledError):
            ended = "disconnect"
            raise
        finally:
            self._record(tally, ended)

    async def async_post_call_failure_hook(
        self,
        request_data: dict[str, Any],
        original_exception: Exception,
        user_api_key_dict: Any,
        traceback_str: str | None = None,
    ) -> None:
        """The client got an error and no piece; of a stream that broke, its own row says it."""
        del original_exception, traceback_str
        tally = self._started(user_api_key_dict, request_data)
        if tally.call["request_id"] not in self._streamed:
            self._record(tally, "error")

    def _started(self, key: object, request: Mapping[str, Any]) -> Tally:
        """The beginning is LiteLLM's, where it says one: the day of a row is the request's."""
        log = request.get("litellm_logging_obj")
        said = getattr(log, "start_time", None)
        began = said.astimezone(UTC) if isinstance(said, datetime) else self._clock()
        return Tally(began, _call(key, request))

    def _remember(self, request_id: str | None) -> None:
        self._streamed[request_id or ""] = None
        if len(self._streamed) > _REMEMBERED:
            self._streamed.popitem(last=False)

    def _record(self, tally: Tally, ended: str) -> None:
        ended_at = self._clock()
        if tally.call["request_id"]:
            self.batch.put(lambda: tally.line(ended, ended_at))


def _call(key: object, request: Mapping[str, Any]) -> Mapping[str, str | None]:
    """What the row says about the call; LiteLLM's own names for it, where it has them."""
    log = request.get("litellm_logging_obj")
    return {
        "request_id": _first(request.get("litellm_call_id"), getattr(log, "litellm_call_id", None)),
        "tenant": _first(getattr(key, "team_alias", None), getattr(key, "team_id", None)),
        "model": _first(getattr(log, "model", None), request.get("model")),
    }


def _first(*values: object) -> str | None:
    return next((value for value in values if isinstance(value, str) and value), None)


def _now() -> datetime:
    return datetime.now(UTC)


def from_environment(settings: Mapping[str, str]) -> DeliveryMeter:
    """The meter that the settings describe; without a folder and an address it refuses to start.

    Raises:
        ValueError: neither or both are set; the proxy's start says so.
    """
    folder, url = (settings.get(f"COUNTERSIGN_METER_{name}") for name in ("FOLDER", "URL"))
    if bool(folder) == bool(url):
        raise ValueError("set one of COUNTERSIGN_METER_FOLDER and COUNTERSIGN_METER_URL")
    write: Callable[[bytes], object] = (
        Drop(Path(folder), _now).write
        if folder
        else Post(str(url), settings.get("COUNTERSIGN_METER_KEY")).write
    )
    return DeliveryMeter(
        Batch(write, every_s=float(settings.get("COUNTERSIGN_METER_EVERY", "2"))), _now
    )


@cache
def _meter() -> DeliveryMeter:
    return from_environment(os.environ)


def __getattr__(name: str) -> DeliveryMeter:
    """`meter` is made when the proxy asks for it: importing this module needs no settings."""
    if name != "meter":
        raise AttributeError(name)
    return _meter()
