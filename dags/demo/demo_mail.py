"""A real SMTP server on loopback for the demo, which keeps what it received.

`make packet` runs it in its own process; `make up` runs this file, and mail becomes files at once.
"""

import argparse
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller


class Inbox:
    """Everything that was delivered, as bytes."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        """Called by the server for each message."""
        self.messages.append(envelope.original_content)
        return "250 kept"


class FolderInbox(Inbox):
    """Writes each message to a folder as it arrives."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        """Called by the server for each message."""
        write(envelope.original_content, self._folder)
        return await super().handle_DATA(server, session, envelope)


@contextmanager
def server(port: int, inbox: Inbox | None = None) -> Iterator[Inbox]:
    """An SMTP server for the length of a block."""
    inbox = inbox or Inbox()
    controller = Controller(inbox, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield inbox
    finally:
        controller.stop()


def keep(inbox: Inbox, folder: Path) -> None:
    """Write each message as .eml, named after its attachment."""
    for content in inbox.messages:
        write(content, folder)


def write(content: bytes, folder: Path) -> Path:
    """Write one message; a name that is taken gets a number."""
    message = message_from_bytes(content, policy=policy.default)
    names = [part.get_filename() for part in message.iter_attachments() if part.get_filename()]
    name = Path(str(names[0])).stem if names else "mail"
    file, number = folder / f"{name}.eml", 2
    while file.exists():
        file, number = folder / f"{name}-{number}.eml", number + 1
    file.write_bytes(content)
    return file


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    told = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_signal: told.set())
    with server(args.port, FolderInbox(args.folder)):
        print(f"SMTP on 127.0.0.1:{args.port}, kept in {args.folder}", flush=True)
        told.wait()


if __name__ == "__main__":
    main()
