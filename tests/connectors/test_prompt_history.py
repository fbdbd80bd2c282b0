"""A real repository's history: who, reviewed by whom, live since when; hostile names, settings."""

import os
import subprocess
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from countersign.connectors.price_list import PriceList
from countersign.connectors.prompt_history import PromptHistory
from countersign.errors import Fault, SourceError
from countersign.model import Window
from countersign.pipeline.history import GitRepository
from countersign.records import PromptChange

DAY = Window.parse("2026-11-02/2026-11-03")
T0 = 1793606400  # 2026-11-02T08:00:00Z
Git = Callable[..., str]


@pytest.fixture
def git(tmp_path: Path) -> Git:
    """A repository, and a program that works in it as Ada at a given second."""
    home = tmp_path / "repo"
    home.mkdir()
    ada = {"NAME": "Ada", "EMAIL": "Ada@Example.com"}
    fixed = {
        "PATH": os.environ["PATH"],
        "GIT_CONFIG_GLOBAL": os.devnull,
        **{f"GIT_{role}_{k}": v for role in ("AUTHOR", "COMMITTER") for k, v in ada.items()},
    }

    def run(*words: str, at: int = 0, **settings: str) -> str:
        when = {f"GIT_{role}_DATE": f"{T0 + at} +0100" for role in ("AUTHOR", "COMMITTER")}
        done = subprocess.run(
            ["git", *words], cwd=home, env=fixed | when | settings, check=True, capture_output=True
        )
        return done.stdout.decode().strip()

    run("init", "-q", "-b", "main")
    return run


@pytest.fixture
def write(git: Git, tmp_path: Path) -> Callable[..., str]:
    """Writes a file and commits it; gives the commit's name."""

    def commit(content: str, message: str, at: int, name: str = "prompts/a.txt", **env: str) -> str:
        file = tmp_path / "repo" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
        git("add", "-A")
        git("commit", "-q", "--allow-empty", "-m", message, at=at, **env)
        return git("rev-parse", "HEAD")

    return commit


def page(tmp_path: Path, source: PromptHistory) -> bytes:
    [found] = source.history(GitRepository("prompts", tmp_path / "repo"), DAY)
    return found


def changes(tmp_path: Path, **settings: object) -> list[PromptChange]:
    source = PromptHistory(**settings)  # type: ignore[arg-type]  # fields of several types
    found = list(source.parse(page(tmp_path, source)))
    return [change for change in found if isinstance(change, PromptChange)]


def us(at: int) -> int:
    return (T0 + at) * 1_000_000


def test_commit_tells_author_reviewers_ticket_and_evaluation(
    write: Callable[..., str], tmp_path: Path
) -> None:
    message = """PAY-12: shorter answers

Because readers asked.

Reviewed-by: Bo <BO@example.com>
Approved-by: Cy <cy@example.com>
Reviewed-by: Dee <dee@example.com>
Co-authored-by: Dee <dee@example.com>
Eval-run: run-44
Eval-score: 0.93
Eval-threshold: 0.9
Cohorts: beta, staff
Compliance-approved-by: legal@example.com
"""
    made = write("Be brief.\n", message, at=10)
    [change] = changes(tmp_path)
    assert change.change_id == made
    assert (change.artifact, change.artifact_kind) == ("prompts/a.txt", "prompt")
    assert change.content_hash == sha256(b"Be brief.\n").hexdigest()
    assert change.parent_hash is None
    assert change.author == "ada@example.com"
    assert change.reviewers == ("bo@example.com", "cy@example.com")  # Dee wrote a part of it
    assert (change.approved_by, change.approved_at) == ("cy@example.com", None)
    assert change.ticket == "PAY-12"
    assert (change.eval_run_id, change.eval_score_ppm) == ("run-44", 930_000)
    assert change.eval_threshold_ppm == 900_000
    assert change.cohorts == ("beta", "staff")
    assert change.compliance_approval == "legal@example.com"
    assert change.created_at == change.activated_at == us(10)


def test_merge_makes_the_last_version_of_its_branch_live(
    git: Git, write: Callable[..., str], tmp_path: Path
) -> None:
    write("one", "first", at=0)
    git("checkout", "-q", "-b", "feature")
    second = write("two", "second", at=10)
    third = write("three", "third\n\nReviewed-by: bo@example.com", at=20)
    git("checkout", "-q", "main")
    write("else", "beside", at=30, name="other.txt")
    merger = {"GIT_AUTHOR_EMAIL": "cy@example.com"}
    message = "Merge feature\n\nApproved-by: cy@example.com"
    git("merge", "-q", "--no-ff", "-m", message, "feature", at=60, **merger)
    by_id = {change.change_id: change for change in changes(tmp_path)}
    assert len(by_id) == 3
    assert (by_id[second].activated_at, by_id[second].activated_by) == (None, None)
    live = by_id[third]
    assert (live.created_at, live.activated_at) == (us(20), us(60))
    assert (live.author, live.activated_by) == ("ada@example.com", "cy@example.com")
    assert live.reviewers == ("bo@example.com", "cy@example.com")
    assert live.parent_hash == by_id[second].content_hash


