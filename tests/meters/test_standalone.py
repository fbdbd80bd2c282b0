"""The meters run where nothing of the library's is installed."""

import os
import subprocess
import sys
from pathlib import Path

from countersign import meters

PROGRAM = """
import pkgutil, sys
before = set(sys.modules)
from countersign import meters
for module in pkgutil.iter_modules(meters.__path__):
    if module.name not in ("__main__", "litellm_callback"):
        __import__(f"countersign.meters.{module.name}")
new = {name for name in set(sys.modules) - before}
foreign = {name.partition(".")[0] for name in new} - sys.stdlib_module_names - {"countersign"}
upper = {n for n in new if n.startswith("countersign.") and not n.startswith("countersign.meters")}
print(sorted(foreign | upper))
"""


def test_meters_import_the_standard_library_only() -> None:
    plugins = str(Path(meters.__file__).parents[2])
    said = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=os.environ | {"PYTHONPATH": plugins},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert said.stdout.strip() == "[]"
