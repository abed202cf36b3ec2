"""Pivot kept up against Pivot anew after every arrival."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.correlation_clustering import make_arrival_plan, run_online_pivot
from tests.correlation_clustering import oracles
from tests.correlation_clustering.instances import stacked, trace_on

N = 24


def plans(seed, count):
    rng = np.random.default_rng(seed)
    for _ in range(count):
        edges = oracles.cliques_and_noise(rng, N)
        plan = make_arrival_plan(edges, np.arange(N), edge_capacity=276, triangle_capacity=2024)
        yield edges, plan, rng.permutation(N)


def test_every_arrival_is_pivot_anew():
    for edges, plan, ranks in plans(0, 30):
        run = jax.device_get(run_online_pivot(plan, jnp.asarray(ranks)))
        before, changes = [], np.zeros(N, int)
        for t in range(N):
            arrived = edges[(edges <= t).all(axis=1)]
            labels = oracles.pivot(arrived, t + 1, ranks)
            moved = oracles.changed(before, labels, t)
            changes[: t + 1] += moved
            assert run.recourse[t] == sum(moved)
            assert run.cost[t] == oracles.cost(arrived, labels)
            assert run.num_edges[t] == len(arrived)
            before = labels
        assert run.labels.tolist() == before
        assert run.per_vertex_recourse.tolist() == changes.tolist()


def test_vmap_is_a_loop():
    _, several, ranks = zip(*plans(1, 3), strict=True)
    together = jax.vmap(run_online_pivot)(stacked(several), jnp.asarray(np.stack(ranks)))
    for number, (plan, rank) in enumerate(zip(several, ranks, strict=True)):
        alone = run_online_pivot(plan, jnp.asarray(rank))
        for one, other in zip(together, alone, strict=True):
            np.testing.assert_array_equal(one[number], other)


def test_only_the_ranks_differ_between_devices(devices):
    plan = make_arrival_plan([[0, 1], [1, 2]], np.arange(3))
    ranks = jnp.tile(jnp.arange(3), (8, 1))
    trace_on(devices, lambda ranks: run_online_pivot(plan, ranks), ranks)


def test_nobody():
    run = run_online_pivot(make_arrival_plan(np.zeros((0, 2), int), []), jnp.zeros(0, int))
    assert run.cost.shape == run.labels.shape == (0,)


def test_bad_input(bad_input):
    plan = make_arrival_plan([[0, 1]], [0, 1])
    stack = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), plan)
    with pytest.raises(ValueError, match=r"plan: expected one plan; for a stack use jax\.vmap"):
        run_online_pivot(stack, jnp.array([1, 0]))
    with pytest.raises(ValueError, match="ranks: expected a permutation of 0 to 1"):
        run_online_pivot(plan, jnp.array([1, 1]))
