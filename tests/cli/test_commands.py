"""Every command: its help, its exit code, its JSON; errors are sentences."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from countersign.records import KINDS

COMMANDS = (
    "init", "doctor", "collect", "admit", "assess", "seal", "attest", "render", "sign",
    "publish", "run", "verify", "usage", "schema", "controls", "sources",
    "erase", "retention", "hold place", "hold lift", "hold list",
    "migrate", "backup", "restore", "log accept-restore", "log cosign",
    "log check", "world build", "world serve", "world score",
)  # fmt: skip
WEEK = "2026-11-09/2026-11-16"
Run = Callable[..., Any]


@pytest.fixture
def empty(countersign: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what `init` writes, and the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COUNTERSIGN_CONFIG", raising=False)
    assert countersign("init").code == 0
    return tmp_path


def is_one_sentence(said: Any) -> bool:
    """One line on stderr for a person, nothing of the program's inside."""
    lines = [line for line in said.err.splitlines() if line]
    return len(lines) == 1 and lines[0].startswith("countersign: ") and "Traceback" not in said.err


@pytest.mark.parametrize("command", COMMANDS)
def test_help_says_what_a_command_does_and_exits_0(countersign: Run, command: str) -> None:
    said = countersign(*command.split(), "--help")
    assert said.code == 0
    text = " ".join(said.out.split())
    assert "sage:" in text
    assert f"countersign {command}" in text
    assert len(text) > 120


def test_the_list_of_commands_is_whole(countersign: Run) -> None:
    text = countersign("--help").out
    for command in COMMANDS:
        assert re.search(rf"^\s+{command.split()[0]}\b", text, re.MULTILINE), command


@pytest.mark.parametrize("kind", KINDS)
def test_schema_describes_every_kind(countersign: Run, kind: str) -> None:
    said = countersign("schema", kind)
    document = json.loads(said.out)
    assert (said.code, document["type"]) == (0, "object")
    assert document["properties"]
    assert json.loads(countersign("schema", kind, "--json").out) == document


def test_schema_lists_the_kinds_and_refuses_another(countersign: Run) -> None:
    assert countersign("schema").out.split() == list(KINDS)
    said = countersign("schema", "nothing")
    assert said.code == 2
    assert is_one_sentence(said)
    assert "gateway_call" in said.err


