"""A packet's input as one document, attached to it: what `--rerender` starts from."""

import dataclasses
import json
from typing import Any, Final, TypeVar

from countersign.canonical import Json, encode
from countersign.errors import CountersignError, EvidenceError
from countersign.model import State, Status, Window
from countersign.packet.input import (
    Approval,
    Checkpoint,
    ControlCard,
    EvidenceRow,
    Money,
    NotRun,
    Outage,
    PacketInput,
    Population,
    Previous,
    Source,
    Verification,
    Week,
)

SCHEMA: Final = "urn:countersign:packet-input:v0.1"
_LISTS: Final = {
    "populations": Population, "sources": Source, "evidence": EvidenceRow,
    "approvals": Approval, "outages": Outage,
}  # fmt: skip
T = TypeVar("T")


def write(given: PacketInput) -> bytes:
    """The canonical bytes of a packet's input."""
    fields: dict[str, Any] = {
        field.name: getattr(given, field.name) for field in dataclasses.fields(given)
    }
    fields["window"] = str(given.window)
    fields["responses"] = [[*key, said] for key, said in sorted(given.responses.items())]
    return encode({"schema": SCHEMA, "input": _plain(fields)})


def read(content: bytes) -> PacketInput:
    """The input that `write` wrote.

    Raises:
        EvidenceError: another schema, or a field that is missing, unknown or of another shape.
    """
    try:
        document = json.loads(content)
        if document["schema"] != SCHEMA:
            raise ValueError(f"schema {document['schema']!r}")
        return _input(dict(document["input"]))
    except (ValueError, KeyError, TypeError, AttributeError, CountersignError) as error:
        said = f"{type(error).__name__}: {error}"[:200]
        raise EvidenceError("packet.json", expected=SCHEMA, observed=said) from None


def _plain(value: Any) -> Json:
    """Dataclasses, tuples and enumerations as what JSON has for them."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, State | Status) else value


def _input(fields: dict[str, Any]) -> PacketInput:
    made = dict(fields)
    made["window"] = Window.parse(fields["window"])
    made["status"] = Status(fields["status"])
    made["controls"] = {k: _one(ControlCard, v) for k, v in fields["controls"].items()}
    made["not_run"] = {k: _one(NotRun, v) for k, v in fields["not_run"].items()}
    made["findings"] = tuple(fields["findings"])
    made["checkpoint"] = _one(Checkpoint, fields["checkpoint"])
    made["verification"] = _one(Verification, fields["verification"])
    made["environment_rows"] = _tuples(fields["environment_rows"])
    made["previous"] = _previous(fields["previous"])
    made["history"] = tuple(Week(w["label"], _states(w["states"])) for w in fields["history"])
    made["responses"] = {(control, subject): said for control, subject, said in fields["responses"]}
    for name, kind in _LISTS.items():
        made[name] = tuple(_one(kind, item) for item in fields[name])
    return PacketInput(**made)


def _one(kind: type[T], fields: dict[str, Any]) -> T:
    return kind(**{name: _tuples(value) for name, value in fields.items()})


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


def _states(states: dict[str, str]) -> dict[str, State]:
    return {control: State(state) for control, state in states.items()}


def _previous(fields: dict[str, Any] | None) -> Previous | None:
    if fields is None:
        return None
    return Previous(_states(fields["states"]), _one(Money, fields["money"]))
