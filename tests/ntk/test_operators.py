"""Operators against kernels formed by brute force, on one device and on eight."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType
from jax.sharding import PartitionSpec as Spec
from scipy.sparse.linalg import aslinearoperator, cg, gmres

from jaxlab.ntk.counting import count_flops
from jaxlab.ntk.products import dataset_operator, dense_operator, ntk_vp, to_lineax, to_scipy
from tests.ntk.checks import SPLIT, assert_precision_reaches_every_product, sharded
from tests.ntk.nets import NETS
from tests.ntk.oracle import brute_force as brute_force_of_nets
from tests.ntk.oracle import to_matrix

N = 11
KEYS = jax.random.split(jax.random.key(0), 6)
PARAMS = {
    "w": jax.random.normal(KEYS[0], (3, 5)),
    "b": jnp.ones(5),
    "v": jax.random.normal(KEYS[1], (5, 2)),
    "step": jnp.int32(3),
}
X = jax.random.normal(KEYS[2], (N, 3))
V = jax.random.normal(KEYS[3], (N, 2))


def network(params, x):
    return jnp.tanh(x @ params["w"] + params["b"]) @ params["v"]


def scalar(params, x):
    return network(params, x)[:, 0]


def brute_force(apply_fn, params, x):
    floating = {name: leaf for name, leaf in params.items() if name != "step"}
    outputs = jax.jit(lambda leaves: apply_fn({**params, **leaves}, x).reshape(-1))
    jacobian = jax.jacrev(outputs)(floating)
    flat = np.concatenate(
        [np.asarray(j).reshape(len(j), -1) for j in jax.tree.leaves(jacobian)], axis=1
    ).astype(np.float64)
    return flat @ flat.T


@jax.jit
def product(operator, vector):
    return operator.matvec(vector), operator.diagonal()


@pytest.mark.parametrize("micro_batch", [1, 4, 11, 50])
def test_dataset_operator_is_the_kernel(micro_batch):
    kernel = brute_force(network, PARAMS, X)
    operator = dataset_operator(network, PARAMS, X, micro_batch=micro_batch)
    assert operator.shape == (N, 2)
    assert operator.size == 2 * N
    got, diagonal = product(operator, V)
    np.testing.assert_allclose(got.reshape(-1), kernel @ np.ravel(V), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(diagonal.reshape(-1), np.diag(kernel), rtol=1e-5)


def test_float64_scalar_output_and_pytree_examples(x64):
    params = jax.tree.map(lambda a: jnp.asarray(a, jnp.float64 if a.ndim else a.dtype), PARAMS)
    x = {"image": np.asarray(X, np.float64), "mask": np.arange(N) % 2 == 0}

    def masked(params, x):
        return jnp.where(x["mask"], scalar(params, x["image"]), 0)

    kernel = brute_force(masked, params, x)
    operator = dataset_operator(masked, params, x, micro_batch=3)
    vector = np.linspace(-1, 1, N)
    got, diagonal = product(operator, vector)
    assert operator.shape == (N,)
    assert got.dtype == jnp.float64
    np.testing.assert_allclose(got, kernel @ vector, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(diagonal, np.diag(kernel), rtol=1e-12)


@pytest.mark.parametrize("n", [0, 1])
def test_few_examples(n):
    operator = dataset_operator(network, PARAMS, X[:n], micro_batch=4)
    got, diagonal = product(operator, V[:n])
    kernel = brute_force(network, PARAMS, X[:1])[: 2 * n, : 2 * n]
    np.testing.assert_allclose(got.reshape(-1), kernel @ np.ravel(V[:n]), rtol=1e-4)
    np.testing.assert_allclose(diagonal.reshape(-1), np.diag(kernel), rtol=1e-4)


def test_equals_products_of_two_batches_and_a_dense_operator():
    operator = dataset_operator(network, PARAMS, X, micro_batch=4)
    got, squares = product(operator, V)
    np.testing.assert_allclose(got, jax.jit(ntk_vp(network, X, X, PARAMS))(V), rtol=1e-4, atol=1e-4)
    kernel = brute_force(network, PARAMS, X).reshape(N, 2, N, 2).transpose(0, 2, 1, 3)
    dense = dense_operator(jnp.asarray(kernel, jnp.float32))
    np.testing.assert_allclose(dense.matvec(V), got, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(dense.diagonal(), squares, rtol=1e-4)


def test_vmap_over_an_ensemble_and_gradient():
    def form(w):
        params = {**PARAMS, "w": w}
        return jnp.sum(V * dataset_operator(network, params, X, micro_batch=4).matvec(V))

    def dense(w):
        leaves = {"w": w, "b": PARAMS["b"], "v": PARAMS["v"]}
        _, pull = jax.vjp(lambda leaves: network(leaves, X), leaves)
        return sum(jnp.sum(jnp.square(leaf)) for leaf in jax.tree.leaves(pull(V)))

    w = PARAMS["w"]
    values, gradients = jax.jit(jax.vmap(jax.value_and_grad(form)))(jnp.stack([w, 2 * w]))
    for member, factor in enumerate((1, 2)):
        value, gradient = jax.value_and_grad(dense)(factor * w)
        np.testing.assert_allclose(values[member], value, rtol=1e-4)
        np.testing.assert_allclose(gradients[member], gradient, rtol=1e-3, atol=1e-2)


def local(params, x, vector):
    operator = dataset_operator(network, params, x, micro_batch=2, axis_name="data")
    return operator.matvec(vector), operator.diagonal()


def test_sharded_examples_equal_whole(devices):
    x = jax.random.normal(KEYS[4], (24, 3))
    vector = jax.random.normal(KEYS[5], (24, 2))
    expected, diagonal = product(dataset_operator(network, PARAMS, x, micro_batch=5), vector)
    mesh = jax.make_mesh((8,), ("data",), (AxisType.Auto,), devices=devices)
    rows = Spec("data")
    for check_vma in (True, False):
        sharded = jax.jit(
            jax.shard_map(
                local,
                mesh=mesh,
                in_specs=(Spec(), rows, rows),
                out_specs=(rows, rows),
                check_vma=check_vma,
            )
        )
        got, squares = sharded(PARAMS, x, vector)
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(squares, diagonal, rtol=1e-5)
        text = sharded.lower(PARAMS, x, vector).as_text()
        assert text.count("stablehlo.all_reduce") == 3, "one sum for each leaf of the parameters"
    mapped = jax.pmap(local, axis_name="data", in_axes=(None, 0, 0), devices=devices)
    got, _ = mapped(PARAMS, x.reshape(8, 3, 3), vector.reshape(8, 3, 2))
    np.testing.assert_allclose(got.reshape(24, 2), expected, rtol=1e-4, atol=1e-4)


def test_parameters_that_the_network_branches_on(devices):
    params = {"w": jnp.ones((3, 1)), "rate": 2.0, "train": True}
    x, v = jax.random.normal(KEYS[4], (16, 3)), jax.random.normal(KEYS[5], (16, 1))

    def switched(params, x):
        return jnp.tanh(x @ params["w"]) * params["rate"] if params["train"] else 0.0 * x

    def both(x, v, axis_name=None):
        operator = dataset_operator(switched, params, x, micro_batch=2, axis_name=axis_name)
        return operator.matvec(v), operator.diagonal()

    expected = both(x, v)
    for check_vma in (True, False):
        spread = sharded(
            functools.partial(both, axis_name="data"), SPLIT, SPLIT, check_vma=check_vma
        )
        for ours, theirs in zip(spread(x, v), expected, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_network_without_forward_mode(x64):
    net = NETS["custom_vjp"]
    matrix = to_matrix(brute_force_of_nets(net.apply_fn, net.x1, net.x1, net.params))
    operator = dataset_operator(net.apply_fn, net.params, net.x1, micro_batch=2)
    vector = np.random.default_rng(0).normal(size=operator.shape)
    got, diagonal = product(operator, vector)
    np.testing.assert_allclose(got.ravel(), matrix @ vector.ravel(), rtol=1e-10)
    np.testing.assert_allclose(diagonal.ravel(), np.diag(matrix), rtol=1e-10)


def test_precision_reaches_every_product():
    def make(precision):
        operator = dataset_operator(network, PARAMS, X, micro_batch=4, precision=precision)
        return lambda v: (operator.matvec(v), operator.diagonal())

    assert_precision_reaches_every_product(make, V)


def test_memory_does_not_grow_with_the_data_and_work_is_linear():
    wide = {
        "w": jax.random.normal(KEYS[0], (16, 128)) / 4,
        "b": jnp.ones(128),
        "v": jax.random.normal(KEYS[1], (128, 1)),
    }
    operations, temporary = {}, {}
    for n in (4096, 16384):
        x, vector = jnp.ones((n, 16)), jnp.ones(n)
        operator = dataset_operator(scalar, wide, x, micro_batch=128)
        matvec = jax.jit(lambda operator, vector: operator.matvec(vector))
        compiled = matvec.lower(operator, vector).compile()
        temporary[n] = compiled.memory_analysis().temp_size_in_bytes
        operations[n] = count_flops(matvec, operator, vector)
    assert temporary[16384] <= 1.2 * temporary[4096]
    assert temporary[16384] < 16384**2
    assert operations[16384] <= 4.2 * operations[4096]


def test_one_nan_reaches_every_entry():
    operator = dataset_operator(network, PARAMS, X.at[4].set(jnp.nan), micro_batch=4)
    got, diagonal = product(operator, V)
    assert jnp.isnan(got).all()
    assert jnp.isnan(diagonal[4]).all()
    assert not jnp.isnan(jnp.delete(diagonal, 4, axis=0)).any()


def test_scipy_and_lineax_take_the_operator():
    kernel = brute_force(network, PARAMS, X)
    expected = np.linalg.solve(kernel + np.eye(2 * N), np.ravel(V))
    operator = dataset_operator(network, PARAMS, X, micro_batch=4)
    adapted = to_scipy(operator)
    np.testing.assert_allclose(adapted @ np.ravel(V), kernel @ np.ravel(V), rtol=1e-3, atol=1e-3)
    np.testing.assert_array_equal(
        adapted @ (np.ravel(V) + 2j * np.ravel(V)), (1 + 2j) * (adapted @ np.ravel(V))
    )
    value, status = cg(adapted + aslinearoperator(np.eye(2 * N)), np.ravel(V), rtol=1e-6)
    assert status == 0
    product = kernel @ np.ravel(V)
    residual = adapted @ gmres(adapted, product, rtol=1e-6)[0] - product
    assert np.linalg.norm(residual) <= 1e-3 * np.linalg.norm(product)
    np.testing.assert_allclose(value, expected, atol=1e-4)
    lineax = pytest.importorskip("lineax")
    solver = lineax.CG(rtol=1e-6, atol=1e-6)
    solution = lineax.linear_solve(to_lineax(operator, ridge=1.0), V, solver)
    np.testing.assert_allclose(np.ravel(solution.value), expected, atol=1e-4)


@pytest.mark.usefixtures("x64")
def test_a_wide_ridge_leaves_lineax_the_operators_type():
    lineax = pytest.importorskip("lineax")
    operator = dense_operator(jnp.eye(3, dtype=jnp.float32))
    adapted = to_lineax(operator, ridge=np.float64(0.5))
    assert adapted.mv(jnp.ones(3, jnp.float32)).tolist() == [1.5, 1.5, 1.5]
    lineax.linear_solve(adapted, jnp.ones(3, jnp.float32), lineax.CG(rtol=1e-5, atol=1e-5))


def test_refused(bad_input):
    with pytest.raises(ValueError, match="micro_batch"):
        dataset_operator(network, PARAMS, X, micro_batch=0)
    with pytest.raises(ValueError, match="precision"):
        dataset_operator(network, PARAMS, X, micro_batch=4, precision="exact")
    with pytest.raises(ValueError, match="vector"):
        dataset_operator(network, PARAMS, X, micro_batch=4).matvec(V[:3])
    with pytest.raises(ValueError, match="one array"):
        dataset_operator(lambda p, x: (x @ p, x @ p), jnp.ones(3), X, micro_batch=4)
    with pytest.raises(ValueError, match="params"):
        dataset_operator(network, {"step": 3}, X, micro_batch=4)
    with pytest.raises(ValueError, match="kernel"):
        dense_operator(jnp.ones((2, 3)))
    pytest.importorskip("lineax")
    with pytest.raises(ValueError, match="ridge: expected a finite number >= 0"):
        to_lineax(dense_operator(jnp.eye(3)), ridge=-1.0)