WRONG = {
    "no configuration": (("assess", "--window", WEEK, "--config", "absent.toml"), "absent.toml"),
    "a window that is none": (("collect", "--window", "yesterday"), "yesterday"),
    "a window that ends before it starts": (
        ("collect", "--window", "2026-11-16/2026-11-09"),
        "2026-11-16/2026-11-09",
    ),
    "an unknown source": (("collect", "--window", WEEK, "--only", "nobody"), "nobody"),
    "an unknown control": (("assess", "--window", WEEK, "--only", "luck"), "luck"),
    "neither window nor files": (("assess",), "--window"),
    "a table of no kind": (("assess", "--only", "input-drift", "--table", "x=y.csv"), "x=y.csv"),
    "a map of nothing": (
        ("assess", "--only", "input-drift", "--table", "gateway_call=y.csv", "--map", "a"),
        "THEIRS=OURS",
    ),
    "an attestation of nothing": (("attest", "-o", "x.zip"), "--request"),
    "a key that is none": (("verify", "countersign.toml", "--key", "none"), "none"),
    "a day that is none": (("world", "build", "w", "--start", "Monday"), "Monday"),
    "no world": (("world", "serve", "nowhere"), "nowhere"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_use_exits_2_with_a_sentence(countersign: Run, empty: Path, case: str) -> None:
    words, named = WRONG[case]
    said = countersign(*words)
    assert said.code == 2, said
    assert is_one_sentence(said), said.err
    assert named in said.err


@pytest.mark.parametrize(
    "words", [("collect",), ("collect", "--windows", WEEK), ("nothing",), ("log",)]
)
def test_what_the_parser_refuses_exits_2(countersign: Run, empty: Path, words: Any) -> None:
    said = countersign(*words)
    assert said.code == 2
    assert "Traceback" not in said.err


MISSING = {
    "nothing was sealed": (("render", "--window", WEEK), "countersign seal"),
    "nothing was rendered": (
        ("sign", "--window", WEEK, "--approved-by", "Ada"),
        "countersign render",
    ),
    "nothing was signed": (("publish", "--window", WEEK, "--no-mail"), "countersign render"),
    "no such request": (("attest", "--request", "r1", "-o", "x.zip"), "nothing is sealed yet"),
}


@pytest.mark.parametrize("case", MISSING)
def test_missing_evidence_exits_3_and_says_what_to_run(
    countersign: Run, empty: Path, case: str
) -> None:
    words, remedy = MISSING[case]
    said = countersign(*words)
    assert (said.code, is_one_sentence(said)) == (3, True), said
    assert remedy in said.err


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('out = "out"', 'outt = "out"', "outt"),
        ('entity = "Example"', "entity = 7", "entity"),
        ("tolerance_ppm = 5000", "tolerance = 5000", "[controls.token-reconciliation] tolerance"),
        ("[controls.input-drift]", "[controls.input-drfit]", "input-drfit"),
        ("[mail]", "[mail", "TOML"),
        ("[mail]", '[sources.x]\nconnector = "telnet"\nurl = "file:x"\n[mail]', "telnet"),
        ("[mail]", '[sources.x]\nconnector = "litellm"\nurl = "ftp://x"\n[mail]', "[sources.x]"),
    ],
)
def test_a_wrong_configuration_names_the_key(
    countersign: Run, empty: Path, old: str, new: str, named: str
) -> None:
    file = empty / "countersign.toml"
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), "utf-8")
    about_controls = "controls" in old or "controls" in named
    said = countersign(*(("controls",) if about_controls else ("collect", "--window", WEEK)))
    assert (said.code, is_one_sentence(said)) == (2, True), said
    assert named in said.err


def test_a_port_that_is_taken_is_named(countersign: Run, calm: Any) -> None:
    with calm.serve():
        said = countersign("world", "serve", str(calm.folder), "--port", str(calm.port))
    assert (said.code, is_one_sentence(said)) == (2, True)
    assert str(calm.port) in said.err


