"""What runs once, or a few times, is no loop, and gives what a loop gives."""

from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.ntk import StructuredOptions, batched, ntk_fn
from jaxlab.ntk.operators import dataset_operator

W = jax.random.normal(jax.random.key(0), (3, 2))


def network(params, x):
    return jnp.tanh(x @ params)


def convolution(params, x):
    """The same, with the product as a convolution by a filter of size one."""
    return jnp.tanh(jax.lax.conv(x[..., None], params.T[..., None], (1,), "VALID")[..., 0])


def batch(n, seed=1):
    return jax.random.normal(jax.random.key(seed), (n, 3))


def loops(function, *args):
    return str(jax.make_jaxpr(function)(*args)).count("scan[")


@pytest.mark.parametrize("vmap_axes", [0, None])
@pytest.mark.parametrize(("n", "looped"), [(1, 0), (8, 0), (9, 1)])
def test_a_convolutional_network_loops_over_more_than_eight_examples(n, looped, vmap_axes):
    plain = {"implementation": "vector_products", "vmap_axes": vmap_axes}
    kernel = ntk_fn(convolution, **plain)
    given = ntk_fn(convolution, **plain, options=StructuredOptions(column_batch=2))
    without = ntk_fn(network, **plain)
    x = batch(n)
    assert loops(kernel, x, None, W) == looped
    assert loops(given, x, None, W) == loops(without, x, None, W) == (n > 1)
    limited = ntk_fn(convolution, **plain, options=StructuredOptions(memory_limit=10**6))
    assert loops(limited, x, None, W) == (n > 1)
    with mock.patch.object(jax, "default_backend", return_value="gpu"):
        assert loops(ntk_fn(convolution, **plain), x, None, W) == (n > 1)
    expected = without(x, None, W)
    np.testing.assert_allclose(kernel(x, None, W), expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(given(x, None, W), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("micro_batch", "looped"), [(6, 0), (9, 0), (3, 2)])
def test_one_micro_batch(micro_batch, looped):
    operator = dataset_operator(network, W, batch(6), micro_batch=micro_batch)
    vector = jnp.ones((6, 2))
    assert loops(operator.matvec, vector) == looped
    whole = ntk_fn(network, trace_axes=())(batch(6), None, W)
    expected = np.einsum("ijnm,jm->in", whole, vector)
    np.testing.assert_allclose(operator.matvec(vector), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("size", "looped"), [(4, 0), (2, 1)])
def test_one_tile(size, looped):
    kernel = batched(ntk_fn(network, implementation="jacobian"), size)
    assert loops(kernel, batch(4), batch(4, 2), W) == looped
