"""OSCAL assessment results: mapped honestly, linked completely, the same every time."""

from dataclasses import replace

import pytest

from countersign.canonical import encode
from countersign.packet import oscal
from countersign.packet.input import NotRun


@pytest.fixture
def results(given):
    return oscal.assessment_results(given)["assessment-results"]


def test_inconclusive_is_not_satisfied_with_reason_other(given):
    open_ = {**given.findings[0], "state": "inconclusive", "reason": "delivery is absent"}
    document = oscal.assessment_results(replace(given, findings=(open_, *given.findings[1:])))
    findings = document["assessment-results"]["results"][0]["findings"]
    found = next(f for f in findings if f["title"] == "Token reconciliation")
    assert found["target"]["status"] == {
        "state": "not-satisfied",
        "reason": "other",
        "remarks": "Inconclusive: Delivery is absent.",
    }


def test_a_control_that_did_not_run_has_an_observation_and_no_finding(given):
    crashed = replace(
        given,
        findings=given.findings[1:],
        not_run={"token-reconciliation": NotRun("KeyError", "conclude")},
    )
    result = oscal.assessment_results(crashed)["assessment-results"]["results"][0]
    assert len(result["findings"]) == 2
    assert len(result["observations"]) == 3


def test_every_link_leads_somewhere(results):
    resources = {r["uuid"] for r in results["back-matter"]["resources"]}
    result = results["results"][0]
    observations = {o["uuid"] for o in result["observations"]}
    assert results["import-ap"]["href"].removeprefix("#") in resources
    for observation in result["observations"]:
        for evidence in observation.get("relevant-evidence", []):
            assert evidence["href"].removeprefix("#") in resources
    for finding in result["findings"]:
        for related in finding["related-observations"]:
            assert related["observation-uuid"] in observations


def test_evidence_hashes_are_those_of_the_findings(results, given):
    hashes = {
        r["rlinks"][0]["hashes"][0]["value"]
        for r in results["back-matter"]["resources"]
        if "rlinks" in r
    }
    assert {e["digest"] for f in given.findings for e in f["evidence"]} <= hashes
    assert {row.digest for row in given.evidence} <= hashes


def test_the_document_is_the_same_twice_and_has_no_uuid_twice(given, results):
    assert encode(oscal.assessment_results(given)) == encode(oscal.assessment_results(given))
    uuids = []

    def collect(value):
        if isinstance(value, dict):
            uuids.extend(v for k, v in value.items() if k == "uuid")
            for item in value.values():
                collect(item)
        elif isinstance(value, list):
            for item in value:
                collect(item)

    collect(results)
    assert len(uuids) == len(set(uuids))
    assert results["metadata"]["oscal-version"] == "1.2.1"
