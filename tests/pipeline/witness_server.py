"""A small witness over HTTP, from the text of C2SP tlog-witness, for tests of its client."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from countersign.config import Witness
from countersign.errors import VerificationError
from countersign.ledger import checkpoint, merkle, note
from countersign.ledger.key import Algorithm, SigningKey, VerifierKey, encode_vkey
from countersign.ledger.text import decode64, encode64

SIZE = "text/x.tlog.size"
Answer = tuple[int, str, bytes]


@dataclass
class SmallWitness:
    """What one witness knows: the logs that it was told of, and the last tree of each."""

    logs: dict[str, VerifierKey]
    signer: SigningKey = field(
        default_factory=lambda: SigningKey("witness.test/w1", b"w" * 32, Algorithm.COSIGNATURE)
    )
    seen: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    time: int = 1_790_000_000
    asked: list[bytes] = field(default_factory=list)
    says: Answer | None = None
    """What it answers whatever is asked."""
    url: str = ""

    @property
    def configured(self) -> Witness:
        return Witness(key=encode_vkey(self.signer.key), url=self.url)

    def add_checkpoint(self, body: bytes) -> Answer:  # noqa: PLR0911 - a status for each cause
        self.asked.append(body)
        if self.says is not None:
            return self.says
        head, _, signed = body.partition(b"\n\n")
        first, *lines = head.decode().split("\n")
        old = int(first.removeprefix("old "))
        proof = [decode64(line, "proof") for line in lines]
        origin = checkpoint.decode(note.decode(signed).text).origin
        if origin not in self.logs:
            return 404, "text/plain", b"unknown log\n"
        try:
            tree, _ = checkpoint.verify(signed, [self.logs[origin]], strict=False)
        except VerificationError:
            return 403, "text/plain", b"no trusted signature\n"
        if old > tree.size:
            return 400, "text/plain", b"old size above size\n"
        known, root = self.seen.get(origin, (0, merkle.EMPTY_ROOT))
        if old != known:
            return 409, SIZE, f"{known}\n".encode()
        if old == tree.size and root != tree.root:
            return 409, SIZE, f"{known}\n".encode()
        try:
            if 0 < old < tree.size:
                merkle.check_consistency(old, tree.size, proof, root, tree.root)
        except VerificationError:
            return 422, "text/plain", b"inconsistent\n"
        self.seen[origin] = (tree.size, tree.root)
        cosigned = note.decode(note.cosign(signed, self.signer, self.time))
        mine = cosigned.signatures[-1]
        line = f"\N{EM DASH} {mine.name} {encode64(mine.key_id + mine.value)}\n"
        return 200, "text/plain; charset=utf-8", line.encode()


@contextmanager
def served(witness: SmallWitness) -> Iterator[SmallWitness]:
    """Answer on loopback while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            is_ours = self.path == "/add-checkpoint"
            answer = witness.add_checkpoint(body) if is_ours else (404, "text/plain", b"")
            status, media, said = answer
            self.send_response(status)
            self.send_header("content-type", media)
            self.send_header("content-length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        witness.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield witness
        finally:
            server.shutdown()
