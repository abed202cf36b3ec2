"""Generators: the frequency of every edge, and what stays the same."""

import chex
import jax
import jax.numpy as jnp
import networkx
import numpy as np
import pytest

from jaxlab.graphs import generators as gen
from jaxlab.graphs.containers import compact_graph
from tests.graphs.instances import edges_of, same

KEY = jax.random.key(5)


def test_pairs_are_all_pairs():
    for n in (0, 2, 9):
        graph = gen.erdos_renyi(KEY, n, 1)
        same(graph, networkx.complete_graph(n))
        assert graph.mask.all()
        none = gen.erdos_renyi(KEY, n, 0.0)
        assert not none.mask.any()
        assert (none.senders == n).all()


def test_every_edge_is_as_likely_as_it_should_be():
    blocks = (3, 0, 5)
    table = np.array([[0.9, 0.2, 0.3], [0.2, 0.5, 0.5], [0.3, 0.5, 0.6]])
    count = 2000
    made = jax.vmap(lambda key: gen.stochastic_block(key, blocks, jnp.asarray(table)))(
        jax.random.split(KEY, count)
    )
    label = np.repeat([0, 2], [3, 5])
    np.testing.assert_array_equal(made.blocks[0], label)
    pairs = np.stack(np.triu_indices(8, 1), axis=1)
    wanted = table[label[pairs[:, 0]], label[pairs[:, 1]]]
    found = np.asarray(made.graph.mask).mean(axis=0)
    assert np.abs(found - wanted).max() < 5 * np.sqrt(0.25 / count)
    mask = np.asarray(made.graph.mask[0])
    ends = np.stack([made.graph.senders[0], made.graph.receivers[0]], axis=1)
    np.testing.assert_array_equal(ends[mask], pairs[mask])
    np.testing.assert_array_equal(ends[~mask], 8)
    alone = gen.stochastic_block(jax.random.split(KEY, count)[0], blocks, jnp.asarray(table))
    np.testing.assert_array_equal(alone.graph.senders, made.graph.senders[0])


def test_planted_partition_is_a_block_model():
    planted = gen.planted_partition(KEY, (4, 4), 0.75, 0.25)
    table = jnp.array([[0.75, 0.25], [0.25, 0.75]])
    block = gen.stochastic_block(KEY, (4, 4), table)
    chex.assert_trees_all_equal(planted, block)
    cliques = gen.planted_partition(KEY, (3, 3), 1, 0).graph
    wanted = networkx.disjoint_union(networkx.complete_graph(3), networkx.complete_graph(3))
    same(compact_graph(cliques), wanted)


def test_a_number_of_edges():
    count, n, m = 1000, 6, 5
    made = jax.vmap(lambda key: gen.random_edges(key, n, m))(jax.random.split(KEY, count))
    pairs = np.stack(np.triu_indices(n, 1), axis=1)
    place = {tuple(pair): k for k, pair in enumerate(pairs.tolist())}
    senders, receivers = np.asarray(made.senders), np.asarray(made.receivers)
    frequency = np.zeros(len(pairs))
    for lane in range(count):
        chosen = {place[pair] for pair in zip(senders[lane], receivers[lane], strict=True)}
        assert len(chosen) == m
        frequency[list(chosen)] += 1 / count
    assert np.abs(frequency - m / len(pairs)).max() < 5 * np.sqrt(0.25 / count)
    assert gen.random_edges(KEY, 4, 6).senders.shape == (6,)
    assert edges_of(gen.random_edges(KEY, 1, 0)) == []


def test_random_arcs():
    graph = gen.random_digraph(KEY, 3, 6000, minimum=-2, maximum=1)
    tails, heads = np.asarray(graph.senders), np.asarray(graph.receivers)
    counts = np.zeros((3, 3))
    np.add.at(counts, (tails, heads), 1 / 6000)
    wanted = (1 - np.eye(3)) / 6
    assert np.abs(counts - wanted).max() < 0.03
    assert (np.diagonal(counts) == 0).all()
    values, often = np.unique(np.asarray(graph.weights), return_counts=True)
    assert values.tolist() == [-2, -1, 0, 1]
    assert often.min() > 1300
    assert graph.weights.dtype == jnp.int32
    assert gen.random_digraph(KEY, 0, 0).edge_capacity == 0


def test_narrow_bounds_of_weights(bad_input):
    wide = gen.random_digraph(KEY, 3, 50, minimum=100, maximum=255)
    narrow = gen.random_digraph(KEY, 3, 50, minimum=np.uint8(100), maximum=np.uint8(255))
    chex.assert_trees_all_equal(narrow, wide)


def test_the_same_in_float64():
    def made():
        arcs = gen.random_digraph(KEY, 5, 9)
        return arcs, gen.random_edges(KEY, 6, 5), gen.planted_partition(KEY, (4, 4), 0.75, 0.25)

    with jax.enable_x64(True):
        wide = made()
    chex.assert_trees_all_equal(wide, made())
    assert {leaf.dtype for leaf in jax.tree.leaves(wide)} == {np.dtype("int32"), np.dtype(bool)}


@pytest.mark.usefixtures("bad_input")
def test_refusals():
    with pytest.raises(ValueError, match="probability: expected a finite number >= 0 and <= 1"):
        gen.erdos_renyi(KEY, 3, 1.5)
    with pytest.raises(ValueError, match="n: expected at most 46340 vertices"):
        gen.erdos_renyi(KEY, 50_000, 0.5)
    with pytest.raises(ValueError, match="num_edges: expected at most all 3 pairs"):
        gen.random_edges(KEY, 3, 4)
    with pytest.raises(ValueError, match=r"probabilities: expected shape \[2, 2\]"):
        gen.stochastic_block(KEY, (2, 2), jnp.ones((3, 3)))
    with pytest.raises(ValueError, match="probabilities: expected a symmetric matrix"):
        gen.stochastic_block(KEY, (2, 2), jnp.array([[0.0, 1.0], [0.0, 0.0]]))
    with pytest.raises(ValueError, match="sizes: expected an integer >= 0"):
        gen.planted_partition(KEY, (2, -1), 0.5, 0.5)
    with pytest.raises(ValueError, match="p_out: expected a finite number >= 0 and <= 1"):
        gen.planted_partition(KEY, (2, 1), 0.5, -0.5)
    with pytest.raises(ValueError, match="n: expected at least two vertices"):
        gen.random_digraph(KEY, 1, 3)
    with pytest.raises(ValueError, match="maximum: expected a number of at least 5, got 3"):
        gen.random_digraph(KEY, 2, 3, minimum=5, maximum=3)
    for most in (2**31 - 1, 2**31):
        with pytest.raises(ValueError, match=r"maximum: expected a finite number .* <= 2147483646"):
            gen.random_digraph(KEY, 2, 3, maximum=most)
