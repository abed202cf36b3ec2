"""Maximum matchings of lists of edges against scipy's, and against those of matrices."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

from jaxlab.graph_algorithms.cardinality import maximum_cardinality_matching
from jaxlab.graph_algorithms.sparse_cardinality import maximum_cardinality_matching_sparse
from jaxlab.graphs import digraph_from_arcs
from tests.helpers import to_device

EDGES, COUNT = 48, 100


def lists(shape, count, seed):
    """Edges in no order, some listed twice, and room that holds garbage."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(count):
        m = int(rng.integers(0, EDGES + 1))
        ends = [rng.integers(0, min(size, 3 + number), EDGES) for size in shape]
        made.append((*ends, np.arange(EDGES) < m))
    return [to_device(np.stack(part)) for part in zip(*made, strict=True)]


@pytest.mark.parametrize(
    ("shape", "layered"), [((12, 12), False), ((9, 14), True), ((14, 9), False)]
)
def test_size_is_scipys_and_the_matching_that_of_the_matrix(shape, layered):
    @jax.jit
    @jax.vmap
    def sparse(senders, receivers, init, mask):
        return maximum_cardinality_matching_sparse(
            senders, receivers, *shape, init, mask=mask, layered=layered
        )

    @jax.jit
    @jax.vmap
    def dense(adjacency):
        return maximum_cardinality_matching(adjacency, layered=layered)

    senders, receivers, masks = lists(shape, COUNT, seed=shape[0])
    found = sparse(senders, receivers, jnp.full((COUNT, shape[0]), -1, jnp.int32), masks)
    adjacency = np.zeros((COUNT, *shape), bool)
    for k in range(COUNT):
        there = np.asarray(masks[k])
        adjacency[k][np.asarray(senders[k])[there], np.asarray(receivers[k])[there]] = True
        expected = maximum_bipartite_matching(csr_array(adjacency[k])) >= 0
        assert (np.asarray(found.col_for_row[k]) >= 0).sum() == expected.sum()
    chex.assert_trees_all_equal(found, dense(to_device(adjacency)))
    again = sparse(senders, receivers, found.col_for_row, masks)
    np.testing.assert_array_equal(again.col_for_row, found.col_for_row)
    assert (again.phases <= 1).all()


def test_padding_changes_nothing():
    senders, receivers, masks = lists((9, 14), 1, seed=9)
    there = np.asarray(masks[0])
    padded = maximum_cardinality_matching_sparse(
        senders[0], receivers[0], 9, 14, mask=masks[0], layered=True
    )
    bare = maximum_cardinality_matching_sparse(
        senders[0][there], receivers[0][there], 9, 14, layered=True
    )
    chex.assert_trees_all_equal(padded, bare)


def test_arcs_of_a_large_digraph():
    rng = np.random.default_rng(2)
    n, m = 3000, 6000
    arcs = rng.integers(0, n, (m, 2))
    graph = digraph_from_arcs(arcs, n, edge_capacity=m + 500)
    found = maximum_cardinality_matching_sparse(
        graph.senders, graph.receivers, n, n, mask=graph.mask, layered=True
    )
    matched = np.flatnonzero(np.asarray(found.col_for_row) >= 0)
    listed = {tuple(arc) for arc in arcs.tolist()}
    columns = np.asarray(found.col_for_row)[matched]
    assert {(int(i), int(j)) for i, j in zip(matched, columns, strict=True)} <= listed
    np.testing.assert_array_equal(np.asarray(found.row_for_col)[columns], matched)
    matrix = csr_array((np.ones(m, np.int8), arcs.T), shape=(n, n))
    assert len(matched) == (maximum_bipartite_matching(matrix) >= 0).sum()
    assert found.phases <= 2 * np.sqrt(n) + 2


def test_empty():
    none = jnp.zeros(0, jnp.int32)
    for shape in [(0, 3), (3, 0), (2, 2)]:
        found = maximum_cardinality_matching_sparse(none, none, *shape)
        assert found.col_for_row.tolist() == [-1] * shape[0]
        assert found.row_for_col.tolist() == [-1] * shape[1]


@pytest.mark.parametrize(("rows", "columns"), [(256, 256), (300, 260)])
def test_narrow_ends(rows, columns, bad_input):
    ends = jnp.array([0, 9, 255], jnp.uint8), jnp.array([255, 9, 1], jnp.uint8)
    mask = jnp.array([True, True, False])
    found = maximum_cardinality_matching_sparse(*ends, rows, columns, mask=mask)
    assert np.flatnonzero(found.col_for_row >= 0).tolist() == [0, 9]
    assert found.col_for_row[jnp.array([0, 9])].tolist() == [255, 9]


def test_a_start_of_narrow_integers():
    ends = jnp.array([0, 0, 1]), jnp.array([0, 1, 0])
    found = maximum_cardinality_matching_sparse(*ends, 2, 2, jnp.array([0, -1], jnp.int8))
    assert (found.col_for_row.tolist(), found.col_for_row.dtype) == ([1, 0], jnp.int32)


def test_an_end_that_is_not_there(bad_input):
    ends = jnp.array([0, 1, -1]), jnp.array([0, 2, 1])
    for name, sizes in (("senders", (2, 3)), ("receivers", (2, 2))):
        with pytest.raises(ValueError, match=f"{name}: expected vertices from 0 to 1"):
            maximum_cardinality_matching_sparse(
                *ends, *sizes, mask=jnp.array([True, True, name == "senders"])
            )
    traced = jax.jit(lambda s, r: maximum_cardinality_matching_sparse(s, r, 2, 2).col_for_row)
    assert traced(*ends).tolist() == [0, -1]


def test_refusals(bad_input):
    ends = jnp.array([0]), jnp.array([0])
    with pytest.raises(ValueError, match=r"receivers: expected shape \[1\]"):
        maximum_cardinality_matching_sparse(ends[0], jnp.array([0, 0]), 1, 1)
    with pytest.raises(ValueError, match="senders: expected dtype integer"):
        maximum_cardinality_matching_sparse(jnp.zeros(1), ends[1], 1, 1)
    with pytest.raises(ValueError, match=r"mask: expected shape \[1\]"):
        maximum_cardinality_matching_sparse(*ends, 1, 1, mask=jnp.ones(2, bool))
    with pytest.raises(ValueError, match="mask: expected dtype bool"):
        maximum_cardinality_matching_sparse(*ends, 1, 1, mask=jnp.ones(1, jnp.int32))
    with pytest.raises(ValueError, match=r"init: expected shape \[2\]"):
        maximum_cardinality_matching_sparse(*ends, 2, 1, jnp.zeros(1, jnp.int32))
    with pytest.raises(ValueError, match="init: expected dtype integer"):
        maximum_cardinality_matching_sparse(*ends, 1, 1, jnp.zeros(1))
    with pytest.raises(ValueError, match="rows: expected an integer >= 0"):
        maximum_cardinality_matching_sparse(*ends, -1, 1)
