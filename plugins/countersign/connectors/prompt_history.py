"""Who changed a governed prompt or configuration, who reviewed it, and when it went live."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from countersign.canonical import digest
from countersign.connectors.interface import Connector, Fetch, History
from countersign.connectors.wire import git_page
from countersign.connectors.wire.evaluation import texts
from countersign.connectors.wire.lineage import Step, steps
from countersign.connectors.wire.page import Page
from countersign.connectors.wire.trailers import person, trailers
from countersign.connectors.wire.value import UnreadableError, micros
from countersign.errors import Fault
from countersign.model import Window
from countersign.records import PromptChange, Record
from countersign.registry import plugin_id

_REVIEWS: Final = ("reviewed-by", "approved-by")
_TICKETS: Final = ("ticket", "issue", "fixes", "closes", "refs")
_NOTHING: Final = digest(b"")


@dataclass(frozen=True)
class PromptHistory(Connector):
    """One row per commit and file that it changed.

    Reads: a git repository on disk (`url = "git:PATH"`): the commits of `branch` that touch
    `artifacts`, merges, and the bytes of every version. `content_hash` is the SHA-256 of the
    file's bytes. From a message's last lines come `Reviewed-by`, `Approved-by`, `Ticket` (or
    `Issue`, `Fixes`, `Closes`, `Refs`), `Eval-run`, `Eval-score`, `Eval-threshold`, `Cohorts`
    and `Compliance-approved-by`; those of the merge count for what it merged.

    Credential: none; read access to the repository's folder. Nothing is fetched and no hook,
    filter or pager of the repository is run.

    Late: never; a commit is there or not. A branch that was rewritten shows its new past only.

    Cannot tell: author and times are what the committer's machine said, and trailers are typed
    by people: signatures are not checked. Live means that the branch held it: when a deployment
    followed is not said. A version that a later one replaced before the merge never went live,
    and keeps `activated_at` NULL. When something was approved is not in git: `approved_at` stays
    NULL. Who wrote a part (`Co-authored-by`) is no reviewer of it. Tags and notes are not read.
    """

    kinds = (PromptChange,)
    lag = timedelta(0)

    artifacts: Mapping[str, str] = field(default_factory=lambda: {"prompts/**": "prompt"})
    """Kind of artifact by path, as git's globs (`prompts/**`, `config/*.toml`); first fit wins."""
    branch: str = "HEAD"
    """The branch whose content is deployed."""
    ticket: str = r"\b[A-Z][A-Z0-9]+-\d+\b"
    """Where a message without such a trailer names its ticket: the first match in its subject."""

    def pages(self, fetch: Fetch, window: Window) -> Iterator[bytes]:  # noqa: ARG002 - dated
        """The one page, kept from a repository elsewhere, behind the address."""
        yield fetch("")

    def history(self, repository: History, window: Window) -> Iterator[bytes]:
        """The whole history as one page: what is live now may have been changed years ago."""
        del window
        log = repository.log(self.branch, tuple(self.artifacts))
        yield repository.blobs(git_page.wanted(log)) + log + git_page.END

    def parse(self, page: bytes) -> Iterator[Record]:
        """Every change, oldest first."""
        whole = Page(plugin_id(type(self)), page)
        contents, log = git_page.blobs(whole)
        found = steps(list(git_page.commits(whole, log)))
        return whole.records(found, lambda step: self._change(whole, step, contents))

    def _change(self, page: Page, step: Step, contents: Mapping[str, str]) -> Iterator[Record]:
        kind = self._kind(step.change.path)
        if kind is None:
            return
        commit, live = step.commit, step.live
        content = _hash(step.change.new, contents)
        if content is None:
            raise page.fault(Fault.TRUNCATED, "the bytes of every version", step.change.new)
        own = trailers(commit.message)
        said = (
            own if live in (None, commit) else _joined(own, trailers(live.message if live else ""))
        )
        yield PromptChange(
            change_id=commit.name,
            artifact=step.change.path,
            artifact_kind=kind,
            content_hash=content,
            parent_hash=_hash(step.change.old, contents) if step.change.old.strip("0") else None,
            author=person(commit.author),
            reviewers=_people(said, *_REVIEWS) or None,
            ticket=self._ticket(said, commit.message),
            eval_run_id=_one(said, "eval-run"),
            eval_score_ppm=_ppm(said, "eval-score"),
            eval_threshold_ppm=_ppm(said, "eval-threshold"),
            created_at=commit.authored_at,
            approved_by=next(iter(_people(said, "approved-by")), None),
            activated_at=live.committed_at if live else None,
            activated_by=person(live.author) if live else None,
            cohorts=texts(_one(said, "cohorts")),
            rollback_of=step.rollback_of,
            compliance_approval=_one(said, "compliance-approved-by"),
        )

    def _kind(self, path: str) -> str | None:
        fits = (kind for glob, kind in self.artifacts.items() if git_page.fits(glob, path))
        return next(fits, None)

    def _ticket(self, said: Mapping[str, Sequence[str]], message: str) -> str | None:
        named = next((value for name in _TICKETS if (value := _one(said, name))), None)
        match = None if named else re.search(self.ticket, message.partition("\n")[0][:500])
        return match[0] if match else named


def _hash(name: str, contents: Mapping[str, str]) -> str | None:
    return contents.get(name) if name.strip("0") else _NOTHING


def _joined(
    one: Mapping[str, Sequence[str]], two: Mapping[str, Sequence[str]]
) -> Mapping[str, Sequence[str]]:
    return {name: [*one.get(name, ()), *two.get(name, ())] for name in {**one, **two}}


def _one(said: Mapping[str, Sequence[str]], name: str) -> str | None:
    return next(iter(said.get(name, ())), None)


def _people(said: Mapping[str, Sequence[str]], *names: str) -> tuple[str, ...]:
    """Everyone named, once, who did not write a part of it."""
    wrote = set(map(person, said.get("co-authored-by", ())))
    named = (person(value) for name in names for value in said.get(name, ()))
    return tuple(dict.fromkeys(who for who in named if who not in wrote))


def _ppm(said: Mapping[str, Sequence[str]], name: str) -> int | None:
    """A share of one; what is none is no score, for people type it."""
    try:
        return micros(_one(said, name))
    except UnreadableError:
        return None
