"""Bundles: zip files with one valid form, so that no byte of one can be changed unseen.

Members are stored, sorted by name, dated 1980-01-01, without extra fields or comments. Reading
takes the members out and builds the file again: it must give the same bytes. The member list
is sealed by the signed statement (`members`), the statement by its signature.
"""

import re
import zlib
from collections.abc import Mapping, Sequence
from struct import Struct
from typing import Final

from countersign import canonical
from countersign.attest import document
from countersign.attest.document import Document
from countersign.canonical import Json
from countersign.errors import EvidenceError, VerificationError

STATEMENT: Final = "statement.dsse.json"
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*", re.ASCII)
_LOCAL = Struct("<4sHHHHHLLLHH")
_CENTRAL = Struct("<4sHHHHHHLLLHHHHHLL")
_END = Struct("<4sHHHHLLH")
_VERSION, _MADE_BY, _DATE, _MODE = 20, 3 << 8 | 20, 1 << 5 | 1, 0o100644 << 16
_LIMIT = 2**32 - 1


def encode(members: Mapping[str, bytes]) -> bytes:
    """The zip file of members.

    Raises:
        EvidenceError: a name that is no plain relative path, or more than a zip can hold.
    """
    local, central = bytearray(), bytearray()
    for name, content in sorted(members.items()):
        if not _NAME.fullmatch(name) or len(content) > _LIMIT:
            raise EvidenceError("bundle member", expected="a plain path, < 4 GiB", observed=name)
        sizes = (zlib.crc32(content), len(content), len(content), len(name), 0)
        central += _CENTRAL.pack(
            b"PK\1\2", _MADE_BY, _VERSION, 0, 0, 0, _DATE, *sizes, 0, 0, 0, _MODE, len(local)
        )
        central += name.encode()
        local += _LOCAL.pack(b"PK\3\4", _VERSION, 0, 0, 0, _DATE, *sizes)
        local += name.encode() + content
    count = len(members)
    end = _END.pack(b"PK\5\6", 0, 0, count, count, len(central), len(local), 0)
    return bytes(local + central + end)


def decode(content: bytes) -> dict[str, bytes]:
    """The members of a bundle.

    Raises:
        VerificationError: no zip file, or one that is not in its one valid form.
    """
    members: dict[str, bytes] = {}
    offset = 0
    while content[offset : offset + 4] == b"PK\3\4":
        if offset + _LOCAL.size > len(content):
            break
        fields = _LOCAL.unpack_from(content, offset)
        start = offset + _LOCAL.size
        body = start + fields[9]
        offset = body + fields[7]
        members[content[start:body].decode("ascii", "replace")] = content[body:offset]
    if not members:
        raise VerificationError("bundle", expected="a zip file", observed=repr(content[:4]))
    if not all(map(_NAME.fullmatch, members)) or encode(members) != content:
        raise VerificationError(
            "bundle",
            expected="the one valid form: members stored, sorted, undated, nothing else",
            observed="another form",
            remedy="The file was changed or packed again since it was made.",
        )
    return members


def member(members: Mapping[str, bytes], name: str) -> bytes:
    """One member.

    Raises:
        VerificationError: the bundle has none of that name.
    """
    if name not in members:
        raise VerificationError(
            "bundle", expected=f"a member {name}", observed=", ".join(sorted(members))
        )
    return members[name]


def seal(members: Mapping[str, bytes]) -> list[Json]:
    """The member list that the signed statement carries: in-toto ResourceDescriptors."""
    return [
        {"name": name, "digest": {"sha256": canonical.digest(content)}}
        for name, content in sorted(members.items())
    ]


def check_sealed(members: Mapping[str, bytes], listed: Sequence[Document]) -> None:
    """Verify that the members other than the statement are exactly those that it lists.

    Raises:
        VerificationError: names the member that is missing, unlisted or changed.
    """
    digests = {
        document.text(item, "name", "member list"): document.text(
            document.mapping(item, "digest", "member list"), "sha256", "member list"
        )
        for item in listed
    }
    found = {name: canonical.digest(c) for name, c in members.items() if name != STATEMENT}
    for name in sorted(digests.keys() | found.keys()):
        if found.get(name) != digests.get(name):
            raise VerificationError(
                f"bundle member {name}",
                expected=f"sha256 {digests[name]}" if name in digests else "no such member",
                observed=f"sha256 {found[name]}" if name in found else "no such member",
            )
