"""Planted clusters, and the family that forces changes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.correlation_clustering import (
    agreement_clustering,
    brute_force_optimum,
    disagreements,
    geometric_cliques,
    make_arrival_plan,
    planted_partition,
    run_online,
)
from jaxlab.graphs import to_dense


def test_planted_partition():
    sizes = (30, 20, 10)
    graph, labels = planted_partition(jax.random.key(0), sizes, 0.9, 0.1)
    assert np.bincount(labels).tolist() == list(sizes)
    first, second = np.triu_indices(60, 1)
    inside = np.asarray(labels)[first] == np.asarray(labels)[second]
    mask = np.asarray(graph.mask)
    for pairs, chance in ((inside, 0.9), (~inside, 0.1)):
        deviation = np.sqrt(chance * (1 - chance) / pairs.sum())
        assert abs(mask[pairs].mean() - chance) < 4 * deviation
    assert (np.asarray(graph.senders)[mask] == first[mask]).all()
    assert (np.asarray(graph.receivers)[~mask] == 60).all()


def test_cliques_without_noise_are_found():
    graph, labels = planted_partition(jax.random.key(1), (12, 9, 6), 1.0, 0.0)
    first = np.unique(labels, return_index=True)[1]
    assert (np.asarray(agreement_clustering(graph)) == first[labels]).all()


def test_core_moves_at_every_phase():
    """Changes of vertex 0 after each phase: fewer than with clusters made anew."""
    changes = {2: (1, 2), 1: (0, 0)}
    room = {}
    for phases, (on, off) in changes.items():
        graph = geometric_cliques(2, 6, phases)
        edges = np.stack([graph.senders, graph.receivers], axis=1)
        if not room:  # that of the second phase, for both
            n, room = (
                graph.node_capacity,
                {"edge_capacity": len(edges), "triangle_capacity": 70_000},
            )
        plan = make_arrival_plan(edges, np.arange(n), **room)
        state, metrics = run_online(plan)
        assert state.per_vertex_recourse[0] == on
        assert state.per_vertex_recourse_off[0] == off
        assert metrics.cost_on[-1] == {1: 0, 2: 24}[phases]
        assert state.per_vertex_recourse.max() <= np.ceil(np.log(plan.num_nodes) / np.log(1.5))


@pytest.mark.slow
def test_core_moves_at_the_third_phase():
    graph = geometric_cliques(2, 6, 3)
    edges = np.stack([graph.senders, graph.receivers], axis=1)
    state, metrics = run_online(make_arrival_plan(edges, np.arange(graph.node_capacity)))
    assert (state.per_vertex_recourse[0], state.per_vertex_recourse_off[0]) == (2, 4)
    assert metrics.cost_on[-1] == 168


def test_geometric_cliques():
    graph = geometric_cliques(2, 3, 2)
    assert graph.node_capacity == 2 + 6 + 18
    assert graph.edge_capacity == 1 + 15 + 12 + 153 + 36
    degree = np.bincount(np.concatenate([graph.senders, graph.receivers]))
    assert degree.tolist() == [25] * 2 + [7] * 6 + [19] * 18


@pytest.mark.parametrize(("s", "base", "phases"), [(2, 6, 2), (3, 4, 3), (5, 3, 3), (1, 2, 4)])
def test_a_core_vertex_left_behind_costs_more_than_the_threshold(s, base, phases):
    graph = geometric_cliques(s, base, phases)
    clique = np.repeat(np.arange(phases + 1), [s * base**i for i in range(phases + 1)])
    newest = np.where(clique == 0, phases, clique)

    def cost(labels):
        return int(disagreements(graph, jnp.asarray(labels)))

    least = cost(newest)
    assert least == s * s * sum(base**i for i in range(1, phases))
    for other in [*range(1, phases), phases + 1]:  # with a clique before, or alone
        behind = newest.copy()
        behind[0] = other
        saved = s * base**other if other < phases else 0
        assert cost(behind) == least + s * base**phases - saved + (s - 1)
        assert cost(behind) > (1 + (base - 2) / s) * least


def test_the_core_with_the_newest_clique_is_optimal():
    graph = geometric_cliques(1, 2, 2)
    best = brute_force_optimum(to_dense(graph))
    assert (best.cost, best.labels.tolist()) == (2, [0, 1, 1, 0, 0, 0, 0])


def test_bad_input(bad_input):
    key = jax.random.key(0)
    with pytest.raises(ValueError, match="sizes: expected an integer >= 1, got 0"):
        planted_partition(key, (3, 0), 0.5, 0.5)
    with pytest.raises(ValueError, match="base: expected an integer >= 2"):
        geometric_cliques(2, 1, 1)
    with pytest.raises(ValueError, match="phases: expected a number of edges that int32 can count"):
        geometric_cliques(2, 6, 30)
    with pytest.raises(ValueError, match=r"p_in: expected a finite number >= 0 and <= 1, got 1\.5"):
        planted_partition(key, (3, 2), 1.5, 0.5)
