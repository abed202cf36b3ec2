"""The scan, arrival by arrival, against the rules word by word; published tables."""

import os

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxlab.data
from jaxlab.correlation_clustering import make_arrival_plan, online, ratio, run_online
from jaxlab.correlation_clustering._clusters import cost_of
from tests.correlation_clustering import oracles
from tests.correlation_clustering.instances import (
    ARRIVALS,
    ROOM,
    arrivals_plan,
    clique,
    every_state,
    stacked,
)

N, RULES = ARRIVALS, ("consistent", "published")


@pytest.mark.parametrize(
    ("rule", "ids", "streams"),
    [("consistent", None, 16), ("published", None, 16), ("consistent", 80, 4)],
)
def test_every_arrival_follows_the_rules(rule, ids, streams):
    rng = np.random.default_rng(0)
    for _ in range(streams):
        edges = oracles.cliques_and_noise(rng, N)
        plan = arrivals_plan(edges)
        metrics, states = every_state(plan, rule, ids)
        assert np.any(np.diff(states.next_id) < 0) == (ids is not None)  # they are recycled
        assert not states.overflow[-1]
        follow = oracles.Consistent() if rule == "consistent" else oracles.Published(N)
        before, before_off, changes = [], [], np.zeros(N, int)
        for t in range(N):
            arrived = edges[(edges <= t).all(axis=1)]
            labels, heavy = oracles.agreement(arrived, t + 1)
            assert states.agreement_labels[t][: t + 1].tolist() == labels
            given = follow.arrive(labels if rule == "consistent" else heavy)
            held = states.maintained[t][: t + 1].tolist()
            if rule == "published":
                assert held == given
            else:
                assert oracles.equal_partitions(held, given)
            moved = oracles.changed(before, given, t)
            changes[: t + 1] += moved
            assert metrics.recourse_on[t] == sum(moved)
            assert metrics.recourse_off[t] == sum(oracles.changed(before_off, labels, t))
            assert metrics.cost_on[t] == oracles.cost(arrived, given)
            assert metrics.cost_off[t] == oracles.cost(arrived, labels)
            assert metrics.num_edges[t] == len(arrived)
            before, before_off = given, labels
        assert states.per_vertex_recourse[-1].tolist() == changes.tolist()
        near = oracles.neighborhoods(edges, N)
        ends = np.stack([plan.links.senders, plan.links.receivers], axis=1)[: len(edges)]
        common = [len(near[u] & near[v]) for u, v in ends]
        assert states.common[-1][: len(edges)].tolist() == common
        if rule == "consistent":
            assert changes.max() <= np.ceil(np.log(N) / np.log(1.5))


def two_cliques():
    """Even and odd vertices; the last of twelve is one of the even ones, and knows vertex 7."""
    edges = clique(range(0, 12, 2)) + clique(range(1, 11, 2))
    return edges + [(v, 11) for v in (0, 2, 4, 6, 7, 8, 10)]


def test_worked_stream():
    plan = arrivals_plan(two_cliques())
    metrics, states = every_state(plan, "published")
    expected = [
        ([2, 1, 2], 0, 0),
        ([2, 3, 2, 3], 0, 0),
        ([2, 3, 2, 3, 0], 2, 0),
        ([2, 3, 2, 3, 0, 1], 4, 0),
        ([6, 3, 6, 3, 6, 1, 6], 2, 1),
        ([6, 7, 6, 7, 6, 7, 6, 7], 0, 2),
        ([6, 7, 6, 7, 6, 7, 6, 7, 0], 4, 2),
        ([6, 7, 6, 7, 6, 7, 6, 7, 0, 1], 8, 2),
        ([6, 7, 6, 7, 6, 7, 6, 7, 0, 1, 0], 12, 2),
        ([11, 7, 11, 7, 11, 7, 11, 7, 11, 1, 11, 11], 5, 4),
    ]
    total = np.cumsum(metrics.recourse_on)
    for t, (ids, cost, moved) in enumerate(expected, start=2):
        assert states.maintained[t][: t + 1].tolist() == ids
        assert (metrics.cost_on[t], total[t]) == (cost, moved)
    metrics, states = every_state(plan, "consistent")
    assert metrics.cost_on[:12].tolist() == [0] * 11 + [1]
    assert metrics.cost_off[:12].tolist() == [0] * 11 + [1]
    assert not metrics.recourse_on.any()
    assert not metrics.recourse_off.any()
    renewed = {2: 0, 3: 1, 6: 0, 7: 1, 11: 0}  # the arrivals that bring a fresh id, and to whom
    for t in range(2, 12):
        for vertex in (0, 1):
            fresh = states.maintained[t][vertex] != states.maintained[t - 1][vertex]
            assert fresh == (renewed.get(t) == vertex)
        assert oracles.equal_partitions(
            states.maintained[t][: t + 1].tolist(), states.agreement_labels[t][: t + 1].tolist()
        )


