"""### Publish: a person approves, then the packet is signed, logged, mailed and verified

A person sees the packet's digest and its page-1 facts and answers within a day; no answer is
**Reject**. Who approved, and when, goes into the log; what was published is verified at the end.
"""

from dataclasses import asdict
from datetime import timedelta

from airflow.providers.smtp.hooks.smtp import SmtpHook
from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import Param, dag, get_current_context

from countersign.model import instant, rfc3339
from countersign_edge import step, workspace
from countersign_form import form
from countersign_wiring import COMMON, PUBLISHED, UNSIGNED, window_of

SMTP = Param("smtp_default", type="string", title="SMTP connection")


@dag(schedule=[UNSIGNED], doc_md=__doc__, params=form(smtp=SMTP), **COMMON)
def countersign_publish() -> None:
    """Unsigned PDF -> signed, published, mailed."""

    @step()
    def question() -> dict[str, str]:
        """What the approver is asked: the packet, its digest, the page-1 facts as Markdown."""
        from countersign.pipeline import publish as verb

        return asdict(verb.question(workspace(), window_of(get_current_context(), 7)))

    approve = ApprovalOperator(
        task_id="approve",
        subject="Publish {{ ti.xcom_pull(task_ids='question').packet }}?",
        body="{{ ti.xcom_pull(task_ids='question').facts }}",
        response_timeout=timedelta(hours=24),
        defaults="Reject",
        retries=0,
    )

    @step()
    def sign(asked: dict, answer: dict) -> str:  # type: ignore[type-arg]
        """Sign the approved bytes and log the signed file with its approval."""
        from countersign.pipeline import sign as verb

        name, at = answer["responded_by_user"]["name"], rfc3339(instant(answer["responded_at"]))
        approval = verb.Approval(name, at, asked["unsigned"])
        return verb.sign(workspace(), window_of(get_current_context(), 7), approval).sentence

    @step(outlets=[PUBLISHED])
    def publish() -> str:
        """Packet, proof and attestation into the out folder."""
        from countersign.pipeline import publish as verb

        return verb.publish(workspace(), window_of(get_current_context(), 7)).sentence

    @step()
    def mail() -> str:
        """One message to the recipients, once per version."""
        from countersign.pipeline import publish as verb

        context = get_current_context()
        with SmtpHook(context["params"]["smtp"]) as hook:
            send = hook.get_conn()._smtp_client.send_message
            return verb.mail(workspace(), window_of(context, 7), send).sentence

    @step()
    def verify() -> str:
        """Check what was published as an auditor would."""
        from countersign.pipeline import publish as verb

        return verb.verify_published(workspace(), window_of(get_current_context(), 7)).sentence

    (asked := question()) >> approve
    sign(asked, approve.output) >> publish() >> mail() >> verify()


countersign_publish()
