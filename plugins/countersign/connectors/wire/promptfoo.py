"""promptfoo's result file: one result for each test, prompt and provider.

`{evalId, results: {version, timestamp, prompts, results: [...]}, config, metadata}`, as
`promptfoo eval -o results.json` writes it (versions 2 and 3 of the summary).
"""

from collections.abc import Iterator
from typing import Final

from countersign.canonical import digest
from countersign.connectors.wire.evaluation import share, texts
from countersign.connectors.wire.page import Page
from countersign.connectors.wire.value import Row, exact, flag, inner, optional_instant, text
from countersign.records import GoldenCase

_RUN: Final = "x-countersign-run"
_ERROR: Final = "2"
"""`failureReason` of a result that is no verdict: the provider or the assertion crashed."""


def is_file(fields: Row) -> bool:
    """Whether a document is such a file."""
    return isinstance(fields.get("results"), dict)


def is_result(fields: Row) -> bool:
    """Whether a row is one of its results, as `results` gives them."""
    return _RUN in fields


def results(page: Page, fields: Row) -> Iterator[Row]:
    """Every result with the run that it belongs to.

    Raises:
        SourceError: the file has no list of results.
    """
    summary = inner(fields, "results")
    rows = page.rows(summary, "results")
    prompts = summary.get("prompts")
    run = {
        "id": text(fields.get("evalId")),
        "at": summary.get("timestamp") or inner(fields, "metadata").get("evaluationCreatedAt"),
        "set": text(inner(fields, "config").get("description")),
        "prompts": prompts if isinstance(prompts, list) else [],
        "columns": len({text(result.get("promptIdx")) for result in rows}),
    }
    for result in rows:
        yield {**result, _RUN: run}


def case(result: Row, in_set: str | None, instrument: str) -> GoldenCase:
    """One result as the case that it tested."""
    run, test = inner(result, _RUN), inner(result, "testCase")
    about = inner(test, "metadata")
    is_verdict = text(result.get("failureReason")) != _ERROR
    return GoldenCase(
        set=run["set"] or in_set or "promptfoo",
        case_id=text(about.get("case_id")) or _named(result, test),
        run_id=_run_id(run, text(result.get("promptIdx"))),
        run_at=optional_instant(run["at"]),
        intent=text(about.get("intent")),
        language=text(about.get("language")),
        tenant=text(about.get("tenant")),
        instrument=instrument,
        prompt_hash=_prompt_hash(run, result),
        config_fingerprint=_provider(result),
        passed=flag(result.get("success")) if is_verdict else None,
        score_ppm=share(result, "score") if is_verdict else None,
        tags=texts(about.get("tags")),
    )


def _named(result: Row, test: Row) -> str:
    """The digest of the variables: the same question is the same case in every run."""
    asked = inner(result, "vars") or inner(test, "vars")
    said = exact(sorted(asked.items())) if asked else text(test.get("description")) or ""
    return "vars-" + digest(said.encode("utf-8", "replace"))[:32]


def _run_id(run: Row, column: str | None) -> str | None:
    """The evaluation; with its prompt's column where it compared several."""
    if run["id"] is None or run["columns"] < 2 or column is None:
        return text(run["id"])
    return f"{run['id']}/{column}"


def _prompt_hash(run: Row, result: Row) -> str | None:
    """The digest of the prompt's template; what was sent has the variables filled in."""
    column = result.get("promptIdx")
    known = run["prompts"]
    if not isinstance(column, int) or not 0 <= column < len(known):
        return None
    template = text(known[column].get("raw")) if isinstance(known[column], dict) else None
    return None if template is None else digest(template.encode("utf-8", "replace"))


def _provider(result: Row) -> str | None:
    return text(inner(result, "provider").get("id")) or text(result.get("provider"))
