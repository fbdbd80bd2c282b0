"""What Bedrock's invocation log and CloudTrail have in common: models, places, folders."""

import re
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Final

from countersign.connectors.interface import Folder
from countersign.connectors.wire.cloud_region import of_aws
from countersign.connectors.wire.place import Place
from countersign.model import Window

PROVIDER: Final = "aws.bedrock"
_ARN: Final = re.compile(r"arn:[a-z-]+:bedrock:[^:]*:[^:]*:(?P<kind>[a-z-]+)/(?P<name>.+)")
_PROFILE: Final = re.compile(r"(?:[a-z]{2}|us-gov|apac|amer|emea|global)\.(?P<model>[a-z0-9]+\..+)")
"""A profile is a geography before a vendor and its model."""
_DAY: Final = re.compile(r"/(\d{4})/(\d{2})/(\d{2})/")
_MODEL_KINDS: Final = ("foundation-model", "inference-profile")


def model(model_id: str) -> str | None:
    """The foundation model of an id, profile or ARN; an application profile hides it."""
    arn = _ARN.fullmatch(model_id)
    if arn is not None and arn["kind"] not in _MODEL_KINDS:
        return None
    name = arn["name"] if arn else model_id
    profile = _PROFILE.fullmatch(name)
    return profile["model"] if profile else name


def place(
    inference_region: str | None, region: str | None, model_id: str, log: str
) -> Place | None:
    """Where AWS says that a call ran.

    Without an inference region a plain model ran in the region that was called: so AWS documents
    it, and no record says it (R1). A profile may route elsewhere: its place stays unknown.
    """
    if inference_region:
        return Place(inference_region, log, "R2", of_aws(inference_region))
    if not region or _routes(model_id):
        return None
    return Place(region, log, "R1", of_aws(region))


def files(folder: Folder, window: Window, *without: str) -> Iterator[bytes]:
    """Read the log files of the window's days and one around, by AWS's folders `/YYYY/MM/DD/`.

    `without` marks the paths of files beside the logs that are none: bodies, digests, probes.
    """
    first, last = window.start - timedelta(days=1), window.end
    for name in folder.names():
        day = _day(name)
        is_log = not any(mark in f"/{name}" for mark in without)
        if is_log and (day is None or first <= day <= last):
            yield folder.read(name)


def _routes(model_id: str) -> bool:
    arn = _ARN.fullmatch(model_id)
    if arn is not None:
        return bool(arn["kind"] != "foundation-model")
    return _PROFILE.fullmatch(model_id) is not None


def _day(name: str) -> date | None:
    match = _DAY.search(f"/{name}")
    try:
        return date(int(match[1]), int(match[2]), int(match[3])) if match else None
    except ValueError:
        return None
