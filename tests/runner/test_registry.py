import json
import subprocess
import sys

import pytest

from jaxlab.runner.registry import (
    UsageError,
    all_entries,
    configs_folder,
    find_entry,
    merge,
)


def write(folder, name, text):
    (folder / f"{name}.toml").write_text(text)
    return folder


GOOD = 'module = "a.room.b"\nsummary = "s"\n[default]\nx = 1\n[default.t]\ny = 2\nz = 3\n'


def test_presets_state_only_what_differs(tmp_path):
    entry = find_entry("good", write(tmp_path, "good", GOOD + "[smoke.t]\ny = 9\n"))
    assert entry.values("smoke") == {"x": 1, "t": {"y": 9, "z": 3}}
    assert entry.values("default") == {"x": 1, "t": {"y": 2, "z": 3}}
    assert entry.room == "room"


def test_values_of_an_entry_are_free_to_change(tmp_path):
    entry = find_entry("good", write(tmp_path, "good", GOOD))
    entry.values("default")["t"]["y"] = 100
    assert entry.values("default")["t"]["y"] == 2


def test_a_table_replaces_a_value_and_a_list_a_list():
    assert merge({"a": 1, "b": [1, 2]}, {"a": {"c": 1}, "b": [3]}) == {"a": {"c": 1}, "b": [3]}


def test_unknown_names_suggest_the_nearest(tmp_path):
    write(tmp_path, "hopfield-energy", GOOD)
    with pytest.raises(UsageError, match="'hopfield-enregy'; did you mean 'hopfield-energy'"):
        find_entry("hopfield-enregy", tmp_path)
    with pytest.raises(UsageError, match=r"unknown preset 'defualt'.*did you mean 'default'"):
        find_entry("hopfield-energy", tmp_path).values("defualt")
    with pytest.raises(UsageError, match=r"unknown experiment '\.\./hopfield-energy'"):
        find_entry("../hopfield-energy", tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("module = ", "not valid TOML"),
        ('summary = "s"\n[default]\n', "module: expected a string, got None"),
        ('module = "a"\n[default]\n', "summary: expected a string"),
        ('module = "a"\nsummary = "s"\n', "default: expected a table"),
        ('module = "a"\nsummary = "s"\nsmoke = 1\n[default]\n', "smoke: expected a table, got 1"),
        (GOOD + "[smok]\n", "unknown key 'smok'; did you mean 'smoke'"),
    ],
)
def test_malformed_files_are_refused(tmp_path, text, message):
    with pytest.raises(UsageError, match=message) as refusal:
        all_entries(write(tmp_path, "broken", text))
    assert "broken.toml" in str(refusal.value)


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no folder of configs"):
        configs_folder(tmp_path / "nowhere")


def test_an_installed_copy_uses_its_own_configs(tmp_path, monkeypatch):
    package = tmp_path / "site-packages" / "jaxlab"
    foreign = tmp_path / "site-packages" / "configs"
    foreign.mkdir(parents=True)
    monkeypatch.setattr("jaxlab.__file__", str(package / "__init__.py"))
    assert configs_folder() == package / "_configs"
    (tmp_path / "site-packages" / "pyproject.toml").touch()
    assert configs_folder() == foreign


def test_listing_imports_neither_jax_nor_an_experiment():
    code = (
        "import sys, json\nfrom typer.testing import CliRunner\nfrom jaxlab.runner.cli import app\n"
        "assert CliRunner().invoke(app, ['list']).exit_code == 0\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    output = subprocess.check_output([sys.executable, "-c", code], text=True, timeout=120)
    loaded = set(json.loads(output.splitlines()[-1]))
    assert not loaded & {"jax", "matplotlib", "sklearn", "jaxlab.experiments.interface"}
