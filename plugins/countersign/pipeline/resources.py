"""Where templates and expectations are: a configured folder first, then the package's own."""

from pathlib import Path

from countersign.config import Config
from countersign.errors import ConfigError

_PACKAGE = Path(__file__).resolve().parent.parent


def folders(name: str, config: Config | None = None) -> tuple[Path, ...]:
    """Folders called `reports` or `expectations`: the override, the wheel's copy, the checkout's.

    Raises:
        ConfigError: it is nowhere.
    """
    candidates = [_PACKAGE / "_shipped" / name, _PACKAGE.parent.parent / name]
    if config is not None and config.countersign.reports is not None:
        candidates.insert(0, config.path(config.countersign.reports) / name)
    found = tuple(candidate for candidate in candidates if candidate.is_dir())
    if not found:
        raise ConfigError(
            f"folder {name}",
            expected=f"{candidates[0]}",
            observed="nothing there",
            remedy="Reinstall the package, or set [countersign] reports.",
        )
    return found
