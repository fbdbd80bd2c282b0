"""What the truth says must be on the wire, and nowhere else."""

import json
from collections import Counter
from typing import Any


def test_the_quiet_world_plants_nothing(quiet: Any) -> None:
    assert quiet.truth["planted"] == []
    for row in quiet.rows("litellm"):
        metadata = row["metadata"]
        assert row["status"] == "success"
        assert metadata["error_information"] is None
        assert not metadata["attempted_retries"]
        assert not metadata["attempted_fallbacks"]
    assert {row["ended"] for row in quiet.rows("beacons")} == {"completed"}


def test_the_quiet_books_are_the_log(quiet: Any) -> None:
    booked: Counter[str] = Counter()
    for file in (quiet.folder / "books").glob("*.json"):
        document = json.loads(file.read_text("utf-8"))
        for _, _, _, *counts, output in document["entries"]:
            booked += Counter(prompt=sum(counts), output=output, requests=1)
    logged: Counter[str] = Counter()
    for row in quiet.rows("litellm"):
        logged += Counter(prompt=row["prompt_tokens"], output=row["completion_tokens"], requests=1)
    assert booked == logged


def test_the_demo_plants_every_fact_of_the_contract(demo: Any) -> None:
    facts = {(entry["control"], entry["fact"]) for entry in demo.truth["planted"]}
    assert facts == {
        ("token-reconciliation", "cancelled-tail"),
        ("token-reconciliation", "unlogged-key"),
        ("token-reconciliation", "double-logged"),
        ("token-reconciliation", "retry-billed"),
        ("data-residency", "out-of-region"),
        ("data-residency", "out-of-region-interval"),
        ("input-drift", "new-level"),
    }
    ids = [entry["id"] for entry in demo.truth["planted"]]
    assert len(ids) == len(set(ids))


def test_stopped_requests_are_six_to_eight_percent(demo: Any) -> None:
    share = len(demo.planted("cancelled-tail")) / len(demo.rows("beacons"))
    assert 0.06 <= share <= 0.08


def test_every_subject_of_a_tail_was_shown_less_than_was_billed(demo: Any) -> None:
    beacons = {row["request_id"]: row for row in demo.rows("beacons")}
    for entry in demo.planted("cancelled-tail"):
        (call_id,) = entry["subjects"]
        assert beacons[call_id]["ended"] in {"user_stop", "disconnect"}
        assert entry["measures"]["billed_minus_rendered_tokens"] > 0
        assert entry["measures"]["billed_minus_logged_tokens"] >= 0


def test_a_draining_provider_bills_longer_tails_than_one_that_stops(demo: Any) -> None:
    rows = {row["litellm_call_id"]: row for row in demo.rows("litellm")}
    tails: dict[str, list[int]] = {}
    for entry in demo.planted("cancelled-tail"):
        if entry["class"].startswith("stop-usage"):
            model_id = rows[entry["subjects"][0]]["model_id"]
            unlogged = entry["measures"]["billed_minus_logged_tokens"]
            tails.setdefault(model_id, []).append(unlogged)
    means = {model_id: sum(found) / len(found) for model_id, found in tails.items()}
    assert means["dep-openai-us"] > 3 * means["dep-openai-eu"]


def test_the_books_hold_the_log_plus_what_was_planted(demo: Any) -> None:
    """Output tokens on the OpenAI keys: nothing is unaccounted for."""
    booked = 0
    for file in (demo.folder / "books").glob("*.json"):
        document = json.loads(file.read_text("utf-8"))
        keys = [group[2] for group in document["groups"]]
        booked += sum(
            sum(entry[3:])
            for entry in document["entries"]
            if keys[entry[2]] in {"key_eu_prod", "key_us_prod"}
        )
    rows = [r for r in demo.rows("litellm") if r["custom_llm_provider"] == "openai"]
    ids = {row["litellm_call_id"] for row in rows}
    tails = sum(
        entry["measures"]["billed_minus_logged_tokens"]
        for entry in demo.planted("cancelled-tail")
        if entry["subjects"][0] in ids
    )
    retries = sum(e["measures"]["tokens"] for e in demo.planted("retry-billed"))
    doubles = sum(e["measures"]["tokens"] for e in demo.planted("double-logged"))
    assert booked == sum(r["total_tokens"] for r in rows) + tails + retries - doubles


def test_rare_faults_are_alone_in_their_hour_and_key(demo: Any) -> None:
    planted = demo.planted("retry-billed") + demo.planted("double-logged")
    special = {entry["subjects"][0] for entry in planted}
    cells: dict[tuple[str, str], set[str]] = {}
    for row in demo.rows("litellm"):
        if row["metadata"]["attempted_retries"] or row["litellm_call_id"] in special:
            cell = (row["startTime"][:13], row["model_id"])
            cells.setdefault(cell, set()).add(row["litellm_call_id"])
    assert len(special) >= 8
    assert all(len(found) == 1 for found in cells.values() if found & special)


def test_the_unlogged_key_is_on_the_bill_and_never_in_the_log(demo: Any, last_week: Any) -> None:
    (entry,) = demo.planted("unlogged-key")
    (key,) = entry["subjects"]
    billed = requests = 0
    for day in last_week.days():
        document = json.loads((demo.folder / "books" / f"{day}.json").read_text("utf-8"))
        place = [group[2] for group in document["groups"]].index(key)
        used = [e for e in document["entries"] if e[2] == place]
        requests += len(used)
        billed += sum(sum(e[3:]) for e in used)
    assert (requests, billed) == (entry["measures"]["requests"], entry["measures"]["billed_tokens"])
    assert 25 * 7 <= requests <= 55 * 7
    assert key not in json.dumps(demo.rows("litellm"))


def test_the_failover_states_its_shares(demo: Any, last_week: Any) -> None:
    (entry,) = demo.planted("out-of-region-interval")
    rows = [
        row
        for row in demo.rows("litellm")
        if row["team_id"] == "team-aster" and row["startTime"][:10] >= str(last_week.start)
    ]
    calls = len({row["litellm_call_id"] for row in rows})
    hit = {r["litellm_call_id"] for r in rows if r["metadata"]["attempted_fallbacks"]}
    measures = entry["measures"]
    assert entry["subjects"] == ["aster-bank"]
    assert measures["duration_s"] == 2_400
    assert measures["requests"] == measures["interval_requests"] == len(hit) >= 20
    assert measures["week_requests"] == calls
    assert measures["week_share_ppm"] == round(len(hit) * 1_000_000 / calls)


def test_the_new_intent_reaches_many_users_of_every_tenant(demo: Any, last_week: Any) -> None:
    (entry,) = demo.planted("new-level")
    measures = entry["measures"]
    assert entry["subjects"] == ["intent=passkey-migration"]
    assert measures["share_ppm"] >= 50_000
    assert measures["borealis_share_ppm"] >= 50_000
    for tenant in ("aster", "borealis", "cygnus"):
        assert measures[f"{tenant}_users"] >= 30
    tagged = [r for r in demo.rows("litellm") if "intent:passkey-migration" in r["request_tags"]]
    users = {r["end_user"] for r in tagged if r["startTime"][:10] >= str(last_week.start)}
    assert len(users) == measures["borealis_users"]


def test_a_new_intent_brings_words_that_nobody_used_before(demo: Any, quiet: Any) -> None:
    def said(small: Any, word: str) -> int:
        return sum(word in p["messages"][1]["content"].lower() for p in small.payloads())

    assert said(demo, "passkey") > 50
    assert said(quiet, "passkey") == 0
