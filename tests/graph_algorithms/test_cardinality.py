"""Maximum matchings against scipy's, from any start, in few phases."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

from jaxlab.graph_algorithms.cardinality import maximum_cardinality_matching
from tests.helpers import to_device

RNG = np.random.default_rng(7)


def assert_valid(matching, adjacency):
    col_for_row, row_for_col = np.asarray(matching.col_for_row), np.asarray(matching.row_for_col)
    matched = np.flatnonzero(col_for_row >= 0)
    assert adjacency[matched, col_for_row[matched]].all()
    assert (row_for_col[col_for_row[matched]] == matched).all()
    assert (row_for_col >= 0).sum() == len(matched)
    return len(matched)


def greedy(adjacency):
    taken, chosen = set(), []
    for row in adjacency:
        free = [j for j in np.flatnonzero(row) if j not in taken][:1]
        taken |= set(free)
        chosen.append(free[0] if free else -1)
    return to_device(chosen, np.int32)


@pytest.mark.parametrize("layered", [False, True])
@pytest.mark.parametrize("shape", [(30, 30), (20, 33), (33, 20)])
def test_size_is_scipys(shape, layered):
    for trial in range(60):
        adjacency = RNG.random(shape) < RNG.choice([0.02, 0.06, 0.1, 0.3])
        adjacency[:, : trial % 9] |= RNG.random((shape[0], trial % 9)) < 0.5  # crowded columns
        expected = (maximum_bipartite_matching(csr_array(adjacency)) >= 0).sum()
        for init in (None, greedy(adjacency)):
            found = maximum_cardinality_matching(to_device(adjacency), init, layered=layered)
            assert assert_valid(found, adjacency) == expected
            if layered:
                assert found.phases <= 2 * np.sqrt(shape[0]) + 2


@pytest.mark.parametrize("layered", [False, True])
def test_phases_where_a_forest_could_be_one_tree(layered):
    full = maximum_cardinality_matching(jnp.ones((30, 30), bool), layered=layered)
    assert assert_valid(full, np.ones((30, 30), bool)) == 30
    assert full.phases <= 2
    # a chain that a bad start forces through one path of all vertices
    chain = np.eye(30, dtype=bool) | np.eye(30, k=1, dtype=bool)
    start = jnp.where(jnp.arange(30) < 29, jnp.arange(1, 31), -1).astype(jnp.int32)
    found = maximum_cardinality_matching(to_device(chain), start, layered=layered)
    assert assert_valid(found, chain) == 30
    assert found.phases <= 2
    perfect = maximum_cardinality_matching(to_device(chain), found.col_for_row, layered=layered)
    assert perfect.phases == 0


@pytest.mark.parametrize("layered", [False, True])
def test_a_stack_with_a_solved_lane(layered):
    adjacency = RNG.random((5, 12, 12)) < 0.2
    adjacency[0] = True
    adjacency[1] = False
    init = np.full((5, 12), -1, np.int32)
    init[0] = np.arange(12)
    together = jax.vmap(lambda a, i: maximum_cardinality_matching(a, i, layered=layered))(
        to_device(adjacency), to_device(init)
    )
    for k in range(5):
        alone = maximum_cardinality_matching(
            to_device(adjacency[k]), to_device(init[k]), layered=layered
        )
        for a, b in zip(alone, together, strict=True):
            np.testing.assert_array_equal(a, b[k])


def test_empty():
    for shape in [(0, 3), (3, 0)]:
        found = maximum_cardinality_matching(jnp.zeros(shape, bool))
        assert found.col_for_row.tolist() == [-1] * shape[0]
        assert found.row_for_col.tolist() == [-1] * shape[1]


def test_a_start_of_narrow_integers():
    adjacency = jnp.array([[True, True], [True, False]])
    found = maximum_cardinality_matching(adjacency, jnp.array([0, -1], jnp.int8))
    assert (found.col_for_row.tolist(), found.col_for_row.dtype) == ([1, 0], jnp.int32)


@pytest.mark.usefixtures("bad_input")
def test_refusals():
    with pytest.raises(ValueError, match="adjacency: expected a matrix"):
        maximum_cardinality_matching(jnp.zeros(3, bool))
    with pytest.raises(ValueError, match="adjacency: expected dtype bool"):
        maximum_cardinality_matching(jnp.zeros((3, 3)))
    with pytest.raises(ValueError, match=r"init: expected shape \[3\]"):
        maximum_cardinality_matching(jnp.zeros((3, 3), bool), jnp.zeros(2, jnp.int32))
    with pytest.raises(ValueError, match="init: expected dtype integer"):
        maximum_cardinality_matching(jnp.zeros((3, 3), bool), jnp.zeros(3))
