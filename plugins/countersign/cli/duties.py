"""Data-protection duties: erase, hold, retention. Each is sealed in the log."""

from typing import Annotated

import typer

from countersign.cli.app import AsJson, ConfigFile, app, workspace
from countersign.cli.edge import answer

hold_app = typer.Typer(help="Legal holds: what must stay, whatever else says it should go.")
app.add_typer(hold_app, name="hold")

User = Annotated[str | None, typer.Option("--user", metavar="U", help="As the gateway names them.")]
Tenant = Annotated[str | None, typer.Option("--tenant", metavar="T", help="Whose user.")]
Request = Annotated[str | None, typer.Option("--request", metavar="ID", help="One request alone.")]
Authority = Annotated[
    str, typer.Option("--authority", metavar="TEXT", help="Who decided; stays in the log for ever.")
]
Reason = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="Why; stays in the log for ever.")
]


@app.command()
def erase(
    authority: Authority,
    user: User = None,
    tenant: Tenant = None,
    request: Request = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Erase a user, or one request, from pages, tables and salts; seal a tombstone without a name.

    A legal hold or a duty to keep (`[retention.at_least]`) comes first, and the log says which.
    A copy or backup from before still holds what it held, if it has keys/lake.key and the page
    keys: let those backups end with your shortest retention.
    """
    from countersign.lake.subject import Named
    from countersign.pipeline import duty
    from countersign.pipeline import erase as verb

    named = duty.named(user, tenant, request) or Named()
    done = verb.erase(workspace(config), named, authority, dry_run=dry_run)
    answer(done.sentence, done.document(), as_json=as_json)


@app.command()
def retention(
    apply: Annotated[
        bool, typer.Option("--apply", help="Delete it; else it is only shown.")
    ] = False,
    authority: Annotated[
        str, typer.Option("--authority", metavar="TEXT", help="Default: [retention] authority.")
    ] = "",
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Show, or delete and log, what has had its time by the rules of [retention]."""
    from countersign.pipeline import expiry
    from countersign.pipeline import retention as verb

    ws = workspace(config)
    done = verb.apply(ws, authority) if apply else expiry.plan(ws)
    text = "\n".join(part.sentence for part in done) or "nothing has had its time"
    answer(text, [part.document() for part in done], as_json=as_json)


@hold_app.command()
def place(
    hold_id: Annotated[str, typer.Option("--id", metavar="ID", help="A plain name, used once.")],
    reason: Reason,
    authority: Authority,
    user: User = None,
    tenant: Tenant = None,
    request: Request = None,
    source: Annotated[str | None, typer.Option("--source", metavar="ID")] = None,
    window: Annotated[str | None, typer.Option("--window", metavar="START/END")] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Keep what a proceeding may need: of somebody, of a source, of days, or of all of these."""
    from countersign.model import Window
    from countersign.pipeline import duty
    from countersign.pipeline import hold as verb

    named = duty.named(user, tenant, request)
    scope = verb.Scope(named, source, Window.parse(window) if window else None)
    held = verb.place(workspace(config), hold_id, scope, reason=reason, authority=authority)
    answer(held.sentence, held.document(), as_json=as_json)


@hold_app.command()
def lift(
    hold_id: Annotated[str, typer.Argument(metavar="ID")],
    reason: Reason,
    authority: Authority,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """End a hold; what retention or a request then asks for happens at their next run."""
    from countersign.pipeline import hold as verb

    lifted = verb.lift(workspace(config), hold_id, reason=reason, authority=authority)
    answer(lifted.sentence, lifted.document(), as_json=as_json)


@hold_app.command("list")
def listed(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Every hold, lifted ones too."""
    from countersign.lake.hold import Holds

    holds = Holds(workspace(config).lake.store).all()
    text = "\n".join(hold.sentence for hold in holds) or "nothing is held"
    answer(text, [hold.document() for hold in holds], as_json=as_json)
