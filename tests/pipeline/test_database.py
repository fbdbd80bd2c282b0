"""Postgres against a real PostgreSQL on loopback; skipped where none is installed."""

import getpass
import json
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from countersign.errors import ConfigError, Fault, SourceError
from countersign.pipeline.database import Postgres

PASSWORD = "very:secret:0123456789"
SETUP = """
CREATE TABLE calls (id int, at timestamptz, spend numeric, note text);
INSERT INTO calls SELECT n, timestamptz '2026-11-02 00:00+00' + n * interval '1 second',
  n * 0.000001, E'line\\nbreak' FROM generate_series(1, 2500) n;
CREATE TABLE hidden (id int);
CREATE SEQUENCE counter;
CREATE ROLE reader LOGIN PASSWORD 'very:secret:0123456789';
GRANT SELECT ON calls TO reader;
GRANT ALL ON counter TO reader;
"""


def _programs() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


def _as_server(home: Path, *command: str) -> None:
    """Run a command as the user of the server: PostgreSQL refuses to run as root."""
    user = ["runuser", "-u", "postgres", "--"] if getpass.getuser() == "root" else []
    subprocess.run([*user, *command], check=True, capture_output=True, cwd=home)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    pytest.importorskip("psycopg", reason="psycopg, the extra [postgres], is not installed")
    programs = _programs()
    if programs is None:
        pytest.skip("no PostgreSQL server is installed")
    home = Path(tempfile.mkdtemp(prefix="countersign-postgres-"))
    if getpass.getuser() == "root":
        shutil.chown(home, "postgres")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    data, control = str(home / "data"), str(programs / "pg_ctl")
    settings = f"-p {port} -k {home} -c listen_addresses=127.0.0.1 -c fsync=off"
    _as_server(home, str(programs / "initdb"), "-D", data, "-A", "trust")
    (home / "data" / "pg_hba.conf").write_text(
        "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
    )
    log = str(home / "log")
    _as_server(home, control, "-D", data, "-l", log, "-w", "-o", settings, "start")
    try:
        psql = (str(programs / "psql"), "-h", str(home), "-p", str(port), "-v", "ON_ERROR_STOP=1")
        _as_server(home, *psql, "-d", "postgres", "-c", SETUP)
        yield f"postgresql://127.0.0.1:{port}/postgres"
    finally:
        _as_server(home, control, "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def database(url: str) -> Postgres:
    return Postgres.bound("litellm", url, f"reader:{PASSWORD}")


def failed(database: Postgres, statement: str, fault: Fault) -> SourceError:
    with pytest.raises(SourceError) as caught:
        list(database(statement))
    assert caught.value.fault is fault
    assert caught.value.source == "litellm"
    assert PASSWORD not in str(caught.value)
    assert str(caught.value).isprintable()
    return caught.value


def test_rows_come_in_pages_of_json_lines_in_order(database: Postgres) -> None:
    pages = list(database("SELECT * FROM calls ORDER BY id"))
    rows = [[json.loads(line) for line in page.splitlines()] for page in pages]
    assert [len(page) for page in rows] == [1000, 1000, 500]
    assert [row["id"] for page in rows for row in page] == list(range(1, 2501))
    assert pages[0].splitlines()[0] == (
        b'{"id":1,"at":"2026-11-02T00:00:01+00:00","spend":0.000001,"note":"line\\nbreak"}'
    )


def test_values_are_sent_apart_from_the_statement(database: Postgres) -> None:
    asked = "SELECT id FROM calls WHERE id > %s AND note <> %s ORDER BY id"
    found = b"".join(database(asked, (2498, "'; DROP TABLE calls; --")))
    assert found == b'{"id":2499}\n{"id":2500}\n'


def test_no_rows_are_no_page(database: Postgres) -> None:
    assert list(database("SELECT * FROM calls WHERE id < 0")) == []


def test_percent_sign_needs_no_escape_without_values(database: Postgres) -> None:
    assert list(database("SELECT id FROM calls WHERE note LIKE 'x%'")) == []


def test_nothing_can_be_written(database: Postgres) -> None:
    error = failed(database, "SELECT nextval('counter')", Fault.REFUSED)
    assert "read-only transaction" in error.observed
    deleted = "SELECT 1) t; DELETE FROM calls; SELECT 1 FROM (SELECT 1"
    failed(database, deleted, Fault.REFUSED)
    settings = b"".join(database("SELECT current_setting('transaction_read_only') AS r"))
    assert settings == b'{"r":"on"}\n'


def test_table_without_permission_names_the_credential(database: Postgres) -> None:
    assert "GRANT" in failed(database, "SELECT * FROM hidden", Fault.CREDENTIAL).remedy


def test_wrong_password_is_a_refused_credential(database: Postgres) -> None:
    failed(replace(database, password="wrong"), "SELECT 1 AS n", Fault.CREDENTIAL)


def test_statement_beyond_its_time_is_cancelled(database: Postgres) -> None:
    slow = replace(database, timeout_s=1)
    assert "within 1 s" in failed(slow, "SELECT pg_sleep(30)", Fault.REFUSED).expected


def test_absent_table_is_refused(database: Postgres) -> None:
    assert "does not exist" in failed(database, "SELECT * FROM spend", Fault.REFUSED).observed


def test_connection_that_is_ended_midway_is_truncated(database: Postgres, url: str) -> None:
    rows = database("SELECT pg_backend_pid() AS pid, n FROM generate_series(1, 5000) n")
    pid = json.loads(next(rows).splitlines()[0])["pid"]
    list(database(f"SELECT pg_terminate_backend({pid})"))
    with pytest.raises(SourceError) as caught:
        list(rows)
    assert caught.value.fault is Fault.TRUNCATED


def test_nobody_there_is_unreachable() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    pytest.importorskip("psycopg")
    gone = Postgres.bound("litellm", f"postgresql://127.0.0.1:{port}/litellm", f"r:{PASSWORD}")
    failed(gone, "SELECT 1 AS n", Fault.UNREACHABLE)


@pytest.mark.parametrize(
    ("url", "credential"),
    [
        ("postgresql://reader:secret@host/litellm", None),
        ("postgresql://reader@host/litellm", None),
        ("postgresql://host/litellm?password=secret", None),
        ("postgresql://host", None),
        ("postgresql://host/litellm", "no-colon"),
        ("postgresql://host/litellm", "user:line\nbreak"),
    ],
)
def test_address_or_credential_of_another_form_is_refused(url: str, credential: str | None) -> None:
    with pytest.raises(ConfigError) as caught:
        Postgres.bound("litellm", url, credential)
    assert "secret@" not in str(caught.value)
    assert "no-colon" not in str(caught.value)
