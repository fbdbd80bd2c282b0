"""Uploads in parts that nobody completed: they cost money and are in no listing of objects.

The client libraries neither list nor abort them, so the three requests are signed here
(Signature Version 4 with path-style addresses).
"""

import hashlib
import hmac
import os
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote, urlsplit

import httpx

from countersign.errors import EvidenceError, Fault
from countersign.lake.bucket import Bucket, Keys
from countersign.lake.store import Swept
from countersign.model import instant

_EMPTY: Final = hashlib.sha256(b"").hexdigest()
_TIMEOUT: Final = 60.0
_NO_KEYS: Final = (
    "uploads in parts were not looked for: no access key is configured"
    " (let a lifecycle rule of the bucket abort them after a day)"
)


@dataclass(frozen=True, slots=True)
class Pending:
    """An upload that was begun and not completed."""

    key: str
    upload: str
    begun_us: int


def abort(bucket: Bucket, before_us: int) -> Swept:
    """Abort what was begun below the bucket's folder before an instant."""
    keys = bucket.keys or _from_environment()
    if keys is None:
        return Swept(0, (_NO_KEYS,))
    removed, refused = 0, []
    with httpx.Client(timeout=_TIMEOUT) as client:
        asked = _Asked(client, bucket, keys)
        try:
            old = [found for found in _pending(asked) if found.begun_us < before_us]
        except EvidenceError as error:
            return Swept(0, (str(error),))
        for found in old:
            try:
                asked("DELETE", found.key, {"uploadId": found.upload})
                removed += 1
            except EvidenceError as error:
                refused.append(str(error))
    return Swept(removed, tuple(refused))


@dataclass(frozen=True, slots=True)
class _Asked:
    """Signed requests on one bucket."""

    client: httpx.Client
    bucket: Bucket
    keys: Keys

    def __call__(self, method: str, key: str, query: Mapping[str, str]) -> bytes:
        url = _url(self.bucket, key, query)
        headers = _signed(method, url, self.bucket.region, self.keys, datetime.now(UTC))
        try:
            reply = self.client.request(method, url, headers=headers)
        except httpx.HTTPError as error:
            raise _failed(self.bucket, str(error)) from error
        if reply.status_code >= 300:
            raise _failed(self.bucket, f"{reply.status_code} {reply.reason_phrase}")
        return reply.content


def _pending(asked: _Asked) -> Iterator[Pending]:
    folder = f"{asked.bucket.prefix}/" if asked.bucket.prefix else ""
    after: dict[str, str] = {}
    while True:
        page = _document(asked("GET", "", {"uploads": "", "prefix": folder, **after}), asked.bucket)
        for entry in page.iterfind("{*}Upload"):
            if not _said(entry, "Key").startswith(folder):
                continue  # some servers do not look at the prefix
            begun = datetime.fromisoformat(_said(entry, "Initiated"))
            yield Pending(_said(entry, "Key"), _said(entry, "UploadId"), instant(begun))
        following = {
            "key-marker": _said(page, "NextKeyMarker"),
            "upload-id-marker": _said(page, "NextUploadIdMarker"),
        }
        if _said(page, "IsTruncated") != "true" or following == after:
            return
        after = following


def _document(content: bytes, bucket: Bucket) -> ET.Element:
    try:
        return ET.fromstring(content)
    except ET.ParseError as error:
        raise _failed(bucket, str(error)) from error


def _said(element: ET.Element, name: str) -> str:
    return element.findtext(f"{{*}}{name}") or ""


def _url(bucket: Bucket, key: str, query: Mapping[str, str]) -> str:
    host = bucket.endpoint or f"https://s3.{bucket.region}.amazonaws.com"
    path = quote(f"/{bucket.name}/{key}".rstrip("/"), safe="/-_.~")
    said = "&".join(f"{_quoted(k)}={_quoted(v)}" for k, v in sorted(query.items()))
    return f"{host.rstrip('/')}{path}?{said}"


def _signed(method: str, url: str, region: str, keys: Keys, at: datetime) -> dict[str, str]:
    parts, stamp = urlsplit(url), f"{at:%Y%m%dT%H%M%SZ}"
    headers = {"host": parts.netloc, "x-amz-content-sha256": _EMPTY, "x-amz-date": stamp}
    if keys.token is not None:
        headers["x-amz-security-token"] = keys.token
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    asked = "\n".join([method, parts.path, parts.query, lines, names, _EMPTY])
    scope = f"{stamp[:8]}/{region}/s3/aws4_request"
    digest = hashlib.sha256(asked.encode()).hexdigest()
    key = f"AWS4{keys.secret}".encode()
    for step in (*scope.split("/"), f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}"):
        key = hmac.digest(key, step.encode(), "sha256")
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={keys.access}/{scope},"
        f"SignedHeaders={names},Signature={key.hex()}"
    )
    return headers


def _quoted(text: str) -> str:
    return quote(text, safe="-_.~")


def _from_environment() -> Keys | None:
    access, secret = (os.environ.get(f"AWS_{n}") for n in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"))
    if not access or not secret:
        return None
    return Keys(access, secret, os.environ.get("AWS_SESSION_TOKEN"))


def _failed(bucket: Bucket, observed: str) -> EvidenceError:
    return EvidenceError(
        f"unfinished uploads of {bucket.url}: {Fault.STORAGE}",
        expected="the object store to list and abort them",
        observed=observed,
        remedy="Allow it, or let a lifecycle rule of the bucket do it.",
    )
