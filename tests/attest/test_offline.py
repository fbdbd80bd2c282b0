"""The stand-alone verifier: the same verdicts as the library, by code that shares nothing."""

import ast
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from countersign.attest import bundle
from countersign.attest.verify import verify_bundle, verify_checkpoint, verify_proof
from countersign.ledger.key import SigningKey

FLIPS = int(os.environ.get("COUNTERSIGN_TEST_FLIPS", "1000"))
OTHER = SigningKey("other.example/log", bytes(range(1, 33)))
TARGETS: dict[str, tuple[str, Callable[[Any, bytes], tuple[bytes, bytes | None, bool]]]] = {
    "request bundle": ("request_bundle", lambda _, content: (content, None, True)),
    "window bundle": ("window_bundle", lambda _, content: (content, None, True)),
    "checkpoint": ("checkpoint", lambda _, content: (content, None, False)),
    "packet": ("packet", lambda s, content: (content, s.packet_proof, False)),
    "proof": ("packet_proof", lambda s, content: (s.packet, content, False)),
}


def run_offline(
    offline: ModuleType, scene: Any, name: str, content: bytes, vkeys: list[str]
) -> Any:
    body, proof, is_bundle = TARGETS[name][1](scene, content)
    return offline.verify(body, proof, [offline.Key(vkey) for vkey in vkeys], is_bundle)


@pytest.mark.parametrize("with_key", [True, False])
@pytest.mark.parametrize("name", TARGETS)
def test_both_verifiers_say_the_same_sentences(
    scene: Any, offline: ModuleType, name: str, with_key: bool
) -> None:
    content = getattr(scene, TARGETS[name][0])
    keys = scene.keys if with_key else ()
    if "bundle" in name:
        verdict = verify_bundle(content, keys)
    elif name == "checkpoint":
        verdict = verify_checkpoint(content, keys)
    else:
        verdict = verify_proof(scene.packet, scene.packet_proof, keys)
    said = run_offline(offline, scene, name, content, [scene.vkey] if with_key else [])
    assert tuple(said[0]) == verdict.checked
    assert tuple(said[1]) == verdict.not_checked
    assert bool(said[2]) == verdict.identified


