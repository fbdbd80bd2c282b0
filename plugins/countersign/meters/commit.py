"""Many small writes share one flush to the disk: who comes while one runs goes with the next."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(eq=False)
class _Load:
    parts: list[bytes] = field(default_factory=list)
    is_done: bool = False
    error: OSError | None = None


@dataclass(eq=False)
class Commit:
    """Calls `append` in a thread, once at a time."""

    append: Callable[[bytes], object]
    _load: _Load = field(default_factory=_Load)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def __call__(self, lines: bytes) -> None:
        """Return once the lines are written.

        Raises:
            OSError: they are not.
        """
        load = self._load
        load.parts.append(lines)
        async with self._turn:
            if not load.is_done:
                self._load = _Load()
                await self._write(load)
        if load.error is not None:
            raise load.error

    async def _write(self, load: _Load) -> None:
        load.error = OSError("interrupted before the rows were on the disk")
        try:
            await asyncio.to_thread(self.append, b"".join(load.parts))
            load.error = None
        except OSError as error:
            load.error = error
        finally:
            load.is_done = True
