"""The edge where rows come in: one PostgreSQL database that is read in place, never written.

The address names host, port and database (`postgresql://host:5432/litellm?sslmode=verify-full`);
the credential is `user:password`, its first colon being the one that counts. Everything else
that libpq knows (certificates, a password file) comes from its own environment variables.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlsplit

from countersign.errors import ConfigError, Fault, SourceError
from countersign.pipeline.answer import redacted

if TYPE_CHECKING:
    from psycopg import Connection, Error

SCHEMES: Final = ("postgresql:", "postgres:")
_SECRET_OPTIONS: Final = frozenset({"user", "password", "sslpassword", "passfile", "service"})
_WRONG_CREDENTIAL: Final = (
    "authentication failed",
    "no password supplied",
    "no pg_hba.conf entry",
    "is not permitted to log in",
    'role "',
)
_NOT_ALLOWED: Final = "42501"
_CANCELLED: Final = "57014"


@dataclass(frozen=True)
class Postgres:
    """Read-only SQL on one database with one credential (`Database`).

    Every transaction is read only and every statement has a time limit. A pooler in between
    must let the start-up parameter `options` pass, or `url` must name the server itself.
    """

    source: str
    url: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    rows_a_page: int = 1_000
    timeout_s: int = 600
    """How long the database may work for one page of rows."""

    @classmethod
    def bound(cls, source: str, url: str, credential: str | None) -> "Postgres":
        """Bind a credential `user:password`; without one libpq's own environment decides.

        Raises:
            ConfigError: the address holds a user or password or is none, the credential has no
                colon, or psycopg is not installed.
        """
        _check(source, url)
        if credential is None:
            return cls(source, url)
        user, colon, password = credential.partition(":")
        if not colon or not user or not credential.isprintable():
            raise ConfigError(
                f"credential of source {source}",
                expected="user:password of a role that may only SELECT",
                observed=f"{len(credential)} characters of another form",
                remedy="Only the first colon separates; look for a line break at the end.",
            )
        return cls(source, url, user, password)

    def __call__(self, statement: str, values: Sequence[object] = ()) -> Iterator[bytes]:
        """Yield the rows as JSON Lines, each as `row_to_json` writes it, in pages.

        `%s` stands for a value, `%%` for the sign where there are values. The statement is one
        SELECT without a semicolon.

        Raises:
            SourceError: unreachable, refused, or cut short.
        """
        import psycopg  # noqa: PLC0415 - the extra `postgres`; nothing else needs it

        begun = False
        try:
            with psycopg.connect(self.url, **self._options()) as connection:
                connection.read_only = True
                begun = True
                yield from self._pages(connection, statement, values)
        except psycopg.Error as error:
            raise self._failed(error, begun=begun) from None

    def _pages(
        self, connection: "Connection[Any]", statement: str, values: Sequence[object]
    ) -> Iterator[bytes]:
        asked = f"SELECT row_to_json(t)::text FROM ({statement}) t"
        with connection.cursor(name="countersign") as cursor:
            cursor.execute(asked.encode(), values or None)
            while rows := cursor.fetchmany(self.rows_a_page):
                yield "".join(f"{row[0]}\n" for row in rows).encode()

    def _options(self) -> dict[str, Any]:
        limits = f"-c default_transaction_read_only=on -c statement_timeout={self.timeout_s}s"
        options = {
            "options": f"{limits} -c timezone=UTC",
            "client_encoding": "UTF8",
            "connect_timeout": 10,
            "application_name": "countersign",
        }
        login = {"user": self.user, "password": self.password}
        return options | {name: value for name, value in login.items() if value is not None}

    def _failed(self, error: "Error", *, begun: bool) -> SourceError:
        said = redacted(str(error), [self.password] if self.password else [])
        if error.sqlstate == _NOT_ALLOWED or any(mark in said for mark in _WRONG_CREDENTIAL):
            return self._error(
                Fault.CREDENTIAL, "a role that may log in and SELECT", said,
                f"Check the secret that [sources.{self.source}] credential refers to, and GRANT"
                " SELECT on the table.",
            )  # fmt: skip
        if not begun:
            return self._error(
                Fault.UNREACHABLE, f"a database at {self.url}", said,
                "Check the address and the network; collecting the day again fills the gap.",
            )  # fmt: skip
        if error.sqlstate == _CANCELLED:
            return self._error(
                Fault.REFUSED, f"a page of rows within {self.timeout_s} s", said,
                "An index on the time column makes the day's rows cheap to find.",
            )  # fmt: skip
        if error.sqlstate is None or error.sqlstate.startswith(("08", "57P")):
            return self._error(
                Fault.TRUNCATED, "all rows of the statement", said, "Collect the day again."
            )
        return self._error(
            Fault.REFUSED, "a statement that this database can answer", said,
            "The table may be older or newer than the connector, or be named otherwise.",
        )  # fmt: skip

    def _error(self, fault: Fault, expected: str, observed: str, remedy: str) -> SourceError:
        return SourceError(
            self.source, fault, page="rows", expected=expected, observed=observed, remedy=remedy
        )


def _check(source: str, url: str) -> None:
    parts = urlsplit(url)
    options = {name for name, _ in parse_qsl(parts.query)}
    if not url.startswith(SCHEMES) or not parts.path.strip("/"):
        raise ConfigError(
            f"[sources.{source}] url",
            expected="postgresql://host:port/database",
            observed=f"{parts.scheme}: without a database" if not parts.path.strip("/") else url,
        )
    if "@" in parts.netloc or options & _SECRET_OPTIONS:
        raise ConfigError(
            f"[sources.{source}] url",
            expected="an address without a user or password",
            observed="one with",
            remedy="Name the secret `user:password` in `credential`, as env:NAME.",
        )
    try:
        import psycopg  # noqa: F401, PLC0415
    except ImportError:
        raise ConfigError(
            f"[sources.{source}] url",
            expected="psycopg, which reads PostgreSQL",
            observed="not installed",
            remedy="Install countersign[postgres].",
        ) from None
