"""Local search ends where no single exchange helps."""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.leverage import local_search_gcss
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
