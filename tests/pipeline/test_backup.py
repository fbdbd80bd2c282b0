"""Everything deleted and restored: what comes back, what is refused, what is asked first."""

import hashlib
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from countersign.canonical import encode
from countersign.config import LogSettings
from countersign.errors import ConfigError, EvidenceError, VerificationError
from countersign.lake import migration
from countersign.lake.store import LocalStore
from countersign.lake.subject import Named
from countersign.ledger import note
from countersign.ledger.key import SigningKey
from countersign.ledger.log import Log
from countersign.model import Window
from countersign.pipeline import (
    accept,
    admit,
    assess,
    backup,
    erase,
    evidence,
    keys,
    person,
    restore,
    seal,
    witness,
)
from countersign.pipeline.assess import findings
from countersign.pipeline.backup import HIDDEN, Secrecy
from countersign.pipeline.collect import collect
from countersign.pipeline.workspace import Workspace, open_workspace
from countersign.records import GatewayCall

PASSPHRASE = "correct horse"
Random = Callable[[int], bytes]


def fixed(count: int) -> bytes:
    return b"\x07" * count


def secrecy(*, private: bool = True, passphrase: str | None = PASSPHRASE) -> Secrecy:
    return Secrecy(passphrase, fixed, private)


def tree(root: Path, *without: str) -> dict[str, bytes]:
    """Every file below a folder, without locks, scratch files and half-written ones."""
    left_out = ("locks/", "tmp/", "duties.lock", "log/lock", *without)
    found = {f.relative_to(root).as_posix(): f for f in root.rglob("*") if f.is_file()}
    return {
        name: f.read_bytes()
        for name, f in found.items()
        if not name.startswith(left_out) and not is_partial(name)
    }


def is_partial(name: str) -> bool:
    """Whether a file is a part of a tile, for readers of an older checkpoint; they may be left."""
    return name.startswith("log/tile/") and ".p/" in name


