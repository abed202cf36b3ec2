"""Chains of layers and errors behind spherical-equivariance-error, its verdicts, a small run."""

import dataclasses
import json
from unittest import mock

import jax
import numpy as np
import pytest

from jaxlab.experiments.interface import Reporter
from jaxlab.experiments.spherical import equivariance_error, equivariance_error_trained
from jaxlab.experiments.spherical import equivariance_error_measures as measures
from jaxlab.experiments.spherical.chain import apply_chain, field, make_chain, scales_of
from jaxlab.experiments.spherical.equivariance_error_claims import (
    CLAIMS,
    judge_activations,
    judge_grids,
    judge_trained,
)
from jaxlab.experiments.spherical.equivariance_error_measures import (
    ROUNDED,
    Chains,
    activation_errors,
    grid_errors,
    half_turn_error,
    pictures,
    rounding_errors,
    sizes_of,
    upsampling_errors,
)
from jaxlab.experiments.spherical.equivariance_error_trained import measure_trained
from jaxlab.experiments.spherical.scoring import Model
from jaxlab.experiments.spherical.spheres import images_grid
from jaxlab.runner.execute import run
from jaxlab.runner.request import resolve
from jaxlab.spherical import s2_analysis, so3_integrate
from jaxlab.spherical.convolution import s2_conv_apply, so3_conv_apply
from jaxlab.spherical.s2cnn import init_s2cnn
from jaxlab.spherical.s2cnn_config import S2CNNConfig
from jaxlab.spherical.so3_to_s2 import so3_to_s2_apply
from jaxlab.spherical.tables import make_s2_tables
from tests.helpers import finished, verdicts_of

CHAINS = Chains(signals=2, channels=2, slope=2.0, bandwidth=4, bandlimits=(3, 2, 3))
SEED = 2  # of a chain whose output varies by as much as its mean


def test_a_chain_is_its_layers_with_pre_activations_of_variance_one():
    chain = make_chain(jax.random.key(0), (4, 3, 2, 4), 2)
    x = field(jax.random.key(1), 4, 1.0, 3)
    scales = scales_of(chain, x, "square", 1.0)
    y = s2_conv_apply(chain[0].params, x, *chain[0].tables) / scales[0]
    np.testing.assert_allclose(_variance(y), 1, rtol=1e-5)
    y = so3_conv_apply(chain[1].params, y**2, *chain[1].tables) / scales[1]
    np.testing.assert_allclose(_variance(y), 1, rtol=1e-5)
    y = so3_to_s2_apply(chain[2].params, y**2, *chain[2].tables)
    np.testing.assert_allclose(apply_chain(chain, x, scales, "square"), y, rtol=1e-4, atol=1e-5)
    each = scales_of(chain, x, "square", 1.0, "channel")
    assert [scale.size for scale in scales] == [1, 1]
    assert [scale.size for scale in each] == [2, 2]


def _variance(y):
    """Over the rotation group, signals and channels."""
    return float(so3_integrate(y**2).mean() - so3_integrate(y).mean() ** 2)


def test_a_field_has_the_same_degrees_on_every_grid():
    one, other = (
        s2_analysis(field(jax.random.key(2), 4, 2.0, 2, grid), make_s2_tables(4, 4, grid)).coeffs
        for grid in ("soft", "driscoll_healy")
    )
    np.testing.assert_allclose(one, other, atol=1e-5)


def test_sizes_keep_their_proportions():
    assert sizes_of(CHAINS, 4) == (4, 3, 2, 3, 4)
    assert sizes_of(CHAINS, 8) == (8, 6, 4, 6, 8)
    assert min(sizes_of(CHAINS, 1)) == 1


def test_errors_are_what_they_must_be(monkeypatch):
    (linear,) = activation_errors(CHAINS, 4, "none", (1.0, 2.0), SEED)
    relu = activation_errors(CHAINS, 4, "relu", (1.0, 2.0), SEED)
    (square,) = activation_errors(CHAINS, 4, "square", (2.0,), SEED)
    assert max(linear, square) < 1e-5
    assert 1e-3 < relu[1] < relu[0] < 1
    assert half_turn_error(CHAINS, SEED) < 1e-5
    rounded = rounding_errors(CHAINS, SEED)
    assert list(rounded) == list(ROUNDED)
    assert max(rounded["nothing"], rounded["parameters"]) < 1e-5
    assert all(1e-4 < rounded[what] < 5e-2 for what in ("input", "signals", "tables"))
    grids = grid_errors(CHAINS, 4, SEED)
    assert grids["one"] < 1e-5 < 1e-2 < grids["two"]
    monkeypatch.setattr(measures, "UPSAMPLING", (4, 2, 4, 4))
    risen = upsampling_errors(CHAINS, SEED)
    assert risen["zero_pad"] < 1e-5 < 1e-3 < risen["aliased"]


