"""A store that takes a name twice loses commits without a word: find out before it matters."""

import secrets
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from typing import Final, Protocol, TypeAlias

from countersign.errors import ConfigError, EvidenceError

WRITERS: Final = 8


Create: TypeAlias = Callable[[str, bytes], bool]
"""Creates a name; False when it exists already."""


class Kept(Protocol):
    """What was created."""

    def get(self, name: str) -> bytes:
        """The bytes of a name."""
        ...

    def delete(self, name: str) -> None:
        """Remove a name."""
        ...


def probe(create: Create, store: Kept, said: str) -> None:
    """Create a scratch name twice, and another one by several writers at once; then remove both.

    Raises:
        ConfigError: more than one of them succeeded, or the name does not hold the first bytes.
    """
    with ThreadPoolExecutor(WRITERS) as pool:
        for attempts in (_in_turn, _at_once):
            name = f"probe-{secrets.token_hex(16)}"
            try:
                created = [*attempts(create, name, pool)]
                kept = store.get(name)
            finally:
                with suppress(EvidenceError):  # where nothing may be deleted, commits are safe too
                    store.delete(name)
            if sum(created) != 1 or kept != _content(created.index(True)):
                raise _loses(said, sum(created), len(created))


def _in_turn(create: Create, name: str, pool: Executor) -> Iterator[bool]:
    del pool
    for number in range(2):
        yield create(name, _content(number))


def _at_once(create: Create, name: str, pool: Executor) -> Iterable[bool]:
    return pool.map(lambda number: create(name, _content(number)), range(WRITERS))


def _content(number: int) -> bytes:
    return f"writer {number}\n".encode()


def _loses(said: str, succeeded: int, tried: int) -> ConfigError:
    return ConfigError(
        f"lake {said}",
        expected="a store in which a name can be created once (If-None-Match: *)",
        observed=f"{succeeded} of {tried} writers were told that they created the same name",
        remedy="Such a store loses commits silently. Use one with conditional writes, or a folder.",
    )
