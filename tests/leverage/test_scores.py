"""Scores against numpy, P1, derivatives of the projector, and degenerate matrices."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.leverage import (
    SVD,
    generalized_leverage_scores,
    leverage_scores,
    ridge_leverage_scores,
    subspace_leverage_scores,
    svd,
)
from tests.leverage.matrices import TALL, WIDE, choices, rank_of, stack

SUBSET = (1, 2)


def on_host(function):
    """The function with numbers of numpy for results."""
    return lambda *args: np.asarray(function(*args))


@functools.partial(jax.jit, static_argnums=(2,))
def scores_of(matrices, subsets, axis="columns"):
    return jax.vmap(lambda a, mask: generalized_leverage_scores(a, mask, axis=axis))(
        matrices, subsets
    )


@on_host
@functools.partial(jax.jit, static_argnums=(4,))
def ridge_with_slopes(a, lam, weights, direction, axis):
    def weighed(a, lam):
        return jnp.vdot(weights, ridge_leverage_scores(a, lam, axis=axis))

    value, (slope, of_lam) = jax.value_and_grad(weighed, (0, 1))(a, lam)
    return jnp.stack([value, jnp.vdot(slope, direction), of_lam])


@on_host
@functools.partial(jax.jit, static_argnums=(3, 4))
def slopes(a, weights, direction, axis, through_svd):
    def weighed(a):
        given = svd(a) if through_svd else a
        return jnp.vdot(weights, generalized_leverage_scores(given, SUBSET, axis=axis))

    value, slope = jax.value_and_grad(weighed)(a)
    return jnp.stack([value, jnp.vdot(slope, direction)])


@pytest.mark.parametrize("shape", [TALL, WIDE])
def test_scores_are_the_diagonal_of_the_projector(shape, x64):
    matrices = stack(shape)
    subsets, _ = choices([rank_of(a) for a in matrices], shape[1])
    for axis in ("columns", "rows") if shape == TALL else ("columns",):
        scores = scores_of(*jax.device_put((matrices, subsets)), axis)
        for a, subset, found in zip(matrices, subsets, scores, strict=True):
            u, _, vt = np.linalg.svd(a, full_matrices=False)
            vectors = vt[subset] if axis == "columns" else u[:, subset].T
            # vectors of small singular values are known up to rounding over their gap
            np.testing.assert_allclose(found, np.diag(vectors.T @ vectors), atol=1e-10)


def test_range_sum_and_additivity(x64):
    """P1."""
    matrices = stack(TALL)
    ranks = np.array([rank_of(a) for a in matrices])
    subsets, _ = choices(ranks, 6)
    everything = np.arange(6) < ranks[:, None]
    given = jax.device_put(matrices)
    some, rest, all_of_them = (
        np.asarray(scores_of(given, jax.device_put(mask)))
        for mask in (subsets, everything & ~subsets, everything)
    )
    assert some.min() >= 0
    assert some.max() <= 1 + 1e-12
    np.testing.assert_allclose(some.sum(1), subsets.sum(1), rtol=1e-12)
    np.testing.assert_allclose(some + rest, all_of_them, atol=1e-12)
    np.testing.assert_allclose(all_of_them[ranks == 6], 1, atol=1e-12)
    order = np.random.default_rng(0).permutation(6)
    rotation = np.linalg.qr(np.random.default_rng(1).normal(size=(9, 9)))[0]
    moved = scores_of(jax.device_put(rotation @ matrices[:, :, order]), jax.device_put(subsets))
    np.testing.assert_allclose(moved, some[:, order], atol=1e-9)


def test_ties_within_the_subset_leave_scores_alone(x64):
    rng = np.random.default_rng(2)
    u, v = np.linalg.qr(rng.normal(size=TALL))[0], np.linalg.qr(rng.normal(size=(6, 6)))[0]
    turn = np.linalg.qr(rng.normal(size=(2, 2)))[0]
    turned = v.copy()
    turned[:, 1:3] = v[:, 1:3] @ turn
    for right in (v, turned):
        a = jnp.asarray(u * [5, 3, 3, 2, 1, 0.5] @ right.T)
        scores = generalized_leverage_scores(a, SUBSET)
        np.testing.assert_allclose(scores, np.sum(v[:, 1:3] ** 2, axis=1), atol=1e-12)


def example(shape, singular):
    rng = np.random.default_rng(3)
    m, n = shape
    u = np.linalg.qr(rng.normal(size=(m, 6)))[0]
    v = np.linalg.qr(rng.normal(size=(n, 6)))[0]
    return u * singular @ v.T, rng


@pytest.mark.parametrize("shape", [TALL, WIDE])
@pytest.mark.parametrize("axis", ["columns", "rows"])
def test_gradients_against_differences(shape, axis, x64):
    """A singular value twice within the subset, and once nearly so."""
    for middle in ((3, 3), (3, 3 + 1e-11)):
        a, rng = example(shape, [5, *middle, 1, 0.7, 0.3])
        direction = rng.normal(size=shape)
        weights = rng.normal(size=shape[axis == "columns"])
        given = jax.device_put((weights, direction))
        h = 1e-6
        ends = [slopes(jnp.asarray(a + t * direction), *given, axis, False)[0] for t in (-h, h)]
        difference = (ends[1] - ends[0]) / (2 * h)
        assert slopes(jnp.asarray(a), *given, axis, False)[1] == pytest.approx(difference, abs=1e-6)
        if shape == TALL:
            through = slopes(jnp.asarray(a), *given, axis, True)[1]
            assert through == pytest.approx(difference, abs=1e-6)


def test_gradients_of_a_matrix_of_low_rank(x64):
    """A direction that raises the rank: vectors of the null space have σ = 0."""
    a, rng = example(TALL, [5, 3, 3, 1, 0, 0])
    direction, weights = rng.normal(size=TALL), rng.normal(size=6)
    given = jax.device_put((weights, direction))
    h = 1e-6
    ends = [slopes(jnp.asarray(a + t * direction), *given, "columns", False)[0] for t in (-h, h)]
    for through in (False, True):
        found = slopes(jnp.asarray(a), *given, "columns", through)[1]
        assert found == pytest.approx((ends[1] - ends[0]) / (2 * h), abs=1e-6)


@pytest.mark.parametrize("through_svd", [False, True])
def test_gradients_at_any_scale(through_svd):
    """The squares of singular values need not be numbers of the dtype."""
    a, rng = example(TALL, [5, 4, 3, 1, 0.7, 0.3])
    direction, weights = rng.normal(size=TALL), rng.normal(size=6)

    def slope(scale):
        given = (np.float32(scale * a), np.float32(weights), np.float32(scale * direction))
        return slopes(*jax.device_put(given), "columns", through_svd)[1]

    np.testing.assert_allclose([slope(1e-25), slope(1e25)], slope(1), rtol=1e-4)


def test_ridge_scores_and_their_gradients(x64):
    h, lam = 1e-6, 0.7
    for singular, axis in (([5, 3, 3, 1, 0.7, 0.3], "rows"), ([5, 3, 3, 1, 0, 0], "columns")):
        a, rng = example(TALL, singular)
        direction, weights = rng.normal(size=TALL), rng.normal(size=TALL[axis == "columns"])
        given = jax.device_put((weights, direction))
        x = a if axis == "columns" else a.T
        expected = np.diag(x.T @ np.linalg.solve(x @ x.T + lam * np.eye(len(x)), x))
        value, slope, of_lam = ridge_with_slopes(jnp.asarray(a), lam, *given, axis)
        assert value == pytest.approx(weights @ expected, abs=1e-12)
        ends = [
            ridge_with_slopes(jnp.asarray(a + t * direction), lam, *given, axis)[0] for t in (-h, h)
        ]
        assert slope == pytest.approx((ends[1] - ends[0]) / (2 * h), abs=1e-6)
        ends = [ridge_with_slopes(jnp.asarray(a), lam + t, *given, axis)[0] for t in (-h, h)]
        assert of_lam == pytest.approx((ends[1] - ends[0]) / (2 * h), abs=1e-6)
    rank = rank_of(a)
    full = generalized_leverage_scores(jnp.asarray(a), range(rank))
    np.testing.assert_allclose(ridge_leverage_scores(jnp.asarray(a), 0.0), full, atol=1e-12)


@pytest.mark.parametrize("axis", ["columns", "rows"])
def test_ridge_scores_fade_what_would_be_cut(axis):
    """Of the second column ``svd`` takes all for rounding; without ``λ`` it would be."""
    a = (np.random.default_rng(5).normal(size=(100_000, 2)) * [1, 1e-4]).astype(np.float32)
    u, s, vt = np.linalg.svd(a.astype(float), full_matrices=False)
    lam = (2e-4 * s[0]) ** 2
    weights = s**2 / (s**2 + lam)
    expected = (vt.T**2 if axis == "columns" else u**2) @ weights
    given = jnp.asarray(a)
    assert svd(given).rank == 1
    found = ridge_leverage_scores(given, lam, axis=axis)
    np.testing.assert_allclose(found, expected, rtol=1e-2, atol=1e-7)
    assert ridge_leverage_scores(given, 0.0, axis=axis).sum() == pytest.approx(1, rel=1e-5)


def test_subspace_scores_do_not_depend_on_the_basis(x64):
    rng = np.random.default_rng(4)
    basis = np.linalg.qr(rng.normal(size=(9, 3)))[0]
    expected = np.sum(basis**2, axis=1)
    scores = subspace_leverage_scores(jnp.asarray(basis), orthonormal=True)
    np.testing.assert_allclose(scores, expected, atol=1e-14)
    mixed = basis @ rng.normal(size=(3, 6))  # six columns of rank 3
    given = jnp.asarray(mixed)
    np.testing.assert_allclose(subspace_leverage_scores(given), expected, atol=1e-12)
    # of a basis that stays of rank 3, as every function of the span has to
    direction = rng.normal(size=(9, 9)) @ mixed
    slope = jax.jvp(subspace_leverage_scores, (given,), (jnp.asarray(direction),))[1]
    h = 1e-6
    ends = [subspace_leverage_scores(jnp.asarray(mixed + t * direction)) for t in (-h, h)]
    np.testing.assert_allclose(slope, (ends[1] - ends[0]) / (2 * h), atol=1e-6)


def test_forms_of_a_subset_and_transformations():
    a = jnp.asarray(stack(TALL)[1], jnp.float32)
    decomposition = svd(a)
    masks = jax.device_put(choices([6] * 24, 6)[0])
    together = jax.vmap(functools.partial(generalized_leverage_scores, decomposition))(masks)
    for mask, found in zip(masks, together, strict=True):
        indices = np.flatnonzero(mask)
        alone = generalized_leverage_scores(decomposition, mask)
        np.testing.assert_allclose(found, alone, atol=1e-6)
        listed = generalized_leverage_scores(decomposition, tuple(indices.tolist()))
        np.testing.assert_array_equal(listed, alone)
    traced = jax.jit(generalized_leverage_scores)(decomposition, jnp.array(SUBSET))
    np.testing.assert_allclose(traced, generalized_leverage_scores(a, SUBSET), atol=1e-5)
    with jax.disable_jit():
        eager = generalized_leverage_scores(a, SUBSET)
    np.testing.assert_allclose(traced, eager, atol=1e-5)
    leading = leverage_scores(a, 2)
    np.testing.assert_allclose(leading, leverage_scores(a, 2, power_iters=3), atol=1e-5)
    np.testing.assert_allclose(leading, leverage_scores(decomposition, 2), atol=1e-5)
    np.testing.assert_allclose(leading, generalized_leverage_scores(a, (0, 1)), atol=1e-6)


def test_traced_subset_beyond_the_rank_adds_nothing():
    decomposition = svd(jnp.diag(jnp.array([3.0, 2.0, 0.0])))
    for none in (2, -1, 7):  # nor does what names no vector
        scores = jax.jit(generalized_leverage_scores)(decomposition, jnp.array([1, none]))
        assert scores.tolist() == [0, 1, 0]


def test_degenerate_matrices():
    a = np.random.default_rng(6).normal(size=TALL).astype(np.float32)
    a[:, 3], a[:, 4] = a[:, 0], 0
    scores = generalized_leverage_scores(jnp.asarray(a), (0, 3))
    assert scores[3] == pytest.approx(float(scores[0]), abs=1e-6)
    assert scores[4] == pytest.approx(0, abs=1e-12)
    assert leverage_scores(jnp.zeros(TALL), 2).tolist() == [0] * 6
    one = np.outer(np.arange(9.0), np.arange(6.0)).astype(np.float32)
    expected = np.arange(6.0) ** 2 / 55
    np.testing.assert_allclose(leverage_scores(jnp.asarray(one), 3), expected, atol=1e-6)
    for shape in ((1, 5), (5, 1)):
        for axis in ("columns", "rows"):
            found = leverage_scores(jnp.ones(shape), 1, axis=axis)
            np.testing.assert_allclose(found, 1 / found.size, rtol=1e-5)


def test_digits_by_numpy(x64):
    datasets = pytest.importorskip("sklearn.datasets")
    a = datasets.load_digits().data
    a = a[:, a.std(axis=0) > 0] - a.mean(axis=0)[a.std(axis=0) > 0]
    assert a.shape == (1797, 61)
    vt = np.linalg.svd(a, full_matrices=False)[2]
    scores = generalized_leverage_scores(jnp.asarray(a), range(10, 15))
    np.testing.assert_allclose(scores, np.sum(vt[10:15] ** 2, axis=0), atol=1e-10)


def test_bad_input(bad_input):
    a = jnp.diag(jnp.array([3.0, 2.0, 0.0]))
    decomposition = svd(a)
    for given in (a, decomposition):
        for subset in ((2,), (3,), (-1,), jnp.array([0, 7]), jnp.array([False, False, True])):
            with pytest.raises(ValueError, match="exceeds numerical rank"):
                generalized_leverage_scores(given, subset)
        with pytest.raises(ValueError, match="duplicate"):
            generalized_leverage_scores(given, (1, 1))
        with pytest.raises(ValueError, match="at least one singular vector"):
            generalized_leverage_scores(given, ())
        with pytest.raises(ValueError, match="at least one singular vector"):
            generalized_leverage_scores(given, jnp.zeros(3, bool))
        with pytest.raises(ValueError, match=r"subset: expected indices of shape \[k\]"):
            generalized_leverage_scores(given, 1)
        with pytest.raises(ValueError, match="axis: expected one of 'columns', 'rows'"):
            generalized_leverage_scores(given, (0,), axis="row")
        with pytest.raises(ValueError, match="at most 3, the number of vectors"):
            leverage_scores(given, 4)
    with pytest.raises(ValueError, match="unknown method"):
        generalized_leverage_scores(a, (0,), method="lanczos")
    with pytest.raises(ValueError, match="no options with a decomposition"):
        generalized_leverage_scores(decomposition, (0,), method="gram")
    with pytest.raises(ValueError, match="no options with a decomposition"):
        leverage_scores(decomposition, 1, method="gram")
    for bad, words in ((jnp.ones(3), "2-D"), (jnp.ones((0, 2)), "empty"), (a / 0, "finite")):
        with pytest.raises(ValueError, match=words):
            generalized_leverage_scores(bad, (0,))
        with pytest.raises(ValueError, match=words):
            subspace_leverage_scores(bad)
    for rtol in (-1.0, float("nan")):
        with pytest.raises(ValueError, match="rtol: expected a finite number >= 0"):
            generalized_leverage_scores(a, (0,), rtol=rtol)
    for dtype in (jnp.float16, jnp.bfloat16):
        with pytest.raises(ValueError, match="a: expected float32 or float64"):
            leverage_scores(a.astype(dtype), 1)
    with pytest.raises(ValueError, match="lam: expected a finite number >= 0"):
        ridge_leverage_scores(a, -1.0)
    assert isinstance(decomposition, SVD)
