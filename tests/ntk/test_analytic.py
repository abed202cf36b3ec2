"""Closed-form kernels against quadrature, wide networks and properties."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from jaxlab.ntk.analytic import fully_connected
from jaxlab.ntk.kernel import ntk_fn

RNG = np.random.default_rng(11)
X1 = RNG.standard_normal((4, 3))
X2 = RNG.standard_normal((2, 3))
NETWORK = {"depth": 2, "sigma_w": 1.3, "sigma_b": 0.4}
FUNCTIONS = {
    "relu": (lambda u: np.maximum(u, 0), lambda u: (u > 0).astype(float)),
    "erf": (special.erf, lambda u: 2 / np.sqrt(np.pi) * np.exp(-(u**2))),
    "identity": (lambda u: u, np.ones_like),
}


NODES, WEIGHTS = np.polynomial.legendre.leggauss(60)


def on_interval(low, high):
    half = (high - low) / 2
    return low + half * (NODES + 1), half * WEIGHTS


def by_quadrature(function, covariance):
    """``E[f(u) f(v)]`` in polar coordinates, cut where ``u`` or ``v`` changes its sign."""
    if covariance[0, 1] == covariance[0, 0]:  # one variable, in polar coordinates of a line
        root = np.array([[1.0, 0.0], [1.0, 0.0]]) * np.sqrt(covariance[0, 0])
    else:
        root = np.linalg.cholesky(covariance)
    kinks = np.arctan2(-root[:, 0], root[:, 1]) % np.pi
    cuts = np.sort(np.concatenate([kinks, kinks + np.pi]))
    radii, radial = on_interval(0, 9)
    radial = radial * radii * np.exp(-(radii**2) / 2) / (2 * np.pi)
    total = 0.0
    for low, high in zip(cuts, [*cuts[1:], cuts[0] + 2 * np.pi], strict=True):
        angles, angular = on_interval(low, high)
        u, v = root @ [np.cos(angles), np.sin(angles)]
        values = function(np.outer(radii, u)) * function(np.outer(radii, v))
        total += radial @ values @ angular
    return total


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("activation", FUNCTIONS)
def test_reference_kernels(golden, activation):
    with np.load(golden / "ntk" / "analytic.npz") as stored:
        r = {name: stored[name] for name in stored.files}
    x1, x2 = jnp.asarray(r["x1"]), jnp.asarray(r["x2"])
    which = r["activations"].tolist().index(activation)
    for pair, depth in (("x1_x2", 4), ("x1_x1", 2)):
        other = x2 if pair == "x1_x2" else None
        at = (which, slice(None), r["depths"].tolist().index(depth))
        for index, (sigma_w, sigma_b) in enumerate(r["settings"]):
            found = fully_connected(
                x1, other, depth=depth, activation=activation, sigma_w=sigma_w, sigma_b=sigma_b
            )
            for kernel, name in zip(found, ("nngp", "ntk"), strict=True):
                # the reference is off by 1e-8 where the angle is 0 or π
                np.testing.assert_allclose(kernel, r[f"{name}_{pair}"][at][index], atol=1e-7)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("activation", FUNCTIONS)
def test_one_pair_of_inputs_layer_by_layer_by_quadrature(activation):
    phi, slope = FUNCTIONS[activation]
    weight, bias = NETWORK["sigma_w"] ** 2, NETWORK["sigma_b"] ** 2
    x = X1[:2]
    nngp = ntk = weight * x @ x.T / 3 + bias
    for _ in range(NETWORK["depth"]):
        pairs = {}
        for i, j in ((0, 0), (0, 1), (1, 1)):
            block = nngp[np.ix_([i, j], [i, j])]
            pairs[i, j] = pairs[j, i] = [by_quadrature(f, block) for f in (phi, slope)]
        moment, dot = (np.array([[pairs[i, j][k] for j in (0, 1)] for i in (0, 1)]) for k in (0, 1))
        nngp = weight * moment + bias
        ntk = nngp + weight * dot * ntk
    found = fully_connected(jnp.asarray(x), activation=activation, **NETWORK)
    np.testing.assert_allclose(found.nngp, nngp, rtol=1e-10)
    np.testing.assert_allclose(found.ntk, ntk, rtol=1e-10)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("activation", FUNCTIONS)
def test_blocks_of_one_kernel(activation):
    both = jnp.concatenate([X1, X2])
    whole = fully_connected(both, activation=activation, **NETWORK)
    across = fully_connected(jnp.asarray(X1), jnp.asarray(X2), activation=activation, **NETWORK)
    for full, block in zip(whole, across, strict=True):
        np.testing.assert_allclose(block, full[:4, 4:], rtol=1e-12)
        np.testing.assert_allclose(full, full.T, rtol=1e-14)
        values = np.linalg.eigvalsh(full)
        assert values[0] >= -1e-10 * values[-1]


@pytest.mark.usefixtures("x64")
def test_identity_and_no_hidden_layer_are_linear_models():
    x = jnp.asarray(X1)
    gram = X1 @ X1.T / 3
    flat = fully_connected(x, depth=0, sigma_w=2.0, sigma_b=0.5)
    np.testing.assert_allclose(flat.nngp, 4 * gram + 0.25, rtol=1e-14)
    np.testing.assert_allclose(flat.ntk, flat.nngp, rtol=0)
    deep = fully_connected(x, depth=3, activation="identity", sigma_w=1.0)
    np.testing.assert_allclose(deep.nngp, gram, rtol=1e-14)
    np.testing.assert_allclose(deep.ntk, 4 * gram, rtol=1e-14)  # one term for each of four layers


def test_relu_scales_with_its_inputs_and_keeps_their_norm():
    x = jnp.asarray(X1, jnp.float32)
    one, three = (fully_connected(scale * x, depth=3) for scale in (1.0, 3.0))
    np.testing.assert_allclose(three.ntk, 9 * one.ntk, rtol=1e-4, atol=1e-5)
    norms = 2 * jnp.sum(x**2, 1) / 3  # sigma_w² = 2 keeps the variance
    np.testing.assert_allclose(jnp.diagonal(one.nngp), norms, rtol=1e-5)
    np.testing.assert_allclose(jnp.diagonal(one.ntk), 4 * norms, rtol=1e-5)


@pytest.mark.parametrize("size", [1e3, 1e10])
def test_large_inputs_to_the_error_function(size):
    """Single precision against double: products of variances are no numbers in the first."""
    x1, x2 = size * X1, size * X2
    single = fully_connected(jnp.float32(x1), jnp.float32(x2), depth=2, activation="erf")
    with jax.enable_x64(True):
        double = fully_connected(jnp.asarray(x1), jnp.asarray(x2), depth=2, activation="erf")
    for one, other in zip(single, double, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4 * np.abs(other).max())


def test_parallel_opposite_and_zero_inputs():
    x = jnp.array([[1.0, 2.0], [1.0, 2.0], [-1.0, -2.0], [0.0, 0.0]])
    # a covariance of exactly ±√(q q'), as long as sums are
    found = fully_connected(x, x, depth=1, sigma_w=2.0)
    q = 4 * 5 / 2
    np.testing.assert_allclose(found.nngp[0], [2 * q, 2 * q, 0, 0], atol=1e-5)
    np.testing.assert_allclose(found.ntk[0], [4 * q, 4 * q, 0, 0], rtol=1e-3, atol=1e-3)
    np.testing.assert_array_equal(found.ntk[3], 0.0)

    @jax.jit
    @jax.grad
    def slope(x):
        total = 0.0
        for activation, other, depth in (("relu", None, 2), ("relu", x, 1), ("erf", x, 1)):
            kernels = fully_connected(x, other, depth=depth, activation=activation)
            total += jnp.sum(kernels.ntk) + jnp.sum(kernels.nngp)
        return total

    assert jnp.all(jnp.isfinite(slope(x)))


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("activation", ["relu", "erf"])
def test_gradients_against_differences(activation):
    x2, direction = jnp.asarray(X2), jnp.asarray(RNG.standard_normal(X1.shape))

    @jax.jit
    def total(step, sigma_w):
        kernels = fully_connected(
            X1 + step * direction, x2, depth=1, activation=activation, sigma_w=sigma_w, sigma_b=0.2
        )
        symmetric = fully_connected(X1 + step * direction, depth=1, activation=activation)
        return jnp.sum(kernels.ntk * kernels.nngp) + jnp.sum(symmetric.ntk * symmetric.nngp)

    found = jax.grad(total, argnums=(0, 1))(0.0, 1.2)
    h = 1e-5
    np.testing.assert_allclose(found[0], (total(h, 1.2) - total(-h, 1.2)) / (2 * h), rtol=1e-6)
    np.testing.assert_allclose(
        found[1], (total(0.0, 1.2 + h) - total(0.0, 1.2 - h)) / (2 * h), rtol=1e-6
    )


@pytest.mark.parametrize("activation", ["relu", "erf"])
def test_hessians_of_one_kernel(activation):
    x = jnp.asarray(RNG.normal(size=(3, 5)), jnp.float32)

    def total(scales):
        kernels = fully_connected(
            x, depth=2, activation=activation, sigma_w=scales[0], sigma_b=scales[1]
        )
        return jnp.sum(kernels.ntk) + jnp.sum(kernels.nngp)

    scales = jnp.array([1.4, 0.3])
    expected = jax.jacfwd(jax.jacfwd(total))(scales)
    assert jnp.isfinite(expected).all()
    np.testing.assert_allclose(jax.hessian(total)(scales), expected, rtol=1e-4)


@pytest.mark.parametrize("activation", ["relu", "erf"])
def test_gradients_where_squares_of_variances_are_no_numbers(activation):
    """Single precision against double; and a deep network that forgets its inputs."""

    @jax.jit
    @functools.partial(jax.grad, argnums=(0, 1))
    def slopes(x1, x2):
        settings = {"depth": 2, "activation": activation, "get": ("ntk",)}
        return sum(jnp.sum(fully_connected(x1, x, **settings).ntk) for x in (x2, None))

    for size in (1e-16, 1e-12, 1e12, 1e16):
        inputs = [np.float32(size * x) for x in (X1, X2)]
        single = slopes(*map(jnp.asarray, inputs))
        with jax.enable_x64(True):
            double = slopes(*(jnp.asarray(x, float) for x in inputs))
        for one, other in zip(single, double, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4 * np.abs(other).max())

    @jax.jit
    @jax.grad
    def deep(x):
        kernels = fully_connected(x, depth=24, activation=activation, sigma_w=0.5)
        return jnp.sum(kernels.ntk) + jnp.sum(kernels.nngp)

    assert jnp.all(jnp.isfinite(deep(jnp.float32(X1))))


def test_programs_do_not_grow_with_the_depth():
    def program(depth):
        def total(x):
            return jnp.sum(fully_connected(x, depth=depth, activation="erf").ntk)

        return jax.jit(jax.grad(total)).lower(jnp.ones((2, 3))).as_text()

    assert len(program(64)) < 1.1 * len(program(8))


def test_networks_approach_the_kernel_as_the_root_of_their_width():
    x = jnp.asarray(X1, jnp.float32)
    expected = fully_connected(x, depth=2, sigma_w=2**0.5, sigma_b=0.1).ntk

    def network(params, x):
        for index, (w, b) in enumerate(params):
            x = (2 / x.shape[1]) ** 0.5 * x @ w + 0.1 * b
            if index < len(params) - 1:
                x = jax.nn.relu(x)
        return x

    kernel_fn = ntk_fn(network, trace_axes=(-1,), vmap_axes=0, implementation="jacobian")

    def error(width, seeds=64):
        draw = np.random.default_rng(width).standard_normal
        params = [
            (draw((seeds, m, n)), draw((seeds, n)))
            for m, n in itertools.pairwise((3, width, width, 1))
        ]
        params = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), params)
        found = jax.jit(jax.vmap(lambda params: kernel_fn(x, None, params)))(params)
        return jnp.sqrt(jnp.mean(jnp.sum((found - expected) ** 2, (1, 2))))

    narrow, wide = error(64), error(256)
    assert wide / narrow == pytest.approx(0.5, rel=0.3)
    assert wide < 0.2 * jnp.linalg.norm(expected)


def test_one_kernel_jit_vmap_and_empty_batches():
    x, x2 = jnp.asarray(X1, jnp.float32), jnp.asarray(X2, jnp.float32)
    both = fully_connected(x, x2, depth=2)
    assert fully_connected(x, x2, depth=2, get=("nngp",)).ntk is None
    assert fully_connected(x, x2, depth=2, get=("ntk",)).nngp is None
    mapped = jax.jit(jax.vmap(lambda row: fully_connected(row[None], x2, depth=2)))(x)
    np.testing.assert_allclose(mapped.ntk[:, 0], both.ntk, rtol=1e-5)
    assert fully_connected(x[:0], x2, depth=2).ntk.shape == (0, 2)


@pytest.mark.usefixtures("bad_input")
def test_refusals():
    x = jnp.ones((2, 3))
    cases = [
        ((x,), {"depth": -1}, "depth: expected an integer >= 0"),
        ((x,), {"depth": 1, "activation": "rleu"}, "did you mean 'relu'"),
        ((x,), {"depth": 1, "sigma_w": -1.0}, "sigma_w"),
        ((x,), {"depth": 1, "sigma_b": jnp.ones(2)}, "sigma_b"),
        ((x,), {"depth": 1, "get": ("tkn",)}, "get: expected one of 'nngp', 'ntk'"),
        ((x,), {"depth": 1, "get": "ntk"}, "get: expected a tuple"),
        ((x,), {"depth": 1, "get": ()}, "get: expected a tuple"),
        ((x, jnp.ones((2, 4))), {"depth": 1}, "x2: expected shape"),
        ((jnp.ones(3),), {"depth": 1}, "x1: expected shape"),
        ((jnp.ones((2, 0)),), {"depth": 1}, "x1: expected inputs with at least one feature"),
        ((jnp.ones((2, 3), int),), {"depth": 1}, "x1: expected dtype floating"),
    ]
    for args, kwargs, message in cases:
        with pytest.raises(ValueError, match=message):
            fully_connected(*args, **kwargs)
