"""Every config of the repository and the module that it names."""

from pathlib import Path

import pytest

from jaxlab.experiments.interface import Claim, Experiment
from jaxlab.runner import resolve
from jaxlab.runner.registry import PRESETS, all_entries, configs_folder

ENTRIES = {entry.name: entry for entry in all_entries(configs_folder())}


def test_there_are_experiments():
    assert configs_folder() == Path(__file__).resolve().parents[2] / "configs"
    assert "hopfield-similarity-capacity" in ENTRIES


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", ENTRIES)
def test_every_preset_is_valid(name, preset):
    request = resolve(name, preset)
    assert isinstance(request.experiment, Experiment)
    assert isinstance(request.config, request.experiment.Config)


@pytest.mark.parametrize("name", ENTRIES)
def test_names_and_claims_are_in_order(name):
    entry = ENTRIES[name]
    assert name.startswith(entry.room.replace("_", "-") + "-")
    assert entry.module.startswith(f"jaxlab.experiments.{entry.room}.")
    assert entry.summary.strip() == entry.summary != ""
    assert "\n" not in entry.summary
    claims = resolve(name).experiment.CLAIMS
    assert claims
    assert all(isinstance(claim, Claim) for claim in claims)
    assert len({claim.id for claim in claims}) == len(claims)


@pytest.mark.parametrize("name", ENTRIES)
def test_presets_state_only_what_differs(name):
    import tomllib

    content = tomllib.loads(ENTRIES[name].path.read_text())

    def repeated(changes, base, prefix=""):
        for key, value in changes.items():
            if isinstance(value, dict):
                yield from repeated(value, base.get(key, {}), f"{prefix}{key}.")
            elif key in base and base[key] == value:
                yield prefix + key

    for preset in PRESETS[1:]:
        assert not list(repeated(content[preset], content["default"])), preset
