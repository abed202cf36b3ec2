"""The adiabatic limit: attention, mean shift, and the energy of the modern Hopfield network."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special

from jaxlab.hopfield import energy as energies
from jaxlab.hopfield import similarity as similarities
from tests.helpers import to_device

SOFTMAX = energies.softmax_lagrangian


def patterns(seed=0, n=6, d=5):
    rng = np.random.default_rng(seed)
    dtype = jax.dtypes.canonicalize_dtype(float)
    return tuple(to_device(rng.normal(size=shape), dtype) for shape in ((n, d), (4, d)))


def test_dot_product_and_softmax_is_the_modern_hopfield_update(x64):
    memories, v = patterns()
    got = energies.adiabatic_update(
        v, memories, similarity=similarities.dot_product, hidden=SOFTMAX(3.0)
    )
    memories, v = np.asarray(memories), np.asarray(v)
    weights = scipy.special.softmax(3.0 * v @ memories.T, axis=-1)
    np.testing.assert_allclose(got, weights @ memories, rtol=1e-10)


def test_biased_dot_product_is_the_mean_shift(x64):
    memories, v = patterns()
    got = energies.adiabatic_update(
        v, memories, similarity=similarities.biased_dot_product, hidden=SOFTMAX(2.0)
    )
    weights = np.zeros((4, 6))
    for b in range(4):
        for mu in range(6):
            difference = np.asarray(v[b] - memories[mu])
            weights[b, mu] = np.exp(-2.0 * 0.5 * difference @ difference)
    weights /= weights.sum(-1, keepdims=True)
    np.testing.assert_allclose(got, weights @ np.asarray(memories), rtol=1e-10)


def test_half_squared_distance_halves_the_fixed_point(x64):
    """Why the mean shift needs the biased dot product: here the leak counts twice."""
    memories, v = jnp.array([[1.0, -2.0, 0.5]]), jnp.zeros(3)

    def half_squared(query, memories):
        return 0.5 * similarities.squared_euclidean(query, memories)

    for _ in range(200):
        step = energies.adiabatic_update(v, memories, similarity=half_squared, hidden=SOFTMAX(1.0))
        v = 0.5 * (v + step)  # the bare map m − v only oscillates
    np.testing.assert_allclose(v, memories[0] / 2, rtol=1e-6)
    exact = energies.adiabatic_update(
        v, memories, similarity=similarities.biased_dot_product, hidden=SOFTMAX(1.0)
    )
    np.testing.assert_allclose(exact, memories[0], rtol=1e-12)


@pytest.mark.parametrize("similarity", ["dot_product", "smooth_manhattan", "biased_dot_product"])
def test_fast_memory_neurons_settle_where_the_map_does(similarity, x64):
    memories, v = patterns(1)
    similarity = (
        similarities.smooth_manhattan(0.5)
        if similarity == "smooth_manhattan"
        else getattr(similarities, similarity)
    )
    path = energies.simulate(
        0.1 * v,
        similarity(0.1 * v, memories),
        memories,
        similarity=similarity,
        hidden=SOFTMAX(2.0),
        visible=energies.quadratic_lagrangian(),
        dt=0.02,
        num_steps=3000,
        save_every=3000,
        tau_h=0.05,
    )
    assert np.all(path.status == energies.OK)
    fixed = energies.adiabatic_update(
        path.v[-1], memories, similarity=similarity, hidden=SOFTMAX(2.0)
    )
    np.testing.assert_allclose(fixed, path.v[-1], atol=1e-8)


def test_input_is_added():
    memories, v = patterns()
    options = {"similarity": similarities.dot_product, "hidden": SOFTMAX(1.0)}
    plain = energies.adiabatic_update(v, memories, **options)
    bias = jnp.arange(5.0)
    np.testing.assert_allclose(
        energies.adiabatic_update(v, memories, bias=bias, **options), plain + bias, rtol=1e-6
    )


@pytest.mark.parametrize("beta", [0.1, 1.0, 8.0, 100.0])
def test_the_update_never_raises_the_modern_hopfield_energy(beta, x64):
    memories, v = patterns(3, n=20, d=8)
    options = {"similarity": similarities.dot_product, "hidden": SOFTMAX(beta)}
    before = energies.modern_hopfield_energy(v, memories, beta=beta)
    largest = np.max(np.sum(np.asarray(memories) ** 2, -1))
    before = np.asarray(before)
    for _ in range(60):
        v = energies.adiabatic_update(v, memories, **options)
        after = np.asarray(energies.modern_hopfield_energy(v, memories, beta=beta))
        assert (after <= before + 1e-12).all()
        # inside the hull of the memories the energy is bounded on both sides
        assert ((after >= 0) & (after <= 2 * largest)).all()
        before = after
    slope = jax.jit(
        jax.grad(lambda v: jnp.sum(energies.modern_hopfield_energy(v, memories, beta=beta)))
    )
    gradient = slope(v)
    settled = energies.adiabatic_update(v, memories, **options)
    np.testing.assert_allclose(gradient, np.asarray(v) - np.asarray(settled), atol=1e-10)


@pytest.mark.parametrize("beta", [1e-7, 1e-5, 1e-2, 1.0, 100.0])
def test_the_modern_hopfield_energy_keeps_its_digits(beta):
    memories, v = patterns(n=200)
    m, x = np.asarray(memories, float), np.asarray(v, float)
    gaps = x @ m.T - (x @ m.T).max(-1, keepdims=True)
    mean = np.log1p(np.expm1(beta * gaps).mean(-1)) / beta + (x @ m.T).max(-1)
    expected = 0.5 * (x**2).sum(-1) + 0.5 * (m**2).sum(-1).max() - mean
    got = energies.modern_hopfield_energy(v, memories, beta=beta)
    np.testing.assert_allclose(got, expected, rtol=2e-6)
    slope = jax.jit(
        jax.grad(lambda v: jnp.sum(energies.modern_hopfield_energy(v, memories, beta=beta)))
    )
    weights = scipy.special.softmax(beta * x @ m.T, axis=-1)
    np.testing.assert_allclose(slope(v), x - weights @ m, rtol=1e-3, atol=1e-5)


def test_the_modern_hopfield_energy_is_the_two_layer_energy_with_settled_memories(x64):
    memories, v = patterns()
    layers = {
        "similarity": similarities.dot_product,
        "hidden": SOFTMAX(2.0),
        "visible": energies.quadratic_lagrangian(),
    }
    two_layer = energies.energy(v, similarities.dot_product(v, memories), memories, **layers)
    constant = np.log(6) / 2.0 + 0.5 * float(jnp.max(jnp.sum(memories**2, -1)))
    np.testing.assert_allclose(
        energies.modern_hopfield_energy(v, memories, beta=2.0), two_layer + constant, rtol=1e-10
    )


def test_extreme_temperature_stays_finite_in_float32():
    memories, v = patterns()
    assert np.isfinite(energies.modern_hopfield_energy(v, memories, beta=1e6)).all()
    assert np.isfinite(energies.modern_hopfield_energy(v, memories, beta=1e-3)).all()


@pytest.mark.usefixtures("bad_input")
def test_bad_input():
    memories, v = patterns()
    options = {"similarity": similarities.dot_product, "hidden": SOFTMAX(1.0)}
    with pytest.raises(ValueError, match=r"query: expected shape \[..., 5\]"):
        energies.adiabatic_update(v[:, :3], memories, **options)
    with pytest.raises(ValueError, match="bias: expected a shape that broadcasts"):
        energies.adiabatic_update(v, memories, bias=jnp.ones((3, 5)), **options)
    with pytest.raises(ValueError, match="hidden: expected a Lagrangian"):
        energies.adiabatic_update(v, memories, similarity=similarities.dot_product, hidden=None)
    with pytest.raises(ValueError, match="beta: expected a finite number > 0"):
        energies.modern_hopfield_energy(v, memories, beta=0.0)