def test_merge_that_writes_something_itself_is_a_change_of_its_own(
    git: Git, write: Callable[..., str], tmp_path: Path
) -> None:
    write("one\n", "first", at=0)
    git("checkout", "-q", "-b", "feature")
    write("two\n", "second", at=10)
    git("checkout", "-q", "main")
    git("merge", "-q", "--no-ff", "--no-commit", "feature", at=20)
    merged = write("neither\n", "Merge, and change", at=20)
    found = {change.change_id: change for change in changes(tmp_path)}
    assert found[merged].content_hash == sha256(b"neither\n").hexdigest()
    assert found[merged].activated_at == us(20)
    assert len([c for c in found.values() if c.activated_at]) == 2


def test_content_that_returns_takes_back_what_was_there(
    write: Callable[..., str], tmp_path: Path
) -> None:
    write("one", "first", at=0)
    second = write("two", "second", at=10)
    back = write("one", 'Revert "second"', at=20)
    by_id = {change.change_id: change for change in changes(tmp_path)}
    assert by_id[back].rollback_of == second
    assert by_id[second].rollback_of is None


def test_removal_is_a_change_to_nothing(
    git: Git, write: Callable[..., str], tmp_path: Path
) -> None:
    write("one", "first", at=0)
    git("rm", "-q", "prompts/a.txt")
    git("commit", "-q", "-m", "remove", at=10)
    _, removed = changes(tmp_path)
    assert removed.content_hash == sha256(b"").hexdigest()
    assert removed.parent_hash == sha256(b"one").hexdigest()
    assert removed.rollback_of is None


def test_artifacts_are_chosen_by_path_and_have_the_kind_that_fits_first(
    write: Callable[..., str], tmp_path: Path
) -> None:
    write("1", "a", at=0)
    write("2", "b", at=1, name="prompts/deep/er/router.toml")
    write("3", "c", at=2, name="src/main.py")
    kinds = {"prompts/**/*.toml": "router", "prompts/**": "prompt"}
    found = {c.artifact: c.artifact_kind for c in changes(tmp_path, artifacts=kinds)}
    assert found == {"prompts/a.txt": "prompt", "prompts/deep/er/router.toml": "router"}


@pytest.mark.parametrize("name", ["a b\n:000000 c.txt", "-rf.txt", 'q"uo\\te.txt', "ümläut.txt"])
def test_names_and_messages_cannot_forge_a_commit(
    write: Callable[..., str], tmp_path: Path, name: str
) -> None:
    forged = "x\n\ncommit\n:100644 100644 " + "0" * 40 + " " + "1" * 40 + " M\n"
    write("one", forged, at=0, name=f"prompts/{name}")
    [change] = changes(tmp_path)
    assert change.artifact == f"prompts/{name}"


def test_message_that_looks_like_a_change_only_adds_an_object(
    git: Git, write: Callable[..., str], tmp_path: Path
) -> None:
    first = write("one", "first", at=0)
    tree = git("rev-parse", "HEAD^{tree}")
    write("two", f":100644 100644 {tree} {first} M", at=1)
    assert [c.artifact for c in changes(tmp_path)] == ["prompts/a.txt"] * 2


def test_nothing_that_the_repository_names_is_run(
    git: Git, write: Callable[..., str], tmp_path: Path
) -> None:
    write("one", "first", at=0)
    write("*.txt diff=evil filter=evil\n", "attributes", at=1, name=".gitattributes")
    trap = f"touch {tmp_path / 'ran'}"
    for setting in (
        "core.fsmonitor", "core.pager", "pager.log", "diff.external", "diff.evil.textconv",
        "diff.evil.command", "filter.evil.smudge", "gpg.program", "core.sshCommand", "alias.log",
    ):  # fmt: skip
        git("config", setting, trap)
    git("config", "log.showSignature", "true")
    assert len(changes(tmp_path)) == 1
    assert not (tmp_path / "ran").exists()


def test_folder_without_repository_or_branch_is_refused(git: Git, tmp_path: Path) -> None:
    inside = tmp_path / "repo" / "below"
    inside.mkdir()
    for root, branch in ((tmp_path, "HEAD"), (inside, "HEAD"), (tmp_path / "repo", "--all")):
        with pytest.raises(SourceError) as refused:
            GitRepository("prompts", root).log(branch, ("prompts/**",))
        assert refused.value.fault is Fault.REFUSED
        assert "prompts" in str(refused.value)
    del git


def test_history_cut_anywhere_is_never_read_as_a_shorter_one(
    write: Callable[..., str], tmp_path: Path
) -> None:
    write("one", "first", at=0)
    write("two", "second", at=1)
    whole = page(tmp_path, PromptHistory())
    for cut in range(1, len(whole)):
        with pytest.raises(SourceError):
            list(PromptHistory().parse(whole[:cut]))


def test_other_sources_are_no_repositories(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="git repository"):
        PriceList().history(GitRepository("prices", tmp_path), DAY)


def test_empty_history_is_a_page_without_changes(write: Callable[..., str], tmp_path: Path) -> None:
    write("x", "other", at=0, name="README")
    assert changes(tmp_path) == []
