"""A person leaves the installation: nothing of them stays, and everything else still holds."""

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from countersign.attest import entries
from countersign.attest import verify as checks
from countersign.errors import ConfigError, EvidenceError, VerificationError
from countersign.lake import vocabulary
from countersign.lake.erased import Erased
from countersign.lake.subject import Named
from countersign.lake.tombstone import Tombstones
from countersign.pipeline import admit, attest, erase, evidence, hold
from countersign.pipeline.assess import findings
from countersign.pipeline.collect import collect
from countersign.records import GatewayCall

TENANT = "aster-bank"
AUTHORITY = "DPO, case 2026-17"
KILLS = 5


@pytest.fixture(scope="module")
def person(sealed: Any) -> dict[str, set[str]]:
    """A user with several calls: their name, the ids of their calls, and what they said."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for file in sorted((sealed.folder / "export" / "litellm").rglob("*")):
        for line in file.read_text("utf-8").splitlines() if file.is_file() else ():
            row = json.loads(line)
            meta = row["metadata"]
            if meta["user_api_key_team_alias"] == TENANT:
                rows.setdefault(meta["user_api_key_end_user_id"], []).append(row)
    user = max(rows, key=lambda name: (len(rows[name]), name))
    theirs = rows[user]
    texts = {m["content"] for row in theirs for m in row["messages"] if m["role"] == "user"}
    assert len(theirs) > 2
    assert texts
    return {
        "user": {user},
        "ids": {row[name] for row in theirs for name in ("id", "litellm_call_id", "trace_id")},
        "texts": texts,
    }


@pytest.fixture(scope="module")
def named(person: dict[str, set[str]]) -> Named:
    (user,) = person["user"]
    return Named(user=user, tenant=TENANT)


@pytest.fixture(scope="module")
def erased(sealed: Any, named: Named, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The installation after the erasure."""
    site = sealed.copy(tmp_path_factory.mktemp("erased") / "site")
    done = erase.erase(site.open(), named, AUTHORITY)
    assert done.outcome == "erased"
    return site


def contents(ws: Any) -> Iterator[tuple[str, bytes]]:
    """Every byte of the lake: as it lies there, pages decrypted, tables unpacked, all versions."""
    for file in sorted(ws.lake_root.rglob("*")):
        if not file.is_file():
            continue
        name, stored = file.relative_to(ws.lake_root).as_posix(), file.read_bytes()
        yield name, name.encode() + stored
        if name.startswith("raw/"):
            yield name, ws.lake.raw.page(*name.split("/")[1:])
        if name.endswith(".parquet"):
            rows = pq.read_table(io.BytesIO(stored)).to_pylist()
            yield name, json.dumps(rows, default=str, ensure_ascii=False).encode()


def found(ws: Any, needles: set[str]) -> dict[str, set[str]]:
    """Which needles lie where, in any of the ways in which JSON writes them."""
    forms = {n: {n.encode(), json.dumps(n)[1:-1].encode()} for n in needles}
    forms = {n: f | {json.dumps(n, ensure_ascii=False)[1:-1].encode()} for n, f in forms.items()}
    where: dict[str, set[str]] = {}
    for name, content in contents(ws):
        hit = {n for n, written in forms.items() if any(form in content for form in written)}
        if hit:
            where.setdefault(name, set()).update(hit)
    return where


def rows(site: Any) -> dict[str, list[Any]]:
    """Every admitted row, without the time of admission and the page that it came from."""
    ws = site.open()
    days = [str(day) for day in site.week.days()] + ["dated"]
    told = {}
    for table, version in ws.lake.admitted().tables.items():
        read = ws.lake.delta.read(table, version, days)
        kept = read.drop_columns(
            [c for c in ("admitted_at", "page_digest", "version") if c in read.column_names]
        )
        told[table] = sorted(
            json.dumps(row, default=str, sort_keys=True) for row in kept.to_pylist()
        )
    return told


def test_before_the_erasure_the_person_is_all_over_the_lake(
    sealed: Any, person: dict[str, set[str]]
) -> None:
    everything = set.union(*person.values())
    where = found(sealed.open(), everything)
    assert {name.split("/")[0] for name in where} >= {"raw", "tables", "salts", "findings"}
    assert set.union(*where.values()) >= person["user"] | person["texts"]


