"""Each statistic is shown by an example that runs."""

import doctest
import importlib
import pkgutil

import pytest

from countersign import stats

MODULES = sorted(entry.name for entry in pkgutil.iter_modules(stats.__path__))


@pytest.mark.parametrize("name", MODULES)
def test_examples_hold(name: str) -> None:
    module = importlib.import_module(f"{stats.__name__}.{name}")
    outcome = doctest.testmod(module)
    assert outcome.failed == 0
    assert outcome.attempted > 0, "a statistic without an example"