def test_pictures_are_of_one_signal():
    seen = pictures(CHAINS, (1.0,), 0)
    signals = seen.pop("1")
    assert {np.shape(x) for x in (*seen.values(), *signals.values())} == {(8, 8)}
    apart = np.subtract(signals["f(Qx)"], signals["Q f(x)"])
    assert 0 < np.linalg.norm(apart) < np.linalg.norm(signals["f(x)"])


def found(judge, *args):
    """Whether claims hold, by claim."""
    reporter = mock.Mock(spec=Reporter)
    judge(*args, reporter)
    return verdicts_of(reporter)


GOOD = {
    "relu": {1.0: [0.1, 0.2], 1.5: [0.05, 0.1], 2.0: [0.01, 0.02]},
    "gelu": {3.0: [1e-6, 2e-6]},
    "silu": {3.0: [5e-5, 4e-5], 4.0: [1e-6, 1e-6]},
    "softplus": {2.0: [5e-5, 4e-5], 3.0: [1e-6, 1e-6]},
    "square": {1.5: [1e-6, 2e-6]},
}
GRIDS = {10: {"one": [1e-6], "two": [0.2]}, 16: {"one": [1e-6], "two": [0.1]}}
RISEN = {"zero_pad": [1e-6], "aliased": [1e-2]}
LOW = {"parameters": [1e-6], "input": [1e-3], "signals": [5e-3], "tables": [5e-3]}


def verdicts(errors=GOOD, linear=None, turned=(1e-7,), grids=GRIDS, risen=RISEN, low=LOW):
    return (
        found(judge_activations, errors, linear or {8: [1e-6]}, turned)
        | found(judge_grids, grids, risen, low)
        | found(judge_trained, [{"oversample": [1.0, 2.0], "after": [0.1, 0.05]}])
    )


def test_criteria_hold_for_the_errors_they_ask_for():
    assert verdicts() == {claim.id: True for claim in CLAIMS}


@pytest.mark.parametrize(
    ("claim", "changed"),
    [
        ("linear-layers-commute", {"linear": {8: [1e-6, 1e-4]}}),
        ("linear-layers-commute", {"linear": {8: [float("nan")]}}),
        ("square-is-free-of-aliasing", {"errors": GOOD | {"square": {1.5: [1e-6, 1e-4]}}}),
        ("smooth-functions-commute-nearly", {"errors": GOOD | {"silu": {3.0: [2e-4], 4.0: [0.0]}}}),
        ("smooth-functions-reach-rounding", {"errors": GOOD | {"gelu": {3.0: [1e-4]}}}),
        ("relu-error-falls", {"errors": GOOD | {"relu": {1.0: [0.1, 0.1], 2.0: [0.05, 0.2]}}}),
        ("relu-error-falls", {"errors": GOOD | {"relu": {1.0: [0.1], 2.0: [1e-6]}}}),
        ("grid-turns-are-exact", {"turned": [1e-7, 1e-3]}),
        ("grids-must-agree", {"grids": {b: {"one": [1e-6], "two": [0.1]} for b in (8, 9)}}),
        ("grids-must-agree", {"grids": GRIDS | {16: {"one": [float("nan")], "two": [0.1]}}}),
        ("new-degrees-must-be-zero", {"risen": {"zero_pad": [1e-6], "aliased": [5e-5]}}),
        ("new-degrees-must-be-zero", {"risen": {"zero_pad": [0.0], "aliased": [0.0]}}),
        ("bfloat16-inputs", {"low": LOW | {"input": [1e-2]}}),
        ("bfloat16-inputs", {"low": LOW | {"input": [1e-6]}}),
        ("bfloat16-inputs", {"low": LOW | {"signals": [1e-6]}}),
        ("bfloat16-inputs", {"low": LOW | {"tables": [1e-6]}}),
        ("bfloat16-inputs", {"low": LOW | {"parameters": [1e-4]}}),
    ],
)
def test_criteria_fail_for_other_errors(claim, changed):
    holds = verdicts(**changed)
    assert holds.pop(claim) is False
    assert all(holds.values())


