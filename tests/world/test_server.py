from pathlib import Path
from typing import Any

import httpx
import pytest

from countersign import world
from countersign.errors import ConfigError

ASKED: dict[str, dict[str, Any]] = {
    "/litellm/spend/logs/v2": {"start_date": "2026-09-07", "end_date": "2026-09-07"},
    "/openai/v1/organization/usage/completions": {"start_time": 1788739200, "bucket_width": "1h"},
    "/openai/v1/organization/costs": {"start_time": 1788739200},
    "/anthropic/v1/organizations/usage_report/messages": {"starting_at": "2026-09-07T00:00:00Z"},
    "/anthropic/v1/organizations/cost_report": {"starting_at": "2026-09-07T00:00:00Z"},
    "/beacons/v1/deliveries": {"start": "2026-09-07T00:00:00Z", "end": "2026-09-08T00:00:00Z"},
}
WRONG = {
    "Authorization": "Bearer sk-wrong",
    "x-api-key": "sk-wrong",
    "anthropic-version": "2023-06-01",
}


@pytest.mark.parametrize("path", ASKED)
def test_each_api_answers_with_the_right_key(client: Any, path: str) -> None:
    answer = client.get(path, **ASKED[path])
    assert answer.status_code == 200
    assert answer.json()["data"]


@pytest.mark.parametrize("path", ASKED)
@pytest.mark.parametrize("headers", [{}, WRONG])
def test_each_api_refuses_a_missing_or_wrong_key(
    client: Any, path: str, headers: dict[str, str]
) -> None:
    answer = client.http.get(path, params=ASKED[path], headers=headers)
    assert answer.status_code == 401
    assert "error" in answer.json()


def test_refusals_have_each_providers_own_form(client: Any) -> None:
    openai, anthropic = (p for p in ASKED if p.endswith(("completions", "messages")))
    error = client.http.get(openai, headers=WRONG).json()["error"]
    assert error["code"] == "invalid_api_key"
    assert error["type"] == "invalid_request_error"
    body = client.http.get(anthropic, headers=WRONG).json()
    assert body["type"] == "error"
    assert body["error"]["type"] == "authentication_error"
    assert body["request_id"]


def test_a_project_key_lacks_the_scope(client: Any) -> None:
    headers = {"Authorization": "Bearer sk-proj-abc"}
    answer = client.http.get("/openai/v1/organization/costs", headers=headers)
    assert answer.status_code == 403
    assert "api.usage.read" in answer.json()["error"]["message"]


def test_anthropic_wants_its_version_header(client: Any) -> None:
    key = {"x-api-key": world.CREDENTIALS["COUNTERSIGN_ANTHROPIC_ADMIN_KEY"]}
    answer = client.http.get("/anthropic/v1/organizations/cost_report", headers=key)
    assert answer.status_code == 400
    assert "anthropic-version" in answer.json()["error"]["message"]


def test_an_unknown_path_is_not_found(client: Any) -> None:
    assert client.http.get("/openai/v1/organization/secrets").status_code == 404


def test_a_throttled_request_says_when_to_come_back_and_then_answers(
    demo: Any, client: Any
) -> None:
    with world.serve(demo.folder, throttle_every=1, truncate_every=0) as server:
        busy = type(client)(httpx.Client(base_url=server.url))
        for path, asked in ASKED.items():
            first = busy.get(path, **asked)
            assert first.status_code == 429
            assert int(first.headers["Retry-After"]) >= 1
            assert busy.get(path, **asked).json() == client.get(path, **asked).json()
        busy.http.close()


def test_a_cut_answer_is_whole_on_retry(demo: Any, client: Any) -> None:
    path = "/litellm/spend/logs/v2"
    with world.serve(demo.folder, throttle_every=0, truncate_every=1) as server:
        shaky = type(client)(httpx.Client(base_url=server.url))
        with pytest.raises(httpx.RemoteProtocolError):
            shaky.get(path, **ASKED[path])
        assert shaky.get(path, **ASKED[path]).json() == client.get(path, **ASKED[path]).json()
        shaky.http.close()


def test_sources_can_be_switched_off_one_by_one(demo: Any, client: Any) -> None:
    faults = {
        "openai-usage": "down",
        "openai-costs": "unauthorized",
        "anthropic-usage": "truncated",
        "anthropic-cost": "malformed",
    }
    with (
        world.serve(demo.folder, faults=faults, throttle_every=0, truncate_every=0) as server,
        httpx.Client(base_url=server.url) as http,
    ):
        broken = type(client)(http)
        paths = list(ASKED)
        with pytest.raises(httpx.RemoteProtocolError):
            broken.get(paths[1], **ASKED[paths[1]])
        assert broken.get(paths[2], **ASKED[paths[2]]).status_code == 401
        for path in paths[3:5]:
            with pytest.raises(ValueError, match=r"JSON|Expecting|Unterminated|delimiter"):
                broken.get(path, **ASKED[path]).json()
        assert broken.get(paths[0], **ASKED[paths[0]]).status_code == 200


def test_a_fault_that_does_not_exist_is_refused(demo: Any) -> None:
    with pytest.raises(ConfigError, match="openai-usage = tired"):
        world.serve(demo.folder, faults={"openai-usage": "tired"})


def test_a_folder_without_a_world_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="world build"):
        world.serve(tmp_path)


def test_a_taken_port_is_refused_with_a_remedy(demo: Any) -> None:
    with (
        world.serve(demo.folder) as server,
        pytest.raises(ConfigError, match="another port"),
    ):
        world.serve(demo.folder, port=int(server.url.rsplit(":", 1)[1]))