def small_plan(edges, order):
    return make_arrival_plan(edges, order, edge_capacity=190, triangle_capacity=1140)


def test_overflow_is_recovered_from(monkeypatch):
    spans, arrivals = [], online._arrivals

    def recorded(plan, state, metrics, span, *options):
        spans.append((*span.tolist(), state.active.shape[0]))
        return arrivals(plan, state, metrics, span, *options)

    monkeypatch.setattr(online, "SHORTEST", 4)
    monkeypatch.setattr(online, "_arrivals", recorded)
    plan = small_plan(two_cliques(), np.arange(20))
    tight, metrics = run_online(plan, beta=ratio(0.2), metrics_every=7, active_capacity=8)
    # the first four bring 2 edges, both in agreement; as large a part of 190 is all, 8 do not do
    assert spans[:4] == [(0, 4, 8), (4, 8, 8), (4, 8, 190), (8, 12, 190)]
    assert not tight.overflow
    roomy, reference = run_online(plan, beta=ratio(0.2), metrics_every=7, active_capacity=190)
    chex.assert_trees_all_equal((tight, metrics), (roomy, reference))


def test_strict_agreement_and_narrow_windows():
    rng, compared = np.random.default_rng(3), 0
    for _ in range(4):
        edges = oracles.cliques_and_noise(rng, N)
        plans = arrivals_plan(edges), arrivals_plan(edges, edge_window=3, triangle_window=7)
        (state, metrics), narrow = (
            run_online(plan, strict=True, active_capacity=ROOM) for plan in plans
        )
        chex.assert_trees_all_equal((state, metrics), narrow)
        labels = oracles.agreement(edges, N, strict=True)[0]
        assert state.agreement_labels.tolist() == labels
        assert metrics.cost_off[-1] == oracles.cost(edges, labels)
        compared += labels != oracles.agreement(edges, N)[0]
    assert compared


def test_orders_and_thresholds_go_through_vmap():
    rng = np.random.default_rng(9)
    edges = oracles.cliques_and_noise(rng, 20)
    orders = [rng.permutation(20) for _ in range(3)]
    plans = [small_plan(edges, order) for order in orders]

    def run(plan, beta, active_capacity):
        return run_online(plan, beta=beta, metrics_every=7, active_capacity=active_capacity)

    betas = [0.1, 0.2, 0.4]
    room = 30
    state, metrics = jax.vmap(lambda plan, beta: run(plan, beta, room))(
        stacked(plans), ratio(betas)
    )
    for number, (plan, beta) in enumerate(zip(plans, betas, strict=True)):
        alone, reported = run(plan, ratio(beta), 190)
        assert state.overflow[number] == (reported.active_edges.max() > room)
        if state.overflow[number]:
            continue
        np.testing.assert_array_equal(state.maintained[number], alone.maintained)
        for one, other in zip(metrics, reported, strict=True):
            np.testing.assert_array_equal(one[number], other)
        # costs of every seventh arrival, and of the last, stand until the next is counted
        arrived = np.sort(np.argsort(orders[number])[edges], axis=1)
        costs, follow = [0], oracles.Consistent()
        for t in range(20):
            present = arrived[arrived[:, 1] <= t]
            ids = follow.arrive(oracles.agreement(present, t + 1, beta)[0])
            counted = t % 7 == 6 or t == 19
            costs.append(oracles.cost(present, ids) if counted else costs[-1])
        assert reported.cost_on.tolist() == costs[1:]
    assert 0 < state.overflow.sum() < 3


@pytest.mark.parametrize("rule", [*RULES, "off"])
def test_costs_are_int64_with_x64(x64, rule):
    plan = small_plan(two_cliques(), np.arange(20))
    state, metrics = jax.eval_shape(lambda plan: run_online(plan, rule=rule), plan)
    assert {metrics.cost_on.dtype, metrics.cost_off.dtype} == {jnp.dtype(jnp.int64)}
    assert state.maintained.dtype == jnp.int32


def test_one_vertex_and_none():
    for n in (0, 1):
        state, metrics = run_online(
            make_arrival_plan(np.zeros((0, 2), int), np.arange(n)), active_capacity=8
        )
        assert state.step == n
        assert metrics.cost_on.tolist() == [0] * n


