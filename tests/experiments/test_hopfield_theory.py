"""The theory behind five hopfield experiments against brute force, and small runs of each."""

import functools
import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxlab.data
from jaxlab.experiments.devices import on_devices
from jaxlab.experiments.hopfield import (
    autoencoder,
    classical_asynchronous,
    classical_one_step,
    energy,
    energy_networks,
    feature_space,
    sharding,
)
from jaxlab.experiments.hopfield import study as studies
from jaxlab.experiments.hopfield.classical_theory import sdm_read_error
from jaxlab.experiments.hopfield.comparison import compare
from jaxlab.experiments.hopfield.recall_law import (
    Rule,
    count_grid,
    exact_recall,
    fit_law,
    half_recall,
    self_excluded_field,
)
from jaxlab.experiments.hopfield.scale_measures import Config as ScaleConfig
from jaxlab.experiments.hopfield.scale_measures import exactness
from jaxlab.hopfield.capacity_theory import one_step_error_rate
from jaxlab.hopfield.dynamics import DIVERGED
from jaxlab.runner.execute import run
from jaxlab.runner.request import resolve
from tests.helpers import finished


def bipolar(rng, *shape):
    return rng.choice([-1.0, 1.0], size=shape).astype(np.float32)


@pytest.mark.parametrize("rule", ["Hebb", "Storkey"])
def test_an_energy_that_starts_at_zero_does_not_rise(rule):
    """Two patterns of four bits, a quarter of them flipped: many a query has energy 0."""
    recall = functools.partial(
        classical_asynchronous.recall_summary,
        count=jnp.int32(2),
        flip=jnp.float32(0.25),
        rule=rule,
        dim=4,
        max_count=2,
        queries=2,
        max_sweeps=10,
    )
    found = jax.vmap(recall)(jax.random.split(jax.random.key(0), 20))
    assert found["converged"].tolist() == [1.0] * 20
    assert found["rise"].tolist() == [0.0] * 20


@pytest.mark.parametrize("power", [1, 2, 3, 5])
def test_self_excluded_field_compares_the_two_values_of_each_neuron(power):
    rng = np.random.default_rng(power)
    memories, query = bipolar(rng, 6, 5), bipolar(rng, 3, 5)
    stored = np.array([1, 1, 1, 1, 0, 0], np.float32)
    expected = np.zeros((3, 5))
    for q, i in itertools.product(range(3), range(5)):
        for memory, counts in zip(memories.astype(int), stored, strict=True):
            others = int(memory @ query[q]) - int(memory[i] * query[q, i])
            up, down = memory[i] + others, -memory[i] + others
            expected[q, i] += counts * float(up ** (power + 1) - down ** (power + 1))
    field = self_excluded_field(
        jnp.asarray(query), jnp.asarray(memories), jnp.asarray(stored), power=power
    )
    np.testing.assert_allclose(field, expected, rtol=1e-6)


def test_exact_recall_equals_a_loop_over_queries():
    sizes = {"dim": 12, "max_count": 16, "queries": 5}
    counts = [2, 7, 16]
    key = jax.random.key(3)
    for rule, weigh in (
        (Rule("signed", 2), lambda s: np.sign(s) * s**2),
        (Rule("exponential"), np.exp),
    ):
        measured = exact_recall(key, jnp.asarray(counts), jnp.float32(0.25), rule=rule, **sizes)
        of_patterns, of_flips = jax.random.split(key)
        patterns = np.asarray(jax.random.rademacher(of_patterns, (16, 12), jnp.float32), float)
        rank = jnp.argsort(jnp.argsort(jax.random.uniform(of_flips, (5, 12)), axis=-1), axis=-1)
        signs = np.where(np.asarray(rank) < 3, -1.0, 1.0)
        for count, share in zip(counts, measured, strict=True):
            right = 0
            for j in range(5):
                target = patterns[j % count]
                weights = weigh(patterns[:count] @ (target * signs[j]))
                field = weights @ patterns[:count]
                right += bool(np.all(np.where(field >= 0, 1, -1) == target))
            assert float(share) == pytest.approx(right / 5), (rule, count)


def test_laws_are_fitted_inside_the_grid_alone():
    counts = count_grid(64)
    assert counts == [2, 3, 4, 6, 8, 11, 16, 23, 32, 45, 64]
    assert half_recall(counts, [1.0] * 11) == math.inf
    assert half_recall(counts, [0.4] + [0.0] * 10) == 0.0
    assert half_recall([4, 8], [0.75, 0.25]) == pytest.approx(math.sqrt(32))
    cubic = {dim: [2.0 * dim**3, 3.0 * dim**3] for dim in (8, 16, 32)}
    law = fit_law(cubic | {64: [1e5, math.inf], 4: [0.0, 5.0]})
    assert law.exponents == pytest.approx([3.0, 3.0])
    assert law.inside[0].tolist() == [8, 16, 32]
    assert fit_law({8: [4.0], 16: [math.inf]}).exponents is None


