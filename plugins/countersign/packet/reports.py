"""Where templates, style sheet, fonts and marks come from.

A team's own folder comes first, file by file; then the copy in the wheel; then the checkout.
"""

from pathlib import Path

from countersign.errors import ConfigError
from countersign.packet.pictures import marks
from countersign.packet.pictures.palette import PRINT
from countersign.registry import shipped


def folders(override: Path | None = None) -> tuple[Path, ...]:
    """The folders to look in, first match wins.

    Raises:
        ConfigError: nothing was shipped, or the configured folder is none.
    """
    if override is not None and not override.is_dir():
        raise ConfigError(
            f"reports folder {override}",
            expected="a folder",
            observed="nothing there",
            remedy="Correct `reports` in the configuration, or leave it out.",
        )
    own = () if override is None else (override,)
    return (*own, shipped("reports")[0])


def read(name: str, override: Path | None = None) -> bytes:
    """The bytes of one file of the reports folder."""
    for folder in folders(override):
        if (folder / name).is_file():
            return (folder / name).read_bytes()
    raise ConfigError(
        f"reports file {name}",
        expected="the file",
        observed="nothing there",
        remedy="The installation is incomplete: install the package again.",
    )


def assets(override: Path | None = None) -> dict[str, bytes]:
    """Fonts and verdict marks by their path: all that a page may load."""
    found = {f"marks/{state}.svg": marks.svg(state, PRINT).encode() for state in marks.STATES}
    for folder in reversed(folders(override)):
        for file in sorted(folder.glob("fonts/*.woff2")):
            found[file.relative_to(folder).as_posix()] = file.read_bytes()
    return dict(sorted(found.items()))


def templates(override: Path | None = None) -> dict[str, bytes]:
    """Templates and style sheet by their path: part of the render environment."""
    found: dict[str, bytes] = {}
    for folder in reversed(folders(override)):
        for file in sorted((*folder.rglob("*.j2"), *folder.glob("*.css"))):
            found[file.relative_to(folder).as_posix()] = file.read_bytes()
    return dict(sorted(found.items()))
