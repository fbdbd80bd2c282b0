"""What a connector is, in its own words: the labelled paragraphs of its class, and its settings."""

import ast
import inspect
import textwrap
from collections.abc import Iterator
from dataclasses import MISSING, Field, dataclass, fields
from itertools import pairwise
from typing import Any, Final

from countersign.canonical import Json
from countersign.connectors.interface import Connector
from countersign.registry import plugin_id

LABELS: Final = ("Reads", "Credential", "Late", "Cannot tell")


@dataclass(frozen=True, slots=True)
class Setting:
    """One key of `[sources.ID]` that the connector knows; `value` is None where only the kind is
    described."""

    name: str
    default: str
    value: str | None
    meaning: str

    def document(self) -> dict[str, Json]:
        """For a program."""
        return {
            "name": self.name,
            "default": self.default,
            "value": self.value,
            "meaning": self.meaning,
        }


@dataclass(frozen=True, slots=True)
class Description:
    """A connector's first line, its labelled paragraphs, and its settings."""

    connector: str
    about: str
    labelled: tuple[tuple[str, str], ...]
    settings: tuple[Setting, ...]

    @classmethod
    def of(cls, kind: type[Connector], made: Connector | None = None) -> "Description":
        """Of a class, with the values of a source that is configured."""
        first, *paragraphs = (inspect.getdoc(kind) or "").split("\n\n")
        split = (" ".join(p.split()).partition(": ") for p in paragraphs)
        labelled = tuple((label, text) for label, _, text in split if label in LABELS)
        meanings = _meanings(kind)
        settings = (_setting(f, made, meanings.get(f.name, "")) for f in fields(kind))
        return cls(plugin_id(kind), " ".join(first.split()), labelled, tuple(settings))

    @property
    def text(self) -> str:
        """A small table for a terminal."""
        return "\n".join(self._lines())

    def document(self) -> dict[str, Json]:
        """For a program."""
        return {
            "connector": self.connector,
            "about": self.about,
            **{label.lower().replace(" ", "_"): text for label, text in self.labelled},
            "settings": [setting.document() for setting in self.settings],
        }

    def _lines(self) -> Iterator[str]:
        yield from _row("About", self.about)
        for label, text in self.labelled:
            yield from _row(label, text)
        yield "Settings"
        for setting in self.settings:
            is_own = setting.value is not None and setting.value != setting.default
            told = f"{setting.value}, default {setting.default}" if is_own else setting.default
            yield from _row(f"  {setting.name}", f"{told}. {setting.meaning}".rstrip(), 18)


def _row(label: str, text: str, width: int = 12) -> list[str]:
    indent = " " * (width + 1)
    head = f"{label:<{width}} "
    return textwrap.wrap(text, 100, initial_indent=head, subsequent_indent=indent)


def _setting(setting: "Field[Any]", made: Connector | None, meaning: str) -> Setting:
    default = setting.default
    if setting.default_factory is not MISSING:
        default = setting.default_factory()
    value = None if made is None else str(getattr(made, setting.name))
    return Setting(
        setting.name, "must be set" if default is MISSING else str(default), value, meaning
    )


def _meanings(kind: type) -> dict[str, str]:
    """The text under each field, the nearest class first."""
    found: dict[str, str] = {}
    for one in kind.__mro__:
        if issubclass(one, Connector):
            found = dict(_texts(one)) | found
    return found


def _texts(kind: type) -> Iterator[tuple[str, str]]:
    (written,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    body = written.body if isinstance(written, ast.ClassDef) else []
    for named, under in pairwise(body):
        if isinstance(named, ast.AnnAssign) and isinstance(named.target, ast.Name):
            text = under.value if isinstance(under, ast.Expr) else None
            if isinstance(text, ast.Constant) and isinstance(text.value, str):
                yield named.target.id, " ".join(text.value.split())
