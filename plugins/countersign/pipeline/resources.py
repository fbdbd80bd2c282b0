"""Where this installation's templates and expectations are: its own folder first, if it has one."""

from pathlib import Path

from countersign.config import Config
from countersign.registry import shipped


def folders(name: str, config: Config | None = None) -> tuple[Path, ...]:
    """Folders called `reports` or `expectations`, the configured one first (`shipped`)."""
    own = None if config is None else config.countersign.reports
    return shipped(name, None if config is None or own is None else config.path(own))