def test_reading_error_equals_a_simulated_memory():
    dim, radius, locations, count = 32, 11, 400, 30
    for distance in (0, 4):
        rates = []
        for seed in range(60):
            rng = np.random.default_rng([seed, distance])
            places, addresses = bipolar(rng, locations, dim), bipolar(rng, count, dim)
            values = bipolar(rng, count, dim)
            near = (dim - addresses @ places.T) / 2 <= radius
            counters = near.T.astype(np.float32) @ values
            query = addresses.copy()
            query[:, :distance] *= -1
            field = ((dim - query @ places.T) / 2 <= radius).astype(np.float32) @ counters
            # half of the ties: what a random sign would get wrong
            rates.append(np.mean((field * values < 0) + 0.5 * (field == 0)))
        theory = sdm_read_error(dim, radius, locations, count, distance)
        error = np.std(rates, ddof=1) / math.sqrt(len(rates))
        assert 0.01 < theory < 0.4
        # the small memory's discrete votes are not quite normal
        assert abs(np.mean(rates) - theory) < 4 * error + 0.03 * theory


def test_reading_without_crosstalk_fails_only_without_a_shared_location():
    # one pair, one location: a wrong bit is a toss when it is not active for both
    theory = sdm_read_error(8, 8, 1, 1, 3)
    assert theory == pytest.approx(0.0)
    nothing = sdm_read_error(8, 0, 1, 1, 3)
    assert nothing == pytest.approx(0.5)


def test_one_step_rates_meet_their_theory():
    counts = jnp.asarray([10, 20])
    keys = jax.random.split(jax.random.key(0), 40)
    for zero_diagonal in (False, True):
        rates = jax.lax.map(
            lambda key, zero=zero_diagonal: classical_one_step.one_step_rates(
                key, counts, dim=50, max_count=20, zero_diagonal=zero
            ),
            keys,
        )
        for place, count in enumerate((10, 20)):
            theory = one_step_error_rate(count, 50, zero_diagonal=zero_diagonal)
            point = compare("", 0.0, np.asarray(rates[:, place]).tolist(), 50 * count, theory)
            assert point.deviations < 4, (zero_diagonal, count, point)


def test_standard_error_is_never_below_that_of_independent_bits():
    rare = compare("", 0.0, [0.0] * 10, 1000, 1e-4)
    assert rare.error == pytest.approx(math.sqrt(1e-4 / 1000 / 10), rel=1e-3)
    spread = compare("", 0.0, [0.1, 0.3], 10**6, 0.2)
    assert spread.error == pytest.approx(0.1)
    assert spread.deviations == pytest.approx(0.0)


def scale_config(**changes):
    values = {"seed": 0, "n": (300, 3000), "dim": 16, "queries": 8, "block": (64,), "beta": 8.0}
    values |= {"k": 4, "noise": 0.5, "repeats": 1, "devices": 8}
    return ScaleConfig(**(values | changes))


def test_exactness_is_judged_against_all_pairs():
    config = scale_config()
    bank, query = sharding.bank_and_queries(0, 300, 16, 8, 0.5)
    result = exactness(config, bank, query)
    assert result["blocked_error"] < 1e-5
    assert result["dense_error"] < 1e-5
    assert result["exact"] == result["approximate"] == 1.0
    assert 0.8 < result["int8"] <= 1.0
    # a bank that is not the one that was asked for
    other = jnp.flip(bank, axis=1)
    wrong = exactness(config, other, query)
    assert wrong["own_first"] < 1.0


def test_eight_devices_retrieve_what_one_does(devices):
    arguments = {"seed": 0, "dim": 16, "queries": 8, "noise": 0.5, "beta": 8.0, "k": 4}
    for n in (320, 301):  # whole shards, and padded ones
        found = on_devices(sharding.compare, 8, n=n, **arguments)
        assert found["devices"] == 8
        assert found["output_error"] < 1e-5
        assert found["same_indices"] == 1.0


@pytest.mark.slow
def test_devices_that_this_process_lacks_are_found_in_another():
    missing = jax.device_count() + 1
    asked = {"seed": 0, "n": 301, "dim": 16, "queries": 8, "noise": 0.5, "beta": 8.0, "k": 4}
    found = on_devices(sharding.compare, missing, **asked)
    assert found["devices"] == missing
    assert found["output_error"] < 1e-5


def test_pca_encoder_equals_the_singular_vectors():
    rng = np.random.default_rng(0)
    images = (rng.normal(size=(40, 5)) @ rng.normal(size=(5, 9)) + 0.1).astype(np.float32)
    images += 0.01 * rng.normal(size=images.shape).astype(np.float32)
    encode, loss = autoencoder.pca_encoder(jnp.asarray(images), 3)
    centred = images - images.mean(axis=0)
    left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    codes = np.asarray(encode(jnp.asarray(images)))
    np.testing.assert_allclose(
        np.abs(codes[:, ::-1]), np.abs(left[:, :3] * sizes[:3]), rtol=1e-2, atol=1e-2
    )
    assert loss == pytest.approx(np.square(sizes[3:]).sum() / images.size, rel=1e-2)


