"""The findings as OSCAL 1.2.1 assessment results, for machines that read those.

OSCAL knows satisfied and not-satisfied. An inconclusive finding is not-satisfied with reason
`other` and our words as remarks; a control that did not run has an observation and no finding.
Identifiers are derived (UUID version 5) from the packet and the thing, so they repeat.
"""

import uuid
from collections.abc import Mapping
from typing import Final

from countersign.canonical import Json
from countersign.model import State, rfc3339
from countersign.packet.input import EvidenceRow, PacketInput
from countersign.packet.summary import Verdict, verdicts
from countersign.packet.table import records
from countersign.packet.text import plain

VERSION: Final = "1.2.1"
_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "urn:countersign:oscal:v0.1")
_NS: Final = "urn:countersign:oscal:v0.1"
_MOST_LINKED: Final = 200


def assessment_results(given: PacketInput) -> dict[str, Json]:
    """The `assessment-results` document of a packet."""
    found = verdicts(given)
    at = rfc3339(given.prepared_at_us)
    return {
        "assessment-results": {
            "uuid": _uuid(given, "assessment-results"),
            "metadata": {
                "title": f"{plain(given.entity, 80)}, {given.packet_id}",
                "last-modified": at,
                "version": str(given.version),
                "oscal-version": VERSION,
                "remarks": "Management-prepared. Not an auditor's opinion.",
            },
            "import-ap": {"href": f"#{_uuid(given, 'plan')}"},
            "results": [_result(given, found, at)],
            "back-matter": {"resources": [_plan(given), *_resources(given)]},
        }
    }


def _result(given: PacketInput, found: tuple[Verdict, ...], at: str) -> dict[str, Json]:
    start, end = rfc3339(given.window.start_us), rfc3339(given.window.end_us)
    findings: list[Json] = [
        _finding(given, verdict) for verdict in found if verdict.state is not State.NOT_RUN
    ]
    result: dict[str, Json] = {
        "uuid": _uuid(given, "result"),
        "title": f"Window {given.window}",
        "description": f"{given.status.value.capitalize()} results of {len(found)} controls.",
        "start": start,
        "end": end,
        "props": [_prop("status", given.status.value), _prop("packet", given.packet_id)],
        "reviewed-controls": {
            "control-selections": [{"include-controls": [{"control-id": v.control} for v in found]}]
        },
        "observations": [_observation(given, verdict, at) for verdict in found],
    }
    return {**result, "findings": findings} if findings else result


def _finding(given: PacketInput, verdict: Verdict) -> dict[str, Json]:
    satisfied = verdict.state is State.SATISFIED
    status: dict[str, Json] = {"state": "satisfied" if satisfied else "not-satisfied"}
    if verdict.state is State.INCONCLUSIVE:
        status |= {"reason": "other", "remarks": f"Inconclusive: {verdict.reason}"}
    elif not satisfied:
        status |= {"reason": "fail", "remarks": verdict.reason}
    return {
        "uuid": _uuid(given, f"finding {verdict.control}"),
        "title": verdict.title,
        "description": verdict.reason,
        "props": [_prop("state", verdict.state.value), _prop("set-by", verdict.set_by)],
        "target": {
            "type": "objective-id",
            "target-id": f"{verdict.control}_obj",
            "status": status,
        },
        "related-observations": [{"observation-uuid": _uuid(given, f"seen {verdict.control}")}],
    }


def _observation(given: PacketInput, verdict: Verdict, at: str) -> dict[str, Json]:
    evidence = _evidence(given, verdict.control)
    observation: dict[str, Json] = {
        "uuid": _uuid(given, f"seen {verdict.control}"),
        "title": verdict.title,
        "description": verdict.reason,
        "props": [_prop("state", verdict.state.value)],
        "methods": ["TEST"],
        "types": ["control-objective"],
        "collected": at,
    }
    return {**observation, "relevant-evidence": evidence} if evidence else observation


def _evidence(given: PacketInput, control: str) -> list[Json]:
    """What the finding says it rests on: each source's digest, as a resource of its own."""
    finding: Mapping[str, Json] = next(
        (f for f in given.findings if f.get("control") == control), {}
    )
    return [
        {"href": f"#{_uuid(given, 'evidence ' + str(part.get('digest')))}",
         "description": f"{plain(part.get('kind'), 60)} from {plain(part.get('source'), 60)}"}
        for part in records(finding.get("evidence"), _MOST_LINKED)
    ]  # fmt: skip


def _resources(given: PacketInput) -> list[Json]:
    """Evidence of the findings and files of the index, each once, with its SHA-256."""
    seen: dict[str, Json] = {}
    for finding in given.findings:
        for part in records(finding.get("evidence"), _MOST_LINKED):
            title = f"{plain(part.get('kind'), 60)} from {plain(part.get('source'), 60)}"
            seen.setdefault(str(part.get("digest")), _resource(given, title, str(part["digest"])))
    for row in given.evidence:
        seen.setdefault(row.digest, _file(given, row))
    return list(seen.values())


def _file(given: PacketInput, row: EvidenceRow) -> dict[str, Json]:
    resource = _resource(given, plain(row.name, 160), row.digest)
    if row.leaf is not None:
        resource["props"] = [_prop("log-leaf", str(row.leaf))]
    return resource


def _resource(given: PacketInput, title: str, digest: str) -> dict[str, Json]:
    hashes: list[Json] = [{"algorithm": "SHA-256", "value": digest}]
    return {
        "uuid": _uuid(given, f"evidence {digest}"),
        "title": title,
        "rlinks": [{"href": f"urn:sha256:{digest}", "hashes": hashes}],
    }


def _plan(given: PacketInput) -> dict[str, Json]:
    return {
        "uuid": _uuid(given, "plan"),
        "title": "Assessment plan: the installation's configuration and registered controls",
        "description": "Each control states its test and parameters in the packet.",
    }


def _prop(name: str, value: str) -> dict[str, Json]:
    return {"name": name, "ns": _NS, "value": plain(value, 200) or "none"}


def _uuid(given: PacketInput, thing: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, f"{given.entity} {given.packet_id} {given.version} {thing}"))
