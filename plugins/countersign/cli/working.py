"""The verbs as commands: collect, admit, assess, seal, attest, render, sign, publish, run."""

from pathlib import Path
from typing import Annotated

import typer

from countersign.cli.app import AsJson, ConfigFile, Only, WindowText, app, workspace
from countersign.cli.edge import answer, say
from countersign.errors import ConfigError, SourceError
from countersign.model import Window


@app.command()
def collect(
    window: WindowText, config: ConfigFile = None, only: Only = None, as_json: AsJson = False
) -> None:
    """Fetch what every source says about a window; keep it verbatim, hashed and logged."""
    from countersign.pipeline import collect as verb

    done = verb.collect(workspace(config), Window.parse(window), tuple(only or ()))
    document = [{"source": c.source, "pages": c.pages, "failed": len(c.failed)} for c in done]
    answer("\n".join(c.sentence for c in done), document, as_json=as_json)
    failures = [failure for c in done for _, failure in c.failed]
    for failure in failures[:5]:
        say(f"countersign: {failure}")
    if failures:
        raise SystemExit(3)


@app.command()
def admit(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Parse what changed; admit rows as evidence or refuse them with every reason."""
    from countersign.pipeline import admit as verb

    done = verb.admit(workspace(config))
    report = {"rows": dict(done.rows), "refused": dict(done.refused)}
    answer(done.sentence, report, as_json=as_json)


@app.command()
def assess(
    window: Annotated[str | None, typer.Option("--window", metavar="START/END")] = None,
    config: ConfigFile = None,
    only: Only = None,
    table: Annotated[
        list[str] | None,
        typer.Option("--table", metavar="KIND=FILE", help="Assess files instead of the lake."),
    ] = None,
    reference: Annotated[
        str | None, typer.Option("--reference", metavar="FILE", help="What to compare with.")
    ] = None,
    rename: Annotated[
        list[str] | None, typer.Option("--map", metavar="THEIRS=OURS", help="Column names.")
    ] = None,
    time: Annotated[str | None, typer.Option("--time", metavar="COL")] = None,
    cluster: Annotated[str | None, typer.Option("--cluster", metavar="COL")] = None,
    as_json: AsJson = False,
) -> None:
    """State each control's finding about a window, or one control's about files."""
    from countersign.pipeline import assess as verb
    from countersign.pipeline import tables as files

    if table:
        request = files.FileRequest.read(
            table, reference, rename or [], time=time, cluster=cluster, window=window
        )
        conclusion = files.assess_files(request, tuple(only or ()))
        answer(files.as_text(conclusion), files.as_document(conclusion), as_json=as_json)
        raise SystemExit(0 if conclusion.state == "satisfied" else 1)
    if window is None:
        raise ConfigError("assess", expected="--window START/END, or --table KIND=FILE")
    done = verb.assess(workspace(config), Window.parse(window), tuple(only or ()))
    document = [
        a.kept.finding if a.kept else {"control": a.control, "state": "not-run"} for a in done
    ]
    answer("\n".join(a.sentence for a in done), document, as_json=as_json)
    if any(a.kept is None for a in done):
        raise SystemExit(3)


@app.command()
def seal(window: WindowText, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Append findings and hourly manifests to the log; print the checkpoint."""
    from countersign.pipeline import seal as verb

    done = verb.seal(workspace(config), Window.parse(window))
    answer(done.sentence, {"size": done.size, "root": done.root}, as_json=as_json)


@app.command()
def attest(
    output: Annotated[Path, typer.Option("-o", metavar="FILE")],
    request: Annotated[str | None, typer.Option("--request", metavar="ID")] = None,
    tenant: Annotated[str | None, typer.Option("--tenant", metavar="T")] = None,
    window: Annotated[str | None, typer.Option("--window", metavar="START/END")] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Write a residency attestation for a request, a tenant and window, or a window."""
    from countersign.pipeline import attest as verb

    span = None if window is None else Window.parse(window)
    done = verb.attest(workspace(config), request=request, tenant=tenant, window=span)
    output.write_bytes(done.bundle)
    report = {"file": str(output), "sha256": done.digest, "result": done.result}
    answer(f"{output}: {done.sentence}", report, as_json=as_json)


@app.command()
def render(window: WindowText, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Render the findings of a window to an unsigned PDF."""
    from countersign.pipeline import render as verb

    ws, span = workspace(config), Window.parse(window)
    verb.render(ws, span)
    done = verb.check(ws, span)
    answer(done.sentence, {"file": str(done.file), "sha256": done.digest}, as_json=as_json)


@app.command()
def sign(
    window: WindowText,
    approved_by: Annotated[str, typer.Option("--approved-by", metavar="NAME")],
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Sign the rendered packet in the name of the person who approved it, and log it."""
    from countersign.model import rfc3339
    from countersign.pipeline import sign as verb

    ws = workspace(config)
    approval = verb.Approval(approved_by, rfc3339(ws.now_us()))
    done = verb.sign(ws, Window.parse(window), approval)
    answer(done.sentence, {"file": str(done.file), "sha256": done.digest}, as_json=as_json)


@app.command()
def publish(
    window: WindowText,
    config: ConfigFile = None,
    no_mail: Annotated[bool, typer.Option("--no-mail", help="Files only.")] = False,
    as_json: AsJson = False,
) -> None:
    """Put packet, proof and attestation into the out folder, and mail the packet once."""
    from countersign.pipeline import publish as verb

    ws, span = workspace(config), Window.parse(window)
    done = verb.publish(ws, span)
    said = [done.sentence]
    if not no_mail:
        said.append(verb.mail(ws, span, verb.smtp(ws)).sentence)
    answer("\n".join(said), {"files": [str(f) for f in done.files]}, as_json=as_json)


@app.command()
def run(
    window: WindowText,
    config: ConfigFile = None,
    approved_by: Annotated[str, typer.Option("--approved-by", metavar="NAME")] = "",
    as_json: AsJson = False,
) -> None:
    """Every verb in order, without Airflow; collects the history that controls declare.

    Without --approved-by the packet stays unsigned and unpublished. In a simulated installation
    the world is served while it runs.
    """
    from countersign.cli.simulating import served
    from countersign.pipeline import run as verb

    ws = workspace(config)
    with served(ws):
        done = verb.run(ws, Window.parse(window), approved_by=approved_by)
    answer(done.table, done.document, as_json=as_json)
    failures = [f for c in done.collected for _, f in c.failed if isinstance(f, SourceError)]
    for failure in failures[:5]:
        say(f"countersign: {failure}")
