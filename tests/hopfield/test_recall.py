"""Iterated recall: fixed points, convergence flags, frozen queries, energies, edges, errors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.hopfield import metrics, recall, retrieve
from jaxlab.hopfield import separation as sep
from jaxlab.hopfield import similarity as sim
from tests.helpers import to_device

MEMORIES = np.random.default_rng(6).normal(size=(8, 10)).astype(np.float32)
QUERY = MEMORIES[:5] + 0.4 * np.random.default_rng(7).normal(size=(5, 10)).astype(np.float32)
MEMORIES, QUERY = to_device(MEMORIES), to_device(QUERY)
BETA = 1.0
MODERN = {"similarity": sim.dot_product, "separation": sep.softmax(BETA)}


@jax.jit
def energy(states, memories):
    """Of the modern Hopfield network, up to a constant."""
    attention = jax.nn.logsumexp(BETA * states @ memories.T, axis=-1) / BETA
    return 0.5 * jnp.sum(states**2, axis=-1) - attention


def iterate(query, steps):
    for _ in range(steps):
        query = retrieve(query, MEMORIES, **MODERN).output
    return query


def test_is_repeated_retrieval():
    for steps in (1, 3):
        result = recall(QUERY, MEMORIES, max_steps=steps, tol=0.0, **MODERN)
        np.testing.assert_allclose(result.output, iterate(QUERY, steps), rtol=1e-5, atol=1e-6)
        assert (result.steps <= steps).all()
        assert result.energies is None


def test_fixed_points():
    result = recall(QUERY, MEMORIES, max_steps=200, tol=1e-5, **MODERN)
    assert result.converged.all()
    assert result.steps.dtype == jnp.int32
    np.testing.assert_allclose(iterate(result.output, 1), result.output, atol=1e-5)
    gradient = jax.jit(jax.grad(lambda v: energy(v, MEMORIES).sum()))(result.output)
    np.testing.assert_allclose(gradient, 0, atol=1e-4)


def test_the_result_does_not_depend_on_the_batch():
    together = recall(QUERY, MEMORIES, max_steps=50, tol=1e-4, **MODERN)
    together = jax.tree.map(np.asarray, together)
    assert len(set(together.steps.tolist())) > 1, "the queries should need different numbers"
    for i, query in enumerate(QUERY):
        alone = recall(query, MEMORIES, max_steps=50, tol=1e-4, **MODERN)
        assert alone.steps == together.steps[i]
        np.testing.assert_allclose(alone.output, together.output[i], rtol=1e-6, atol=1e-6)
    mapped = jax.vmap(lambda q: recall(q, MEMORIES, max_steps=50, tol=1e-4, **MODERN))(QUERY)
    np.testing.assert_array_equal(mapped.steps, together.steps)
    np.testing.assert_allclose(mapped.output, together.output, rtol=1e-6, atol=1e-6)


def test_energies():
    options = {"max_steps": 40, "tol": 1e-4} | MODERN
    plain = recall(QUERY, MEMORIES, **options)
    result = jax.tree.map(np.asarray, recall(QUERY, MEMORIES, energy=energy, **options))
    np.testing.assert_allclose(result.output, plain.output, rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(result.steps, plain.steps)
    np.testing.assert_array_equal(result.converged, plain.converged)
    assert result.energies.shape == (5, 41)
    np.testing.assert_allclose(result.energies[:, 0], energy(QUERY, MEMORIES), rtol=1e-5)
    np.testing.assert_allclose(result.energies[:, -1], energy(result.output, MEMORIES), rtol=1e-5)
    # the concave-convex procedure never raises it
    assert (np.diff(result.energies, axis=-1) <= 1e-5).all()
    for energies, steps in zip(result.energies, result.steps, strict=True):
        assert (energies[steps:] == energies[steps]).all()


def test_one_query_and_none():
    one = recall(QUERY[0], MEMORIES, max_steps=5, energy=energy, **MODERN)
    assert (one.output.shape, one.steps.shape, one.energies.shape) == ((10,), (), (6,))
    none = recall(QUERY[:0], MEMORIES, max_steps=5, **MODERN)
    assert (none.output.shape, none.steps.shape) == ((0, 10), (0,))


def test_no_step():
    for extra in ({}, {"energy": energy}):
        result = recall(QUERY, MEMORIES, max_steps=0, **MODERN, **extra)
        np.testing.assert_array_equal(result.output, QUERY)
        assert not result.converged.any()
        assert (result.steps == 0).all()


def test_maximum_separation_takes_two_steps():
    result = recall(
        QUERY, MEMORIES, similarity=sim.manhattan, separation=sep.maximum(), max_steps=9
    )
    np.testing.assert_array_equal(result.output, MEMORIES[:5])
    assert (result.steps == 2).all()  # one to get there, one to see that nothing changes
    stored = recall(
        MEMORIES, MEMORIES, similarity=sim.manhattan, separation=sep.maximum(), max_steps=9
    )
    assert (stored.steps == 1).all()


def test_activation():
    bits = np.sign(np.random.default_rng(1).normal(size=(3, 64))).astype(np.float32)
    noisy = bits.copy()
    noisy[:, :5] *= -1
    result = recall(
        to_device(noisy),
        to_device(bits),
        similarity=sim.dot_product,
        separation=sep.identity,
        activation=jnp.sign,
        max_steps=10,
    )
    np.testing.assert_array_equal(result.output, bits)
    assert result.converged.all()


def test_mask():
    mask = jnp.arange(8) != 0
    result = recall(
        QUERY[0],
        MEMORIES,
        similarity=sim.manhattan,
        separation=sep.maximum(),
        max_steps=5,
        mask=mask,
    )
    expected = np.abs(QUERY[0] - MEMORIES[1:]).sum(-1).argmin() + 1
    np.testing.assert_array_equal(result.output, MEMORIES[expected])
    empty = recall(QUERY, MEMORIES, mask=jnp.zeros(8, bool), max_steps=5, **MODERN)
    np.testing.assert_array_equal(empty.output, np.zeros_like(QUERY))
    assert empty.converged.all()


def test_divergence_is_reported():
    result = recall(
        jnp.ones(2),
        10 * jnp.eye(2),
        similarity=sim.dot_product,
        separation=sep.polynomial(3),
        max_steps=20,
    )
    assert not result.converged
    assert result.steps == 20
    assert not np.isfinite(result.output).any()


def test_nan_does_not_converge():
    query, memories = QUERY.at[1, 0].set(jnp.nan), MEMORIES.at[2, 3].set(jnp.nan)
    result = recall(query, MEMORIES, max_steps=50, tol=1e-4, **MODERN)
    np.testing.assert_array_equal(result.converged, np.arange(5) != 1)
    np.testing.assert_array_equal(np.isnan(result.output).all(-1), np.arange(5) == 1)
    assert result.steps[1] == 50
    weights = retrieve(query[1:2], MEMORIES, **MODERN).weights
    assert metrics.index_recall(weights, np.array([0])) == 0
    assert not recall(QUERY, memories, max_steps=50, tol=1e-4, **MODERN).converged.any()


def test_jit_is_eager_and_dtypes(x64):
    expected = recall(QUERY, MEMORIES, max_steps=4, **MODERN)
    with jax.disable_jit():
        eager = recall(QUERY, MEMORIES, max_steps=4, **MODERN)
    np.testing.assert_allclose(eager.output, expected.output, rtol=1e-5, atol=1e-6)
    double = recall(QUERY.astype(np.float64), MEMORIES.astype(np.float64), max_steps=4, **MODERN)
    assert double.output.dtype == jnp.float64
    half = to_device(QUERY, jnp.bfloat16), to_device(MEMORIES, jnp.bfloat16)
    assert recall(*half, max_steps=4, **MODERN).output.dtype == jnp.bfloat16


def test_derivatives_through_the_iteration(x64):
    query, memories = (to_device(x, np.float64) for x in (QUERY, MEMORIES))
    step = 1e-6 * np.random.default_rng(3).normal(size=query.shape)

    @jax.jit
    def total(query):
        return recall(query, memories, max_steps=3, tol=0.0, **MODERN).output.sum()

    @jax.jit
    def recorded(query):
        return recall(query, memories, max_steps=3, tol=0.0, energy=energy, **MODERN).output.sum()

    difference = total(query + step) - total(query - step)
    _, forward = jax.jit(lambda *x: jax.jvp(total, x[:1], x[1:]))(query, 2 * step)
    np.testing.assert_allclose(forward, difference, rtol=1e-5)
    reverse = jax.jit(jax.grad(recorded))(query)
    np.testing.assert_allclose(2 * np.vdot(reverse, step), difference, rtol=1e-5)


@pytest.mark.usefixtures("bad_input")
class TestErrors:
    def test_static_arguments(self):
        for steps in (-1, 2.5):
            with pytest.raises(ValueError, match="max_steps: expected an integer >= 0"):
                recall(QUERY, MEMORIES, max_steps=steps, **MODERN)

    def test_tolerance(self):
        for tol in (-1.0, float("nan")):
            with pytest.raises(ValueError, match="tol: expected a finite number >= 0"):
                recall(QUERY, MEMORIES, max_steps=2, tol=tol, **MODERN)
        with pytest.raises(ValueError, match=r"tol: expected shape \[\]"):
            recall(QUERY, MEMORIES, max_steps=2, tol=jnp.ones(3), **MODERN)

    def test_shapes(self):
        with pytest.raises(ValueError, match="query: expected shape"):
            recall(QUERY[:, :9], MEMORIES, max_steps=2, **MODERN)
        with pytest.raises(ValueError, match="mask: expected shape"):
            recall(QUERY, MEMORIES, max_steps=2, mask=jnp.ones(7, bool), **MODERN)