def test_spoiled_images_are_noisy_or_masked():
    images = jnp.full((64, 64), 0.5)
    spoiled = np.asarray(autoencoder.spoil(jax.random.key(1), images, (8, 8)))
    assert spoiled.shape == (64, 64)
    kept = spoiled == 0.5
    noisy = ~kept & (spoiled != 0)
    masked = spoiled == 0
    assert np.any(noisy.any(axis=1))
    assert np.any(masked.any(axis=1) & ~noisy.any(axis=1))
    # rows are lost from below in some images and from above in others
    rows = masked.reshape(64, 8, 8).all(axis=2)
    assert rows[:, 0].any()
    assert rows[:, -1].any()


def test_networks_are_every_pair_and_the_power_goes_with_the_dot_product(tmp_path):
    outcome = run("hopfield-energy", preset="smoke", sets=TINY["hopfield-energy"], runs=tmp_path)
    config = energy_networks.Config(**_values(outcome))
    found = energy_networks.networks(config)
    assert len(found) == len(set(found)) == 2 * len(config.visible)
    assert {network.similarity for network in found if network.beta is None} == {"dot_product"}
    results = finished(outcome)
    assert all(claim["holds"] for claim in results["claims"])
    assert results["scalars"]["largest identity"] < 1e-8


@pytest.mark.usefixtures("bad_input")
@pytest.mark.parametrize(
    ("sets", "message"),
    [
        ("memories=2000", "memories: expected at most the 1797 images of digits, got 2000"),
        ("memories=3 queries=4", "queries: expected at most one for each of 3 memories, got 4"),
    ],
)
def test_energy_refuses_more_than_there_is(sets, message, tmp_path):
    config = resolve("hopfield-energy", sets=["data.name=digits", sets]).config
    with pytest.raises(ValueError, match=message):
        energy.run(config, tmp_path, None)


def test_a_trajectory_whose_rates_overflow_is_judged_by_those_before():
    """The energy of alike memories has no lower bound; the last rate is minus infinity."""
    rng = np.random.default_rng(0)
    images = rng.random(16) + 0.1 * rng.random((4, 16))
    sets = ["memories=4 queries=1 sigma=0.1 power=4.0 dt=0.1 steps=50 save_every=1"]
    config = resolve("hopfield-energy", sets=sets).config
    network = energy_networks.Network("dot_product", None, "quadratic")
    result = energy_networks.trajectories(config, network, images)
    assert result["status"] == [DIVERGED]
    assert 0 < result["identity"] < 1e-12


def test_codes_are_never_learned_on_stored_images(monkeypatch):
    images = np.full((12, 8, 8), 0.5, np.float32)
    images += np.arange(12, dtype=np.float32)[:, None, None] / 100
    images[[0, 1]] = 0  # black ones are not stored, so the stored ones come later
    monkeypatch.setattr(jaxlab.data, "load", lambda name, **_: {"images": images})

    def training(train_images):
        sets = [f"seeds=2 count=3 train_images={train_images} batch_size=2"]
        config = resolve("hopfield-feature-space", preset="smoke", sets=sets).config
        study = studies.Study(config, [config.count])
        return study, feature_space._training_images(config, study)

    study, learned = training(4)
    stored = np.concatenate([study.patterns(repetition) for repetition in range(2)])
    np.testing.assert_array_equal(np.concatenate([stored, learned]), images[2:].reshape(10, 64))
    with pytest.raises(ValueError, match="train_images: expected at most 4"):
        training(5)


def _values(outcome):
    import tomllib

    values = tomllib.loads((outcome.path / "config.toml").read_text())
    return values.get("values", values.get("config", values))


TINY = {
    "hopfield-capacity-law": ["seeds=1 powers=[1,3] dims=[12,16] queries=20 max_count=64"],
    "hopfield-energy": ['visible=["quadratic"] similarities=["dot_product"] steps=50 queries=1'],
    "hopfield-classical": ["asynchronous.dim=40 one_step.dims=[50]"],
    "hopfield-scale": ["n=[256,2560] block=[64] queries=4"],
    "hopfield-feature-space": ["count=20 steps=5 train_images=200 seeds=1"],
}


QUICK = ("hopfield-scale", "hopfield-classical")


@pytest.mark.parametrize(
    "name",
    [
        name if name in QUICK else pytest.param(name, marks=pytest.mark.slow)
        for name in TINY
        if name != "hopfield-energy"
    ],
)
def test_a_small_run_reports(name, tmp_path):
    results = finished(run(name, preset="smoke", sets=TINY[name], runs=tmp_path / "a"))
    decided = {claim["id"]: claim["holds"] for claim in results["claims"]}
    if name == "hopfield-scale":
        assert set(decided.values()) == {True}
    if name == "hopfield-classical":
        assert decided["asynchronous-descends"] is True


@pytest.mark.slow
@pytest.mark.parametrize("name", TINY)
def test_the_smoke_preset_runs_and_repeats(name, tmp_path):
    first = finished(run(name, preset="smoke", runs=tmp_path / "a"))
    again = finished(run(name, preset="smoke", runs=tmp_path / "b"))
    assert first == again