def test_a_secret_that_is_not_set_is_named_and_exits_2(
    countersign: Run, calm: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    site = calm.copy(tmp_path / "site")
    monkeypatch.delenv("COUNTERSIGN_BEACON_KEY")
    said = countersign(
        "collect", "--window", WEEK, "--only", "beacons", "--config", str(site.config)
    )
    assert said.code == 2
    assert "COUNTERSIGN_BEACON_KEY" in said.err


def test_init_writes_keys_once_and_never_over_them(countersign: Run, empty: Path) -> None:
    (empty / "countersign.toml").open("a", encoding="utf-8").write("# mine\n")
    before = {file: file.read_bytes() for file in empty.rglob("*") if file.is_file()}
    first = countersign("init")
    assert first.code == 0
    assert {file: file.read_bytes() for file in before} == before
    secret = [f for f in (empty / "keys").iterdir() if f.suffix == ".key"]
    assert len(secret) == 3
    assert {file.stat().st_mode & 0o077 for file in secret} == {0}


def test_init_refuses_a_name_that_would_break_its_file(countersign: Run, tmp_path: Path) -> None:
    said = countersign("init", str(tmp_path / "x"), "--entity", 'A "quoted" name')
    assert (said.code, is_one_sentence(said)) == (2, True)


def test_doctor_is_content_with_a_new_folder(countersign: Run, empty: Path) -> None:
    said = countersign("doctor", "--json")
    assert said.code == 0, said.out
    assert all(check["good"] for check in json.loads(said.out))


def test_doctor_names_what_is_missing(
    countersign: Run, calm: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = calm.copy(tmp_path / "site", "keys", "surfaces")
    monkeypatch.delenv("COUNTERSIGN_BEACON_KEY")
    site.read_files()
    site.edit('url = "file:export/beacons"', 'url = "http://127.0.0.1:9/beacons"')
    said = countersign("doctor", "--config", str(site.config))
    assert said.code == 3
    bad = {line.split(":")[0].removeprefix("BAD ").strip(): line
           for line in said.out.splitlines() if line.startswith("BAD")}  # fmt: skip
    assert {"keys", "source surfaces", "source beacons"} <= set(bad)
    assert "COUNTERSIGN_BEACON_KEY" in bad["source beacons"]
    assert "ok   source litellm" in said.out


def test_reading_commands_answer_in_json(countersign: Run, calm: Any, published: Any) -> None:
    config = ("--config", str(calm.config), "--json")
    assert "claim" in json.loads(countersign("controls", *config).out)["input-drift"]
    found = json.loads(countersign("sources", *config).out)
    assert found["litellm"]["last_complete_day"] is None
    assert len(found) == 9
    said = countersign("sources", "--config", str(published.config)).out
    assert "beacons: delivery-beacon at http://127.0.0.1" in said
    assert said.count("complete up to 2026-11-15") == 7
    assert said.count("complete up to dated") == 2


def test_working_commands_answer_in_json(countersign: Run, published: Any, tmp_path: Path) -> None:
    site = published.copy(tmp_path / "site")
    config = ("--config", str(site.config), "--json")
    week = ("--window", WEEK)
    document = {
        words[0]: json.loads(countersign(*words, *config).out)
        for words in (
            ("admit",),
            ("seal", *week),
            ("render", *week),
            ("sign", *week, "--approved-by", "Ada"),
            ("publish", *week, "--no-mail"),
            ("attest", *week, "-o", str(tmp_path / "week.zip")),
            ("log", "check"),
        )
    }
    assert document["admit"] == {"rows": {}, "refused": {}}
    assert document["seal"]["size"] < document["log"]["size"]
    assert document["render"]["sha256"] != document["sign"]["sha256"]
    assert len(document["publish"]["files"]) == 4
    assert "violating" in document["attest"]["result"]
    verdicts = json.loads(
        countersign(
            "verify", str(site.folder / "out/CS-2026-W46.pdf"), str(tmp_path / "week.zip"),
            "--key", str(site.folder / "out/log.vkey"), "--json",
        ).out
    )  # fmt: skip
    assert [verdict["valid"] for verdict in verdicts] == [True, True]


def test_score_exits_1_when_something_planted_was_not_found(
    countersign: Run, published: Any
) -> None:
    said = countersign("world", "score", str(published.folder), "--window", WEEK, "--json")
    document = json.loads(said.out)["controls"]
    assert said.code == 1, "three weeks are too few for drift, and the score says so"
    assert document["input-drift"]["missed"] == ["new-level intent=passkey-migration"]
    for control in ("token-reconciliation", "data-residency"):
        assert document[control]["planted"] == document[control]["found"] > 0
        assert document[control]["spurious"] == []


def test_usage_reads_a_response_from_a_file(countersign: Run, tmp_path: Path) -> None:
    file = tmp_path / "response.json"
    usage = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120,
             "prompt_tokens_details": {"cached_tokens": 60}}  # fmt: skip
    body = {"object": "chat.completion", "id": "c1", "model": "m", "choices": [], "usage": usage}
    file.write_text(json.dumps(body), "utf-8")
    said = countersign("usage", "--provider", "openai", str(file), "--json")
    counters = json.loads(said.out)["counters"]
    assert (counters["in_uncached"], counters["in_cache_read"]) == (40, 60)
    assert countersign("usage", "--provider", "openai", str(tmp_path / "no")).code == 2
    assert countersign("usage", "--provider", "nobody", str(file)).code == 2