@pytest.mark.parametrize("name", TARGETS)
def test_any_flipped_bit_is_refused(scene: Any, offline: ModuleType, name: str) -> None:
    content = getattr(scene, TARGETS[name][0])
    positions = random.Random(f"offline flips {name}")
    for _ in range(FLIPS):
        position = positions.randrange(len(content) * 8)
        changed = bytearray(content)
        changed[position // 8] ^= 1 << position % 8
        with pytest.raises(offline.Refused) as caught:
            run_offline(offline, scene, name, bytes(changed), [scene.vkey])
        assert str(caught.value)


@pytest.mark.parametrize("name", ["request_bundle", "window_bundle"])
def test_a_flipped_bit_in_a_member_of_a_well_formed_zip_is_refused(
    scene: Any, offline: ModuleType, name: str
) -> None:
    members = bundle.decode(getattr(scene, name))
    positions = random.Random(f"offline members {name}")
    for member in [*members, *positions.choices(sorted(members), k=FLIPS // 4)]:
        changed = bytearray(members[member])
        changed[positions.randrange(len(changed))] ^= 1 << positions.randrange(8)
        content = bundle.encode({**members, member: bytes(changed)})
        with pytest.raises(offline.Refused):
            offline.verify(content, None, [offline.Key(scene.vkey)], True)


def test_wycheproof_ed25519(shared_data: Path, offline: ModuleType) -> None:
    file = shared_data / "vectors/wycheproof/testvectors_v1/ed25519_test.json"
    groups = json.loads(file.read_bytes())["testGroups"]
    cases = [(group["publicKey"]["pk"], case) for group in groups for case in group["tests"]]
    assert len(cases) >= 150
    for public, case in cases:
        parts = (bytes.fromhex(text) for text in (public, case["msg"], case["sig"]))
        assert offline.ed25519(*parts) == (case["result"] == "valid"), case["tcId"]


def test_every_mangled_key_is_refused(shared_data: Path, offline: ModuleType) -> None:
    good = json.loads((shared_data / "vectors/derived/vectors.json").read_bytes())["vkey"]["good"]
    assert offline.Key(good).name == "PeterNeumann"
    changed = [good[:i] + chr(ord(good[i]) + 1) + good[i + 1 :] for i in range(len(good))]
    cut = [good[i:j] for i in range(len(good) + 1) for j in range(i, len(good) + (i > 0))]
    for text in changed + cut:
        with pytest.raises(offline.Refused):
            offline.Key(text)


def test_it_is_one_short_file_of_the_standard_library(offline: ModuleType) -> None:
    source = Path(str(offline.__file__)).read_text(encoding="utf-8")
    assert len(source.splitlines()) <= 400
    tree = ast.parse(source, feature_version=(3, 9))
    imported = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert imported <= sys.stdlib_module_names


def python39() -> str | None:
    """A Python 3.9 that runs: on the path, or one that pyenv has."""
    found = shutil.which("python3.9")
    if found and subprocess.run([found, "-V"], capture_output=True, check=False).returncode == 0:
        return found
    if pyenv := shutil.which("pyenv"):
        listed = subprocess.run(
            [pyenv, "prefix", "3.9"], capture_output=True, text=True, check=False
        )
        if listed.returncode == 0:
            return f"{listed.stdout.strip()}/bin/python"
    return None


@pytest.fixture(params=["3.9", "current"])
def python(request: pytest.FixtureRequest) -> str:
    found = python39() if request.param == "3.9" else sys.executable
    if found is None:
        pytest.skip("no Python 3.9 here")
    return found


@pytest.fixture(scope="module")
def files(scene: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    (folder / "request.zip").write_bytes(scene.request_bundle)
    (folder / "window.zip").write_bytes(scene.window_bundle)
    (folder / "packet.pdf").write_bytes(scene.packet)
    (folder / "packet.tlog-proof").write_bytes(scene.packet_proof)
    (folder / "checkpoint").write_bytes(scene.checkpoint)
    (folder / "changed.zip").write_bytes(scene.request_bundle.replace(b"OpenAI", b"openai", 1))
    (folder / "key").write_text(f"# our key\n{scene.vkey}\n")
    return folder


def call(python: str, offline: ModuleType, *arguments: str) -> tuple[int, str]:
    run = subprocess.run(
        [python, "-I", str(offline.__file__), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    return run.returncode, run.stdout + run.stderr


@pytest.mark.parametrize("name", ["request.zip", "window.zip", "packet.pdf", "checkpoint"])
def test_exit_status_says_valid_or_not_identified(
    python: str, offline: ModuleType, files: Path, scene: Any, name: str
) -> None:
    for key in (str(files / "key"), scene.vkey):
        status, text = call(python, offline, str(files / name), "--key", key)
        assert (status, text.splitlines()[0]) == (0, "VALID")
    status, text = call(python, offline, str(files / name))
    assert (status, text.splitlines()[0]) == (1, "CONSISTENT, signer NOT identified")


def test_a_changed_file_and_wrong_use_have_their_own_status(
    python: str, offline: ModuleType, files: Path, scene: Any
) -> None:
    status, text = call(python, offline, str(files / "changed.zip"), "--key", scene.vkey)
    assert (status, text.startswith("INVALID: bundle")) == (1, True)
    status, text = call(python, offline, str(files / "absent.zip"), "--key", scene.vkey)
    assert (status, text.startswith("wrong use")) == (2, True)
    status, text = call(python, offline, str(files / "request.zip"), "--key", "no key")
    assert (status, text.startswith("wrong use")) == (2, True)
    assert call(python, offline)[0] == 2
