"""Plug-ins found by looking: one module, one class, one id.

The id is the module's name in kebab-case; it is also the template, the cases folder, the
command-line argument, the task id and the anchor in the packet.
"""

import importlib
import inspect
import pkgutil
from types import ModuleType
from typing import TypeVar

from countersign.errors import ConfigError

T = TypeVar("T")


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
