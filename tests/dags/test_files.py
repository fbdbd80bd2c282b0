"""The DAG files and the plugins folder, as Airflow finds them."""

import subprocess
import sys
from pathlib import Path

import demo_airflow
import pytest

import countersign
from countersign import controls
from countersign.registry import plugin_ids

pytestmark = pytest.mark.platform

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "dags").glob("countersign_*.py"))
IDS = {f"countersign_{name}" for name in ("collect", "assess", "packet", "publish")}


def test_every_file_loads_and_gives_exactly_the_four_dags(dags: demo_airflow.Dags) -> None:
    assert set(dags.known) == IDS


def test_every_dag_explains_itself_and_can_be_filtered_by_tag(dags: demo_airflow.Dags) -> None:
    for dag in dags.known.values():
        assert dag.doc_md.startswith("### ")
        assert len(dag.doc_md) > 150
        assert "countersign" in dag.tags
        assert dag.catchup is False
        assert dag.max_active_runs == 1


def test_every_task_explains_itself(dags: demo_airflow.Dags) -> None:
    tasks = [t for dag in dags.known.values() for t in dag.tasks if t.task_id != "approve"]
    assert len(tasks) == 14
    assert not [t.task_id for t in tasks if not t.python_callable.__doc__]


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_a_dag_file_is_wiring_only(file: Path) -> None:
    source = file.read_text(encoding="utf-8")
    assert source.count("\n") <= 80
    heavy = ("pandas", "pyarrow", "duckdb", "great_expectations", "weasyprint", "httpx")
    assert not [name for name in heavy if f"import {name}" in source or f"from {name}" in source]


def test_parsing_the_files_imports_nothing_heavy(dags: demo_airflow.Dags) -> None:
    """Airflow parses them every half minute; verbs are imported in tasks."""
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT / 'dags')!r})\n"
        + "".join(f"import {file.stem}\n" for file in FILES)
        + "print([m for m in ('ibis', 'duckdb', 'great_expectations', 'weasyprint', 'pyarrow')"
        " if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("[]"), done.stdout


def test_the_plugins_folder_executes_no_module_of_the_library() -> None:
    plugins_manager = pytest.importorskip("airflow.plugins_manager")

    _plugins, errors = plugins_manager._get_plugins()

    assert errors == {}
    library = str(ROOT / "plugins" / "countersign")
    loaded = {
        name: str(module.__file__)
        for name, module in list(sys.modules.items())
        if "." not in name and str(getattr(module, "__file__", "")).startswith(library)
    }
    assert loaded == {"countersign": f"{library}/__init__.py"}
    assert not set(loaded) & sys.stdlib_module_names


def test_the_library_is_the_one_of_the_plugins_folder() -> None:
    assert countersign.__file__ == str(ROOT / "plugins" / "countersign" / "__init__.py")


def test_the_library_is_imported_once() -> None:
    paths = [module.__path__ for name, module in sys.modules.items() if name == "countersign"]
    assert len(paths) == 1
    assert [Path(p).resolve() for p in paths[0]] == [ROOT / "plugins" / "countersign"]


def test_the_forms_offer_every_source_and_every_control(dags: demo_airflow.Dags) -> None:
    sources = dags.known["countersign_collect"].params.get_param("sources").schema["examples"]
    asked = dags.known["countersign_assess"].params.get_param("controls").schema["examples"]
    assert {"litellm", "openai-usage", "anthropic-cost", "beacons", "prices"} <= set(sources)
    assert asked == sorted(plugin_ids(controls))
    assert "data-residency" in asked