def test_afterwards_no_byte_of_the_lake_names_or_quotes_the_person(
    erased: Any, person: dict[str, set[str]]
) -> None:
    assert found(erased.open(), set.union(*person.values())) == {}


def test_everybody_else_is_still_there(
    sealed: Any, erased: Any, person: dict[str, set[str]]
) -> None:
    before, after = rows(sealed), rows(erased)
    ids = person["ids"]
    for table, was in before.items():
        theirs = [row for row in was if any(name in row for name in ids)]
        assert after[table] == [row for row in was if row not in set(theirs)], table
    assert len(after["gateway_call"]) < len(before["gateway_call"])


def test_admitting_again_gives_the_same_rows(erased: Any, tmp_path: Path) -> None:
    site = erased.copy(tmp_path / "again", "tables", "admitted.json", "suites")
    admit.admit(site.open())
    assert rows(site) == rows(erased)


def test_nothing_is_admitted_again_by_itself(erased: Any) -> None:
    before = erased.open().lake.admitted()
    assert admit.admit(erased.open()).days == 0
    assert erased.open().lake.admitted() == before


def test_collecting_again_does_not_bring_the_person_back(
    erased: Any, tmp_path: Path, person: dict[str, set[str]]
) -> None:
    site = erased.copy(tmp_path / "again")
    before = site.open().lake.raw.manifests()
    collected = collect(site.open(), site.week)
    assert sum(c.changed for c in collected) == 0
    assert {k: m.pages for k, m in site.open().lake.raw.manifests().items()} == {
        k: m.pages for k, m in before.items()
    }
    admit.admit(site.open())
    assert found(site.open(), set.union(*person.values())) == {}


def test_an_old_page_that_comes_back_is_not_admitted(
    sealed: Any, erased: Any, tmp_path: Path, person: dict[str, set[str]]
) -> None:
    site = erased.copy(tmp_path / "restored", "tables", "admitted.json")
    old, ws = sealed.open(), site.open()
    for (source, day), manifest in old.lake.raw.manifests().items():
        for page in manifest.pages:
            ws.lake.raw.keep(source, day, old.lake.raw.page(source, day, page.digest))
        held = ws.lake.raw.manifest(source, day)
        if held.pages != manifest.pages:
            ws.lake.raw.record(manifest)
    said: list[str] = []
    admit.admit(type(ws)(ws.config, progress=said.append))
    assert any("refused: erased" in line for line in said)
    assert rows(site) == rows(erased)


def test_the_person_may_become_a_user_again(erased: Any, named: Named) -> None:
    ws = erased.open()
    known: Erased = ws.lake.erased
    (call, *_) = [r for r in _records(ws) if r.user_commitment and r.tenant == TENANT]
    theirs = replace(call, user_commitment=named.user, request_id="new", call_id="new")
    assert known.owns(theirs)
    assert not known.owns(replace(theirs, started_at=known.until_us))
    assert not known.owns(replace(theirs, tenant="another"))


def _records(ws: Any) -> Iterator[Any]:
    for (source, day), manifest in sorted(ws.lake.raw.manifests().items()):
        if source == "litellm":
            for page in manifest.pages:
                yield from (
                    r
                    for r in ws.sources[source].parse(ws.lake.raw.page(source, day, page.digest))
                    if hasattr(r, "user_commitment")
                )


def test_the_log_says_what_went_and_by_whose_word_but_not_who(
    sealed: Any, erased: Any, person: dict[str, set[str]]
) -> None:
    ws = erased.open()
    ws.log.check()
    entry = entries.decode(ws.log.entry(ws.log.size - 1))
    assert (entry["type"], entry["outcome"], entry["authority"]) == ("erasure", "erased", AUTHORITY)
    content = (ws.lake_root / "tombstones" / f"{entry['sha256']}.json").read_bytes()
    entries.check_content(entry, content, "tombstone")
    said = json.loads(content)
    assert said["pages"]
    assert said["rows"]["gateway_call"] >= 3
    assert all(page["old"] != page["new"] for page in said["pages"])
    logged = b"".join(ws.log.entry(index) for index in range(ws.log.size))
    assert not any(name.encode() in logged + content for name in set.union(*person.values()))
    old = sealed.open().log
    assert [ws.log.entry(i) for i in range(old.size)] == [old.entry(i) for i in range(old.size)]


