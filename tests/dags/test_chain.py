"""Sources to a published packet through the real DAGs: rejected first, then approved."""

import json
from collections.abc import Callable
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import demo_airflow
import demo_mail
import pytest

from countersign.canonical import digest
from countersign.errors import EvidenceError
from countersign.model import Window
from countersign.pipeline import publish, sign
from countersign.pipeline.render import packets

pytestmark = pytest.mark.platform

LAST = Window.parse("2026-11-02/2026-11-09")
NAME = "CS-2026-W45"
States = Callable[[Any], dict[str, str]]


@pytest.fixture(scope="module")
def runs(collected: tuple[Any, Any], dags: demo_airflow.Dags, inbox: demo_mail.Inbox) -> Any:
    """The runs of the last week, in order; the first publication is rejected."""
    installation, _run = collected
    with installation.used():
        done = {"assess": dags.attempt("countersign_assess", LAST)}
        done["packet"] = dags.attempt("countersign_packet", LAST)
        with dags.answering("Reject"):
            done["rejected"] = dags.attempt("countersign_publish", LAST)
        done["left"] = sorted(p.name for p in _packet(installation).folder.iterdir())
        with dags.answering("Approve"):
            done["approved"] = dags.attempt("countersign_publish", LAST)
        return done


def _packet(installation: Any) -> Any:
    return packets(installation.open()).existing(LAST)


def test_mapped_tasks_are_named_by_source(collected: tuple[Any, Any], states: States) -> None:
    installation, run = collected
    assert run.state == "success"
    named = set(states(run)) - {"sources", "admit", "close"}
    assert named == set(installation.open().config.sources)


def test_mapped_tasks_are_named_by_control(runs: Any, states: States) -> None:
    assert set(states(runs["assess"])) == {
        "controls", "data-residency", "input-drift", "token-reconciliation", "seal",
    }  # fmt: skip
    assert set(states(runs["assess"]).values()) == {"success"}


def test_no_answer_is_reject(dags: demo_airflow.Dags) -> None:
    approve = dags.known["countersign_publish"].get_task("approve")
    assert approve.defaults == ["Reject"]
    assert approve.response_timeout.total_seconds() == 86_400


def test_a_rejected_packet_is_neither_signed_nor_sent(runs: Any, states: States) -> None:
    assert states(runs["rejected"]) == {
        "question": "success", "approve": "success", "sign": "skipped", "publish": "skipped",
        "mail": "skipped", "verify": "skipped",
    }  # fmt: skip
    assert runs["left"] == ["rendered.json", "unsigned.pdf"]


def test_an_approved_packet_is_signed_sent_and_verified(
    runs: Any, states: States, collected: tuple[Any, Any]
) -> None:
    assert set(states(runs["approved"]).values()) == {"success"}
    out = collected[0].open().out
    assert {f"{NAME}.pdf", f"{NAME}.tlog-proof", f"{NAME}-residency.zip", "log.vkey"} == {
        file.name for file in out.iterdir()
    }
    (verify,) = [ti for ti in runs["approved"].get_task_instances() if ti.task_id == "verify"]
    assert f"{NAME}.pdf: VALID" in _result(verify)
    assert f"{NAME}-residency.zip: VALID" in _result(verify)


def _result(task_instance: Any) -> str:
    return str(task_instance.xcom_pull(task_ids=task_instance.task_id))


def test_the_demo_user_approves_automatically_and_the_record_says_so(
    runs: Any, collected: tuple[Any, Any]
) -> None:
    note = json.loads((_packet(collected[0]).folder / "signed.json").read_bytes())
    assert note["approved"].startswith("approved automatically (demo), 20")
    assert note["approved"].endswith("Z")


def test_the_mail_carries_the_packet_byte_for_byte(
    runs: Any, collected: tuple[Any, Any], inbox: demo_mail.Inbox
) -> None:
    (content,) = inbox.messages
    message = message_from_bytes(content, policy=policy.default)
    (pdf,) = [p for p in message.iter_attachments() if p.get_content_type() == "application/pdf"]
    published: Path = collected[0].open().out / f"{NAME}.pdf"
    assert pdf.get_filename() == f"{NAME}.pdf"
    assert pdf.get_content() == published.read_bytes()
    assert "auditor@supervision.example" in message["To"]
    kinds = {part.get_content_type() for part in message.walk()}
    assert {"text/plain", "text/html"} <= kinds


def test_a_repeated_publication_sends_no_second_mail(
    runs: Any, collected: tuple[Any, Any], dags: demo_airflow.Dags, inbox: demo_mail.Inbox
) -> None:
    installation, _run = collected
    before = digest((installation.open().out / f"{NAME}.pdf").read_bytes())
    with installation.used(), dags.answering("Approve"):
        run = dags.attempt("countersign_publish", LAST)
    assert run.state == "success"
    assert (
        "Signed before (approved automatically (demo), 20"
        in publish.question(installation.open(), LAST).facts
    )
    assert len(inbox.messages) == 1
    assert digest((installation.open().out / f"{NAME}.pdf").read_bytes()) == before


def test_an_approval_of_other_bytes_signs_nothing(
    runs: Any, collected: tuple[Any, Any], tmp_path: Path
) -> None:
    """A packet that is rendered anew while the question is open needs a new answer."""
    ws = collected[0].copy(tmp_path / "copy").open()
    folder = packets(ws).existing(LAST).folder
    for file in ("packet.pdf", "packet.tlog-proof", "signed.json", "signing.json", "mailed.json"):
        (folder / file).unlink()
    with pytest.raises(EvidenceError, match="rendered again after the question"):
        sign.sign(ws, LAST, sign.Approval("anna", "2026-11-09T07:00:00Z", "0" * 64))
    assert not packets(ws).existing(LAST).is_signed
