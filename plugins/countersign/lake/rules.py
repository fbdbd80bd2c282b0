"""What counts as admissible evidence: the suites of `expectations/`, compiled into SQL.

A suite is Great Expectations JSON that a compliance officer can read. Each expectation becomes
two conditions on a row: whether it applies (a NULL is not judged, except by "not null"), and
whether the row fails it. `great` runs the same suite by Great Expectations itself.
"""

import json
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from countersign.canonical import Json, digest, encode
from countersign.errors import ConfigError

ROW_COUNT = "expect_table_row_count_to_be_between"


@dataclass(frozen=True, slots=True)
class Rule:
    """One expectation: its Great Expectations type and arguments, and why it is there."""

    type: str
    kwargs: Mapping[str, Any]
    notes: str = ""

    @property
    def name(self) -> str:
        """How quarantine names it: `in_uncached: values_to_be_between`."""
        subject = self.kwargs.get("column") or " and ".join(self.columns)
        return f"{subject}: {self.type.removeprefix('expect_').removeprefix('column_')}"

    @property
    def reason(self) -> str:
        """What a person reads beside a refused row."""
        return self.notes or self.name

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns it looks at."""
        keys = ("column", "column_A", "column_B")
        return tuple(self.kwargs[key] for key in keys if key in self.kwargs)


@dataclass(frozen=True)
class Suite:
    """The rules of one kind, in the order of their file."""

    kind: str
    document: Mapping[str, Any]

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """Every expectation of the suite."""
        return tuple(
            Rule(e["type"], e.get("kwargs", {}), e.get("meta", {}).get("notes", ""))
            for e in self.document["expectations"]
        )

    @cached_property
    def row_rules(self) -> tuple[Rule, ...]:
        """The rules that a single row can fail."""
        return tuple(rule for rule in self.rules if rule.type != ROW_COUNT)

    @cached_property
    def counted(self) -> tuple[Rule, ...]:
        """The order of counts: the row count first, given or implied, then `row_rules`."""
        given = next((rule for rule in self.rules if rule.type == ROW_COUNT), None)
        return (given or Rule(ROW_COUNT, {"min_value": 1}), *self.row_rules)

    @property
    def least_rows(self) -> int:
        """How many rows a day must have for the suite to succeed at all."""
        return max(1, self.counted[0].kwargs.get("min_value") or 0)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the suite's canonical bytes."""
        return digest(encode(dict(self.document)))


def load(kind: str, folders: Sequence[Path]) -> Suite:
    """The suite of a kind from the first folder that has it.

    Raises:
        ConfigError: no folder has it, or it is no suite of expectations known here.
    """
    for folder in folders:
        file = folder / f"{kind}.json"
        if file.is_file():
            return _checked(Suite(kind, _parsed(file)), file)
    raise ConfigError(
        f"expectations for {kind}",
        expected=f"{kind}.json",
        observed="not in " + (", ".join(str(folder) for folder in folders) or "any folder"),
    )


def applies(rule: Rule, columns: AbstractSet[str]) -> str:
    """SQL: whether the rule judges a row."""
    if not set(rule.columns) <= columns or rule.type == "expect_column_values_to_not_be_null":
        return "true"
    return " AND ".join(f"{quoted(column)} IS NOT NULL" for column in rule.columns)


def fails(rule: Rule, columns: AbstractSet[str]) -> str:
    """SQL: whether a row fails the rule; never NULL. A rule on an absent column fails every row."""
    if not set(rule.columns) <= columns:
        return "true"
    return f"coalesce({_COMPILED[rule.type](rule.kwargs)}, false)"


def reasons_sql(suite: Suite, columns: AbstractSet[str]) -> str:
    """SQL: the list of positions, in `row_rules`, of all rules that a row fails."""
    if not suite.row_rules:
        return "CAST([] AS INTEGER[])"
    cases = (
        f"CASE WHEN {fails(rule, columns)} THEN {position} END"
        for position, rule in enumerate(suite.row_rules)
    )
    return f"list_filter([{', '.join(cases)}], lambda position: position IS NOT NULL)"


def counts_sql(suite: Suite, columns: AbstractSet[str]) -> str:
    """SQL aggregates: rows, refused rows, then rows judged and rows failing for each rule."""
    bad = " OR ".join(fails(rule, columns) for rule in suite.row_rules) or "false"
    parts = (
        f"count(*) FILTER ({applies(rule, columns)}), count(*) FILTER ({fails(rule, columns)})"
        for rule in suite.row_rules
    )
    return ", ".join(("count(*)", f"count(*) FILTER ({bad})", *parts))


def quoted(name: str) -> str:
    """A column's name in SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: Json) -> str:
    """A value in SQL. Text compares with a time column as a time."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return "'" + str(value).replace("'", "''") + "'"


def _not_null(kwargs: Mapping[str, Any]) -> str:
    return f"{quoted(kwargs['column'])} IS NULL"


def _between(kwargs: Mapping[str, Any]) -> str:
    return _outside(quoted(kwargs["column"]), kwargs)


def _lengths(kwargs: Mapping[str, Any]) -> str:
    return _outside(f"length({quoted(kwargs['column'])})", kwargs)


def _outside(expression: str, kwargs: Mapping[str, Any]) -> str:
    low, high = kwargs.get("min_value"), kwargs.get("max_value")
    tests = [f"{expression} < {literal(low)}"] if low is not None else []
    tests += [f"{expression} > {literal(high)}"] if high is not None else []
    return f"({' OR '.join(tests) or 'false'})"


def _in_set(kwargs: Mapping[str, Any]) -> str:
    allowed = ", ".join(map(literal, kwargs["value_set"]))
    return f"{quoted(kwargs['column'])} NOT IN ({allowed})"


def _matches(kwargs: Mapping[str, Any]) -> str:
    return f"NOT regexp_matches({quoted(kwargs['column'])}, {literal(kwargs['regex'])})"


def _ordered(kwargs: Mapping[str, Any]) -> str:
    worse = "<" if kwargs.get("or_equal") else "<="
    return f"{quoted(kwargs['column_A'])} {worse} {quoted(kwargs['column_B'])}"


_COMPILED = {
    "expect_column_values_to_not_be_null": _not_null,
    "expect_column_values_to_be_between": _between,
    "expect_column_value_lengths_to_be_between": _lengths,
    "expect_column_values_to_be_in_set": _in_set,
    "expect_column_values_to_match_regex": _matches,
    "expect_column_pair_values_a_to_be_greater_than_b": _ordered,
}


def _parsed(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigError(f"expectations {file}", expected="JSON", observed=str(error)) from None


def _checked(suite: Suite, file: Path) -> Suite:
    for rule in suite.rules:
        if rule.type not in {*_COMPILED, ROW_COUNT}:
            raise ConfigError(
                f"expectations {file}", expected=", ".join(_COMPILED), observed=rule.type
            )
        if len(rule.columns) > 1 and rule.kwargs.get("ignore_row_if") != "either_value_is_missing":
            raise ConfigError(
                f"expectations {file}, {rule.name}",
                expected='ignore_row_if "either_value_is_missing"',
                observed=repr(rule.kwargs.get("ignore_row_if")),
                remedy="An absent time is judged by its own rule.",
            )
    return suite