def test_verification_says_erased_and_not_missing(erased: Any) -> None:
    ws = erased.open()
    standing = evidence.check(ws)
    assert standing.pages["erased"] > 0
    assert "missing" not in standing.pages
    kept = findings(ws).latest(erased.week, "data-residency")
    assert kept is not None
    behind = evidence.behind(ws, kept.finding)
    assert "pages erased" in behind["litellm gateway_call"]
    assert "missing" not in str(behind)
    (_, tombstone), *_ = Tombstones(ws.lake.store).read()
    page = tombstone.pages[0]
    with pytest.raises(EvidenceError, match=f"erased on .* by authority of {AUTHORITY}"):
        ws.lake.raw.page(page.source, page.day, page.old)


def test_a_page_that_nothing_accounts_for_is_missing(erased: Any, tmp_path: Path) -> None:
    site = erased.copy(tmp_path / "gap")
    ws = site.open()
    manifest = ws.lake.raw.manifest("beacons", str(site.week.start))
    ws.lake.raw.destroy("beacons", manifest.day, manifest.pages[0].digest)
    with pytest.raises(VerificationError, match="missing"):
        evidence.check(ws)


def _judged(site: Any) -> list[dict[str, Any]]:
    kept = findings(site.open()).latest(site.week, "data-residency")
    assert kept is not None
    return list(kept.relation("requests").to_pylist())


def test_other_requests_of_the_same_hour_can_still_be_attested(
    sealed: Any, erased: Any, person: dict[str, set[str]]
) -> None:
    ws = erased.open()
    judged = _judged(erased)
    gone = [row for row in judged if row["request_id"].startswith("erased:")]
    assert gone
    hours = {row["at"].replace(minute=0, second=0, microsecond=0) for row in gone}
    near = [
        row["request_id"]
        for row in judged
        if row["at"].replace(minute=0, second=0, microsecond=0) in hours and row not in gone
    ]
    bundle = attest.attest(ws, request=near[0]).bundle
    assert checks.verify_bundle(bundle, [ws.key.key]).valid
    asked = {r["request_id"] for r in _judged(sealed)} & person["ids"]
    assert asked
    for name in asked:
        with pytest.raises(EvidenceError, match="observed erased, as an entry of the log says"):
            attest.attest(ws, request=name)
    with pytest.raises(EvidenceError, match="observed none"):
        attest.attest(ws, request="never-there")


def test_a_dry_run_changes_nothing(fresh_week: Any, named: Named) -> None:
    before = _files(fresh_week)
    done = erase.erase(fresh_week.open(), named, AUTHORITY, dry_run=True)
    assert done.entry is None
    assert done.tombstone.pages
    assert "would be erased" in done.sentence
    after = _files(fresh_week)
    assert after.keys() - before.keys() <= {"duties.lock", "erased/salt"}
    assert {name: after[name] for name in before} == before


def test_a_hold_beats_an_erasure_and_the_log_says_so(fresh_week: Any, named: Named) -> None:
    ws = fresh_week.open()
    scope = hold.Scope(named=Named(tenant=TENANT))
    hold.place(ws, "case-9", scope, reason="dispute", authority="legal")
    before = rows(fresh_week)
    refused = erase.erase(fresh_week.open(), named, AUTHORITY)
    assert refused.outcome == "refused"
    entry = entries.decode(ws.log.entry(refused.entry))
    assert (entry["outcome"], entry["because"]) == ("refused", "legal hold case-9")
    assert rows(fresh_week) == before
    assert erase.erase(fresh_week.open(), Named("nobody", "another"), AUTHORITY).outcome == "erased"
    hold.lift(fresh_week.open(), "case-9", reason="settled", authority="legal")
    assert erase.erase(fresh_week.open(), named, AUTHORITY).outcome == "erased"


