import datetime
import errno
import json
import math
import os
from concurrent.futures import ThreadPoolExecutor

import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.runner import store
from jaxlab.runner.registry import UsageError

NOW = datetime.datetime(2022, 7, 17, 9, 30, 0)


def test_runs_of_the_same_second_get_their_own_directories(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: store.create(tmp_path, "a", "smoke", NOW), range(16)))
    assert len(set(made)) == 16
    assert (tmp_path / "a" / "smoke-20220717-093000").is_dir()
    assert (tmp_path / "a" / "smoke-20220717-093000-16").is_dir()


def test_cells_are_on_the_disk_at_once_and_read_back(tmp_path):
    path = tmp_path / "metrics.jsonl"
    with store.Metrics(path) as metrics:
        metrics.append("a", {"x": 1.5}, 0.25)
        assert json.loads(path.read_text()) == {"key": "a", "value": {"x": 1.5}, "seconds": 0.25}
    with store.Metrics(path) as metrics:
        assert metrics.stored["a"]["value"] == {"x": 1.5}


@pytest.mark.parametrize("torn", ['{"key": "b", "val', '{"key": "b", "value": 1, "seconds": 0.1}'])
def test_a_torn_last_line_is_dropped(tmp_path, torn):
    path = tmp_path / "metrics.jsonl"
    with store.Metrics(path) as metrics:
        metrics.append("a", 1, 0.1)
    with open(path, "a") as file:
        file.write(torn)
    with store.Metrics(path) as metrics:
        assert list(metrics.stored) == ["a"]
        metrics.append("b", 2, 0.1)
    with store.Metrics(path) as metrics:
        assert {key: cell["value"] for key, cell in metrics.stored.items()} == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    "damaged", ['{"ke', '{"key": "b", "value": 1}', '{"key": "b", "seconds": 1}']
)
def test_a_damaged_line_in_the_middle_is_refused_and_kept(tmp_path, damaged):
    path = tmp_path / "metrics.jsonl"
    good = '{"key": "a", "value": 1, "seconds": 1}'
    content = f"{good}\n{damaged}\n{good}\n"
    path.write_text(content)
    with pytest.raises(UsageError, match="line 2 is damaged"):
        store.Metrics(path)
    assert path.read_text() == content


def test_two_processes_do_not_share_a_directory(tmp_path):
    # flock belongs to the open file, so a second opening stands for a second process
    with (
        store.Metrics(tmp_path / "metrics.jsonl"),
        pytest.raises(UsageError, match="still at work"),
    ):
        store.Metrics(tmp_path / "metrics.jsonl")
    with store.Metrics(tmp_path / "metrics.jsonl"):
        pass


def test_a_file_system_without_locks_is_written_to(tmp_path, monkeypatch):
    def refuse(file, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(store.fcntl, "flock", refuse)
    with store.Metrics(tmp_path / "metrics.jsonl") as metrics:
        metrics.append("a", 1, 0.5)
    assert store.Metrics(tmp_path / "metrics.jsonl").stored.keys() == {"a"}


def test_a_failed_write_leaves_the_old_content_and_no_litter(tmp_path, monkeypatch):
    path = tmp_path / "results.json"
    store.write_atomic(path, "old")

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        store.write_atomic(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["results.json"]


def test_values_are_the_same_before_and_after_the_disk():
    value = {"f32": np.float32(0.1), "array": jnp.arange(3), "tuple": (1, 2), "nan": math.nan, 3: 4}
    made = store.plain(value, "cell")
    assert made["f32"] == float(np.float32(0.1))
    assert made["array"] == [0, 1, 2]
    assert made["tuple"] == [1, 2]
    assert made["3"] == 4
    assert math.isnan(made["nan"])
    assert str(json.loads(json.dumps(made))) == str(made)


def test_what_json_cannot_say_is_refused_by_name():
    with pytest.raises(TypeError, match="sigma=1: a set cannot be written as JSON"):
        store.plain({1, 2}, "sigma=1")
