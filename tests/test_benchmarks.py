"""The ratio table of ``make bench``, on records made by hand; and the timing helpers."""

import json

import jax
import jax.numpy as jnp
import pytest

from tests.benchmarks.table import environment, markdown, rows_of
from tests.benchmarks.timing import time_jaxlab, time_peer


def record(group, implementation, median, **extra_info):
    extra = {"implementation": implementation, **extra_info}
    return {
        "name": f"test_{group}",
        "group": group,
        "extra_info": extra,
        "stats": {"median": median},
    }


RECORDS = [
    record("toy/sum", "jaxlab", 0.3, compile_seconds=1.5, temp_bytes=2048, workload="n=8"),
    record("toy/alone", "jaxlab", 2e-6),
    record("toy/sum", "numpy", 0.2, package="numpy", target=1.2),
    record("toy/sum", "plain Python", 6.0, target=1.0),
    record("toy/missing", "numpy", 0.5),
]


def test_one_row_per_peer_with_ratio_and_target():
    rows = rows_of(RECORDS)
    assert [(row.case, row.peer) for row in rows] == [
        ("toy/sum", "numpy"),
        ("toy/sum", "plain Python"),
        ("toy/alone", None),
        ("toy/missing", "numpy"),
    ]
    numpy_row, python_row, alone, missing = rows
    assert numpy_row.ratio == pytest.approx(1.5)
    assert python_row.ratio == pytest.approx(0.05)
    assert (numpy_row.met, python_row.met, alone.met) == (False, True, None)
    assert (alone.ratio, missing.ratio, missing.jaxlab_seconds) == (None, None, None)
    assert (numpy_row.compile_seconds, numpy_row.temp_bytes) == (1.5, 2048)


def test_a_peer_timed_in_its_own_process_is_marked():
    apart = {"old": {"seconds": 0.5, "target": 1.0}, "other": {"seconds": 0.1}}
    rows = rows_of([record("toy/sum", "jaxlab", 0.3, apart=apart)])
    assert [(row.peer, row.target, row.met) for row in rows] == [
        ("old (own process)", 1.0, True),
        ("other (own process)", None, None),
    ]
    assert rows[0].ratio == pytest.approx(0.6)


def test_markdown_states_medians_compile_time_memory_and_skips():
    text = markdown(rows_of(RECORDS), {"device": "1 × cpu"}, ["bench_toy.py::torch: no torch"])
    lines = text.splitlines()
    assert lines[2] == (
        "| toy/sum | n=8 | 300 ms | numpy | 200 ms | 1.50 | ≤ 1.2 ✗ | 1.5 s | 2 KiB |"
    )
    assert lines[3].startswith("| toy/sum | n=8 | 300 ms | plain Python | 6 s | 0.05 | ≤ 1 ✓ |")
    assert lines[4] == "| toy/alone | – | 2 µs | – | – | – | – | – | – |"
    assert "Measured on: device 1 × cpu." in text
    assert "Not measured: bench_toy.py::torch: no torch" in text
    assert {line.count("|") for line in lines if line.startswith("|")} == {10}


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([record("toy/sum", "jaxlab", 1.0), record("toy/sum", "jaxlab", 2.0)], "already timed"),
        ([record("sum", "jaxlab", 1.0)], "expected a group"),
        ([record("toy/sum", None, 1.0)], "implementation None"),
    ],
)
def test_records_against_the_convention_are_refused(records, message):
    with pytest.raises(ValueError, match=message):
        rows_of(records)


def test_environment_names_versions_and_no_paths():
    found = environment(["numpy", "no-such-package"])
    assert found["jax"] == jax.__version__
    assert found["no-such-package"] == "of unknown version"
    assert "/" not in json.dumps(found)


class Fixture:
    """Stands in for pytest-benchmark's fixture, which the test environment does not need."""

    def __init__(self):
        self.group, self.extra_info, self.settings = None, {}, {}

    def pedantic(self, function, **settings):
        self.settings = settings
        return function()


def test_jaxlab_case_records_compile_time_and_memory():
    fixture = Fixture()
    result = time_jaxlab(fixture, lambda x: jnp.sum(x @ x), jnp.eye(4), group="toy/sum", target=2.0)
    assert float(result) == 4.0
    assert fixture.group == "toy/sum"
    assert fixture.extra_info["implementation"] == "jaxlab"
    assert fixture.extra_info["compile_seconds"] > 0
    assert fixture.extra_info["temp_bytes"] >= 0
    assert fixture.extra_info["target"] == 2.0
    assert fixture.settings == {"rounds": 7, "warmup_rounds": 1, "iterations": 1}


def test_what_an_earlier_case_compiled_is_compiled_again():
    traced = []

    @jax.jit
    def total(x):
        traced.append(x.shape)
        return jnp.sum(x)

    for _ in range(2):
        time_jaxlab(Fixture(), total, jnp.eye(5), group="toy/sum")
    assert traced == [(5, 5), (5, 5)]


def test_too_few_rounds_are_refused():
    with pytest.raises(ValueError, match="at least 5"):
        time_peer(Fixture(), lambda: None, group="toy/sum", implementation="numpy", rounds=4)
