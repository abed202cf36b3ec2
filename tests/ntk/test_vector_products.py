"""NTK-vector products: batches of columns, memory, and the product with any vector."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.ntk._problem import prepare
from jaxlab.ntk.vector_products import ntk_vector_products, ntk_vp
from tests.ntk.checks import SPLIT, WHOLE, assert_precision_reaches_every_product, jit, sharded
from tests.ntk.nets import NETS
from tests.ntk.oracle import brute_force, to_matrix


def network(params, x):
    return jnp.tanh(x @ params[0]) @ params[1]


@pytest.fixture(scope="module")
def data():
    draw = np.random.default_rng(0)
    params = [draw.standard_normal((3, 4)), draw.standard_normal((4, 5))]
    return draw.standard_normal((2, 3)), draw.standard_normal((3, 3)), params


def problem_of(x1, x2, params, vmap_axes=0, trace_axes=()):
    (problem,), _ = prepare(
        network, x1, x2, params, trace_axes=trace_axes, diagonal_axes=(), vmap_axes=vmap_axes
    )
    return problem


@pytest.mark.parametrize("vmap_axes", [0, None])
def test_columns_at_once_change_nothing(x64, data, vmap_axes):
    """One column, a part of an example, several examples with a remainder, all."""
    problem = problem_of(*data, vmap_axes)
    kernels = jit(
        lambda: [ntk_vector_products(problem, column_batch=columns) for columns in (1, 2, 11, 100)]
    )()
    expected = brute_force(network, *data)
    for kernel in kernels:
        np.testing.assert_allclose(kernel, expected, atol=1e-12)


def test_memory_is_that_of_the_columns_at_once():
    """Temporary memory grows with ``column_batch``, not with the number of columns."""
    params = [jnp.zeros((512, 512)), jnp.zeros((512, 40))]
    size = sum(leaf.size for leaf in params) * 4

    def temporary(columns):
        def kernel(x, params):
            return ntk_vector_products(problem_of(x, None, params), column_batch=columns)

        lowered = jit(kernel).lower(jnp.zeros((4, 512)), params)
        return lowered.compile().memory_analysis().temp_size_in_bytes

    assert temporary(1) < 4 * size
    assert temporary(8) < 4 * 8 * size < 4 * 40 * size


def test_column_batch_is_checked(bad_input, data):
    for wrong in (0, 1.5):
        with pytest.raises(ValueError, match="column_batch"):
            ntk_vector_products(problem_of(*data), column_batch=wrong)


def test_product_is_the_kernel_times_the_vector(x64, data):
    x1, x2, params = data
    v = np.random.default_rng(1).standard_normal((3, 5))
    matrix = to_matrix(brute_force(network, x1, x2, params))
    got, own = jit(
        lambda: (ntk_vp(network, x1, x2, params)(v), ntk_vp(network, x2, None, params)(v))
    )()
    np.testing.assert_allclose(got, (matrix @ v.ravel()).reshape(2, 5), atol=1e-12)
    matrix = to_matrix(brute_force(network, x2, None, params))
    np.testing.assert_allclose(own.ravel(), matrix @ v.ravel(), atol=1e-12)


def test_product_without_forward_mode(x64):
    """A custom reverse-mode rule counts as the derivative, on both sides."""
    net = NETS["custom_vjp"]
    v = np.ones((2, 2))
    got = jit(lambda: ntk_vp(net.apply_fn, net.x1, net.x2, net.params)(v))()
    expected = to_matrix(brute_force(net.apply_fn, net.x1, net.x2, net.params)) @ v.ravel()
    np.testing.assert_allclose(got.ravel(), expected, atol=1e-12)


@pytest.mark.parametrize("spread", [False, True])
def test_inputs_may_hold_what_the_network_branches_on(devices, spread):
    def switched(params, inputs):
        plain = inputs["train"] and inputs["mode"] == "plain" and inputs["rate"] > 0
        return inputs["x"] @ params["w"] * params["rate"] if plain and params["train"] else 0.0

    params = {"w": jnp.ones((3, 1)), "rate": 2.0, "train": True}

    def product(x):
        inputs = {"x": x, "train": np.bool_(True), "mode": "plain", "rate": 0.5}
        return ntk_vp(switched, inputs, None, params)(jnp.ones((len(x), 1)))

    if spread:  # one example on each device: the two parameters add 3·4 and 3·3
        for check_vma in (True, False):
            got = sharded(product, SPLIT, check_vma=check_vma)(jnp.ones((8, 3)))
            assert got.tolist() == [[21.0]] * 8
    else:
        assert product(jnp.ones((1, 3))).tolist() == [[21.0]]


def test_product_of_several_outputs_has_their_cross_terms():
    def two(w, x):
        return {"a": x @ w, "b": 2 * (x @ w)}

    x, w = jnp.ones((1, 3)), jnp.ones((3, 1))
    got = ntk_vp(two, x, None, w)({"a": jnp.ones((1, 1)), "b": jnp.ones((1, 1))})
    assert got["a"].tolist() == [[9.0]]  # 3·1 + 3·2·1
    assert got["b"].tolist() == [[18.0]]


def test_precision_reaches_every_product(bad_input, data):
    x1, x2, params = jax.tree.map(jnp.float32, data)

    def make(precision):
        return lambda x1, x2, params, v: ntk_vp(network, x1, x2, params, precision=precision)(v)

    assert_precision_reaches_every_product(make, x1, x2, params, jnp.ones((3, 5)))
    with pytest.raises(ValueError, match="precision"):
        ntk_vp(network, x1, x2, params, precision="exact")


@pytest.mark.parametrize("check_vma", [True, False])
def test_rows_over_devices(devices, data, check_vma):
    """Parameters that all devices share are not summed over them."""
    params = [jnp.asarray(leaf, jnp.float32) for leaf in data[2]]
    draw = np.random.default_rng(2)
    x, v = draw.standard_normal((16, 3)), draw.standard_normal((3, 5))
    x, v = jnp.asarray(x, jnp.float32), jnp.asarray(v, jnp.float32)
    spread = functools.partial(sharded, check_vma=check_vma)

    def product(x1, x2, params, v):
        return ntk_vp(network, x1, x2, params)(v)

    got = spread(product, SPLIT, WHOLE, WHOLE, WHOLE)(x, x[:3], params, v)
    np.testing.assert_allclose(got, product(x, x[:3], params, v), rtol=1e-4, atol=1e-4)

    def own(x, params, v):
        return ntk_vp(network, x, None, params)(v)

    vector = jnp.asarray(draw.standard_normal((16, 5)), jnp.float32)
    got = spread(own, SPLIT, WHOLE, SPLIT)(x, params, vector)
    for rows in np.arange(16).reshape(8, 2):
        expected = own(x[rows], params, vector[rows])
        np.testing.assert_allclose(got[rows], expected, rtol=1e-4, atol=1e-4)

    def looped(params, x):
        square = params[0] @ params[0].T
        return network(params, jax.lax.fori_loop(0, 3, lambda _, h: jnp.tanh(h @ square), x))

    for net in (network, looped):  # one kernel, eight vectors

        def same(x, params, v, net=net):
            return ntk_vp(net, x, None, params)(v)

        got = spread(same, WHOLE, WHOLE, SPLIT)(x[:2], params, vector)
        for rows in np.arange(16).reshape(8, 2):
            expected = same(x[:2], params, vector[rows])
            np.testing.assert_allclose(got[rows], expected, rtol=1e-4, atol=1e-4)


def test_outputs_that_have_no_derivative_are_refused(bad_input, data):
    x1, x2, params = data
    with pytest.raises(ValueError, match=r"apply_fn: .*real floating-point arrays"):
        ntk_vp(lambda params, x: jnp.argmax(network(params, x), 1), x1, x2, params)


@pytest.mark.parametrize("v", [np.ones((2, 5)), np.ones(15), {"v": np.ones((3, 5))}])
def test_vector_of_another_shape_is_refused(bad_input, data, v):
    matvec = ntk_vp(network, *data)
    with pytest.raises(ValueError, match="v: expected the shapes"):
        matvec(v)
