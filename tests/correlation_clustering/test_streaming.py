"""A stream of single calls is the scan, also when it grows on the way."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.correlation_clustering import (
    agreement_clustering,
    grow,
    init_online,
    make_arrival_plan,
    online_step,
    run_online,
    to_graph,
)
from jaxlab.correlation_clustering.streaming import WIDTH
from tests.correlation_clustering import oracles
from tests.correlation_clustering.instances import (
    ARRIVALS,
    ROOM,
    arrivals_plan,
    clique,
    every_state,
    trace_on,
)

N = DEGREE = ARRIVALS
ROOMY = {"degree_capacity": DEGREE, "edge_capacity": ROOM, "active_capacity": ROOM}
SMALL = {"degree_capacity": 8, "edge_capacity": 28, "active_capacity": 28}
SHARED = ("agreement_labels", "maintained", "clustered", "degree", "agreeing", "origin_size")
COUNTS = ("per_vertex_recourse", "per_vertex_recourse_off", "num_active", "next_id", "overflow")


def neighbors_of(edges, v):
    near = sorted(u for u, w in edges.tolist() if w == v)
    return jnp.array(near + [-1] * (DEGREE - len(near)), jnp.int32)


@pytest.mark.parametrize("rule", ["consistent", "published"])
def test_stream_is_the_scan(rule):
    rng = np.random.default_rng(0)
    for _ in range(3):
        edges = oracles.cliques_and_noise(rng, N)
        reference, states = every_state(arrivals_plan(edges), rule)
        state = init_online(N, **ROOMY, rule=rule)
        for v in range(N):
            state, metrics = online_step(state, neighbors_of(edges, v))
            for found, listed in zip(metrics, reference, strict=True):
                assert found == listed[v]
            for name in SHARED + COUNTS:
                found, listed = getattr(state.online, name), getattr(states, name)
                np.testing.assert_array_equal(found, listed[v], err_msg=name)
        np.testing.assert_array_equal(
            agreement_clustering(to_graph(state), method="dense"), states.agreement_labels[-1]
        )


@pytest.mark.parametrize("dtype", [np.int8, np.int16])
def test_narrow_neighbors(dtype, bad_input):
    state = init_online(200, degree_capacity=200, edge_capacity=200, active_capacity=200)
    for listed in ([-1, -1], [0, -1], [0, 1]):
        state, metrics = online_step(state, jnp.array(listed, dtype))
    assert int(metrics.cost_on) == 0
    assert state.online.agreement_labels[:3].tolist() == [0, 0, 0]


def test_strict_and_more_neighbors_than_a_window():
    n, rng = 80, np.random.default_rng(2)
    groups = np.arange(n) % 10 == 0
    chance = np.where(groups[:, None] == groups, 0.97, 0.02)
    edges = np.argwhere(np.triu(rng.random((n, n)) < chance, 1))
    assert np.bincount(edges[:, 1]).max() > WIDTH
    room = {"active_capacity": len(edges)}
    plan = make_arrival_plan(edges, np.arange(n))
    expected, reference = jax.device_get(run_online(plan, strict=True, **room))
    state = init_online(n, degree_capacity=n, edge_capacity=len(edges), **room)
    for v in range(n):
        near = np.full(n, -1, np.int32)
        before = edges[edges[:, 1] == v, 0]
        near[: len(before)] = before
        state, metrics = online_step(state, jnp.asarray(near), strict=True)
        for found, listed in zip(metrics, reference, strict=True):
            assert found == listed[v]
    np.testing.assert_array_equal(state.online.maintained, expected.maintained)
    labels = state.online.agreement_labels.tolist()
    strict, plain = (oracles.agreement(edges, n, strict=strict)[0] for strict in (True, False))
    assert labels == strict != plain


@pytest.mark.parametrize("threshold", ["beta", "lam"])
def test_only_a_threshold_differs_between_devices(threshold, devices):
    state, nobody = init_online(8, **SMALL), jnp.array([-1])
    thresholds = jnp.linspace(0.1, 0.4, 8)
    trace_on(devices, lambda value: online_step(state, nobody, **{threshold: value}), thresholds)


def test_growing_changes_nothing():
    rng = np.random.default_rng(1)
    edges = oracles.cliques_and_noise(rng, N)
    large = init_online(N, **ROOMY)
    small = init_online(8, **SMALL)
    for v in range(N):
        if v == 8:
            small = grow(small, node_capacity=N, **ROOMY)
        large, expected = online_step(large, neighbors_of(edges, v))
        small, found = online_step(small, neighbors_of(edges, v))
        assert found == expected
    for one, other in zip(jax.tree.leaves(small), jax.tree.leaves(large), strict=True):
        assert one.shape == other.shape
    np.testing.assert_array_equal(small.online.maintained, large.online.maintained)
    np.testing.assert_array_equal(small.links.senders, large.links.senders)


@pytest.mark.slow
def test_every_capacity_is_watched():
    path = [[-1, -1], [0, -1], [0, 1], [0, 1]]
    roomy = {"node_capacity": 8, "degree_capacity": 8, "edge_capacity": 28, "active_capacity": 28}
    tight = {"node_capacity": 3, "degree_capacity": 2, "edge_capacity": 4, "active_capacity": 2}
    for name, size in tight.items():
        sizes = roomy | {name: size}
        state = init_online(sizes.pop("node_capacity"), **sizes)
        for number, neighbors in enumerate(path):
            state, _ = online_step(state, jnp.array(neighbors))
            expected = number == 3 or (name == "active_capacity" and number == 2)
            assert state.online.overflow == expected, name


def test_bad_input(bad_input):
    state = init_online(8, **SMALL)
    state = state.replace(online=state.online.replace(step=jnp.int32(2)))
    for neighbors in ([2, -1], [0, -2]):
        with pytest.raises(ValueError, match="neighbors: expected vertices that have arrived"):
            online_step(state, jnp.array(neighbors))
    with pytest.raises(ValueError, match="neighbors: expected each once"):
        online_step(state, jnp.array([1, 1]))
    with pytest.raises(ValueError, match="edge_capacity: expected an integer >= 28"):
        grow(state, edge_capacity=27)
    with pytest.raises(ValueError, match="rule: expected one of"):
        init_online(8, degree_capacity=8, edge_capacity=28, rule="on")
    with pytest.raises(ValueError, match="degree_capacity: expected a table"):
        init_online(60_000, degree_capacity=60_000, edge_capacity=28)


def test_donation_gives_the_same():
    edges = np.array(clique(range(6)))
    step = jax.jit(online_step, donate_argnums=0)
    kept, donated = init_online(8, **SMALL), init_online(8, **SMALL)
    for v in range(6):
        near = neighbors_of(edges, v)
        kept, _ = online_step(kept, near)
        donated, _ = step(donated, near)
    np.testing.assert_array_equal(donated.online.maintained, kept.online.maintained)