def test_a_duty_to_keep_beats_an_erasure_until_it_has_passed(
    fresh_week: Any, named: Named, person: dict[str, set[str]]
) -> None:
    fresh_week.edit("[text]", '[retention.at_least]\ngateway_call = "30d"\n\n[text]')
    refused = erase.erase(fresh_week.open(), named, AUTHORITY)
    assert refused.outcome == "refused"
    assert refused.because is not None
    assert "at_least gateway_call = 30d" in refused.because
    fresh_week.edit('gateway_call = "30d"', 'gateway_call = "3d"')
    part = erase.erase(fresh_week.open(), named, AUTHORITY)
    assert part.outcome == "erased"
    assert part.kept_rows > 0
    left = found(fresh_week.open(), person["user"])
    days = {p for name in left for p in name.split("/") if p.startswith("2026-")}
    assert min(days) == "2026-11-13"


def test_one_request_can_be_erased_alone(
    fresh_week: Any, named: Named, person: dict[str, set[str]]
) -> None:
    ws = fresh_week.open()
    calls = ws.lake.tables(fresh_week.week)
    relation = calls.table(GatewayCall)
    mine = [r for r in calls.run(relation).to_pylist() if r["request_id"] in person["ids"]]
    request, call = mine[0]["request_id"], mine[0]["call_id"]
    done = erase.erase(ws, Named(request=request), AUTHORITY)
    assert (done.tombstone.rows or {})["gateway_call"] == sum(
        r["request_id"] == request for r in mine
    )
    assert found(fresh_week.open(), {request, call}) == {}
    assert set(found(fresh_week.open(), {str(named.user)})) != set()


def test_the_name_may_not_stand_in_the_authority(fresh_week: Any, named: Named) -> None:
    with pytest.raises(ConfigError, match="names the person"):
        erase.erase(fresh_week.open(), named, f"request of {str(named.user).upper()}")


DYING = """
import os, random, signal, sys, time
from countersign.lake.subject import Named
from countersign.pipeline import erase
from countersign.pipeline.workspace import open_workspace
import pyarrow.parquet, deltalake

config, user, tenant, authority, kills = *sys.argv[1:5], int(sys.argv[5])
moments, killed, longest = random.Random(7), 0, 0.4
open_workspace(config).sources

def child():
    pid = os.fork()
    if pid == 0:
        erase.erase(open_workspace(config), Named(user, tenant), authority)
        os._exit(0)
    return pid

for _ in range(kills):
    pid = child()
    time.sleep(moments.uniform(longest / 4, longest))
    os.kill(pid, signal.SIGKILL)
    killed += os.WIFSIGNALED(os.waitpid(pid, 0)[1])
    longest *= 1.6
pid = child()
assert os.waitpid(pid, 0)[1] == 0
print(killed)
"""


def test_killed_at_random_moments_and_run_again_it_ends_as_if_undisturbed(
    fresh_week: Any, erased: Any, named: Named, person: dict[str, set[str]]
) -> None:
    arguments = [str(fresh_week.config), str(named.user), TENANT, AUTHORITY, str(KILLS)]
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", DYING, *arguments],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr[-2_000:]
    assert int(ended.stdout.split()[-1]) >= 2
    assert found(fresh_week.open(), set.union(*person.values())) == {}
    assert rows(fresh_week) == rows(erased)
    pages = {k: m.pages for k, m in fresh_week.open().lake.raw.manifests().items()}
    assert pages == {k: m.pages for k, m in erased.open().lake.raw.manifests().items()}
    assert evidence.check(fresh_week.open()).pages == evidence.check(erased.open()).pages


def _files(site: Any) -> dict[str, bytes]:
    root = site.open().lake_root
    return {
        file.relative_to(root).as_posix(): file.read_bytes()
        for file in root.rglob("*")
        if file.is_file()
    }


def test_words_that_only_the_person_used_leave_the_vocabulary(
    sealed: Any, erased: Any, person: dict[str, set[str]]
) -> None:
    before, after = (vocabulary.load(site.open().lake.store) for site in (sealed, erased))
    assert before is not None
    assert after is not None
    gone = set(before.terms) - set(after.terms)
    assert set(after.terms) < set(before.terms)
    said = " ".join(person["texts"]).lower()
    assert all(term in said or term == "#" for term in gone)
    lists = [n for n in erased.open().lake.store.names("vocabulary") if n.endswith(".txt")]
    assert lists == [f"vocabulary/{after.digest}.txt"]
