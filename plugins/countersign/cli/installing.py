"""Setting up: init writes a commented configuration and keys, doctor says what is wrong."""

from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from countersign.cli.app import AsJson, ConfigFile, app, workspace
from countersign.cli.edge import answer
from countersign.errors import ConfigError


@app.command()
def init(
    folder: Annotated[Path, typer.Argument()] = Path(),
    entity: Annotated[str, typer.Option(help="Whose packets these are.")] = "Example",
) -> None:
    """Write a commented countersign.toml (unless there is one) and new keys into a folder."""
    from countersign.pipeline import keys
    from countersign.pipeline.workspace import open_workspace

    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "countersign.toml"
    if not file.exists():
        if '"' in entity or "\n" in entity:
            raise ConfigError("--entity", expected="a plain name", observed=repr(entity))
        example = files("countersign.cli").joinpath("example.toml").read_text(encoding="utf-8")
        file.write_text(example.replace("@ENTITY@", entity), encoding="utf-8")
    made = keys.make(open_workspace(str(file)))
    answer(
        f"configuration  {file}\nverifier key   {made.vkey_file}\nfingerprint    {made.spoken}\n"
        "Give the fingerprint to your auditor by another way than your packets: a contract annex, "
        "a register, the telephone.",
        {"config": str(file), "vkey": made.vkey, "fingerprint": made.fingerprint},
        as_json=False,
    )


@app.command()
def doctor(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Check fonts, Pango, keys, sources, lake and clock; say what to do."""
    from countersign.pipeline import doctor as verb

    checks = verb.examine(workspace(config))
    lines = [f"{'ok  ' if c.good else 'BAD '} {c.name}: {c.said}" for c in checks]
    document = [{"name": c.name, "good": c.good, "said": c.said} for c in checks]
    answer("\n".join(lines), document, as_json=as_json)
    if not all(c.good for c in checks):
        raise SystemExit(3)
