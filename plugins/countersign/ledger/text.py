"""Numbers and bytes in text, each with one spelling: encoding what was decoded gives it back."""

import base64
import binascii
import re

from countersign.errors import VerificationError

_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


def encode64(content: bytes) -> str:
    """Standard base64 with padding (RFC 4648 section 4)."""
    return base64.b64encode(content).decode("ascii")


def decode64(text: str, thing: str) -> bytes:
    """Read standard base64; `thing` names it in the error.

    Raises:
        VerificationError: another alphabet, line breaks, wrong padding, or stray last bits.
    """
    try:
        content = binascii.a2b_base64(text.encode("ascii"), strict_mode=True)
    except ValueError:  # covers binascii.Error and UnicodeEncodeError
        content = None
    if content is None or encode64(content) != text:
        raise VerificationError(thing, expected="canonical base64", observed=repr(text[:60]))
    return content


def decode_decimal(text: str, thing: str) -> int:
    """Read a decimal of at most 19 digits, without sign or leading zeroes.

    Raises:
        VerificationError: any other spelling.
    """
    if not _DECIMAL.fullmatch(text):
        raise VerificationError(
            thing, expected="a decimal without sign or leading zeroes", observed=repr(text[:60])
        )
    return int(text)


def decode_utf8(content: bytes, thing: str) -> str:
    """Read UTF-8 text that holds no control character but the newline, and ends with one.

    Raises:
        VerificationError: names the byte or the line at fault.
    """
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise VerificationError(
            thing, expected="UTF-8", observed=f"an invalid byte at offset {error.start}"
        ) from None
    for number, line in enumerate(text.split("\n"), 1):
        if any(character < " " for character in line):
            raise VerificationError(
                f"{thing}, line {number}",
                expected="no control characters",
                observed=repr(line[:60]),
            )
    if not text.endswith("\n"):
        raise VerificationError(thing, expected="a newline at the end", observed=repr(text[-20:]))
    return text
