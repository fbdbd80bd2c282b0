"""YAML cassettes, as VCR-like recorders keep them beside tests: `interactions` and `version`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from countersign.connectors.wire.capture import Exchange, of_cassette
from countersign.connectors.wire.page import Page
from countersign.connectors.wire.value import inner, row
from countersign.errors import Fault, SourceError

if TYPE_CHECKING:
    import yaml

_DEEPEST: Final = 100
_NEAR_THE_END: Final = 8


def exchanges(page: Page) -> Iterator[Exchange]:
    """The exchanges of a cassette; interactions of another kind (gRPC streams) are left out.

    A cassette that was cut between two interactions is a shorter cassette.

    Raises:
        SourceError: the text is cut short, is no cassette, or PyYAML is not installed.
    """
    document = _document(page)
    if not isinstance(document, dict) or not isinstance(document.get("interactions"), list):
        raise page.fault(Fault.MALFORMED, "a capture", "neither JSON nor a list of interactions")
    found = [row(interaction) for interaction in document["interactions"]]
    spoken = [fields for fields in found if "request" in fields]
    if any("status" not in inner(fields, "response") for fields in spoken):
        raise page.fault(Fault.TRUNCATED, "a status in every response", "none in one")
    for fields in spoken:
        yield of_cassette(row(fields["request"]), inner(fields, "response"))


def _document(page: Page) -> Any:
    try:
        import yaml  # noqa: PLC0415 - of the extra `platform`; no other container needs it
    except ImportError:
        raise SourceError(
            page.source,
            Fault.REFUSED,
            page=page.name,
            expected="PyYAML, which reads cassettes",
            observed="not installed",
            remedy="Install pyyaml, or record HAR.",
        ) from None
    content = page.text()
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        _refuse_bombs(page, content, loader)
        return yaml.load(content, loader)
    except yaml.YAMLError as error:
        raise _unread(page, content, error) from None
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise page.fault(Fault.MALFORMED, "YAML", str(error)[:120]) from None


def _refuse_bombs(page: Page, content: str, loader: Any) -> None:
    """Aliases multiply what is there, and depth exhausts the reader: recorders write neither."""
    import yaml  # noqa: PLC0415

    depth = 0
    for event in yaml.parse(content, loader):
        if isinstance(event, yaml.AliasEvent):
            raise page.fault(Fault.MALFORMED, "YAML without aliases", "an alias")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise page.fault(Fault.MALFORMED, f"at most {_DEEPEST} levels", "more")


def _unread(page: Page, content: str, error: "yaml.YAMLError") -> SourceError:
    mark = getattr(error, "problem_mark", None)
    at = getattr(mark, "index", 0)
    cut = "interactions:" in content[:4096] and at >= len(content.rstrip()) - _NEAR_THE_END
    where = f"{getattr(error, 'problem', None) or 'no YAML'} at character {at} of {len(content)}"
    return page.fault(Fault.TRUNCATED if cut else Fault.MALFORMED, "whole YAML", where[:200])