def test_what_was_not_measured_is_not_judged():
    assert verdicts(errors=GOOD | {"square": {2.0: [1e-6]}})["square-is-free-of-aliasing"] is None
    assert verdicts(grids={10: GRIDS[10]})["grids-must-agree"] is None
    short = GOOD | {"gelu": {1.0: [0.1], 1.5: [1e-3]}}
    assert verdicts(errors=short)["smooth-functions-reach-rounding"] is None
    rising = [{"oversample": [1.0, 2.0], "after": [0.1, 0.2]}]
    assert found(judge_trained, rising) == {"trained-networks-profit": False}


def test_more_test_images_than_there_are_are_refused(tmp_path):
    reporter = mock.Mock(spec=Reporter)
    for sets in ("trained.images=10000", "trained.images=9 trained.data.test=8"):
        config = resolve("spherical-equivariance-error", "smoke", [sets]).config
        with pytest.raises(ValueError, match=r"trained.images: expected at most \d+ test images"):
            equivariance_error.run(config, tmp_path, reporter)
    reporter.cell.assert_not_called()


@pytest.mark.parametrize(("classes", "outputs"), [((), 11), ((0, 1), 5)])
def test_a_trained_network_has_outputs_for_all_labels(classes, outputs, tmp_path, monkeypatch):
    config = resolve("spherical-equivariance-error", preset="smoke").config
    made = []

    def train(network, *args, **options):
        made.append(network)
        raise InterruptedError

    monkeypatch.setattr(equivariance_error_trained, "train", train)
    with pytest.raises(InterruptedError):
        measure_trained(dataclasses.replace(config.trained, classes=classes), "relu", 0, tmp_path)
    assert made[0].num_classes == outputs  # background, and at least one for each label


@pytest.mark.parametrize("mismatch", [False, True])
def test_a_mismatch_of_the_grids_shows_in_the_errors_of_a_trained_network(mismatch):
    """A linear network commutes with rotations, but not where it takes samples for others."""
    data = resolve("spherical-equivariance-error", preset="smoke").config.trained.data
    data = dataclasses.replace(data, bandwidth=6, official_mismatch=mismatch)
    network = S2CNNConfig(
        bandwidth=6, channels=(2,), bandlimits=(4,), num_classes=3, activation="none"
    )
    params, state = init_s2cnn(jax.random.key(0), network)
    model = Model(network, data, None, params, state)
    x = field(jax.random.key(1), 6, 1.0, 3, images_grid(data))
    ((error, moved),) = equivariance_error_trained._errors(model, x=x, oversample=(1.0,), seed=0)
    assert (error > 1e-2) == mismatch
    assert moved > 0 if mismatch else moved == 0


# the smoke preset, smaller
TINY = (
    "seed=2 seeds=1 oversample=[1.0,1.5] bandwidths=[4] grids=[4] chains.signals=2 "
    "chains.channels=2 chains.bandwidth=4 chains.bandlimits=[3,2,3]"
)
TRAINED = {"score": 0.5, "oversample": [1.0, 2.0], "before": [0.2, 0.1], "after": [0.1, 0.01]}


def test_a_small_run_reports_and_repeats(tmp_path, monkeypatch):
    trained = TRAINED | {"moved": [0.1, 0.0]}  # the smoke preset trains; see the slow test
    monkeypatch.setattr(equivariance_error, "measure_trained", lambda *args: trained)
    monkeypatch.setattr(measures, "UPSAMPLING", (4, 2, 4, 4))

    def results(folder):
        outcome = run("spherical-equivariance-error", preset="smoke", sets=[TINY], runs=folder)
        return json.loads((outcome.path / "results.json").read_text())

    first = results(tmp_path / "a")
    assert first["status"] == "finished", first["error"]
    assert set(first["figures"]) == {"activations", "bandwidths", "spheres", "grids", "trained"}
    for name in [name for name in dir(equivariance_error) if name.startswith("draw_")]:
        monkeypatch.setattr(equivariance_error, name, lambda *args: None)
    again = results(tmp_path / "b")
    assert first | {"figures": {}} == again
    held = {claim["id"]: claim["holds"] for claim in first["claims"]}
    assert held["linear-layers-commute"]
    assert held["grid-turns-are-exact"]
    assert held["smooth-functions-commute-nearly"] is None
    assert all(np.isfinite(value) for value in first["scalars"].values())


@pytest.mark.slow
def test_the_smoke_preset_runs_and_trains(tmp_path):
    results = finished(run("spherical-equivariance-error", preset="smoke", runs=tmp_path))
    held = {claim["id"]: claim["holds"] for claim in results["claims"]}
    assert held["relu-error-falls"]
    assert held["square-is-free-of-aliasing"]
    assert held["trained-networks-profit"]
