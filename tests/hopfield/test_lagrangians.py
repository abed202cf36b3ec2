"""Every Lagrangian's gradient is its layer's textbook nonlinearity; convexity; refusals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from jaxlab.hopfield import lagrangians, separation


def layer_norm(x, epsilon=1e-5):
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).sum(-1, keepdims=True) + epsilon)


CASES = {
    "softmax": (lagrangians.softmax_lagrangian(2.5), lambda x: special.softmax(2.5 * x, axis=-1)),
    "power": (lagrangians.rectified_power_lagrangian(3), lambda x: np.maximum(x, 0) ** 3),
    "root": (lagrangians.rectified_power_lagrangian(0.5), lambda x: np.maximum(x, 0) ** 0.5),
    "identity": (lagrangians.identity_lagrangian(), lambda x: x),
    "exponential": (lagrangians.exponential_lagrangian(0.7), lambda x: np.exp(0.7 * x)),
    "max": (lagrangians.max_lagrangian(), lambda x: x == x.max(-1, keepdims=True)),
    "quadratic": (lagrangians.quadratic_lagrangian(), lambda x: x),
    "log_cosh": (lagrangians.log_cosh_lagrangian(1.5), lambda x: np.tanh(1.5 * x)),
    "layer_norm": (lagrangians.layer_norm_lagrangian(), layer_norm),
    "spherical": (
        lagrangians.spherical_lagrangian(0.1),
        lambda x: x / np.sqrt((x**2).sum(-1, keepdims=True) + 0.1),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_gradient_is_the_layers_output(name, x64):
    lagrangian, output = CASES[name]
    x = np.random.default_rng(2).normal(size=(3, 2, 6))

    @jax.jit
    def every(x):
        return lagrangian.value(x), lagrangian.output(x), jax.vmap(lagrangian.output)(x)

    value, got, mapped = every(x)
    np.testing.assert_allclose(got, output(x), rtol=1e-10, atol=1e-12)
    assert value.shape == (3, 2)
    np.testing.assert_allclose(mapped, got, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", CASES)
def test_convex(name, x64):
    value = jax.jit(CASES[name][0].value)
    x, y = 2 * np.random.default_rng(2).normal(size=(2, 200, 6))
    at_x, at_y = np.asarray(value(x)), np.asarray(value(y))
    for t in (0.25, 0.5, 0.9):
        between = np.asarray(value(t * x + (1 - t) * y))
        assert (between <= t * at_x + (1 - t) * at_y + 1e-12).all()


@pytest.mark.parametrize("name", CASES)
def test_float32_extremes_are_finite(name):
    if name == "exponential":
        return  # overflow is its nature, and simulate reports it
    lagrangian, _ = CASES[name]

    @jax.jit
    def every(x):
        return lagrangian.value(x), *jax.jvp(lagrangian.output, (x,), (jnp.ones(4),))

    for x in np.float32([[0, 0, 0, 0], [1e6, -1e6, 0.0, 1e-6], [3, 3, 3, 3]]):
        value, output, curvature = every(x)
        assert np.isfinite(value)
        assert np.isfinite(output).all()
        if name != "root" or not (x == 0).all():
            assert np.isfinite(curvature).all()


def test_hidden_outputs_are_the_separations():
    scores = np.random.default_rng(2).normal(size=(4, 7)).astype(np.float32)
    pairs = [
        (lagrangians.softmax_lagrangian(3.0), separation.softmax(3.0)),
        (lagrangians.rectified_power_lagrangian(3), separation.rectified_polynomial(3)),
        (lagrangians.identity_lagrangian(), separation.identity),
        (lagrangians.max_lagrangian(), separation.maximum(ties="average")),
    ]
    for lagrangian, separate in pairs:
        np.testing.assert_allclose(jax.jit(lagrangian.output)(scores), separate(scores), rtol=1e-5)
    free = jax.jit(lagrangians.exponential_lagrangian(2.0).output)(
        scores
    )  # the same up to the maximum
    bound = separation.exponential(2.0)(scores)
    np.testing.assert_allclose(free, bound * np.exp(2.0 * scores.max(-1, keepdims=True)), rtol=1e-5)


def test_ties_share_the_maximum():
    output = lagrangians.max_lagrangian().output(jnp.array([2.0, 1.0, 2.0]))
    np.testing.assert_array_equal(output, [0.5, 0.0, 0.5])


def test_equal_parameters_give_the_identical_static_argument():
    assert lagrangians.softmax_lagrangian(2.0) == lagrangians.softmax_lagrangian(beta=2.0)
    assert hash(lagrangians.softmax_lagrangian(2.0)) == hash(lagrangians.softmax_lagrangian(2.0))
    assert lagrangians.softmax_lagrangian(2.0) != lagrangians.softmax_lagrangian(3.0)


def test_traced_parameters_are_differentiable():
    x = jnp.array([0.3, -0.2, 0.9])

    @jax.jit
    def peak(beta):
        return lagrangians.softmax_lagrangian(beta).output(x)[2]

    slope = jax.grad(peak)(2.0)
    difference = (peak(2.01) - peak(1.99)) / 0.02
    assert float(slope) == pytest.approx(float(difference), rel=1e-2)
    curve = jax.vmap(peak)(jnp.array([1.0, 5.0]))
    np.testing.assert_allclose(curve, [peak(1.0), peak(5.0)], rtol=1e-6)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16, jnp.float32, jnp.float64])
def test_dtypes_are_kept(dtype, x64):
    x = jnp.ones((2, 3), dtype)
    for lagrangian, _ in CASES.values():
        assert jax.eval_shape(lagrangian.value, x).dtype == dtype
        assert jax.eval_shape(lagrangian.output, x).dtype == dtype


@pytest.mark.usefixtures("bad_input")
@pytest.mark.parametrize(
    ("make", "argument"),
    [
        (lagrangians.softmax_lagrangian, "beta"),
        (lagrangians.exponential_lagrangian, "beta"),
        (lagrangians.log_cosh_lagrangian, "beta"),
        (lagrangians.rectified_power_lagrangian, "power"),
        (lagrangians.layer_norm_lagrangian, "epsilon"),
        (lagrangians.spherical_lagrangian, "epsilon"),
    ],
)
def test_bad_input(make, argument):
    for value in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match=f"{argument}: expected a finite number > 0"):
            make(value)
    with pytest.raises(ValueError, match=rf"{argument}: expected shape \[\]"):
        make(jnp.ones(2))
