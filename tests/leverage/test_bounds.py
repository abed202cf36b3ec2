"""P2 to P5 and P7 on random matrices, and the worked examples."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from jaxlab.leverage import (
    SVD,
    angle_bounds,
    columns_needed,
    generalized_leverage_scores,
    leverage_deficit,
    svd,
)
from tests.leverage.matrices import TALL, WIDE, choices, rank_of, stack

REPEATS = 6


@functools.partial(jax.jit, static_argnums=0)
def all_bounds(method, matrices, subsets, columns):
    def one(a, subset, mask):
        decomposition = svd(a, method=method)
        return decomposition, angle_bounds(decomposition, subset, mask)

    return jax.vmap(one)(matrices, subsets, columns)


def angles_by_scipy(a, decomposition, subset, mask):
    """Sines of all angles, of which those that columns cannot reach are 1."""
    left = decomposition.u[:, subset]
    span = scipy.linalg.orth(a[:, mask], rcond=1e-13)
    sines = np.ones(left.shape[1])
    if span.shape[1]:
        found = np.sin(scipy.linalg.subspace_angles(span, left))
        sines[: found.size] = np.sort(found)
    return np.sort(sines)


@pytest.mark.parametrize("shape", [TALL, WIDE])
def test_bounds_hold_and_the_sum_is_right(shape, x64):
    matrices = np.repeat(stack(shape), REPEATS, axis=0)
    ranks = [rank_of(a) for a in matrices]
    subsets, columns = choices(ranks, shape[1])
    given = jax.device_put((matrices, subsets, columns))
    decompositions, bounds = jax.device_get(all_bounds("exact", *given))
    np.testing.assert_array_equal(decompositions.rank, ranks)
    tangents = lower = 0
    for index, a in enumerate(matrices):
        decomposition = SVD(*(field[index] for field in decompositions))
        bound = type(bounds)(*(field[index] for field in bounds))
        subset, mask = subsets[index], columns[index]
        sines = angles_by_scipy(a, decomposition, subset, mask)
        total = np.sum(sines**2)
        assert bound.sum_sin2 == pytest.approx(total, abs=1e-7)
        slack = 1e-7
        # P2, each step of it
        assert total <= bound.upper_refined * (1 + 1e-9) + slack
        assert bound.upper_refined <= bound.upper_linear * (1 + 1e-9) + slack
        scores = np.sum(decomposition.vt[subset] ** 2, axis=0)
        deficit = scores[~mask].sum()
        s = decomposition.s
        smallest = s[subset].min()
        norm = np.linalg.norm(a[:, ~mask], 2) if not mask.all() else 0
        linear = (norm / smallest) ** 2 * deficit
        assert bound.upper_linear == pytest.approx(linear, rel=1e-9, abs=slack)
        assert bound.upper_linear <= (s[0] / smallest) ** 2 * deficit * (1 + 1e-9) + slack
        # P3
        inner = decomposition.vt[subset][:, mask]
        mu = np.linalg.eigvalsh(inner @ inner.T)
        assert bound.lambda_min == pytest.approx(mu[0], abs=1e-12)
        if deficit < 1:
            assert bound.lambda_min >= 1 - deficit - 1e-12
        others = s[~subset].max(initial=0) / smallest
        if np.isfinite(bound.tan_max_bound) and mu[0] > 1e-6 and sines[-1] < 1 - 1e-12:
            tangents += 1
            squares = sines**2 / (1 - sines**2)
            assert np.sqrt(squares[-1]) <= bound.tan_max_bound * (1 + 1e-6) + 1e-6
            assert squares.sum() <= bound.sum_tan2_bound * (1 + 1e-6) + 1e-6
            spread = others**2 * np.sum(np.maximum(1 / mu - 1, 0))  # numpy loses digits near μ = 1
            assert bound.sum_tan2_bound == pytest.approx(
                spread, rel=1e-6, abs=1e-9 + 1e-12 * others**2
            )
            if deficit < 1:
                simple = others**2 * deficit / (1 - deficit)
                assert bound.sum_tan2_bound <= simple * (1 + 1e-6) + 1e-6
                assert bound.tan_max_bound**2 <= simple * (1 + 1e-6) + 1e-6
        else:
            assert mu[0] <= 1e-6 or sines[-1] >= 1 - 1e-12
        # P4
        assert bound.lower <= total + slack
        if ranks[index] == shape[1]:
            lower += 1
            weakest = (s[-1] / s[subset].max()) ** 2 * deficit
            assert weakest * (1 - 1e-6) - slack <= bound.lower
        else:
            assert bound.lower == 0
    assert tangents > 20
    assert lower > 50 or shape == WIDE


def test_equal_singular_values_give_equality(x64):
    """P5, and with it every bound but P3 at once."""
    matrices = np.linalg.qr(np.random.default_rng(5).normal(size=(144, *TALL)))[0] * 3
    subsets, columns = choices([6] * 144, 6, seed=5)
    decompositions, bounds = all_bounds("exact", *jax.device_put((matrices, subsets, columns)))
    scores = jax.vmap(generalized_leverage_scores)(decompositions, jax.device_put(subsets))
    kept = np.sum(np.where(columns, scores, 0), axis=1)
    np.testing.assert_allclose(subsets.sum(1) - bounds.sum_sin2, kept, atol=1e-9)
    np.testing.assert_allclose(bounds.lower, bounds.sum_sin2, atol=1e-9)
    np.testing.assert_allclose(bounds.upper_linear, bounds.sum_sin2, atol=1e-9)


def worked(a, subset, mask):
    """An example in the shape of the others: rows and columns of zeros change no angle."""
    rows, size = a.shape
    padded = np.zeros(TALL)
    padded[:rows, :size] = a
    subsets, columns = np.zeros(6, bool), np.ones(6, bool)
    subsets[list(subset)] = True
    columns[:size] = mask
    case = (padded, subsets, columns)
    stacked = jax.device_put(tuple(np.stack([one] * 144) for one in case))
    decomposition, bounds = all_bounds("exact", *stacked)
    first = functools.partial(jax.tree.map, lambda field: np.asarray(field[0]))
    return first(decomposition), first(bounds)


def test_worked_example_of_a_diagonal_matrix(x64):
    a = np.diag([3.0, 2.0, 1.0])
    decomposition, bounds = worked(a, (1,), [False, True, False])
    np.testing.assert_allclose(decomposition.vt[1][:3] ** 2, [0, 1, 0], atol=1e-14)
    assert bounds.sum_sin2 == bounds.upper_linear == 0
    _, bounds = worked(a, (1,), [True, False, False])
    assert bounds.sum_sin2 == pytest.approx(1)
    assert np.isinf(bounds.tan_max_bound)
    assert bounds.lambda_min == 0


def test_worked_example_of_two_columns(x64):
    a = np.array([[1.0, 1.0], [0.0, 0.1]])
    bounds = angle_bounds(svd(jnp.asarray(a)), (1,), jnp.array([True, False]))
    decomposition = svd(jnp.asarray(a))
    np.testing.assert_allclose(decomposition.s, [1.415985, 0.070622], atol=1e-6)
    scores = generalized_leverage_scores(decomposition, (1,))
    np.testing.assert_allclose(scores, [0.502500, 0.497500], atol=1e-6)
    total, deficit = float(bounds.sum_sin2), float(scores[1])
    s = np.asarray(decomposition.s)
    # one column is left out, so that P4 with the norm of its dual is an equality
    assert float(bounds.lower) == pytest.approx(total, rel=1e-9)
    assert deficit < total < float(bounds.upper_linear) < (s[0] / s[1]) ** 2 * deficit


def test_deficit():
    scores = jnp.array([0.5, 0.25, 0.25])
    assert leverage_deficit(scores, jnp.array([True, False, True]), 1) == 0.25
    assert leverage_deficit(scores, jnp.ones(3, bool), 1) == 0


@pytest.mark.parametrize("eta", [0.5, 1.0, 2.0])
def test_columns_needed_for_exact_power_laws(eta):
    """P7: the first columns of the largest power law of sum k leave no more than the deficit."""
    k, n = 5, 400_000
    decay = np.arange(1, n + 1) ** -(1 + eta)
    scores = decay * (k / decay.sum())
    for eps in (0.5, 1.0, 2.0):
        c = columns_needed(k, eps, eta)
        assert c >= k
        assert k - scores[:c].sum() <= eps


def test_bad_input(bad_input):
    decomposition = svd(jnp.diag(jnp.array([3.0, 2.0, 0.0])))
    some = jnp.array([True, False, True])
    for subset in ((3,), (2,)):
        with pytest.raises(ValueError, match="exceeds numerical rank"):
            angle_bounds(decomposition, subset, some)
    with pytest.raises(ValueError, match="duplicate"):
        angle_bounds(decomposition, (0, 0), some)
    with pytest.raises(ValueError, match=r"columns_mask: expected shape \[3\]"):
        angle_bounds(decomposition, (0,), some[:2])
    u, s, vt, rank = decomposition
    with pytest.raises(ValueError, match="a complete decomposition of 3"):
        angle_bounds(SVD(u[:, :2], s[:2], vt[:2], rank), (0,), some)
    with pytest.raises(ValueError, match="epsilon"):
        columns_needed(2, 2.0, 1.0)
    with pytest.raises(ValueError, match="eta"):
        columns_needed(2, 1.0, 0.0)
    with pytest.raises(ValueError, match="eta: expected a decay"):
        columns_needed(5, 0.5, 1e-3)
    with pytest.raises(ValueError, match="k: expected"):
        leverage_deficit(jnp.ones(3), some, -1)
    with pytest.raises(ValueError, match="scores: expected dtype floating"):
        leverage_deficit(jnp.ones(3, int), some, 1)
