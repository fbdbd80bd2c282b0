"""Plug-ins and shipped folders, found by looking: one module, one class, one id.

The id is the module's name in kebab-case; it is also the template, the cases folder, the
command-line argument, the task id and the anchor in the packet.
"""

import importlib
import inspect
import pkgutil
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from countersign.errors import ConfigError

T = TypeVar("T")
_PACKAGE = Path(__file__).resolve().parent
_SHIPPED = ("reports", "expectations")


def discover(package: ModuleType, base: type[T]) -> dict[str, type[T]]:
    """Import every module of a package and return its plug-in classes by id.

    `interface` and private modules are not plug-ins.

    Raises:
        ConfigError: a module defines no concrete subclass of `base`, or more than one.
    """
    modules = {i: f"{package.__name__}.{i.replace('-', '_')}" for i in plugin_ids(package)}
    return {i: _only_class(importlib.import_module(name), base) for i, name in modules.items()}


def plugin_ids(package: ModuleType) -> list[str]:
    """The ids that `discover` would find; nothing is imported."""
    return [
        entry.name.replace("_", "-")
        for entry in pkgutil.iter_modules(package.__path__)
        if not (entry.ispkg or entry.name.startswith("_") or entry.name == "interface")
    ]


def plugin_id(plugin: type) -> str:
    """The id of a plug-in class: its module's last name in kebab-case."""
    return plugin.__module__.rsplit(".", 1)[-1].replace("_", "-")


def shipped(name: str, override: Path | None = None) -> tuple[Path, ...]:
    """Folders called `reports` or `expectations`: the override's, the wheel's, the checkout's.

    An override may hold one of the two alone; the other is then what was shipped.

    Raises:
        ConfigError: the override is no folder or holds neither, or nothing was shipped.
    """
    homes = (_PACKAGE / "_shipped", _PACKAGE.parent.parent)
    found = [home / name for home in homes if (home / name).is_dir()]
    if not found:
        raise ConfigError(
            f"folder {name}",
            expected=" or ".join(str(home / name) for home in homes),
            observed="neither",
            remedy="Install the package again.",
        )
    if override is not None and not any((override / one).is_dir() for one in _SHIPPED):
        raise ConfigError(
            f"[countersign] reports {override}",
            expected="a folder that holds " + " or ".join(_SHIPPED),
            observed="neither" if override.is_dir() else "nothing there",
            remedy="Correct `reports` in the configuration, or leave it out.",
        )
    own = [override / name] if override is not None and (override / name).is_dir() else []
    return (*own, *found)


def _only_class(module: ModuleType, base: type[T]) -> type[T]:
    classes = [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, base)
        and value.__module__ == module.__name__
        and not inspect.isabstract(value)
    ]
    if len(classes) != 1:
        raise ConfigError(
            f"module {module.__name__}",
            expected=f"exactly one {base.__name__}",
            observed=", ".join(c.__name__ for c in classes) or "none",
        )
    return classes[0]
