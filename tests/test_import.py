"""``import jaxlab`` is fast and light; a method's room loads nothing of the experiments' side."""

import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.entry_points import OUTSIDE, rooms

ROOT = Path(__file__).resolve().parent.parent
HEAVY = {"matplotlib", "sklearn", "pandas", "pydantic", "typer", "pooch", "orbax"}


def modules_after(statement: str) -> set[str]:
    code = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    return set(json.loads(result.stdout))


@pytest.mark.parametrize("statement", ["import jaxlab", "import jaxlab.hopfield"])
def test_heavy_packages_stay_out(statement):
    assert not modules_after(statement) & (HEAVY | {"rich"})


def test_the_rooms_load_nothing_of_the_experiments_side():
    loaded = modules_after(f"import {', '.join(f'jaxlab.{room}' for room in rooms())}")
    assert {f"jaxlab.{room}" for room in rooms()} <= loaded
    assert not loaded & (HEAVY | {f"jaxlab.{package}" for package in OUTSIDE} | {"jaxlab.progress"})


def test_the_import_contract_on_silence_names_every_room():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = {one["id"]: one for one in settings["tool"]["importlinter"]["contracts"]}
    silent = contracts["methods-are-silent"]["source_modules"]
    assert silent == [f"jaxlab.{room}" for room in sorted(rooms())]


def test_import_costs_less_than_half_a_second_beyond_jax():
    code = (
        "import time, jax\nstart = time.perf_counter()\nimport jaxlab\n"
        "print(time.perf_counter() - start)"
    )
    seconds = min(
        float(subprocess.check_output([sys.executable, "-c", code], timeout=120)) for _ in range(3)
    )
    assert seconds < 0.5


def test_every_name_of_the_front_door_opens():
    code = "import jaxlab\nfor name in jaxlab.__all__: getattr(jaxlab, name)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


@pytest.mark.parametrize(
    "notebook", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem
)
def test_what_a_notebook_imports_comes_with_jaxlab_or_is_installed_by_it(notebook):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    brought = {re.split(r"[><=]", requirement)[0] for requirement in project["dependencies"]}
    cells = json.loads(notebook.read_text())["cells"]
    install, *rest = ("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    installed = set(re.findall(r'find_spec\("(\w+)"\) is None:\n    %pip install', install))
    assert "jaxlab" in installed
    imported = set(re.findall(r"^\s*(?:import|from) (\w+)", "\n".join(rest), flags=re.M))
    distributions = importlib.metadata.packages_distributions()
    for name in imported - installed - sys.stdlib_module_names:
        assert brought & set(distributions[name]), name
