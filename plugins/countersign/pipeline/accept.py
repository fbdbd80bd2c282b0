"""Accept a restored log: its witnesses were asked, or somebody answers for not asking them.

Then what the log says was erased since the backup is erased again: a backup must not bring
anybody back. Who was erased is found among the people and requests that the lake knows, by the
salted commitment in the log.
"""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Final

from countersign.attest import entries
from countersign.canonical import Json, encode
from countersign.config import Witness
from countersign.errors import ConfigError
from countersign.lake.subject import Named
from countersign.pipeline import duty, erase, restore, witness
from countersign.pipeline.witness import Cosigned, Post, UnansweredError
from countersign.pipeline.workspace import Workspace

_TENANT: Final = "tenant:"
_AGAIN: Final = "erased/again.json"
"""Entries whose erasures are to be done again: written before the log may grow."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """Who was asked, under which entry that stands, and who was erased again."""

    entry: int | None
    asked: tuple[Cosigned, ...]
    without: tuple[str, ...]
    again: int
    unknown: int

    @property
    def sentence(self) -> str:
        """For a person."""
        lines = [found.sentence for found in self.asked]
        lines += [f"witness {url} was NOT asked with success" for url in self.without]
        if not lines:
            lines = ["NO witness is configured: nobody can say whether a larger tree was seen"]
        lines.append(f"accepted, log entry {self.entry}: entries can be appended again")
        if self.entry is None:
            lines = ["it was accepted before"]
        if self.again or self.unknown:
            lines.append(
                f"{self.again} erasures since the backup done again;"
                f" {self.unknown} more are of nobody in this lake"
            )
        return "\n".join(lines)

    def document(self) -> dict[str, Json]:
        """For a program."""
        return {
            "entry": self.entry,
            "asked": [{"url": a.url, "before": a.before, "size": a.size} for a in self.asked],
            "without": list[Json](self.without),
            "erased_again": self.again,
            "erased_unknown": self.unknown,
        }


def accept(
    ws: Workspace, authority: str = "", without: Collection[str] = (), send: Post = witness.post
) -> Accepted:
    """Let a restored log grow again.

    Raises:
        ConfigError: there is none, or nobody answers for a witness that was not asked.
        EvidenceError: a witness knows a larger tree or another history, or gives no answer.
    """
    note = restore.note(ws)
    if note is None and ws.lake.store.exists(_AGAIN):
        return Accepted(None, (), (), *_finish(ws))
    if note is None:
        raise ConfigError("accept-restore", expected="a restored log", observed="none: it can grow")
    configured = ws.config.log.witnesses
    _check_call(configured, without, authority)
    asked, silent = [], []
    for each in configured:
        try:
            asked.append(witness.ask(ws, each, send))
        except UnansweredError:
            if each.url not in without:
                raise
            silent.append(each.url)
    content = _document(ws, note, authority, (asked, silent))
    entry = entries.restore(content, authority=authority, asked=len(asked), without=len(silent))
    span: dict[str, Json] = {"start": note["backed_up"]["size"], "end": ws.log.size}
    ws.lake.store.replace(_AGAIN, encode(span), private=True)
    index = ws.log.release(entry)
    witness.keep(ws.log, asked)
    return Accepted(index, tuple(asked), tuple(silent), *_finish(ws))


def _finish(ws: Workspace) -> tuple[int, int]:
    """What a kill after the acceptance may have left to do."""
    span = json.loads(ws.lake.store.get(_AGAIN))
    done = erase_again(ws, span["start"], span["end"])
    ws.lake.store.delete(_AGAIN)
    return done


def erase_again(ws: Workspace, start: int, end: int) -> tuple[int, int]:
    """Repeat the erasures among some entries; how many were, and how many are of nobody here."""
    wanted = dict(_erasures(ws, start, end))
    if not wanted:
        return 0, 0
    known = {ws.lake.erased.commitment("subject", n.text): n for n in _everybody(ws)}
    for subject in wanted.keys() & known.keys():
        erase.erase(ws, known[subject], wanted[subject])
    return len(wanted.keys() & known.keys()), len(wanted.keys() - known.keys())


def _check_call(configured: Collection[Witness], without: Collection[str], authority: str) -> None:
    for url in set(without) - {each.url for each in configured}:
        raise ConfigError("--without-witness", expected="one of [log] witnesses", observed=url)
    if authority:
        duty.checked("--authority", authority, None)
    elif without or not configured:
        why = "a witness is left out" if without else "no witness is configured"
        raise ConfigError(
            "--authority",
            expected=f"who answers for it, since {why}",
            observed="nobody",
            remedy="Name who decided that no newer log exists; it stays in the log for ever.",
        )


def _document(
    ws: Workspace, note: Any, authority: str, witnesses: tuple[list[Cosigned], list[str]]
) -> bytes:
    asked, silent = witnesses
    head = ws.log.head()
    facts: dict[str, Json] = {
        "backup": note["made_at"],
        "backed_up": note["backed_up"],
        "size": head.size,
        "root": head.root.hex(),
        "asked": [{"url": a.url, "before": a.before} for a in asked],
        "without": list[Json](silent),
        "authority": authority,
    }
    return duty.kept(ws, "restore", facts)


def _erasures(ws: Workspace, start: int, end: int) -> Iterator[tuple[str, str]]:
    """Whose erasure was logged, and by which authority."""
    for index in range(start, end):
        document = json.loads(ws.log.entry(index))
        if document["type"] == "erasure" and document["outcome"] == "erased":
            yield document["subject"], document["authority"]


def _everybody(ws: Workspace) -> Iterator[Named]:
    """Everybody and every request that this lake has a secret of."""
    for row in ws.lake.salts.pseudonyms().select(["scope", "plain"]).to_pylist():
        if row["scope"].startswith(_TENANT):
            yield Named(user=row["plain"], tenant=row["scope"].removeprefix(_TENANT) or None)
            yield Named(user=row["plain"])
    for name in ws.lake.store.names("salts/records"):
        day = name.rsplit("/", 1)[1].removesuffix(".parquet")
        yield from (Named(request=known) for known in ws.lake.salts.known_request_salts(day))
