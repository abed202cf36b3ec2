"""Components: SciPy's on hundreds of random graphs, in both regimes of density."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components as reference

from jaxlab.graphs.components import connected_components, graph_components, largest_component
from jaxlab.graphs.containers import digraph_from_arcs, graph_from_edges, pad_graph
from tests.graphs.instances import dtypes

RNG = np.random.default_rng(7)


def expected(senders, receivers, n):
    matrix = coo_array((np.ones(len(senders)), (senders, receivers)), shape=(n, n))
    _, groups = reference(matrix, directed=False)
    least = np.full(n, n)
    np.minimum.at(least, groups, np.arange(n))
    return least[groups]


def label(n, senders, receivers, mask):
    return connected_components(senders, receivers, n, mask=mask)


@pytest.mark.parametrize(("n", "edges"), [(40, 60), (400, 60)])  # either side of 4 edges = n
def test_random_graphs_agree_with_scipy(n, edges):
    senders, receivers = RNG.integers(0, n, (2, 200, edges))
    if n > edges:  # keeps most ends in few vertices, so that there are components to find
        senders, receivers = senders % 50, receivers % 50 + 300 * (receivers % 2)
    counts = RNG.integers(0, edges + 1, 200)
    mask = RNG.random((200, edges)) < 0.9
    mask &= np.arange(edges) < counts[:, None]
    args = jnp.asarray(senders), jnp.asarray(receivers), jnp.asarray(mask)
    found = np.asarray(jax.vmap(functools.partial(label, n))(*args))
    for lane in range(200):
        keep = mask[lane]
        wanted = expected(senders[lane][keep], receivers[lane][keep], n)
        np.testing.assert_array_equal(found[lane], wanted)
    for lane in range(3):  # vmap runs a lane longer than it needs; alone it does not
        alone = label(n, *(array[lane] for array in args))
        np.testing.assert_array_equal(found[lane], alone)


@pytest.mark.parametrize("n", [64, 1000])
def test_hard_shapes(n):
    """Long paths in all orders, and a star whose hub is the last to know the least label."""
    length = 50
    for order in (np.arange(length), np.arange(length)[::-1], RNG.permutation(length)):
        path = jnp.asarray(order, jnp.int32)
        labels = connected_components(path[:-1], path[1:], n)
        np.testing.assert_array_equal(labels, np.where(np.arange(n) < length, 0, np.arange(n)))
    hub = jnp.full(length - 1, length - 1)
    labels = connected_components(hub, jnp.arange(length - 1), n)
    np.testing.assert_array_equal(labels[:length], np.zeros(length))


@pytest.mark.parametrize("n", [6, 60])
def test_edges_with_an_end_outside_are_padding(n):
    senders = jnp.array([0, n, 2, -1, 3])
    receivers = jnp.array([1, n, n, 4, 4])
    labels = connected_components(senders, receivers, n)
    assert labels[:6].tolist() == [0, 0, 2, 3, 3, 5]
    mask = jnp.array([True, True, True, True, False])
    assert connected_components(senders, receivers, n, mask=mask)[3:5].tolist() == [3, 4]


@pytest.mark.parametrize("n", [200, 256, 300, 2000])
def test_narrow_ends(n, bad_input):
    senders, receivers = np.array([0, 7, 150], np.uint8), np.array([3, 150, 9], np.uint8)
    mask = np.array([True, True, False])
    found = label(n, *map(jnp.asarray, (senders, receivers, mask)))
    np.testing.assert_array_equal(found, expected(senders[:2], receivers[:2], n))


def test_no_edges_and_no_vertices():
    none = jnp.zeros(0, jnp.int32)
    assert connected_components(none, none, 3).tolist() == [0, 1, 2]
    assert connected_components(none, none, 0).shape == (0,)
    assert graph_components(graph_from_edges([], 0)).number == 0
    assert largest_component(graph_from_edges([], 0)).shape == (0,)


def test_padding_changes_nothing():
    graph = graph_from_edges([[0, 3], [1, 2], [2, 4]], 6)
    padded = pad_graph(graph, node_capacity=9, edge_capacity=5)
    plain, more = graph_components(graph), graph_components(padded)
    assert plain.labels.tolist() == more.labels[:6].tolist() == [0, 1, 1, 0, 1, 5]
    assert more.labels[6:].tolist() == [6, 7, 8]
    assert plain.sizes.tolist() == more.sizes[:6].tolist() == [2, 3, 0, 0, 0, 1]
    assert more.sizes[6:].tolist() == [0, 0, 0]
    assert plain.number == more.number == 3
    assert largest_component(padded).tolist() == [v in (1, 2, 4) for v in range(9)]


def test_weak_components_and_ties():
    graph = digraph_from_arcs([[3, 2], [1, 0], [1, 1]], 5, node_capacity=6)
    assert graph_components(graph).labels.tolist() == [0, 0, 2, 2, 4, 5]
    assert largest_component(graph).tolist() == [True, True, False, False, False, False]


def test_stack_of_graphs():
    room = {"node_capacity": 5, "edge_capacity": 3}
    graphs = [graph_from_edges([[0, 1], [1, 4]], 5, **room), graph_from_edges([[1, 2]], 3, **room)]
    stack = jax.tree.map(lambda *leaves: jnp.stack(leaves), *graphs)
    found = jax.vmap(graph_components)(stack)
    assert found.labels.tolist() == [[0, 0, 2, 3, 0], [0, 1, 1, 3, 4]]
    assert found.number.tolist() == [3, 2]


def test_one_graph_on_each_device(devices):
    mesh = jax.sharding.Mesh(np.array(devices), ("graphs",))
    spec = jax.sharding.PartitionSpec("graphs")
    senders, receivers = jnp.asarray(RNG.integers(0, 30, (2, 8, 20)), jnp.int32)
    for n in (30, 90):

        def labels(senders, receivers, n=n):
            return connected_components(senders[0], receivers[0], n)[None]

        sharded = jax.shard_map(labels, mesh=mesh, in_specs=(spec, spec), out_specs=spec)
        alone = [connected_components(s, r, n) for s, r in zip(senders, receivers, strict=True)]
        np.testing.assert_array_equal(jax.jit(sharded)(senders, receivers), np.stack(alone))


@pytest.mark.parametrize("n", [0, 5])
def test_no_edges_whose_senders_differ_between_devices(n, devices):
    mesh = jax.sharding.Mesh(np.array(devices), ("graphs",))
    spec = jax.sharding.PartitionSpec("graphs")
    none = jnp.zeros((8, 0), jnp.int32)

    def labels(senders):
        return connected_components(senders[0], none[0], n)[None]

    sharded = jax.shard_map(labels, mesh=mesh, in_specs=spec, out_specs=spec)
    assert jax.eval_shape(sharded, none).shape == (8, n)


@pytest.mark.usefixtures("x64")
def test_integers_stay_int32():
    assert dtypes(graph_components(graph_from_edges([[0, 1]], 2))) == {"int32"}
    ends = jnp.array([0, 1])
    assert ends.dtype == jnp.int64
    assert connected_components(ends, ends[::-1], 2).dtype == jnp.int32


@pytest.mark.usefixtures("bad_input")
def test_refusals():
    ends = jnp.zeros(2, jnp.int32)
    with pytest.raises(ValueError, match="n: expected an integer >= 0"):
        connected_components(ends, ends, -1)
    with pytest.raises(ValueError, match=r"receivers: expected shape \[2\]"):
        connected_components(ends, ends[:1], 3)
    with pytest.raises(ValueError, match="senders: expected dtype integer"):
        connected_components(ends.astype(float), ends, 3)
    with pytest.raises(ValueError, match=r"mask: expected shape \[2\]"):
        connected_components(ends, ends, 3, mask=jnp.ones(3, bool))
    with pytest.raises(ValueError, match="mask: expected dtype bool"):
        connected_components(ends, ends, 3, mask=ends)
    with pytest.raises(ValueError, match="receivers: expected numbers that fit int32"):
        connected_components(ends, np.array([1, 2**32]), 3)
