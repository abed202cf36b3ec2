"""The classical network: learning rules, recall all at once and one by one, error rates."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.hopfield import classical, learning_rules, models, patterns
from jaxlab.hopfield.capacity_theory import one_step_error_rate
from jaxlab.hopfield.corruption import flip_bits
from tests.helpers import to_device

KEY = jax.random.key(8)


def random_network(dim, seed=0):
    weights = np.random.default_rng(seed).normal(size=(dim, dim))
    weights = weights + weights.T
    dtype = jax.dtypes.canonicalize_dtype(float)
    return to_device(weights - np.diag(np.diag(weights)), dtype)


def test_hebbian_weights_equal_the_sum_of_outer_products():
    memories = patterns.random_bipolar(KEY, n=5, d=9)
    expected = sum(np.outer(m, m) for m in np.asarray(memories))
    full = learning_rules.hebbian_weights(memories, zero_diagonal=False)
    np.testing.assert_array_equal(full, expected)
    np.testing.assert_array_equal(
        learning_rules.hebbian_weights(memories), expected - 5 * np.eye(9)
    )
    integers = learning_rules.hebbian_weights(memories.astype(jnp.int8), zero_diagonal=False)
    np.testing.assert_array_equal(integers, expected)


def test_storkey_weights_equal_loops(x64):
    memories = np.asarray(patterns.random_bipolar(KEY, n=4, d=7))
    weights = np.zeros((7, 7))
    for pattern in memories:
        old = weights.copy()
        for i in range(7):
            for j in range(7):
                if i == j:
                    continue
                h_ij = sum(old[i, k] * pattern[k] for k in range(7) if k not in (i, j))
                h_ji = sum(old[j, k] * pattern[k] for k in range(7) if k not in (i, j))
                change = pattern[i] * pattern[j] - pattern[i] * h_ji - h_ij * pattern[j]
                weights[i, j] += change / 7
    got = learning_rules.storkey_weights(jnp.asarray(memories))
    np.testing.assert_allclose(got, weights, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(got, got.T, rtol=1e-12)


def test_storkey_stores_more_than_hebb():
    memories = patterns.random_bipolar(KEY, n=40, d=150)
    stable = {}
    for rule in (learning_rules.hebbian_weights, learning_rules.storkey_weights):
        step = classical.synchronous_recall(memories, rule(memories), max_steps=1)
        stable[rule.__name__] = float(jnp.mean(step.converged))
    assert stable["storkey_weights"] > 0.9
    assert stable["hebbian_weights"] < 0.5


def test_masked_patterns_are_not_stored():
    memories = patterns.random_bipolar(KEY, n=5, d=9)
    mask = np.array([True, False, True, True, False])
    for rule in (learning_rules.hebbian_weights, learning_rules.storkey_weights):
        kept = np.asarray(memories)[mask]
        np.testing.assert_allclose(rule(memories, mask=mask), rule(kept), atol=1e-6)


@pytest.mark.parametrize("zero_diagonal", [True, False])
def test_one_synchronous_step_is_the_hopfield_network(zero_diagonal):
    memories = patterns.random_bipolar(KEY, n=6, d=21)
    query = flip_bits(KEY, memories, 0.2)
    weights = learning_rules.hebbian_weights(memories, zero_diagonal=zero_diagonal)
    step = classical.synchronous_recall(query, weights, max_steps=1)
    expected = models.hopfield_network(query, memories, zero_diagonal=zero_diagonal)
    np.testing.assert_array_equal(step.output, expected.output)


def test_synchronous_recall_ends_in_a_fixed_point_or_a_cycle_of_two():
    weights = random_network(20)
    start = patterns.random_bipolar(KEY, n=60, d=20)
    end = classical.synchronous_recall(start, weights, max_steps=60)
    once = classical.synchronous_recall(end.output, weights, max_steps=1).output
    twice = classical.synchronous_recall(once, weights, max_steps=1).output
    np.testing.assert_array_equal(twice, end.output)
    end = jax.tree.map(np.asarray, end)
    fixed = np.all(np.asarray(once) == end.output, axis=-1)
    np.testing.assert_array_equal(end.converged, fixed)
    assert 0 < int(fixed.sum()) < 60  # both kinds were met
    assert np.all(end.steps[~end.converged] == 60)


def test_synchronous_energies_are_those_of_the_path():
    weights = random_network(12)
    start = patterns.random_bipolar(KEY, n=1, d=12)[0]
    path = [start]
    for _ in range(4):
        path.append(classical.synchronous_recall(path[-1], weights, max_steps=1).output)
    got = classical.synchronous_recall(start, weights, max_steps=4)
    np.testing.assert_array_equal(got.output, path[-1])
    expected = [classical.hopfield_energy(state, weights) for state in path]
    np.testing.assert_allclose(got.energies, expected, rtol=1e-5)


def test_energy_equals_a_loop(x64):
    weights, v = random_network(8), patterns.random_bipolar(KEY, n=3, d=8)
    energies = np.asarray(classical.hopfield_energy(v, weights))
    weights, v = np.asarray(weights), np.asarray(v)
    for b in range(3):
        total = 0.0
        for i in range(8):
            for j in range(8):
                total -= 0.5 * float(v[b, i] * weights[i, j] * v[b, j])
        assert float(energies[b]) == pytest.approx(total, rel=1e-12)


def test_asynchronous_recall_descends_to_a_fixed_point():
    for seed in range(3):
        weights = random_network(30, seed)
        start = patterns.random_bipolar(jax.random.key(seed + 50), n=20, d=30)
        end = classical.asynchronous_recall(KEY, start, weights, max_sweeps=50)
        assert end.converged.all()
        assert np.all(np.diff(end.energies, axis=-1) <= 0)
        fields = np.asarray(end.output) @ np.asarray(weights)
        assert (fields * np.asarray(end.output) >= 0).all()  # no neuron wants to change
        np.testing.assert_allclose(
            np.asarray(end.energies)[:, -1],
            classical.hopfield_energy(end.output, weights),
            rtol=1e-5,
        )


def test_asynchronous_recall_equals_a_loop():
    weights, start = random_network(10), patterns.random_bipolar(KEY, n=1, d=10)[0]
    v, table = np.asarray(start).copy(), np.asarray(weights)
    sweeps = 0
    while True:
        before = v.copy()
        for i in np.asarray(jax.random.permutation(jax.random.fold_in(KEY, sweeps), 10)):
            field = sum(table[i, j] * v[j] for j in range(10))
            v[i] = 1.0 if field > 0 else -1.0 if field < 0 else v[i]
        sweeps += 1
        if np.array_equal(v, before):
            break
    end = classical.asynchronous_recall(KEY, start, weights, max_sweeps=100)
    np.testing.assert_array_equal(end.output, v)
    assert int(end.sweeps) == sweeps > 1


def test_a_neuron_without_field_keeps_its_state():
    start = patterns.random_bipolar(KEY, n=4, d=6)
    end = classical.asynchronous_recall(KEY, start, jnp.zeros((6, 6)), max_sweeps=100)
    np.testing.assert_array_equal(end.output, start)
    assert end.sweeps.tolist() == [1, 1, 1, 1]
    assert end.converged.all()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_an_energy_that_is_not_finite_is_not_convergence(bad):
    start = patterns.random_bipolar(KEY, n=4, d=6)
    weights = jnp.full((6, 6), bad)
    end = classical.asynchronous_recall(KEY, start, weights, max_sweeps=3)
    assert not end.converged.any()
    assert end.sweeps.tolist() == [3, 3, 3, 3]


def test_too_few_sweeps_are_reported():
    weights = random_network(30)
    start = patterns.random_bipolar(KEY, n=20, d=30)
    end = classical.asynchronous_recall(KEY, start, weights, max_sweeps=1)
    assert not end.converged.any()
    assert end.energies.shape == (20, 2)


def test_recall_of_stored_patterns_from_corrupted_ones():
    memories = patterns.random_bipolar(KEY, n=5, d=120)
    query = flip_bits(KEY, memories, 0.1)
    weights = learning_rules.hebbian_weights(memories)
    together = classical.synchronous_recall(query, weights, max_steps=10)
    one_by_one = classical.asynchronous_recall(KEY, query, weights, max_sweeps=100)
    np.testing.assert_array_equal(together.output, memories)
    np.testing.assert_array_equal(one_by_one.output, memories)


def test_batches_are_the_single_recalls_with_split_keys():
    weights = random_network(12)
    start = patterns.random_bipolar(KEY, n=6, d=12).reshape(2, 3, 12)
    end = classical.asynchronous_recall(KEY, start, weights, max_sweeps=100)
    assert end.energies.shape == (2, 3, 101)
    keys = jax.random.split(KEY, 6)
    for b in range(6):
        single = classical.asynchronous_recall(
            keys[b], start[b // 3, b % 3], weights, max_sweeps=100
        )
        np.testing.assert_array_equal(end.output[b // 3, b % 3], single.output)
        assert int(end.sweeps[b // 3, b % 3]) == int(single.sweeps)
    assert classical.asynchronous_recall(KEY, start[:0], weights, max_sweeps=100).output.shape == (
        0,
        3,
        12,
    )
    steps = classical.synchronous_recall(start, weights, max_steps=5)
    mapped = jax.vmap(
        jax.vmap(lambda q: classical.synchronous_recall(q, weights, max_steps=5).output)
    )
    np.testing.assert_array_equal(jax.jit(mapped)(start), steps.output)
    assert classical.synchronous_recall(start[:0], weights, max_steps=5).output.shape == (0, 3, 12)


@pytest.mark.parametrize("zero_diagonal", [False, True])
@pytest.mark.parametrize(("n", "d"), [(100, 400), (40, 100)])
def test_one_step_error_rate_of_random_patterns(n, d, zero_diagonal):
    """Measured over 25 networks, against the normal approximation."""

    @jax.jit
    @jax.vmap
    def wrong_bits(key):
        memories = patterns.random_bipolar(key, n=n, d=d)
        recalled = models.hopfield_network(memories, memories, zero_diagonal=zero_diagonal)
        return jnp.mean(recalled.output != memories)

    rates = np.asarray(wrong_bits(jax.random.split(KEY, 25)))
    expected = one_step_error_rate(n, d, zero_diagonal=zero_diagonal)
    # networks are independent, the bits of one are not: the spread between networks is the error
    assert abs(rates.mean() - expected) < 4 * rates.std(ddof=1) / 5
    assert rates.mean() == pytest.approx(expected, rel=0.1)


def test_one_step_error_rate_values():
    assert one_step_error_rate(100, 400, zero_diagonal=False) == pytest.approx(0.00602, abs=5e-6)
    assert one_step_error_rate(200, 1000, zero_diagonal=True) == pytest.approx(0.0125, abs=2e-4)
    assert one_step_error_rate(1, 10, zero_diagonal=True) == 0.0


def test_float64_and_jit(x64):
    memories = patterns.random_bipolar(KEY, n=3, d=6)
    start = -memories[0].at[0].multiply(-1)
    weights = learning_rules.storkey_weights(memories)
    assert weights.dtype == jnp.float64
    end = classical.asynchronous_recall(KEY, start, weights, max_sweeps=2)
    assert end.energies.dtype == jnp.float64
    with jax.disable_jit():
        eager = classical.asynchronous_recall(KEY, start, weights, max_sweeps=2)
        np.testing.assert_allclose(learning_rules.storkey_weights(memories), weights, rtol=1e-12)
    np.testing.assert_array_equal(eager.output, end.output)


@pytest.mark.usefixtures("bad_input")
def test_bad_input():
    memories = patterns.random_bipolar(KEY, n=3, d=8)
    weights = learning_rules.hebbian_weights(memories)
    for rule in (learning_rules.hebbian_weights, learning_rules.storkey_weights):
        with pytest.raises(ValueError, match="memories: expected at least one memory"):
            rule(memories[:0])
        with pytest.raises(ValueError, match="mask: expected dtype bool"):
            rule(memories, mask=jnp.ones(3))
        with pytest.raises(ValueError, match=r"mask: expected shape \[3\]"):
            rule(memories, mask=jnp.ones(4, bool))
        with pytest.raises(
            ValueError, match=r"memories: expected entries −1 and \+1, not booleans"
        ):
            rule(memories > 0)
    with pytest.raises(ValueError, match=r"query: expected entries −1 and \+1, not booleans"):
        classical.synchronous_recall(memories > 0, weights, max_steps=1)
    with pytest.raises(ValueError, match="weights: expected a square matrix"):
        classical.hopfield_energy(memories, weights[:4])
    with pytest.raises(ValueError, match=r"state: expected shape \[..., 8\]"):
        classical.hopfield_energy(memories[:, :4], weights)
    with pytest.raises(ValueError, match="max_steps: expected an integer >= 1"):
        classical.synchronous_recall(memories, weights, max_steps=0)
    with pytest.raises(ValueError, match="max_sweeps: expected an integer >= 1"):
        classical.asynchronous_recall(KEY, memories, weights, max_sweeps=0)
    with pytest.raises(ValueError, match=r"query: expected shape \[..., 8\]"):
        classical.asynchronous_recall(KEY, memories[:, :5], weights, max_sweeps=1)
    with pytest.raises(ValueError, match="n: expected an integer >= 1"):
        one_step_error_rate(0, 10, zero_diagonal=True)
    with pytest.raises(ValueError, match="d: expected an integer >= 2"):
        one_step_error_rate(5, 1, zero_diagonal=True)
