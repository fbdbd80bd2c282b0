"""Addresses `s3:` of the configuration, with what it takes to reach them."""

from collections.abc import Callable
from typing import Final

from countersign.config import Storage
from countersign.lake.bucket import Bucket, Keys

_SCHEME: Final = "s3:"


def is_bucket(address: str) -> bool:
    """Whether an address of the configuration means an object store."""
    return address.startswith(_SCHEME)


def bucket(address: str, storage: Storage, secret: Callable[[str], str]) -> Bucket:
    """The bucket at an address.

    Raises:
        ConfigError: no bucket's address, a plain-text endpoint that was not allowed, or a
            credential that is absent or has another form.
    """
    keys = None if storage.credential is None else Keys.parse(secret(storage.credential))
    return Bucket(address, storage.endpoint_url, storage.region, storage.allow_http, keys)
