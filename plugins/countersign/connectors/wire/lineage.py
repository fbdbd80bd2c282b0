"""Which commit brought which version to the deployed branch, and which version came back."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from countersign.connectors.wire.git_page import Change, Commit


@dataclass(frozen=True, slots=True)
class Step:
    """One version of one path: its commit, and the deployed branch's commit that made it live."""

    commit: Commit
    change: Change
    live: Commit | None
    rollback_of: str | None = None


@dataclass(slots=True)
class _Path:
    """What was live at one path, in order."""

    seen: set[str] = field(default_factory=set)
    last: str | None = None


def steps(commits: Sequence[Commit]) -> Iterator[Step]:
    """Every version, oldest first; `commits` are listed parents before children.

    The branch is its last commit's line of first parents. What a merge brought is ascribed to
    the merged commit that wrote it; a merge that wrote something itself is its author.
    """
    by_name = {commit.name: commit for commit in commits}
    live_by = _live_by(commits, by_name)
    written = _written(commits)
    paths: dict[str, _Path] = {}
    for commit in commits:
        live = live_by.get(commit.name)
        for change in commit.changes:
            is_relayed = len(commit.parents) > 1 and (change.path, change.new) in written
            if not is_relayed:
                reached = live if live is None or _brings(live, commit, change) else None
                yield _step(commit, change, reached, paths.setdefault(change.path, _Path()))


def _step(commit: Commit, change: Change, live: Commit | None, path: _Path) -> Step:
    if live is None:
        return Step(commit, change, None)
    back = path.last if change.new in path.seen else None
    path.seen |= {name for name in (change.old, change.new) if name.strip("0")}
    path.last = commit.name
    return Step(commit, change, live, back)


def _brings(live: Commit, commit: Commit, change: Change) -> bool:
    """Whether the branch's commit left the path as this commit wrote it, not as a later one."""
    return live is commit or any(
        c.path == change.path and c.new == change.new for c in live.changes
    )


def _written(commits: Sequence[Commit]) -> set[tuple[str, str]]:
    """Versions that a commit wrote which is no merge."""
    authored = (commit for commit in commits if len(commit.parents) < 2)
    return {(change.path, change.new) for commit in authored for change in commit.changes}


def _line(commits: Sequence[Commit], by_name: Mapping[str, Commit]) -> list[Commit]:
    """The line of first parents from the last commit, oldest first."""
    found: list[Commit] = []
    at = commits[-1] if commits else None
    while at is not None:
        found.append(at)
        at = by_name.get(at.parents[0]) if at.parents else None
    return found[::-1]


def _live_by(commits: Sequence[Commit], by_name: Mapping[str, Commit]) -> dict[str, Commit]:
    """For every commit, the first one of the branch's own line that contains it."""
    found: dict[str, Commit] = {}
    for tip in _line(commits, by_name):
        waiting = [tip.name]
        while waiting:
            name = waiting.pop()
            commit = by_name.get(name)
            if commit is not None and name not in found:
                found[name] = tip
                waiting.extend(commit.parents)
    return found
