"""What the last lines of a commit message say: `Reviewed-by: Ada <ada@example.com>`."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

_LINE: Final = re.compile(r"([A-Za-z][A-Za-z-]{0,40}):[ \t]+(\S.*)")
_EMAIL: Final = re.compile(r"<([^<>\s]+)>")


def trailers(message: str) -> Mapping[str, Sequence[str]]:
    """Values by name in lower case, of the lines of the last paragraph that have the form."""
    found: dict[str, list[str]] = {}
    lines = message.rstrip().splitlines()
    start = max((at for at, line in enumerate(lines) if not line.strip()), default=0)
    for line in lines[start:] if start else []:
        match = _LINE.fullmatch(line.strip())
        if match:
            found.setdefault(match[1].lower(), []).append(match[2].strip())
    return found


def person(said: str) -> str:
    """One name for a person, however they are written: the address in lower case, if any."""
    match = _EMAIL.search(said)
    return match[1].lower() if match else said.strip()
