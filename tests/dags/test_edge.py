"""What a task does with a failure: an outage is tried again, a refusal fails at once, in words."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import demo_airflow
import pytest

from countersign.errors import ConfigError, EvidenceError, Fault, SourceError
from countersign.model import Window

pytestmark = pytest.mark.platform

DAY = Window.parse("2026-11-02/2026-11-03")
CONNECTION = "AIRFLOW_CONN_COUNTERSIGN_TEST"


@pytest.fixture
def edge() -> Any:
    return pytest.importorskip("countersign_edge")


@pytest.fixture
def patient(dags: demo_airflow.Dags) -> Iterator[demo_airflow.Dags]:
    """The DAGs with the retries that they declare, but without the wait between them."""
    declared = pytest.importorskip("countersign_wiring").DEFAULTS["retries"]
    operator = dags.known["countersign_collect"].get_task("collect")
    before = dict(operator.partial_kwargs)
    operator.partial_kwargs |= {
        "retries": declared, "retry_delay": timedelta(0), "retry_exponential_backoff": 0,
    }  # fmt: skip
    yield dags
    operator.partial_kwargs.clear()
    operator.partial_kwargs.update(before)


def tries(run: Any, source: str) -> tuple[str, int]:
    (found,) = [ti for ti in run.get_task_instances() if ti.rendered_map_index == source]
    return str(found.state), found.try_number


@pytest.mark.parametrize(("fault", "tried"), [("down", 3), ("unauthorized", 1)])
def test_an_outage_is_tried_again_and_a_refused_credential_is_not(
    fault: str, tried: int, built: Any, patient: demo_airflow.Dags, tmp_path: Path
) -> None:
    installation = built.copy(tmp_path / "copy")
    with installation.used(), installation.served(openai_usage=fault):
        run = patient.attempt("countersign_collect", DAY, sources=["openai-usage"])
    assert tries(run, "openai-usage") == ("failed", tried)


def test_a_credential_that_is_not_set_is_not_tried_again(
    built: Any, patient: demo_airflow.Dags, tmp_path: Path
) -> None:
    installation = built.copy(tmp_path / "copy")
    with installation.used(), installation.served(), pytest.MonkeyPatch.context() as patch:
        patch.delenv("COUNTERSIGN_OPENAI_ADMIN_KEY")
        run = patient.attempt("countersign_collect", DAY, sources=["openai-usage"])
    assert tries(run, "openai-usage") == ("failed", 1)


LASTING = (
    ConfigError("[sources.x] url", expected="an address", observed="none"),
    SourceError("x", Fault.CREDENTIAL, remedy="Ask for another."),
    SourceError("x", Fault.REFUSED),
)
PASSING = (
    SourceError("x", Fault.UNREACHABLE),
    SourceError("x", Fault.THROTTLED),
    SourceError("x", Fault.TRUNCATED),
    EvidenceError("seal of a window", observed="none"),
    RuntimeError("a bug"),
)


def body(edge: Any, error: Exception) -> Callable[[], Any]:
    """What Airflow calls for a step that raises."""

    def verb() -> None:
        """Fails."""
        raise error

    found: Callable[[], Any] = edge.step()(verb).function
    return found


@pytest.mark.parametrize("error", LASTING, ids=str)
def test_a_lasting_failure_fails_at_once_with_the_same_sentence(
    edge: Any, error: Exception
) -> None:
    failing = pytest.importorskip("airflow.sdk.exceptions").AirflowFailException
    with pytest.raises(failing) as told:
        body(edge, error)()
    assert str(told.value) == str(error)
    assert told.value.__cause__ is error


@pytest.mark.parametrize("error", PASSING, ids=str)
def test_any_other_failure_is_left_to_the_retries(edge: Any, error: Exception) -> None:
    with pytest.raises(type(error)) as told:
        body(edge, error)()
    assert told.value is error


def test_every_task_of_every_dag_is_a_step(dags: demo_airflow.Dags) -> None:
    tasks = [t for dag in dags.known.values() for t in dag.tasks if t.task_id != "approve"]
    assert tasks
    assert not [t.task_id for t in tasks if not hasattr(t.python_callable, "__wrapped__")]


def test_a_credential_is_the_password_of_a_connection(
    edge: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CONNECTION, json.dumps({"conn_type": "http", "password": "s3cret"}))
    assert edge.credential("airflow:countersign_test") == "s3cret"


@pytest.mark.parametrize(
    ("connection", "observed"),
    [(None, "no such connection"), ({"conn_type": "http"}, "no password")],
)
def test_an_absent_or_empty_connection_is_a_wrong_configuration(
    edge: Any, monkeypatch: pytest.MonkeyPatch, connection: dict[str, str] | None, observed: str
) -> None:
    if connection is not None:
        monkeypatch.setenv(CONNECTION, json.dumps(connection))
    with pytest.raises(ConfigError, match=f"airflow:countersign_test.*{observed}"):
        edge.credential("airflow:countersign_test")
