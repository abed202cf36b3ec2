"""The pseudo-kernel against the sum it is, the sketch against its mean and variance."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.ntk.approximate import pseudo_ntk_fn, sketched_ntk
from jaxlab.ntk.types import VmapAxes
from tests.ntk.checks import SPLIT, WHOLE, assert_precision_reaches_every_product, sharded
from tests.ntk.nets import NETS
from tests.ntk.oracle import brute_force

KEYS = jax.random.split(jax.random.key(1), 4)
PARAMS = {"w": jax.random.normal(KEYS[0], (3, 4)), "v": jax.random.normal(KEYS[1], (4, 3))}
X1, X2 = jax.random.normal(KEYS[2], (3, 3)), jax.random.normal(KEYS[3], (2, 3))


def network(params, x):
    return jnp.tanh(x @ params["w"]) @ params["v"]


def jacobian(x):
    leaves = jax.tree.leaves(jax.jacrev(lambda params: network(params, x))(PARAMS))
    return np.concatenate([np.reshape(leaf, (*leaf.shape[:2], -1)) for leaf in leaves], axis=2)


J1, J2 = jacobian(X1), jacobian(X2)
THETA = np.einsum("noi,mpi->nmop", J1, J2)


@pytest.mark.parametrize("vmap_axes", [None, 0, VmapAxes(0, 1)])
def test_pseudo_kernel_is_the_mean_over_pairs_of_outputs_times_their_number(vmap_axes):
    transposed = isinstance(vmap_axes, VmapAxes)
    function = (lambda params, x: network(params, x).T) if transposed else network
    got = pseudo_ntk_fn(function, vmap_axes=vmap_axes)(X1, X2, PARAMS)
    np.testing.assert_allclose(got, THETA.sum((2, 3)) / 3, rtol=1e-4, atol=1e-4)


def test_sketch_is_unbiased_with_the_stated_variance():
    dim, draws = 3, 4000
    estimate = jax.jit(jax.vmap(lambda key: sketched_ntk(key, network, X1, X2, PARAMS, dim=dim)))(
        jax.random.split(KEYS[0], draws)
    )
    squares = np.einsum("noi,noi->no", J1, J1), np.einsum("mpi,mpi->mp", J2, J2)
    variance = np.einsum("no,mp->nmop", *squares) + THETA**2
    variance = (variance - 2 * np.einsum("noi,mpi->nmop", J1**2, J2**2)) / dim
    error = (np.mean(estimate, axis=0) - THETA) / np.sqrt(variance / draws)
    assert np.abs(error).max() < 5
    np.testing.assert_allclose(np.var(estimate, axis=0), variance, rtol=0.2, atol=1e-3)


def test_sketch_of_one_batch_is_positive_semi_definite_and_axes_are_those_of_the_kernel():
    key = KEYS[1]
    full = sketched_ntk(key, network, X1, None, PARAMS, dim=4)
    values = np.linalg.eigvalsh(np.transpose(full, (0, 2, 1, 3)).reshape(9, 9))
    assert values.min() > -1e-5 * values.max()
    traced = sketched_ntk(key, network, X1, None, PARAMS, dim=4, trace_axes=(-1,))
    np.testing.assert_allclose(traced, np.einsum("nmoo->nm", full) / 3, rtol=1e-4, atol=1e-5)
    diagonal = sketched_ntk(key, network, X1, None, PARAMS, dim=4, diagonal_axes=(1,))
    np.testing.assert_allclose(diagonal, np.einsum("nmoo->nmo", full), rtol=1e-4, atol=1e-5)
    both = sketched_ntk(key, network, X1, X1, PARAMS, dim=4)
    np.testing.assert_allclose(both, full, rtol=1e-4, atol=1e-5)


def test_sketch_without_forward_mode(x64):
    net = NETS["custom_vjp"]
    keys = jax.random.split(KEYS[3], 20)
    sketch = jax.jit(
        jax.vmap(lambda key: sketched_ntk(key, net.apply_fn, net.x1, net.x2, net.params, dim=400))
    )(keys)
    expected = brute_force(net.apply_fn, net.x1, net.x2, net.params)
    error = np.abs(np.mean(sketch, axis=0) - expected).max()
    assert error < 0.1 * np.abs(expected).max()


@pytest.mark.parametrize("check_vma", [True, False])
def test_rows_over_devices(devices, check_vma):
    x = jax.random.normal(KEYS[2], (16, 3))

    def sketch(x1, x2, params):
        return sketched_ntk(KEYS[0], network, x1, x2, params, dim=3)

    got = sharded(sketch, SPLIT, WHOLE, WHOLE, check_vma=check_vma)(x, X2, PARAMS)
    np.testing.assert_allclose(got, sketch(x, X2, PARAMS), rtol=1e-4, atol=1e-4)

    def looped(params, x):
        square = params["w"] @ params["w"].T
        return network(params, jax.lax.fori_loop(0, 3, lambda _, h: jnp.tanh(h @ square), x))

    def one(keys, x, params):
        return sketched_ntk(keys[0], looped, x, None, params, dim=3)[None]

    keys = jax.random.split(KEYS[3], 8)  # one batch, eight keys
    got = sharded(one, SPLIT, WHOLE, WHOLE, check_vma=check_vma)(keys, X1, PARAMS)
    expected = [one(keys[i : i + 1], X1, PARAMS)[0] for i in range(8)]
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)


def test_precision_reaches_every_product():
    def make(precision):
        return lambda x1, x2, params: sketched_ntk(
            KEYS[0], network, x1, x2, params, dim=2, precision=precision
        )

    assert_precision_reaches_every_product(make, X1, X2, PARAMS)


def test_outputs_in_a_dictionary():
    def two(params, x):
        return {"all": network(params, x), "one": network(params, x)[:, 0]}

    sketch = sketched_ntk(KEYS[2], two, X1, X2, PARAMS, dim=2)
    assert sketch["all"].shape == (3, 2, 3, 3)
    np.testing.assert_allclose(sketch["one"], sketch["all"][:, :, 0, 0], rtol=1e-4, atol=1e-5)
    pseudo = pseudo_ntk_fn(two)(X1, X2, PARAMS)
    np.testing.assert_allclose(pseudo["one"], THETA[:, :, 0, 0], rtol=1e-4, atol=1e-4)


def test_refused(bad_input):
    with pytest.raises(ValueError, match="dim"):
        sketched_ntk(KEYS[0], network, X1, None, PARAMS, dim=0)
    with pytest.raises(ValueError, match="precision"):
        sketched_ntk(KEYS[0], network, X1, None, PARAMS, dim=1, precision="exact")
    with pytest.raises(ValueError, match="trace_axes"):
        sketched_ntk(KEYS[0], network, X1, None, PARAMS, dim=1, trace_axes=(2,))
    with pytest.raises(ValueError, match=r"vmap_axes: .*an output with 2 axes, got 5"):
        pseudo_ntk_fn(network, vmap_axes=5)(X1, None, PARAMS)
