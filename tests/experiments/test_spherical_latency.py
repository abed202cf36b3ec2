"""Networks, calls and stages behind spherical-latency, its verdicts, and a small run."""

from unittest import mock

import jax
import numpy as np
import pytest

from jaxlab.experiments.interface import Reporter
from jaxlab.experiments.spherical import latency
from jaxlab.experiments.spherical.latency import CLAIMS
from jaxlab.experiments.spherical.latency_networks import (
    CALLS,
    compile_calls,
    matched_cnn,
    scaled_s2cnn,
)
from jaxlab.experiments.spherical.latency_report import Measured, judge
from jaxlab.experiments.spherical.latency_stages import STAGES, measure_stages
from jaxlab.runner.execute import run
from jaxlab.runner.request import resolve
from jaxlab.spherical.cnn_config import CNNConfig, cnn_param_count
from jaxlab.spherical.s2cnn_architectures import S2CNN_PRESETS
from jaxlab.spherical.s2cnn_config import S2CNNConfig, s2cnn_param_count
from tests.helpers import finished, verdicts_of

SMALL = S2CNNConfig(4, (2,), (2,), 3, n_beta=1, n_alpha=4)
RIVAL = CNNConfig((8, 8), (2,), (3,), (1,), num_classes=3)


@pytest.mark.parametrize("name", S2CNN_PRESETS)
def test_scaled_networks_keep_their_parameters(name):
    preset = S2CNN_PRESETS[name]
    assert scaled_s2cnn(name, preset.bandwidth) == preset
    scaled = scaled_s2cnn(name, 2 * preset.bandwidth)
    assert scaled.bandlimits == tuple(2 * L for L in preset.bandlimits)
    assert s2cnn_param_count(scaled) == s2cnn_param_count(preset)
    assert min(scaled_s2cnn(name, 4).bandlimits) >= 1


def test_planar_rivals_have_as_many_parameters():
    own = scaled_s2cnn("s2cnn_39k", 10)
    rivals = [matched_cnn(jax.random.key(seed), own, 0.05) for seed in range(2)]
    for rival in rivals:
        assert abs(cnn_param_count(rival) / s2cnn_param_count(own) - 1) <= 0.05
        assert (rival.task, rival.num_classes) == (own.task, own.num_classes)
    assert rivals[0] != rivals[1]


def test_calls_predict_and_train():
    calls = compile_calls(SMALL, 3, seed=0)
    assert list(calls) == list(CALLS)
    one, batch = (calls[name].call() for name in ("one", "batch"))
    assert (one.shape, batch.shape) == ((1, 8, 8, 3), (3, 8, 8, 3))
    np.testing.assert_allclose(one, batch[:1], atol=1e-5)
    state, metrics = calls["training"].call()
    assert int(state.step) == 1
    assert float(metrics["grad_norm"]) > 0


def test_stages_are_measured():
    seconds = measure_stages(SMALL, 2, seed=0, repeats=2)
    assert list(seconds) == [*STAGES, "whole"]
    assert all(value >= 0 for value in seconds.values())
    assert min(seconds[name] for name in ("azimuths", "activations", "whole")) > 0


def measured(slower, larger):
    """A pair in which the equivariant network takes so much more time and memory."""
    titles = ("s2cnn", "planar 0", "planar 1", "planar 2")
    seconds = {call: dict(zip(titles, (slower, 1.0, 0.5, 9.0), strict=True)) for call in CALLS}
    sizes = dict(zip(titles, (100 * larger, 100, 1, 500), strict=True))
    memory = {title: {"bytes": dict.fromkeys(CALLS, size)} for title, size in sizes.items()}
    return Measured(memory, seconds, {})


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([(2.0, 2), (1.5, 3)], (True, True, True)),
        ([(2.0, 2), (0.9, 3)], (False, False, True)),
        ([(2.0, 2), (2.0, 0.5)], (True, True, False)),
        ([(1.0, 1)], (False, False, False)),  # all alike
    ],
)
def test_every_pair_decides(pairs, expected):
    reporter = mock.Mock(spec=Reporter)
    judge({("s2cnn", b): measured(*pair) for b, pair in enumerate(pairs)}, reporter)
    found = {call.args[0]: call.kwargs for call in reporter.verdict.call_args_list}
    assert tuple(found[claim.id]["holds"] for claim in CLAIMS) == expected
    assert "one image: " in found["slower-at-inference"]["ours"]


def test_times_too_short_to_measure_decide_nothing():
    short = measured(2.0, 2)
    short = short._replace(seconds={call: dict.fromkeys(short.memory, 0.0) for call in CALLS})
    reporter = mock.Mock(spec=Reporter)
    judge({("s2cnn", 4): measured(2.0, 2), ("s2cnn", 8): short}, reporter)
    assert tuple(verdicts_of(reporter)[claim.id] for claim in CLAIMS) == (None, None, True)


def test_a_small_run_reports(tmp_path, monkeypatch):
    monkeypatch.setattr(latency, "scaled_s2cnn", lambda name, b, remat: SMALL)
    monkeypatch.setattr(latency, "matched_cnn", lambda key, own, tolerance: RIVAL)
    sets = ["batch=3 repeats=2 stages=[]"]
    outcome = run("spherical-latency", preset="smoke", sets=sets, runs=tmp_path)
    results = finished(outcome)
    rows = results["tables"]["memory"]["rows"]
    assert [row[2:5] for row in rows] == [
        ["s2cnn_56k", "2", s2cnn_param_count(SMALL)],
        ["planar 0", "2", cnn_param_count(RIVAL)],
    ]
    assert "Latency, throughput" in (outcome.path / "report.md").read_text()


def test_rivals_are_drawn_before_anything_is_compiled(tmp_path, monkeypatch):
    """At bandwidth 5 there are planar networks of the first one's size, none of the second's."""
    compiled = mock.Mock(side_effect=AssertionError("compiled"))
    monkeypatch.setattr(latency, "compile_calls", compiled)
    sets = ["networks=[s2cnn_39k,s2cnn_204k] bandwidths=[5]"]
    config = resolve("spherical-latency", "smoke", sets).config
    with pytest.raises(ValueError, match="target_params: expected a number that"):
        latency.run(config, tmp_path, mock.Mock(spec=Reporter))


@pytest.mark.slow
def test_the_smoke_preset_runs(tmp_path):
    results = finished(run("spherical-latency", preset="smoke", runs=tmp_path))
    assert set(results["figures"]) == {"ratios", "stages"}
