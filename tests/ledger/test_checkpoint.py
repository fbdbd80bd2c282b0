"""Checkpoints: Tessera's golden log, and every line that can be wrong."""

import json
from pathlib import Path

import pytest

from countersign.errors import VerificationError
from countersign.ledger import checkpoint, merkle, note
from countersign.ledger.checkpoint import Checkpoint
from countersign.ledger.key import SigningKey, decode_vkey
from countersign.ledger.tiles import Tile, decode_bundle

LOG = SigningKey("log.example/a", bytes(range(32)))
OTHER = SigningKey("other.example/b", bytes(range(1, 33)))
HEAD = Checkpoint("log.example/a", 7, merkle.leaf_hash(b""))


def test_tesseras_sixteen_checkpoints(shared_data: Path) -> None:
    folder = shared_data / "vectors/tessera/testdata/log"
    vectors = json.loads((shared_data / "vectors/derived/vectors.json").read_bytes())
    key = decode_vkey(vectors["tessera_log"]["vkey"])
    bundle = (folder / "tile/entries/000.p/15").read_bytes()
    entries = decode_bundle(bundle, Tile(0, 0, 15))
    for size in range(16):
        content = (folder / f"checkpoint.{size}").read_bytes()
        head, signers = checkpoint.verify(content, [key])
        assert (head.size, head.root) == (size, merkle.Tree.of(entries[:size]).root)
        assert signers == (key,)


def test_a_checkpoint_is_read_and_written_back() -> None:
    content = checkpoint.sign(HEAD, LOG)
    assert checkpoint.verify(content, [LOG.key])[0] == HEAD
    assert checkpoint.open_by(content, []) == (HEAD, ())


def test_extensions_are_refused_where_the_log_is_ours() -> None:
    extended = Checkpoint(HEAD.origin, HEAD.size, HEAD.root, ("more",))
    content = checkpoint.sign(extended, LOG)
    assert checkpoint.verify(content, [LOG.key], strict=False)[0] == extended
    with pytest.raises(VerificationError, match="line 4: expected no extension lines"):
        checkpoint.verify(content, [LOG.key])


def test_a_signature_by_someone_else_does_not_identify_the_log() -> None:
    with pytest.raises(VerificationError, match=r"the log log.example/a itself"):
        checkpoint.verify(checkpoint.sign(HEAD, OTHER), [OTHER.key, LOG.key])


ROOT = "bjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0="
MALFORMED = {
    "two lines": ("a\n1\n", "origin, size and root, observed 2 lines"),
    "empty origin": (f"\n1\n{ROOT}\n", "line 1: expected some text"),
    "leading zero": (f"a\n01\n{ROOT}\n", "line 2"),
    "signed size": (f"a\n+1\n{ROOT}\n", "line 2"),
    "no number": (f"a\none\n{ROOT}\n", "line 2"),
    "other digits": (f"a\n\u0661\n{ROOT}\n", "line 2"),
    "short root": ("a\n1\nAAAA\n", "line 3 .*32 bytes, observed 3 bytes"),
    "root without padding": (f"a\n1\n{ROOT[:-1]}\n", "line 3 .*canonical base64"),
    "root with a space": (f"a\n1\n{ROOT} \n", "line 3 .*canonical base64"),
    "empty extension": (f"a\n1\n{ROOT}\n\n", "line 4: expected some text"),
    "empty tree with a root": (f"a\n0\n{ROOT}\n", "root of an empty tree"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_checkpoint_is_refused_with_its_line(name: str) -> None:
    text, cause = MALFORMED[name]
    with pytest.raises(VerificationError, match=cause):
        checkpoint.verify(note.sign(text.encode(), LOG), [LOG.key])
