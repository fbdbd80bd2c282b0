"""The address of an S3-compatible bucket, and what each client library wants to hear about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from countersign.errors import ConfigError

_SCHEME: Final = "s3"
_CONNECT, _REQUEST = "10s", "300s"
"""A connection, and one request: a page may be large."""
_PATIENCE: Final = timedelta(seconds=120)
_TRIES: Final = 6


@dataclass(frozen=True, slots=True)
class Keys:
    """An access key; never printed."""

    access: str
    secret: str = field(repr=False)
    token: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, said: str) -> "Keys":
        """Read `ACCESS_KEY_ID:SECRET_ACCESS_KEY`, with `:SESSION_TOKEN` where there is one.

        Raises:
            ConfigError: anything else; the value is not repeated.
        """
        parts = said.strip().split(":")
        if len(parts) not in {2, 3} or not all(parts):
            raise ConfigError(
                "credential of an object store",
                expected="ACCESS_KEY_ID:SECRET_ACCESS_KEY or one with :SESSION_TOKEN",
                observed=f"{len(parts)} parts",
            )
        return cls(*parts)


@dataclass(frozen=True, slots=True)
class Bucket:
    """A folder of a bucket. Without `keys` the environment's or the machine's role are used."""

    url: str
    endpoint: str | None = None
    region: str = "us-east-1"
    allow_http: bool = False
    keys: Keys | None = None

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme != _SCHEME or not parts.netloc or parts.query or parts.fragment:
            raise ConfigError("object store", expected="s3://bucket/prefix", observed=self.url)
        if self.endpoint and not self.allow_http and not self.endpoint.startswith("https://"):
            raise ConfigError(
                "object store endpoint_url",
                expected="an address https:",
                observed=self.endpoint,
                remedy="Set allow_http = true where the network between is trusted.",
            )

    @property
    def name(self) -> str:
        """The bucket's own name."""
        return urlsplit(self.url).netloc

    @property
    def prefix(self) -> str:
        """The folder in the bucket, without slashes around it; empty for all of it."""
        return urlsplit(self.url).path.strip("/")

    def key(self, name: str) -> str:
        """The object key of a name below the folder."""
        return f"{self.prefix}/{name}".strip("/")

    def address(self, name: str) -> str:
        """The whole address of a name below the folder."""
        return f"{_SCHEME}://{self.name}/{self.key(name)}"

    def client(self) -> Mapping[str, Any]:
        """Settings of the `obstore` library."""
        said = {"region": self.region, "endpoint": self.endpoint, **_secret(self.keys)}
        return {
            "prefix": self.prefix or None,
            "config": {name: value for name, value in said.items() if value is not None},
            "client_options": {
                "allow_http": self.allow_http,
                "connect_timeout": _CONNECT,
                "timeout": _REQUEST,
            },
            "retry_config": {"max_retries": _TRIES, "retry_timeout": _PATIENCE},
        }

    def options(self) -> dict[str, str]:
        """Settings of the table library; a commit is a conditional put."""
        said = {
            "region": self.region,
            "endpoint": self.endpoint,
            "allow_http": str(self.allow_http).lower(),
            "conditional_put": "etag",
            "connect_timeout": _CONNECT,
            "timeout": _REQUEST,
            "max_retries": str(_TRIES),
            "retry_timeout": f"{_PATIENCE // timedelta(seconds=1)}s",
            **_secret(self.keys),
        }
        clients = {"connect_timeout", "timeout", "max_retries", "retry_timeout", "allow_http"}
        return {
            name if name in clients else f"aws_{name}": value
            for name, value in said.items()
            if value is not None
        }


def _secret(keys: Keys | None) -> dict[str, str | None]:
    if keys is None:
        return {}
    return {
        "access_key_id": keys.access,
        "secret_access_key": keys.secret,
        "session_token": keys.token,
    }
