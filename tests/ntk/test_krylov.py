"""Solvers that see only products, against numpy's and other libraries' on the dense kernel."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType
from jax.sharding import PartitionSpec as Spec

from jaxlab.ntk import lanczos, status
from jaxlab.ntk.products import (
    Eigenpairs,
    Solution,
    dataset_operator,
    dense_operator,
    jacobi_preconditioner,
    logdet,
    solve,
    top_eigenpairs,
    trace,
)

KEY = jax.random.key(7)
RNG = np.random.default_rng(3)
ROOT = RNG.standard_normal((24, 40))
KERNEL = ROOT @ ROOT.T / 40
B = RNG.standard_normal(24)


@pytest.fixture
def operator(x64):
    return dense_operator(jnp.asarray(KERNEL))


@pytest.fixture
def b(x64):
    return jnp.asarray(B)


def test_solve_equals_numpy(operator, b):
    got = solve(operator, b, ridge=0.1, tol=1e-10)
    expected = np.linalg.solve(KERNEL + 0.1 * np.eye(24), B)
    np.testing.assert_allclose(got.value, expected, rtol=1e-8)
    residual = np.linalg.norm(B - (KERNEL + 0.1 * np.eye(24)) @ got.value)
    np.testing.assert_allclose(got.residual_norm, residual, rtol=1e-3)
    assert got.status == status.OK
    assert got.steps <= 30


def test_preconditioner_and_right_hand_sides(operator, b):
    scale = jnp.logspace(0, 3, 24)
    scaled = dense_operator(operator.kernel * scale * scale[:, None])
    plain = solve(scaled, b, tol=1e-8, max_steps=500)
    precondition = jacobi_preconditioner(scaled)
    fewer = solve(scaled, b, tol=1e-8, max_steps=500, preconditioner=precondition)
    assert fewer.status == status.OK
    assert 2 * fewer.steps < plain.steps
    many = jnp.stack([b, 3 * b, 0 * b])
    got = jax.vmap(lambda b: solve(operator, b, tol=1e-10))(many)
    np.testing.assert_allclose(got.value, np.linalg.solve(KERNEL, many.T).T, rtol=1e-7)
    assert got.steps[2] == 0
    assert (got.status == status.OK).all()


def test_statuses_of_solve(operator, b):
    few = solve(operator, b, max_steps=3)
    assert (few.status, few.steps) == (status.NOT_CONVERGED, 3)
    indefinite = solve(dense_operator(jnp.diag(jnp.array([1.0, -1.0]))), jnp.ones(2))
    assert indefinite.status == status.INDEFINITE
    assert jnp.isfinite(indefinite.value).all()
    for broken in (
        solve(operator, b.at[2].set(jnp.nan)),
        solve(dense_operator(operator.kernel.at[1, 1].set(jnp.nan)), b),
    ):
        assert broken.status == status.NOT_FINITE
        assert jnp.isfinite(broken.value).all()
    single = dense_operator(jnp.asarray(KERNEL, jnp.float32))
    stalled = solve(single, b.astype(jnp.float32), tol=1e-9)
    assert stalled.status == status.STALLED
    assert stalled.residual_norm > 1e-9 * np.linalg.norm(b)


def test_gradient_of_solve_is_implicit(operator):
    def loss(kernel, b, ridge, answer):
        return jnp.sum(jnp.sin(answer(kernel, b, ridge)))

    def ours(kernel, b, ridge):
        return solve(dense_operator(kernel), b, ridge=ridge, tol=1e-12).value

    def dense(kernel, b, ridge):
        return jnp.linalg.solve(kernel + ridge * jnp.eye(24), b)

    got, expected = (
        jax.jit(jax.grad(loss, (0, 1, 2)), static_argnums=3)(jnp.asarray(KERNEL), B, 0.1, answer)
        for answer in (ours, dense)
    )
    for one, other in zip(got, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-8)


def test_top_eigenpairs_equal_numpy_within_their_bounds(operator):
    values, vectors = np.linalg.eigh(KERNEL)
    full = top_eigenpairs(KEY, operator, 4, steps=24)
    np.testing.assert_allclose(full.values, values[::-1][:4], rtol=1e-10)
    np.testing.assert_allclose(np.abs(full.vectors @ vectors[:, ::-1][:, :4]), np.eye(4), atol=1e-8)
    assert full.status == status.OK
    early = top_eigenpairs(KEY, operator, 4, steps=8, tol=1e-8)
    assert early.status == status.NOT_CONVERGED
    residuals = np.linalg.norm(
        early.vectors @ KERNEL - early.values[:, None] * early.vectors, axis=1
    )
    np.testing.assert_allclose(early.error_bounds, residuals, rtol=1e-6)
    nearest = np.abs(values[None] - early.values[:, None]).min(axis=1)
    assert (nearest <= early.error_bounds).all()


def test_basis_stays_orthonormal_in_float32():
    spread = dense_operator(jnp.diag(jnp.logspace(0, -6, 64)))
    krylov = lanczos.tridiagonalize(spread, jnp.ones(64), 40)
    made = krylov.basis[: int(krylov.steps)]
    np.testing.assert_allclose(made @ made.T, np.eye(len(made)), atol=1e-5)


def test_invariant_subspace_and_nan(x64):
    operator = dense_operator(jnp.diag(jnp.array([3.0, 3.0, 1.0, 1.0, 1.0, 0.0])))
    got = top_eigenpairs(KEY, operator, 4)
    assert (got.status, got.steps) == (status.EXHAUSTED, 3)
    np.testing.assert_allclose(got.values[:3], [3.0, 1.0, 0.0], atol=1e-12)
    assert jnp.isnan(got.values[3])
    assert top_eigenpairs(KEY, operator, 2).status == status.OK
    broken = top_eigenpairs(KEY, dense_operator(jnp.full((3, 3), jnp.nan)), 2)
    assert broken.status == status.NOT_FINITE
    one = top_eigenpairs(KEY, dense_operator(jnp.full((1, 1), 5.0)), 1)
    np.testing.assert_allclose(one.values, [5.0])


def test_trace_is_unbiased_with_the_right_error(operator):
    estimates = jax.vmap(lambda key: trace(key, operator, 16))(jax.random.split(KEY, 400))
    off_diagonal = KERNEL - np.diag(np.diag(KERNEL))
    deviation = np.sqrt(2 * np.sum(off_diagonal**2) / 16)
    errors = estimates.value - np.trace(KERNEL)
    assert abs(errors.mean()) < 4 * deviation / 20
    np.testing.assert_allclose(errors.std(), deviation, rtol=0.15)
    np.testing.assert_allclose(estimates.standard_error.mean(), deviation, rtol=0.1)


def test_logdet(operator):
    expected = np.linalg.slogdet(KERNEL + 0.5 * np.eye(24))[1]
    got = logdet(KEY, operator, 400, 24, ridge=0.5)
    assert abs(got.value - expected) < 4 * got.standard_error
    assert 0 < got.standard_error < 0.05 * abs(expected) + 0.5
    assert got.status == status.OK
    # signs make a diagonal exact
    diagonal = dense_operator(jnp.diag(jnp.arange(1.0, 7.0)))
    exact = logdet(KEY, diagonal, 3)
    np.testing.assert_allclose(exact.value, np.log(720.0), rtol=1e-10)
    indefinite = logdet(KEY, dense_operator(jnp.diag(jnp.array([1.0, 2.0, -1.0]))), 3)
    assert indefinite.status == status.INDEFINITE
    assert jnp.isnan(indefinite.value)
    broken = logdet(KEY, dense_operator(jnp.full((2, 2), jnp.nan)), 3)
    assert broken.status == status.NOT_FINITE


def test_solve_knows_no_units():
    """The squares of the smallest and of the largest right-hand side are no numbers."""
    operator = dense_operator(jnp.asarray(KERNEL, jnp.float32))
    b = jnp.asarray(B, jnp.float32)
    one = solve(operator, b, ridge=0.1)
    assert one.status == status.OK
    scales = jnp.array([1e-30, 1e-19, 1e19, 1e30])
    got = jax.vmap(lambda scale: solve(operator, scale * b, ridge=0.1))(scales)
    assert (got.status == status.OK).all()
    for row, norm, scale in zip(got.value, got.residual_norm, scales, strict=True):
        np.testing.assert_allclose(row / scale, one.value, rtol=1e-3)
        assert 0 < norm <= 1e-5 * scale * np.linalg.norm(B)
    overflowing = solve(dense_operator(1e-20 * jnp.eye(2)), jnp.full(2, 1e30))
    assert overflowing.status == status.NOT_FINITE


@pytest.mark.parametrize("scale", [1e-25, 1e25])
def test_kernels_know_no_units(scale):
    kernel = jnp.asarray(KERNEL, jnp.float32)
    one, other = dense_operator(kernel), dense_operator(scale * kernel)
    solved = solve(other, jnp.asarray(B, jnp.float32), ridge=0.1 * scale)
    assert solved.status == status.OK
    expected = np.linalg.solve(KERNEL + 0.1 * np.eye(24), B)
    np.testing.assert_allclose(scale * solved.value, expected, rtol=1e-3)
    top = top_eigenpairs(KEY, other, 3, steps=24)
    assert top.status == status.OK
    np.testing.assert_allclose(top.values / scale, np.linalg.eigvalsh(KERNEL)[:-4:-1], rtol=1e-5)
    got, like = (np.array(trace(KEY, operator, 4)) for operator in (other, one))
    np.testing.assert_allclose(got / scale, like, rtol=1e-4)
    like = logdet(KEY, one, 3, ridge=0.1)
    got = logdet(KEY, other, 3, ridge=0.1 * scale)
    assert got.status == status.OK
    np.testing.assert_allclose(got.value - 24 * np.log(scale), like.value, atol=0.01)


@pytest.mark.parametrize("scale", [1e8, 1e-9])
def test_logdet_knows_no_units(scale):
    """Fewer Ritz values than steps: what stands in for the others is no eigenvalue."""
    got = logdet(KEY, dense_operator(scale * jnp.eye(3)), 3)
    assert got.status == status.OK
    np.testing.assert_allclose(got.value, 3 * np.log(scale), rtol=1e-5)


SHARED = np.einsum("nm,op->nmop", KERNEL[:6, :6], np.eye(4))


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize(("kernel", "steps"), [(np.eye(6), 6), (SHARED, 8)], ids=["eye", "shared"])
def test_derivatives_of_logdet_where_the_recursion_ends_early(kernel, steps):
    def value(scale):
        return logdet(KEY, dense_operator(scale * jnp.asarray(kernel)), 4, steps).value

    size = math.prod(kernel.shape[::2])  # fewer eigenvalues than these
    np.testing.assert_allclose(jax.grad(value)(2.0), size / 2, rtol=1e-6)


def network(params, x):
    return jnp.tanh(x @ params["w"]) @ params["v"]


def test_a_second_recursion_outside_jit_compiles_nothing(caplog):
    def basis(scale):
        params = {"w": jnp.full((3, 2), scale), "v": jnp.full((2, 2), scale)}
        operator = dataset_operator(network, params, jnp.eye(5, 3), micro_batch=2)
        return lanczos.tridiagonalize(operator, jnp.full((5, 2), scale), 3).basis

    basis(1.0)
    with jax.log_compiles():
        basis(2.0)
    assert not [r for r in caplog.records if "Compiling" in r.getMessage()]


def everything(params, x, axis_name=None):
    operator = dataset_operator(network, params, x, micro_batch=2, axis_name=axis_name)
    b = jnp.sin(network(params, x))
    return (
        solve(operator, b, ridge=5.0, preconditioner=jacobi_preconditioner(operator, ridge=5.0)),
        top_eigenpairs(KEY, operator, 2, steps=12),
        trace(KEY, operator, 4),
        logdet(KEY, operator, 2, 8, ridge=5.0),
    )


def test_sharded_equals_whole(devices):
    keys = jax.random.split(KEY, 3)
    params = {"w": jax.random.normal(keys[0], (3, 5)), "v": jax.random.normal(keys[1], (5, 2))}
    x = jax.random.normal(keys[2], (16, 3))
    expected = jax.jit(everything)(params, x)
    mesh = jax.make_mesh((8,), ("data",), (AxisType.Auto,), devices=devices)
    once = Spec()
    got = jax.jit(
        jax.shard_map(
            lambda params, x: everything(params, x, "data"),
            mesh=mesh,
            in_specs=(once, Spec("data")),
            out_specs=(
                Solution(Spec("data"), once, once, once),
                Eigenpairs(once, Spec(None, "data"), once, once, once),
                once,
                once,
            ),
        )
    )(params, x)
    np.testing.assert_allclose(got[0].value, expected[0].value, atol=1e-4)
    assert got[0].status == status.OK
    np.testing.assert_allclose(got[1].values, expected[1].values, rtol=1e-4)
    np.testing.assert_allclose(np.abs(got[1].vectors), np.abs(expected[1].vectors), atol=1e-3)
    np.testing.assert_allclose(got[2], expected[2], rtol=1e-4)
    np.testing.assert_allclose(got[3][:2], expected[3][:2], rtol=1e-3)


def test_equals_matfree(operator):
    decomposition = pytest.importorskip("matfree.decomp")
    start = jnp.asarray(B)
    tridiag = decomposition.tridiag_sym(6, reortho="full")
    theirs = tridiag(lambda v: operator.matvec(v), start)
    ours = lanczos.tridiagonalize(operator, start, 6)
    matrix = np.asarray(theirs.J_small)
    np.testing.assert_allclose(ours.diagonal, np.diag(matrix), rtol=1e-8)
    np.testing.assert_allclose(ours.off_diagonal[:-1], np.diag(matrix, 1), rtol=1e-8)


def test_refused(operator, bad_input):
    for name, arguments in (
        ("b", {"b": B[:3]}),
        ("ridge", {"b": B, "ridge": -1.0}),
        ("tol", {"b": B, "tol": 0.0}),
        ("max_steps", {"b": B, "max_steps": -1}),
        ("preconditioner", {"b": B, "preconditioner": lambda r: r}),
    ):
        with pytest.raises(ValueError, match=name):
            solve(operator, **arguments)
    for k, steps in ((0, None), (25, None), (4, 2)):
        with pytest.raises(ValueError, match=r"^(k|steps):"):
            top_eigenpairs(KEY, operator, k, steps=steps)
    with pytest.raises(ValueError, match="probes"):
        trace(KEY, operator, 1)
    with pytest.raises(ValueError, match="lanczos_steps"):
        logdet(KEY, operator, 2, 0)
