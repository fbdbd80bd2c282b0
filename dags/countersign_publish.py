"""### Publish: a person approves, then the packet is signed, logged, mailed and verified

A person sees the packet's digest and its page-1 facts, and answers within a day; no answer is
**Reject**. Who approved, and when, goes into the log. Then: sign, publish, mail, verify what was
published.
"""

from datetime import timedelta

from airflow.providers.smtp.hooks.smtp import SmtpHook
from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import Param, dag, get_current_context, task

from countersign_wiring import COMMON, PUBLISHED, UNSIGNED, form, window_of, workspace


@dag(
    schedule=[UNSIGNED],
    doc_md=__doc__,
    params=form(smtp=Param("smtp_default", type="string", title="SMTP connection")),
    **COMMON,
)
def countersign_publish() -> None:
    """Unsigned PDF -> signed, published, mailed."""

    @task
    def question() -> str:
        """What the approver is asked: digest and page-1 facts, as Markdown."""
        from countersign.pipeline import publish as verb

        return verb.question(workspace(), window_of(get_current_context(), 7))

    approve = ApprovalOperator(
        task_id="approve",
        subject="Publish this packet?",
        body="{{ ti.xcom_pull(task_ids='question') }}",
        response_timeout=timedelta(hours=24),
        defaults="Reject",
        retries=0,
    )

    @task
    def sign(answer: dict) -> str:  # type: ignore[type-arg]
        """Sign the approved bytes and log the signed file with its approval."""
        from countersign.pipeline import sign as verb

        who = answer["responded_by_user"] or {}
        approval = verb.Approval(str(who.get("name") or "unknown"), str(answer["responded_at"]))
        return verb.sign(workspace(), window_of(get_current_context(), 7), approval).sentence

    @task(outlets=[PUBLISHED])
    def publish() -> str:
        """Packet, proof and attestation into the out folder."""
        from countersign.pipeline import publish as verb

        return verb.publish(workspace(), window_of(get_current_context(), 7)).sentence

    @task
    def mail() -> str:
        """One message to the recipients, once per version."""
        from countersign.pipeline import publish as verb

        context = get_current_context()
        with SmtpHook(context["params"]["smtp"]) as hook:
            send = hook.get_conn()._smtp_client.send_message
            return verb.mail(workspace(), window_of(context, 7), send).sentence

    @task
    def verify() -> str:
        """Check what was published as an auditor would."""
        from countersign.pipeline import publish as verb

        return verb.verify_published(workspace(), window_of(get_current_context(), 7)).sentence

    question() >> approve
    sign(approve.output) >> publish() >> mail() >> verify()


countersign_publish()
