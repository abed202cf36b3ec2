"""Local search ends where no single exchange helps."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.leverage import gcss, greedy_gcss, local_search_gcss
from tests.leverage import targets
from tests.leverage.targets import put


def test_no_exchange_is_left(x64):
    rng = np.random.default_rng(0)
    for _ in range(8):
        a, b = targets.random_pair(rng)
        start = rng.choice(8, 3, replace=False)
        found = local_search_gcss(*put(a, b, start))
        assert found.converged
        columns, energy = found.columns.tolist(), (b**2).sum()
        assert len(set(columns)) == 3
        left = targets.residual(a, b, columns) ** 2
        np.testing.assert_allclose(found.captured, energy - left, atol=1e-6 * energy)
        assert left <= targets.residual(a, b, start) ** 2 + 1e-9 * energy
        for i, j in itertools.product(range(3), range(8)):
            other = [*columns[:i], j, *columns[i + 1 :]]
            assert targets.residual(a, b, other) ** 2 >= left - 1e-6 * energy


def test_finds_the_optimum_of_wine(x64):
    a, b = targets.data("wine")
    found = local_search_gcss(*put(a, b, np.array([0, 1])))
    assert sorted(found.columns.tolist()) == list(targets.best(a, b, 2))
    np.testing.assert_allclose(1 - found.captured / (b**2).sum(), 0.3515, atol=5e-5)


def test_dependent_start(x64):
    rng = np.random.default_rng(1)
    a = rng.normal(size=(14, 8))
    a[:, 1], a[:, 2] = 2 * a[:, 0], 0
    found = local_search_gcss(*put(a, a[:, 3:6], np.array([0, 1, 2])))
    assert found.converged
    assert sorted(found.columns.tolist()) == [3, 4, 5]


@pytest.mark.parametrize("offset", [100, 1000])
@pytest.mark.parametrize("rows", [200, 10])
def test_columns_far_from_0(offset, rows):
    rng = np.random.default_rng(0)
    n, c = 12, 4
    for _ in range(6):
        hidden = rng.normal(size=(rows, 4))
        a = offset + hidden @ rng.normal(size=(4, n)) + 0.5 * rng.normal(size=(rows, n))
        b = hidden @ rng.normal(size=(4, 3))
        a, b = a.astype(np.float32), (b - b.mean(axis=0)).astype(np.float32)
        start = greedy_gcss(*put(a, b), c=c).columns
        found = local_search_gcss(*put(a, b), start)
        whole = gcss(*put(a, b), c=c, method="local_search")
        a, b = a.astype(float), b.astype(float)
        energy = (b**2).sum()

        def missed(columns, a=a, b=b, energy=energy):
            return targets.residual(a, b, columns) ** 2 / energy

        np.testing.assert_allclose(found.captured / energy, 1 - missed(found.columns), atol=1e-3)
        for columns, converged in (
            (found.columns, found.converged),
            (whole.columns, whole.converged),
        ):
            columns = columns.tolist()
            others = [
                [*columns[:i], j, *columns[i + 1 :]]
                for i, j in itertools.product(range(c), set(range(n)) - set(columns))
            ]
            assert converged
            assert missed(columns) <= missed(start) + 1e-3
            assert missed(columns) <= min(map(missed, others)) + 1e-3


def test_what_is_captured_has_derivatives(x64):
    rng = np.random.default_rng(2)
    a, b, start = put(rng.normal(size=(9, 5)), rng.normal(size=(9, 2)), np.array([0, 1]))
    change = jax.random.normal(jax.random.key(0), a.shape)
    targets.assert_derivative(
        lambda t: local_search_gcss(a + t[0] * change, b, start).captured[None], 1
    )


def test_bad_input(bad_input):
    a = jnp.ones((3, 2))
    with pytest.raises(ValueError, match="columns: expected indices of columns from 0 to 1"):
        local_search_gcss(a, a, jnp.array([2]))
    with pytest.raises(ValueError, match="columns: expected no duplicates"):
        local_search_gcss(a, a, jnp.array([0, 0]))
    with pytest.raises(ValueError, match=r"tol: expected shape \[\]"):
        local_search_gcss(a, a, jnp.array([1]), tol=jnp.ones(2))
    with pytest.raises(ValueError, match="rounds: expected an integer >= 1"):
        local_search_gcss(a, a, jnp.array([1]), rounds=0)