@pytest.fixture(scope="module")
def backed_up(sealed: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of the sealed week with everything in it."""
    folder = tmp_path_factory.mktemp("backup") / "monday"
    backup.backup(sealed.open(), folder, secrecy())
    return folder


def emptied(site: Any) -> Any:
    """Lake, keys and published files deleted; the configuration too."""
    for part in ("lake", "keys", "out"):
        shutil.rmtree(site.folder / part, ignore_errors=True)
    site.config.unlink()
    return site


def put_back(site: Any, source: Path, *, passphrase: str | None = PASSPHRASE) -> Workspace:
    checked = restore.read(source, passphrase, without_secrets=passphrase is None)
    restore.configure(source, site.config)
    restore.restore(site.open(), checked)
    opened: Workspace = site.open()
    return opened


def watched(ws: Workspace, *configured: Any) -> Workspace:
    config = ws.config.model_copy(update={"log": LogSettings(witnesses=configured)})
    return replace(ws, config=config)


def test_everything_deleted_and_restored_is_what_it_was(fresh_week: Any, tmp_path: Path) -> None:
    ws = fresh_week.open()
    backup.backup(ws, tmp_path / "b", secrecy())
    lake, own = tree(ws.lake_root), tree(ws.keys)
    kept = {c: k.content for c in ws.controls if (k := findings(ws).latest(fresh_week.week, c))}
    ws = put_back(emptied(fresh_week), tmp_path / "b")
    assert tree(ws.lake_root, "log/restored.json") == lake
    assert tree(ws.keys) == own
    assert accept.accept(ws, "the platform lead").entry == ws.log.size - 1
    assert not evidence.check(ws).faults
    ws.log.check()
    again = assess.assess(ws, fresh_week.week)
    assert {a.control: a.kept.content for a in again if a.kept} == kept
    size = ws.log.size
    assert ws.log.append([b"life goes on"]) == range(size, size + 1)
    assert seal.seal(ws, fresh_week.week).size <= ws.log.size


def test_secrets_are_readable_by_nobody_but_their_owner(fresh_week: Any, backed_up: Path) -> None:
    ws = put_back(emptied(fresh_week), backed_up)
    private = [n for n in ws.lake.store.names() if n.startswith(("salts/", "page_keys/"))]
    files = [*(ws.lake_root / n for n in private), ws.keys / "log.key", ws.keys / "lake.key"]
    assert len(private) > 10
    assert {file.stat().st_mode & 0o077 for file in files} == {0}


def test_the_open_part_holds_no_secret(backed_up: Path, sealed: Any) -> None:
    ws = sealed.open()
    names = list(json.loads((backed_up / "backup.json").read_bytes())["files"])
    assert not [n for n in names if n.startswith(tuple(f"lake/{h}" for h in HIDDEN))]
    assert not [n for n in names if n.endswith(".key")]
    secret = [ws.lake.store.get(n) for n in ws.lake.store.names("page_keys")]
    seeds = [(ws.keys / n).read_bytes().strip() for n in ("log.key", "lake.key")]
    everything = b"".join(tree(backed_up).values())
    assert secret
    assert not [s for s in (*secret, *seeds) if s in everything]


def test_the_same_lake_gives_the_same_backup(sealed: Any, backed_up: Path, tmp_path: Path) -> None:
    backup.backup(sealed.open(), tmp_path / "again", secrecy())
    assert tree(tmp_path / "again") == tree(backed_up)


def test_private_keys_stay_out_unless_asked_for(fresh_week: Any, tmp_path: Path) -> None:
    ws = fresh_week.open()
    own = tree(ws.keys)
    done = backup.backup(ws, tmp_path / "b", secrecy(private=False))
    assert "NOT in it" in done.sentence
    ws = put_back(emptied(fresh_week), tmp_path / "b")
    assert set(tree(ws.keys)) == {"log.vkey", "packet.pem"}
    for name, content in own.items():  # from where their owner keeps them
        (ws.keys / name).write_bytes(content)
        (ws.keys / name).chmod(0o600)
    accept.accept(fresh_week.open(), "the platform lead")
    assert not evidence.check(fresh_week.open()).faults


def test_without_secrets_raw_pages_stay_closed(fresh_week: Any, tmp_path: Path) -> None:
    ws = fresh_week.open()
    done = backup.backup(ws, tmp_path / "b", secrecy(private=False, passphrase=None))
    assert "WITHOUT secrets" in done.sentence
    own = tree(ws.keys)
    ws = put_back(emptied(fresh_week), tmp_path / "b", passphrase=None)
    for name, content in own.items():
        (ws.keys / name).write_bytes(content)
        (ws.keys / name).chmod(0o600)
    first = next(m for m in ws.lake.raw.manifests().values() if m.pages)
    with pytest.raises(EvidenceError, match="its key is gone"):
        ws.lake.raw.page(first.source, first.day, first.pages[0].digest)


def changed(name: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        file = next(f for f in sorted(folder.rglob("*")) if f.is_file() and name in f.as_posix())
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(content)

    return change


def exchanged(folder: Path) -> None:
    """A file changed, and the list with it."""
    manifest = json.loads((folder / "backup.json").read_bytes())
    name = next(n for n in manifest["files"] if n.startswith("lake/tables/"))
    (folder / name).write_bytes(b"x")
    manifest["files"][name] = {"sha256": hashlib.sha256(b"x").hexdigest(), "bytes": 1}
    (folder / "backup.json").write_bytes(encode(manifest))


def shorter_log(folder: Path) -> None:
    manifest = json.loads((folder / "backup.json").read_bytes())
    manifest["log"]["size"] -= 1
    (folder / "backup.json").write_bytes(encode(manifest))


ATTACKS: dict[str, Callable[[Path], Any]] = {
    "a page": changed("lake/raw/"),
    "a table": changed("lake/tables/"),
    "the log": changed("log/tile/entries"),
    "the checkpoint": changed("log/checkpoint"),
    "the secrets": changed("/secrets"),
    "a file is missing": lambda f: next((f / "lake/manifests").rglob("*.json")).unlink(),
    "a file too many": lambda f: (f / "lake" / "more.json").write_bytes(b"{}"),
    "no list": lambda f: (f / "backup.json").unlink(),
    "a file and the list": exchanged,
    "another size of the log": shorter_log,
    "the last piece of the secrets": lambda f: (f / "secrets").write_bytes(
        (f / "secrets").read_bytes()[:-40]
    ),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_changed_backup_is_refused_before_anything_is_written(
    fresh_week: Any, backed_up: Path, tmp_path: Path, attack: str
) -> None:
    shutil.copytree(backed_up, tmp_path / "b")
    ATTACKS[attack](tmp_path / "b")
    site = emptied(fresh_week)
    before = tree(site.folder)
    with pytest.raises(VerificationError):
        put_back(site, tmp_path / "b")
    assert tree(site.folder) == before


def test_another_passphrase_or_none_is_refused(fresh_week: Any, backed_up: Path) -> None:
    site = emptied(fresh_week)
    with pytest.raises(VerificationError, match="another passphrase"):
        put_back(site, backed_up, passphrase="wrong")
    with pytest.raises(ConfigError, match="--passphrase"):
        restore.read(backed_up, None)


def test_a_backup_of_a_newer_layout_is_refused(backed_up: Path, tmp_path: Path) -> None:
    shutil.copytree(backed_up, tmp_path / "b")
    manifest = json.loads((tmp_path / "b/backup.json").read_bytes())
    manifest["lake"] = migration.VERSION + 1
    (tmp_path / "b/backup.json").write_bytes(encode(manifest))
    with pytest.raises(EvidenceError, match="newer version"):
        restore.read(tmp_path / "b", PASSPHRASE)


def test_a_place_that_is_taken_is_left_alone(fresh_week: Any, backed_up: Path) -> None:
    before = tree(fresh_week.folder)
    with pytest.raises(ConfigError, match="an empty place"):
        put_back(fresh_week, backed_up)
    shutil.rmtree(fresh_week.folder / "lake")
    (fresh_week.folder / "keys" / "log.vkey").write_text("another")
    with pytest.raises(ConfigError, match=r"log\.vkey"):
        put_back(fresh_week, backed_up)
    assert not (fresh_week.folder / "lake").exists()
    assert before


def test_another_installation_is_refused(fresh_week: Any, backed_up: Path) -> None:
    shutil.rmtree(fresh_week.folder / "lake")
    fresh_week.edit('origin = "countersign.example/simulated"', 'origin = "other.example/log"')
    with pytest.raises(ConfigError, match=r"other\.example"):
        put_back(fresh_week, backed_up)


def test_a_backup_is_never_written_over(backed_up: Path, sealed: Any) -> None:
    with pytest.raises(ConfigError, match="a new folder"):
        backup.backup(sealed.open(), backed_up, secrecy())


@pytest.mark.parametrize("moment", [0, 3, 40, 200])
def test_a_killed_restore_leaves_no_lake_and_is_done_again(
    fresh_week: Any, backed_up: Path, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    site, real, calls = emptied(fresh_week), LocalStore.put_new, iter(range(100_000))

    def dying(self: Any, name: str, content: bytes, *, private: bool = False) -> bool:
        if next(calls) == moment:
            raise KeyboardInterrupt
        return real(self, name, content, private=private)

    monkeypatch.setattr(LocalStore, "put_new", dying)
    with pytest.raises(KeyboardInterrupt):
        put_back(site, backed_up)
    monkeypatch.setattr(LocalStore, "put_new", real)
    assert not (site.folder / "lake").exists()
    ws = put_back(site, backed_up)
    accept.accept(ws, "the platform lead")
    assert not evidence.check(ws).faults
    assert not list(site.folder.glob(".*restoring"))


def test_a_backup_taken_while_days_are_admitted_is_whole(calm: Any, tmp_path: Path) -> None:
    site = calm.copy(tmp_path / "site")
    site.read_files()
    started, failures = threading.Event(), list[BaseException]()

    def work() -> None:
        try:
            ws = site.open()
            for day in site.week.days():
                collect(ws, type(site.week).day(day))
                started.set()
                admit.admit(ws)
        except BaseException as error:  # noqa: BLE001 - of a thread: looked at below
            failures.append(error)
            started.set()

    worker = threading.Thread(target=work)
    worker.start()
    started.wait()
    made = 0
    while worker.is_alive() or not made:
        backup.backup(site.open(), tmp_path / f"b{made}", secrecy())
        made += 1
    worker.join()
    assert not failures
    for number in range(made):
        other = replace(site, folder=tmp_path / f"r{number}")
        ws = put_back(other, tmp_path / f"b{number}")
        accept.accept(ws, "the platform lead")
        for table, version in ws.lake.admitted().tables.items():
            assert all(Path(f).exists() for f in ws.lake.delta.files(table, version))
        assert "missing" not in evidence.examine(ws).pages
    assert made >= 2


def test_a_restored_log_takes_nothing_before_it_is_accepted(
    fresh_week: Any, backed_up: Path
) -> None:
    ws = put_back(emptied(fresh_week), backed_up)
    size = ws.log.size
    for append in (ws.log.append, ws.log.append_once):
        with pytest.raises(EvidenceError, match="accept-restore"):
            append([b"new"])
    with pytest.raises(ConfigError, match="no witness is configured"):
        accept.accept(ws)
    assert ws.log.size == size
    done = accept.accept(ws, "the platform lead")
    assert "NO witness is configured" in done.sentence
    entry = json.loads(ws.log.entry(size))
    assert (entry["type"], entry["authority"]) == ("restore", "the platform lead")
    assert (entry["asked"], entry["without"]) == (0, 0)
    with pytest.raises(ConfigError, match="it can grow"):
        accept.accept(ws, "the platform lead")


@pytest.fixture
def small(sealed: Any, witnesses: ModuleType) -> Iterator[Any]:
    """A witness that was told of the log."""
    key = sealed.open().key
    known = witnesses.SmallWitness({key.name: key.key})
    with witnesses.served(known):
        yield known


def test_a_witness_that_knows_what_was_restored_lets_it_grow(
    fresh_week: Any, backed_up: Path, small: Any
) -> None:
    witness.cosign(watched(fresh_week.open(), small.configured))
    ws = watched(put_back(emptied(fresh_week), backed_up), small.configured)
    size = ws.log.size
    done = accept.accept(ws)
    assert [(a.before, a.size) for a in done.asked] == [(size, size)]
    signed = (ws.log.path / "cosignatures" / str(size)).read_bytes()
    assert signed.count(b"witness.test/w1") == 1
    ws.log.append([b"new"])
    assert witness.cosign(ws)[0].before == size


def test_a_witness_that_saw_a_larger_tree_forbids_it(
    fresh_week: Any, backed_up: Path, small: Any
) -> None:
    ws = watched(fresh_week.open(), small.configured)
    size = ws.log.size
    ws.log.append([b"after the backup"])
    witness.cosign(ws)
    ws = watched(put_back(emptied(fresh_week), backed_up), small.configured)
    for words in ((), ("somebody", (small.url,))):
        with pytest.raises(EvidenceError, match=rf"the {size + 1} entries .* observed {size} ent"):
            accept.accept(ws, *words)
    with pytest.raises(EvidenceError, match="accept-restore"):
        ws.log.append([b"new"])


def test_a_silent_witness_is_left_out_only_by_somebody_s_authority(
    fresh_week: Any, backed_up: Path, small: Any, witnesses: ModuleType
) -> None:
    gone = witnesses.SmallWitness(small.logs, SigningKey("w2", b"2" * 32, small.signer.algorithm))
    with witnesses.served(gone):
        pass
    restored = put_back(emptied(fresh_week), backed_up)
    ws = watched(restored, small.configured, gone.configured)
    size = ws.log.size
    with pytest.raises(EvidenceError, match=gone.url):
        accept.accept(ws, "the platform lead")
    with pytest.raises(ConfigError, match="a witness is left out"):
        accept.accept(ws, "", (gone.url,))
    with pytest.raises(ConfigError, match=r"w\.example"):
        accept.accept(ws, "the platform lead", ("https://w.example",))
    assert ws.log.size == size
    done = accept.accept(ws, "the platform lead", (gone.url,))
    assert gone.url in done.sentence
    entry = json.loads(ws.log.entry(size))
    assert (entry["asked"], entry["without"]) == (1, 1)
    said = json.loads(ws.lake.store.get(f"duties/{entry['sha256']}.json"))
    assert said["without"] == [gone.url]
    assert said["asked"] == [{"before": size, "url": small.url}], "it had cosigned at the first try"


def somebody(ws: Workspace) -> Named:
    """A user whom this lake knows."""
    tables = ws.lake.tables(Window.parse("2026-11-09/2026-11-16"))
    called = tables.run(tables.table(GatewayCall)).column("user_commitment").to_pylist()
    known = ws.lake.salts.pseudonyms().to_pylist()
    found = min((r for r in known if r["commitment"] in called), key=lambda r: r["plain"])
    return Named(user=found["plain"], tenant=found["scope"].removeprefix("tenant:"))


def test_who_was_erased_after_the_backup_is_erased_again_from_a_newer_log(
    fresh_week: Any, tmp_path: Path
) -> None:
    ws = fresh_week.open()
    backup.backup(ws, tmp_path / "b", secrecy())
    who = somebody(ws)
    before = person_rows(ws, who)
    assert before > 0
    done = erase.erase(ws, who, "case 7")
    assert (done.outcome, person_rows(ws, who)) == ("erased", 0)
    shutil.copytree(ws.log.path, tmp_path / "log")
    checked = restore.read(tmp_path / "b", PASSPHRASE)
    site = emptied(fresh_week)
    restore.configure(tmp_path / "b", site.config)
    made = restore.restore(site.open(), checked, tmp_path / "log")
    assert made.size > made.backed_up
    ws = site.open()
    assert person_rows(ws, who) == before, "the backup had them"
    accepted = accept.accept(ws, "the platform lead")
    assert (accepted.again, accepted.unknown) == (1, 0)
    assert person_rows(site.open(), who) == 0
    assert not [n for n in ws.lake.store.names("erased") if n.endswith("again.json")]
    assert not evidence.check(ws).faults, "the tombstone is there again, and logged"
    ws.log.check()


def test_a_kill_after_the_acceptance_loses_no_erasure(
    fresh_week: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ws = fresh_week.open()
    backup.backup(ws, tmp_path / "b", secrecy())
    who = somebody(ws)
    erase.erase(ws, who, "case 7")
    shutil.copytree(ws.log.path, tmp_path / "log")
    checked = restore.read(tmp_path / "b", PASSPHRASE)
    site = emptied(fresh_week)
    restore.configure(tmp_path / "b", site.config)
    restore.restore(site.open(), checked, tmp_path / "log")
    with monkeypatch.context() as patch:
        patch.setattr(accept, "erase_again", _killed)
        with pytest.raises(KeyboardInterrupt):
            accept.accept(site.open(), "the platform lead")
    assert person_rows(site.open(), who) > 0
    done = accept.accept(site.open(), "the platform lead")
    assert (done.entry, done.again) == (None, 1)
    assert person_rows(site.open(), who) == 0


def _killed(*_: Any) -> Any:
    raise KeyboardInterrupt


def test_an_older_or_a_forked_log_is_not_put_in_the_place_of_the_backup_s(
    fresh_week: Any, backed_up: Path, tmp_path: Path
) -> None:
    key = fresh_week.open().key
    Log.writer(tmp_path / "short", key).append([b"one"])
    size = fresh_week.open().log.size
    Log.writer(tmp_path / "forked", key).append([b"%d" % i for i in range(size + 3)])
    site = emptied(fresh_week)
    for log in ("short", "forked"):
        checked = restore.read(backed_up, PASSPHRASE)
        restore.configure(backed_up, site.config)
        with pytest.raises(VerificationError):
            restore.restore(site.open(), checked, tmp_path / log)
        assert not (site.folder / "lake").exists()


def test_an_empty_installation_is_backed_up_and_asked_for_too(
    tmp_path: Path, witnesses: ModuleType
) -> None:
    file = tmp_path / "site" / "countersign.toml"
    file.parent.mkdir()
    file.write_text('[countersign]\nentity = "E"\norigin = "countersign.example/log"\n')
    ws = open_workspace(str(file))
    keys.make(ws)
    shutil.rmtree(ws.log.path)
    backup.backup(open_workspace(str(file)), tmp_path / "b", secrecy())
    shutil.rmtree(file.parent)
    checked = restore.read(tmp_path / "b", PASSPHRASE)
    restore.configure(tmp_path / "b", file)
    restore.restore(open_workspace(str(file)), checked)
    ws = open_workspace(str(file))
    known = witnesses.SmallWitness({ws.key.name: ws.key.key}, seen={ws.key.name: (5, b"r" * 32)})
    with witnesses.served(known), pytest.raises(EvidenceError, match="the 5 entries"):
        accept.accept(watched(ws, known.configured))
    assert accept.accept(ws, "the platform lead").entry == 0
    assert note.decode(ws.log.checkpoint())


def person_rows(ws: Workspace, who: Named) -> int:
    """Rows of calls that are somebody's, in the version that readers see."""
    tables = ws.lake.tables(Window.parse("2026-11-09/2026-11-16"))
    rows = tables.run(tables.table(GatewayCall)).column("user_commitment").to_pylist()
    return sum(value in person.commitments(ws, who) for value in rows)
