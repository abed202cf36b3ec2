"""Taylor polynomials of networks against their Jacobians and against exact polynomials."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.ntk.linearization import linearize, taylor_expand
from tests.ntk.checks import SPLIT, WHOLE, sharded

RNG = np.random.default_rng(3)
X = RNG.standard_normal((4, 3))
ORIGIN = {"v": RNG.standard_normal((3, 5)), "w": RNG.standard_normal((5, 2))}
STEP = {"v": RNG.standard_normal((3, 5)), "w": RNG.standard_normal((5, 2))}


def mlp(params, x):
    return jnp.tanh(x @ params["v"]) @ params["w"]


def relu_net(params, x):
    return jax.nn.relu(x @ params["v"]) @ params["w"]


def moved(scale):
    return jax.tree.map(lambda a, b: jnp.asarray(a + scale * b), ORIGIN, STEP)


@pytest.mark.usefixtures("x64")
def test_linearize_is_value_and_jacobian():
    jacobian = jax.jacrev(mlp)(jax.tree.map(jnp.asarray, ORIGIN), X)
    change = sum(np.einsum("noij,ij->no", jacobian[k], STEP[k]) for k in ORIGIN)
    found = linearize(mlp, ORIGIN)(moved(1.0), X)
    np.testing.assert_allclose(found, mlp(ORIGIN, X) + change, rtol=1e-12)
    np.testing.assert_allclose(linearize(mlp, ORIGIN)(ORIGIN, X), mlp(ORIGIN, X), rtol=1e-14)


@pytest.mark.usefixtures("x64")
def test_error_shrinks_with_the_next_power_of_the_step():
    for degree in range(4):
        polynomial = jax.jit(taylor_expand(mlp, ORIGIN, degree))
        errors = [np.abs(polynomial(moved(s), X) - mlp(moved(s), X)).max() for s in (0.02, 0.01)]
        assert np.log2(errors[0] / errors[1]) == pytest.approx(degree + 1, abs=0.15)


@pytest.mark.usefixtures("x64")
def test_polynomial_network_is_reproduced_at_its_degree():
    def cubic(params, x):
        return x * params[0] * params[1] ** 2

    start, end = [2.0, 1.0], [3.0, -1.0]  # (2+s)(1−2s)² = 2 − 7s + 4s² + 4s³
    for degree, value in enumerate((2, -5, -1, 3, 3)):
        found = taylor_expand(cubic, start, degree)(end, jnp.ones(1))
        np.testing.assert_allclose(found, [value], atol=1e-14)


def test_degrees_whose_factorial_no_int32_holds():
    polynomial = jax.jit(taylor_expand(lambda w, x: w**2 * x, 1.0, 13))
    assert polynomial(3.0, jnp.ones(1)).tolist() == [9.0]


@pytest.mark.usefixtures("x64")
def test_relu_network_of_two_layers_is_quadratic_between_its_kinks():
    found = taylor_expand(relu_net, ORIGIN, 2)(moved(1e-4), X)
    np.testing.assert_allclose(found, relu_net(moved(1e-4), X), rtol=1e-13)
    assert np.abs(linearize(relu_net, ORIGIN)(moved(1e-4), X) - found).max() > 1e-9


@pytest.mark.usefixtures("x64")
def test_linearized_network_has_the_jacobian_of_the_origin_everywhere():
    linear = linearize(mlp, ORIGIN)
    here = jax.jacrev(linear)(moved(1.0), X)
    there = jax.jacrev(mlp)(jax.tree.map(jnp.asarray, ORIGIN), X)
    chex.assert_trees_all_close(here, there, rtol=1e-12, atol=1e-14)


def test_integer_and_absent_leaves_stay_and_outputs_may_be_trees():
    params = {"table": jnp.array([[1.0], [2.0]]), "row": jnp.array([1, 0]), "none": None}

    def lookup(params, x):
        rows = params["table"][params["row"]] ** 2
        return {"rows": rows * x, "sum": jnp.sum(rows)}

    other = {"table": jnp.array([[2.0], [2.5]]), "row": jnp.array([0, 0]), "none": None}
    found = linearize(lookup, params)(other, 1.0)
    np.testing.assert_allclose(found["rows"], [[6.0], [3.0]])
    np.testing.assert_allclose(found["sum"], 9.0)


def test_jit_and_vmap_over_parameters():
    polynomial = taylor_expand(mlp, ORIGIN, 2)
    points = [moved(s) for s in (0.1, 0.2)]
    one_by_one = jnp.stack([polynomial(point, X) for point in points])
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *points)
    mapped = jax.jit(jax.vmap(polynomial, in_axes=(0, None)))(stacked, X)
    np.testing.assert_allclose(mapped, one_by_one, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("check_vma", [True, False])
@pytest.mark.parametrize("degree", [1, 2])
def test_points_over_devices(devices, degree, check_vma):
    """Inputs and origin are the same everywhere, also to a loop that starts from inputs."""

    def looped(params, x):
        square = params["v"] @ params["v"].T
        return mlp(params, jax.lax.fori_loop(0, 3, lambda _, h: jnp.tanh(h @ square), x))

    origin, x = moved(0.0), jnp.asarray(X)
    polynomial = taylor_expand(looped, origin, degree)
    points = [moved(s) for s in np.linspace(0.0, 0.1, 8)]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *points)

    def one(points, x):
        return polynomial(jax.tree.map(lambda leaf: leaf[0], points), x)[None]

    got = sharded(one, SPLIT, WHOLE, check_vma=check_vma)(stacked, x)
    np.testing.assert_allclose(got, [polynomial(p, x) for p in points], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("degree", [1, 2])
def test_networks_without_forward_mode(degree):
    """A custom reverse-mode rule counts as the derivative."""

    @jax.custom_vjp
    def cube(w):
        return w**3

    cube.defvjp(lambda w: (w**3, w), lambda w, g: (3 * w**2 * g,))
    found = taylor_expand(lambda w, x: cube(w) * x, 1.0, degree)
    np.testing.assert_allclose(found(3.0, jnp.ones(1)), {1: 7.0, 2: 19.0}[degree])
    # 3 w² · Δ + …: at degree 1 the slope is 3, at degree 2 it is 3 + 6 Δ
    slope = jax.grad(lambda w: found(w, jnp.ones(1)).sum())(3.0)
    np.testing.assert_allclose(slope, {1: 3.0, 2: 15.0}[degree])


@pytest.mark.usefixtures("bad_input")
def test_refusals():
    with pytest.raises(ValueError, match=r"degree: expected an integer >= 0, got -1"):
        taylor_expand(mlp, ORIGIN, -1)
    with pytest.raises(ValueError, match="degree"):
        taylor_expand(mlp, ORIGIN, 1.5)
    with pytest.raises(ValueError, match="params: expected at least one leaf of floating dtype"):
        linearize(mlp, {"v": jnp.arange(3)})
    with pytest.raises(ValueError, match="params: expected the structure"):
        linearize(mlp, ORIGIN)({"v": ORIGIN["v"]}, X)
    with pytest.raises(ValueError, match="params: expected leaves of the shapes"):
        linearize(mlp, ORIGIN)({"v": ORIGIN["v"], "w": ORIGIN["w"][:, :1]}, X)
    with pytest.raises(ValueError, match="apply_fn: expected a function whose outputs"):
        linearize(lambda params, x: jnp.argmax(mlp(params, x), 1), ORIGIN)(ORIGIN, X)
