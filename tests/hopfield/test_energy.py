"""The identity of the energy's rate, its textbook special cases, and its refusals."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special

from jaxlab.hopfield import energy as energies
from jaxlab.hopfield import similarity as similarities
from tests.helpers import to_device

N, D, BATCH = 5, 7, 3

HIDDEN = {
    "softmax": energies.softmax_lagrangian(2.0),
    "power": energies.rectified_power_lagrangian(3),
    "identity": energies.identity_lagrangian(),
    "exponential": energies.exponential_lagrangian(0.8),
}
VISIBLE = {
    "quadratic": energies.quadratic_lagrangian(),
    "log_cosh": energies.log_cosh_lagrangian(1.3),
    "layer_norm": energies.layer_norm_lagrangian(),
    "spherical": energies.spherical_lagrangian(),
}
SIMILARITIES = {
    "dot": similarities.dot_product,
    "biased_dot": similarities.biased_dot_product,
    "squared_euclidean": similarities.squared_euclidean,
    "euclidean": similarities.euclidean,
    "cosine": similarities.cosine,
    "smooth_manhattan": similarities.smooth_manhattan(0.1),
}


def state(seed=0):
    rng = np.random.default_rng(seed)
    shapes = ((BATCH, D), (BATCH, N), (N, D), (D,))
    dtype = jax.dtypes.canonicalize_dtype(float)
    return tuple(to_device(rng.normal(size=shape), dtype) for shape in shapes)


def combinations(similarity):
    for hidden in HIDDEN:
        for visible in VISIBLE:
            yield (
                f"{hidden}/{visible}",
                {
                    "similarity": SIMILARITIES[similarity],
                    "hidden": HIDDEN[hidden],
                    "visible": VISIBLE[visible],
                },
            )


@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_the_energy_changes_along_the_field_by_its_rate(similarity, x64):
    """``dE/dt`` by forward differentiation along the field equals the quadratic form."""
    chosen = [
        pair
        for number, pair in enumerate(combinations(similarity))
        if (number + number // len(VISIBLE) + list(SIMILARITIES).index(similarity)) % 2
    ]

    def both(v, h, memories, bias):
        found = {}
        for name, layers in chosen:
            arguments = {**layers, "bias": bias, "tau_v": 0.7, "tau_h": 0.2}
            field = energies.vector_field(v, h, memories, **arguments)
            rate = energies.energy_rate(v, h, memories, **arguments)
            along = functools.partial(energies.energy, memories=memories, bias=bias, **layers)
            _, slope = jax.jvp(along, (v, h), field)
            found[name] = slope, rate
        return found

    # half of the sixteen networks, the other half with the next similarity;
    # what is computed once need not be optimised
    plainly = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
    found = jax.jit(both).lower(*state()).compile(compiler_options=plainly)(*state())
    for name, (slope, rate) in found.items():
        assert slope.shape == (BATCH,)
        np.testing.assert_allclose(slope, rate, rtol=1e-10, atol=1e-10, err_msg=name)
        assert bool(jnp.all(rate < 0)), name


def test_dot_product_energy_equals_a_loop(x64):
    v, h, memories, bias = (np.asarray(x) for x in state())
    layers = dict(combinations("dot"))["power/log_cosh"]
    got = energies.energy(*map(to_device, (v, h, memories)), bias=to_device(bias), **layers)
    for b in range(BATCH):
        total = 0.0
        for i in range(D):
            g = np.tanh(1.3 * v[b, i])
            total += (v[b, i] - bias[i]) * g - np.log(np.cosh(1.3 * v[b, i])) / 1.3
        for mu in range(N):
            f = max(h[b, mu], 0.0) ** 3
            total += h[b, mu] * f - max(h[b, mu], 0.0) ** 4 / 4
            for i in range(D):
                total -= f * memories[mu, i] * np.tanh(1.3 * v[b, i])
        assert float(got[b]) == pytest.approx(total, rel=1e-12)


def test_dot_product_field_is_krotov_and_hopfields(x64):
    v, h, memories, bias = state()
    layers = dict(combinations("dot"))["softmax/log_cosh"]
    dv, dh = energies.vector_field(v, h, memories, bias=bias, tau_v=2.0, tau_h=0.5, **layers)
    v, h, memories, bias = map(np.asarray, (v, h, memories, bias))
    f, g = scipy.special.softmax(2.0 * h, axis=-1), np.tanh(1.3 * v)
    np.testing.assert_allclose(dv, (f @ memories - v + bias) / 2.0, rtol=1e-10)
    np.testing.assert_allclose(dh, (g @ memories.T - h) / 0.5, rtol=1e-10)


def test_the_rate_vanishes_at_a_fixed_point_and_nowhere_else(x64):
    layers = {
        "similarity": similarities.dot_product,
        "hidden": energies.softmax_lagrangian(50.0),
        "visible": energies.quadratic_lagrangian(),
    }
    memories = to_device(np.eye(4))
    v = memories[2]
    for _ in range(20):
        v = energies.adiabatic_update(
            v, memories, similarity=layers["similarity"], hidden=layers["hidden"]
        )
    h = similarities.dot_product(v, memories)
    assert abs(float(energies.energy_rate(v, h, memories, **layers))) < 1e-20
    assert float(energies.energy_rate(v + 0.1, h, memories, **layers)) < -1e-3


def test_transformations_agree():
    v, h, memories, bias = state()
    layers = dict(combinations("dot"))["softmax/layer_norm"]
    for function in (energies.energy, energies.energy_rate):  # the rate contains the field

        def call(v, h, function=function):
            return function(v, h, memories, bias=bias, **layers)

        together = call(v, h)
        mapped = jax.jit(jax.vmap(call))(v, h)
        with jax.disable_jit():
            eager = call(v, h)
        chex.assert_trees_all_close(together, mapped, eager, rtol=1e-5, atol=1e-5)


def test_parameters_may_be_traced():
    v, h, memories, _ = state()

    def rate(beta, tau):
        return energies.energy_rate(
            v,
            h,
            memories,
            similarity=similarities.dot_product,
            hidden=energies.softmax_lagrangian(beta),
            visible=energies.quadratic_lagrangian(),
            tau_v=tau,
        ).sum()

    betas = jnp.array([0.5, 2.0])
    curve = jax.jit(jax.vmap(rate))(betas, betas)
    rate = jax.jit(rate)
    np.testing.assert_allclose(curve, [rate(0.5, 0.5), rate(2.0, 2.0)], rtol=1e-5)
    assert np.isfinite(jax.jit(jax.grad(rate))(2.0, 1.0))


@pytest.mark.usefixtures("bad_input")
def test_bad_input():
    v, h, memories, _ = state()
    layers = dict(combinations("dot"))["softmax/quadratic"]
    for function in (energies.energy, energies.energy_rate, energies.vector_field):
        with pytest.raises(ValueError, match=r"v: expected shape \[..., 7\]"):
            function(v[:, :6], h, memories, **layers)
        with pytest.raises(ValueError, match=r"h: expected shape \[3, 5\]"):
            function(v, h[:, :4], memories, **layers)
        with pytest.raises(ValueError, match="v: expected dtype floating"):
            function(v.astype(int), h, memories, **layers)
        with pytest.raises(ValueError, match="memories: expected at least one memory"):
            function(v, h, memories[:0], **layers)
        with pytest.raises(ValueError, match="bias: expected a shape that broadcasts"):
            function(v, h, memories, bias=jnp.ones((2, 7)), **layers)
        with pytest.raises(ValueError, match="hidden: expected a Lagrangian"):
            function(v, h, memories, **{**layers, "hidden": jnp.max})
    for function in (energies.energy_rate, energies.vector_field):
        with pytest.raises(ValueError, match="tau_v: expected a finite number > 0"):
            function(v, h, memories, tau_v=0.0, **layers)
        with pytest.raises(ValueError, match="tau_h: expected a finite number > 0"):
            function(v, h, memories, tau_h=-1.0, **layers)
