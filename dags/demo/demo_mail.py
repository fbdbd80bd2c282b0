"""A real SMTP server on loopback for the demo, which keeps what it received."""

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


@contextmanager
def server(port: int) -> Iterator[Inbox]:
    """An SMTP server for the length of a block."""
    inbox = Inbox()
    controller = Controller(inbox, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield inbox
    finally:
        controller.stop()


def keep(inbox: Inbox, folder: Path) -> None:
    """Write each message as .eml, named after its attachment."""
    for number, content in enumerate(inbox.messages):
        message = message_from_bytes(content, policy=policy.default)
        names = [part.get_filename() for part in message.iter_attachments() if part.get_filename()]
        name = Path(names[0]).stem if names else f"mail-{number}"
        (folder / f"{name}.eml").write_bytes(content)
