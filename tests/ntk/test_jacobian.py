"""The contraction of Jacobians against sums written out; kernels are in test_kernel.py."""

import jax.numpy as jnp
import numpy as np

from jaxlab.ntk._jacobian import contract_jacobians
from jaxlab.ntk._layout import Layout


def test_contraction_is_the_sum_over_leaves():
    draw = np.random.default_rng(0)
    left = [jnp.asarray(draw.standard_normal((3, 2, 4, size)), jnp.float32) for size in (5, 1, 0)]
    right = [jnp.asarray(draw.standard_normal((2, 2, 4, size)), jnp.float32) for size in (5, 1, 0)]
    got = contract_jacobians(Layout(3, trace=(1,), diagonal=(2,)), left, right, jnp.float32)
    expected = sum(
        np.einsum("natz,matz->nmt", one, two) for one, two in zip(left, right, strict=True)
    )
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


def test_contraction_in_the_given_dtype():
    """1000 ones added in bfloat16 would stop at 256."""
    ones = [jnp.ones((1, 1000), jnp.bfloat16)]
    got = contract_jacobians(Layout(1), ones, ones, jnp.float32)
    assert got.dtype == jnp.float32
    assert got.tolist() == [[1000.0]]
