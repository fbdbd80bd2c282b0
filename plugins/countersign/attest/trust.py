"""Which keys are trusted. They come from the caller, never from the file that is checked."""

from collections.abc import Iterable
from pathlib import Path

from countersign.errors import ConfigError, VerificationError
from countersign.ledger.key import VerifierKey, decode_vkey


def trusted(references: Iterable[str]) -> tuple[VerifierKey, ...]:
    """The keys behind references: each a vkey, or a file that holds vkeys, one a line.

    In a file, empty lines and lines that start with `#` are skipped.

    Raises:
        ConfigError: neither a vkey nor a readable file of vkeys.
    """
    keys: dict[VerifierKey, None] = {}
    for reference in references:
        keys.update(dict.fromkeys(_keys_of(reference)))
    return tuple(keys)


def read_aloud(fingerprint: str) -> str:
    """A fingerprint of 64 digits as two lines of four groups of eight, to compare by voice."""
    groups = [fingerprint[i : i + 8] for i in range(0, len(fingerprint), 8)]
    return " ".join(groups[:4]) + "\n" + " ".join(groups[4:])


def _keys_of(reference: str) -> list[VerifierKey]:
    try:
        return [decode_vkey(reference)]
    except VerificationError as error:
        file = Path(reference)
        if not file.is_file():
            raise ConfigError(
                f"trusted key {reference[:80]}",
                expected="a verifier key (name+keyid+base64), or a file that holds some",
                observed=str(error),
            ) from None
    return _read(file)


def _read(file: Path) -> list[VerifierKey]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
        texts = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
        keys = [decode_vkey(text) for text in texts]
    except (VerificationError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"trusted keys in {file}", expected="one verifier key a line", observed=str(error)
        ) from None
    if not keys:
        raise ConfigError(f"trusted keys in {file}", expected="a key", observed="none")
    return keys
