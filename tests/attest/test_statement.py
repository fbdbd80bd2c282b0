"""Statements: the published good and bad ones, and the rules of in-toto Statement v1."""

import json
from pathlib import Path

import pytest

from countersign.attest import statement
from countersign.attest.statement import Statement, Subject
from countersign.errors import VerificationError

GOOD = Statement((Subject("s", {"sha256": "ab"}),), "urn:example:p:v1", {"a": 1})


def test_published_statements(shared_data: Path) -> None:
    vectors = json.loads((shared_data / "vectors/derived/vectors.json").read_bytes())
    found = statement.decode(vectors["intoto_statement"]["good"].encode())
    assert found == Statement(
        (Subject("theSub", {"alg1": "abc123"}),), "thePredicate", {"keyObj": {"subKey": "subVal"}}
    )
    for bad in vectors["intoto_statement"]["bad"]:
        with pytest.raises(VerificationError, match="statement, field"):
            statement.decode(bad.encode())


def test_a_statement_is_read_and_written_back() -> None:
    assert statement.decode(statement.encode(GOOD)) == GOOD


def test_unknown_fields_and_an_absent_predicate_are_allowed() -> None:
    document = json.loads(statement.encode(GOOD))
    del document["predicate"]
    document["later"] = True
    assert statement.decode(json.dumps(document).encode()).predicate == {}


@pytest.mark.parametrize(
    "subject",
    ["s", {}, {"digest": {}}, {"digest": {"sha256": ""}}, {"digest": {"sha256": 1}}, None],
)
def test_a_subject_without_a_digest_is_refused(subject: object) -> None:
    document = {**json.loads(statement.encode(GOOD)), "subject": [subject]}
    with pytest.raises(VerificationError):
        statement.decode(json.dumps(document).encode())


@pytest.mark.parametrize("content", [b"", b"null", b"[1]", b"[" * 100_000, b"\xff"])
def test_what_is_no_statement_is_refused(content: bytes) -> None:
    with pytest.raises(VerificationError, match="statement"):
        statement.decode(content)