def test_pairs_of_the_largest_countable_cluster():
    n = 65_536
    links = make_arrival_plan(np.zeros((0, 2), int), [0]).links
    cost = cost_of(jnp.zeros(n, jnp.int32), n, links, jnp.int32(0), jnp.ones(n, bool), jnp.int32)
    assert int(cost) == n * (n - 1) // 2 == 2_147_450_880


def test_bad_input(bad_input):
    plan = make_arrival_plan([[0, 1]], [0, 1])
    stack = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), plan)
    with pytest.raises(ValueError, match=r"plan: expected one plan; for a stack use jax\.vmap"):
        run_online(stack)
    with pytest.raises(ValueError, match=r"beta: expected a number in \(0, 1\), got 1"):
        run_online(plan, beta=1)
    with pytest.raises(ValueError, match=r"rule: expected one of .*did you mean 'published'"):
        run_online(plan, rule="publish")
    with pytest.raises(ValueError, match="metrics_every: expected an integer >= 1"):
        run_online(plan, metrics_every=0)
    with pytest.raises(ValueError, match="at most 65536 vertices"):
        run_online(make_arrival_plan([[0, 1]], np.arange(70_000)))


# --- tables of published runs -------------------------------------------------------------------

LOCAL = "JAXLAB_DATA" in os.environ and jaxlab.data.available()["ego_facebook"].offline


def arrivals(name, count=None):
    """The first arrivals: by date where there is one, else in the order of the first seed."""
    data = jaxlab.data.load(name)
    n = int(data["num_nodes"])
    if name == "cit_hepth":
        position = np.empty(n, np.int64)
        position[np.argsort(data["arrival_key"], kind="stable")] = np.arange(n)
    else:
        position = np.random.default_rng(0).permutation(n)
    edges = position[data["edges"]]
    count = n if count is None else count
    return make_arrival_plan(edges[(edges < count).all(axis=1)], np.arange(count))


PREFIXES = {  # singletons; cost and recourse of agreement, of published and of consistent ids
    "ca_astroph": (5000, 15941, (15330, 493), (15060, 108), (14766, 58)),
    "cit_hepth": (5000, 13327, (13239, 230), (13029, 2), (13009, 0)),
    "email_enron": (6000, 4375, (3992, 142), (3907, 14), (3851, 7)),
    "musae_facebook": (6000, 12441, (12133, 415), (11834, 49), (11700, 28)),
}
FULL = {  # cost and recourse as shares and numbers, with the largest number of changes
    "musae_facebook": (0.9877, 0.9805, 1569, 14, 157, 3),
    "ca_astroph": (0.9816, 0.9664, 2110, 11, 292, 2),
    "cit_hepth": (0.9996, 0.9976, 648, 5, 39, 3),
    "email_enron": (0.9789, 0.9648, 2757, 5, 450, 1),
    "ego_facebook": (0.9947, 0.9908, 385, 6, 64, 2),
}


@pytest.mark.slow
@pytest.mark.skipif(not LOCAL, reason="needs copies of the graphs in $JAXLAB_DATA")
@pytest.mark.parametrize("name", PREFIXES)
def test_prefixes(name):
    count, edges, off, published, consistent = PREFIXES[name]
    plan = arrivals(name, count)
    for rule, expected in (("published", published), ("consistent", consistent)):
        _, metrics = run_online(plan, rule=rule, metrics_every=count)
        assert metrics.num_edges[-1] == edges
        assert (metrics.cost_off[-1], metrics.recourse_off.sum()) == off
        assert metrics.cost_on[-1] == expected[0]
        # the authors' program does not say how equal overlaps are ordered, and its totals for the
        # published rule are up to one more
        missing = expected[1] - metrics.recourse_on.sum()
        assert 0 <= missing <= (rule == "published")


@pytest.mark.slow
@pytest.mark.skipif(not LOCAL, reason="needs copies of the graphs in $JAXLAB_DATA")
@pytest.mark.parametrize("name", FULL)
def test_whole_graphs(name):
    cost_off, cost_on, off, most_off, on, most_on = FULL[name]
    plan = arrivals(name)
    state, metrics = run_online(plan, metrics_every=plan.num_nodes)
    edges = int(metrics.num_edges[-1])
    assert round(int(metrics.cost_off[-1]) / edges, 4) == cost_off
    assert round(int(metrics.cost_on[-1]) / edges, 4) == cost_on
    assert (metrics.recourse_off.sum(), state.per_vertex_recourse_off.max()) == (off, most_off)
    assert (metrics.recourse_on.sum(), state.per_vertex_recourse.max()) == (on, most_on)
