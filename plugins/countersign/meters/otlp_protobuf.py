"""OTLP's protobuf encoding, as far as `opentelemetry-proto` is installed to read it."""

import base64
import importlib.util
import json
from functools import cache
from typing import Any, Final

_IDS: Final = frozenset({"traceId", "spanId", "parentSpanId"})


@cache
def is_readable() -> bool:
    """Whether protobuf bodies can be read here."""
    try:
        return importlib.util.find_spec("opentelemetry.proto.collector.trace.v1") is not None
    except ModuleNotFoundError:
        return False


def to_json(body: bytes) -> bytes:
    """The export request in OTLP's JSON encoding: hexadecimal ids, enums as integers.

    Raises:
        ValueError: the body is no such request.
    """
    # only where it is installed, and only for those who send protobuf
    from google.protobuf.json_format import (  # type: ignore[import-untyped]  # noqa: PLC0415
        MessageToDict,  # no stubs: it is there only where it is wanted
    )
    from google.protobuf.message import (  # type: ignore[import-untyped]  # noqa: PLC0415
        DecodeError,
    )
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (  # noqa: PLC0415
        ExportTraceServiceRequest,
    )

    try:
        request = ExportTraceServiceRequest.FromString(body)
    except DecodeError as error:
        raise ValueError(f"the body is no ExportTraceServiceRequest: {error}") from None
    document = MessageToDict(request, use_integers_for_enums=True)
    return json.dumps(_with_hex_ids(document), separators=(",", ":")).encode()


def status_body(said: str) -> bytes:
    """A google.rpc.Status with a message, which is its second field."""
    text = said.encode()
    length, size = bytearray(), len(text)
    while size > 0x7F:
        length.append(size & 0x7F | 0x80)
        size >>= 7
    length.append(size)
    return b"\x12" + bytes(length) + text


def _with_hex_ids(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_hex_ids(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: base64.b64decode(item).hex()
        if name in _IDS and isinstance(item, str)
        else _with_hex_ids(item)
        for name, item in value.items()
    }
