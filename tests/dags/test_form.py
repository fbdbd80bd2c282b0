"""The trigger forms: what they refuse, and that nothing optional blocks them."""

from collections.abc import Iterator
from typing import Any

import demo_airflow
import pytest

pytestmark = pytest.mark.platform


@pytest.fixture(scope="module")
def api(collected: tuple[Any, Any]) -> Iterator[Any]:
    """The REST API as user `demo`; the DAGs are known to its database since the first run."""
    yield demo_airflow.api()


@pytest.mark.parametrize("dag_id", ["collect", "assess", "packet", "publish"])
def test_an_empty_form_can_be_sent(dags: demo_airflow.Dags, dag_id: str) -> None:
    params = dags.known[f"countersign_{dag_id}"].params
    assert params.validate()["start"] is None
    for name in params:
        schema, value = params.get_param(name).schema, params[name]
        assert "null" in schema["type"] or value, f"{name} would block the Trigger button"


@pytest.mark.parametrize("day", ["tomorrow", "2026-13-45", "2026-11-02T00:00:00", 20261102])
def test_a_bad_date_is_refused_by_the_api(api: Any, day: object) -> None:
    answer = _trigger(api, {"start": day, "end": "2026-11-09"})
    assert answer.status_code == 400, answer.text


def test_sources_must_be_a_list_of_names(api: Any) -> None:
    assert _trigger(api, {"sources": "litellm"}).status_code == 400
    assert _trigger(api, {"sources": [7]}).status_code == 400


def test_a_window_and_chosen_sources_are_accepted(api: Any) -> None:
    conf = {"start": "2026-11-02", "end": "2026-11-03", "sources": ["litellm"]}
    answer = _trigger(api, conf)
    assert answer.status_code == 200, answer.text
    assert answer.json()["conf"] == conf


def _trigger(api: Any, conf: dict[str, object]) -> Any:
    body = {"logical_date": None, "conf": conf}
    return api.post("/api/v2/dags/countersign_collect/dagRuns", json=body)
