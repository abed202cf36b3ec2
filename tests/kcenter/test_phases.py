"""Phases 3 to 5 against scipy, loops and integer programs."""

import chex
import jax
import numpy as np
import pytest
from scipy.sparse.csgraph import minimum_spanning_tree

from jaxlab import kcenter
from jaxlab.kcenter import _realize
from tests.kcenter.flow_oracle import least_radius
from tests.kcenter.instances import K, M, N, random_points


def square(rng):
    picks = random_points(rng, K)
    return np.linalg.norm(picks[:, None] - picks, axis=-1).astype(np.float32)


def test_trees_are_minimal_and_parents_come_first():
    for seed in range(10):
        dist = square(np.random.default_rng(seed))
        forest = jax.tree.map(np.asarray, kcenter.prefix_spanning_trees(jax.device_put(dist)))
        for i in range(K):
            expected = minimum_spanning_tree(dist[: i + 1, : i + 1]).sum()
            assert forest.length[i].sum() == pytest.approx(expected, rel=1e-5)
            place = {int(j): at for at, j in enumerate(forest.order[i])}
            assert sorted(place) == list(range(K))
            assert forest.parent[i, 0] == 0
            for j in range(1, i + 1):
                assert place[int(forest.parent[i, j])] < place[j]
                assert forest.length[i, j] == dist[j, forest.parent[i, j]]


def test_ties_go_to_the_lowest_index():
    forest = kcenter.prefix_spanning_trees(jax.device_put(np.ones((K, K), np.float32)))
    np.testing.assert_array_equal(forest.order, [range(K)] * K)
    np.testing.assert_array_equal(forest.parent[-1], [0] * K)


def budgets_by_loop(counts, parent, length, order, tau, size):
    points, eta = counts.copy(), np.zeros(K, int)
    for j in order[::-1]:
        eta[j] = points[j] // size
        if parent[j] != j and length[j] <= tau:
            points[parent[j]] += points[j] - eta[j] * size
    return eta


def test_budgets_are_those_of_a_loop():
    for seed in range(10):
        rng = np.random.default_rng(seed)
        forest = kcenter.prefix_spanning_trees(jax.device_put(square(rng)))
        counts = np.tril(rng.integers(3, 12, (K, K))).astype(np.int32)
        found = kcenter.opening_budgets(jax.device_put(counts), forest, 3)
        trees = [np.asarray(part) for part in forest]
        for i in range(K):
            edges = np.sort(np.append(0, trees[1][i, 1 : i + 1]))
            np.testing.assert_array_equal(found.thresholds[i, : i + 1], edges)
            assert np.isinf(found.thresholds[i, i + 1 :]).all()
            for t, tau in enumerate(edges):
                expected = budgets_by_loop(counts[i], *(part[i] for part in trees), tau, 3)
                np.testing.assert_array_equal(found.eta[i, t], expected)
            assert found.eta[i, i].sum() == counts[i].sum() // 3  # nothing is lost in one tree
        free = kcenter.opening_budgets(jax.device_put(counts), forest, 0)
        np.testing.assert_array_equal(free.eta[:, 0], np.tri(K, dtype=int) * K)


def list_by_sorting(distance, groups, lower, upper):
    order = np.lexsort((np.arange(N), distance))
    needed = [p for c in range(M) for p in order[groups[order] == c][: lower[c]]]
    allowed = {p for c in range(M) for p in order[groups[order] == c][: upper[c]]}
    others = [p for p in order if p in allowed and p not in needed]
    return sorted(needed + others[: K - len(needed)], key=lambda p: (distance[p], p))


def random_tables(number):
    for seed in range(number):
        rng = np.random.default_rng(seed)
        points = random_points(rng)
        picks = points[rng.choice(N, K, replace=False)]
        dist = np.linalg.norm(points[:, None] - picks, axis=-1).round(1).astype(np.float32)
        groups = rng.integers(0, M, N).astype(np.int32)
        lower = rng.integers(0, 2, M).astype(np.int32)
        upper = (lower + rng.integers(0, 3, M)).astype(np.int32)
        yield rng, dist, groups, lower, upper


def test_lists_are_those_of_a_sort():
    for _, dist, groups, lower, upper in random_tables(15):
        found = kcenter.candidate_lists(*jax.device_put((dist, groups, lower, upper)), K)
        for j in range(K):
            expected = list_by_sorting(dist[:, j], groups, lower, upper)
            assert np.asarray(found.index)[j][np.asarray(found.mask)[j]].tolist() == expected


def test_the_flow_opens_at_the_least_radius():
    infeasible = 0
    for rng, dist, groups, lower, upper in random_tables(40):
        eta = rng.integers(1, 4, K).astype(np.int32)
        eta[rng.random(K) < 0.1] = 0
        active = np.arange(K) <= rng.integers(0, K)
        bounds = jax.device_put((lower, upper))
        cands = kcenter.candidate_lists(*jax.device_put((dist, groups)), *bounds, K)
        state = jax.device_put((groups, eta, active))
        opened = kcenter.open_representatives(cands, *state, *bounds, K)
        index = np.asarray(cands.index)
        best = least_radius(
            index, np.asarray(cands.distance), groups[index], eta, active, lower, upper
        )
        assert bool(opened.feasible) == np.isfinite(best)
        assert float(opened.radius) == pytest.approx(best)
        infeasible += not opened.feasible
        if opened.feasible:
            mask = np.asarray(opened.mask)
            centers, origin = np.asarray(opened.centers)[mask], np.asarray(opened.origin)[mask]
            assert np.unique(centers).size == centers.size <= K
            number = np.bincount(origin, minlength=K)
            assert np.all((number >= active) & (number <= eta * active))
            number = np.bincount(groups[centers], minlength=M)
            assert np.all((number >= lower) & (number <= upper))
            assert dist[centers, origin].max() == pytest.approx(best)
    assert 0 < infeasible < 30


def test_a_contested_point_is_opened_once():
    dist = np.full((N, K), 5, np.float32) + np.arange(N, dtype=np.float32)[:, None]
    dist[0] = 0  # everybody's nearest
    groups, one = np.zeros(N, np.int32), np.ones(K, np.int32)
    lower, upper = np.array([K, 0, 0], np.int32), np.array([K, 0, 0], np.int32)
    bounds = jax.device_put((lower, upper))
    cands = kcenter.candidate_lists(*jax.device_put((dist, groups)), *bounds, K)
    state = jax.device_put((groups, one, one == 1))
    opened = kcenter.open_representatives(cands, *state, *bounds, K)
    assert sorted(opened.centers.tolist()) == list(range(K))
    assert float(opened.radius) == 5 + K - 1


@pytest.mark.usefixtures("bad_input")  # annotations have signed integers only
@pytest.mark.parametrize(("narrow", "k"), [(np.int8, 126), (np.uint8, 254)])
def test_small_integers_of_groups_do_not_wrap(narrow, k):
    m, n = 4, 300
    groups = np.arange(n) % m
    dist = np.random.default_rng(0).random((n, k), np.float32)
    lower, upper = np.full(m, 5, np.int32), np.full(m, k, np.int32)
    active, eta = np.arange(k) < 30, np.ones(k, np.int32)
    dist, eta, active, lower, upper = jax.device_put((dist, eta, active, lower, upper))

    @jax.jit
    def opened(groups):
        cands = kcenter.candidate_lists(dist, groups, lower, upper, k)
        return kcenter.open_representatives(cands, groups, eta, active, lower, upper, k)

    wide, found = (opened(jax.device_put(groups.astype(kind))) for kind in (np.int32, narrow))
    assert wide.feasible
    chex.assert_trees_all_equal(found, wide)


def push_by_loop(labels, dist, parent, length, order, tau, size):
    labels = labels.copy()
    for j in order[::-1]:
        if parent[j] != j and length[j] <= tau:
            members = np.flatnonzero(labels == j)
            nearest = members[np.argsort(dist[members, parent[j]], kind="stable")]
            labels[nearest[: len(members) % size]] = parent[j]
    return labels


def spread_by_loop(points, groups, labels, opened, preliminary):
    """Pairs of a center and its cluster."""
    centers, origin = (np.asarray(part)[np.asarray(opened.mask)] for part in opened[:2])
    starts = {}
    for j in np.unique(origin):
        own = centers[origin == j]
        apart = np.linalg.norm(points[own] - points[preliminary[j]], axis=1)
        starts[int(j)] = int(own[np.argmin(apart)])
    taken = {*starts.values(), *centers[labels[centers] != origin].tolist()}
    pairs = []
    for j, start in starts.items():
        own = centers[origin == j].tolist()
        need = np.bincount(groups[own], minlength=M) - np.eye(M, dtype=int)[groups[start]]
        free = [p for p in range(N) if labels[p] == j and p not in taken]
        picks = [start]
        while need.any():
            able = [p for p in free if need[groups[p]] > 0 and p not in picks]
            if not able:
                picks = own
                break
            apart = np.linalg.norm(points[able][:, None] - points[picks], axis=-1).min(axis=1)
            picks.append(able[int(np.argmax(apart))])
            need[groups[picks[-1]]] -= 1
        pairs += [(p, j) for p in picks]
    return sorted(pairs)


def assign_by_loop(dist, labels, origin, size, batch):
    slots, count = np.zeros(N, int), np.zeros(K, int)
    for j in np.unique(labels):
        own, members = np.flatnonzero(origin == j), np.flatnonzero(labels == j)
        reach = dist[np.ix_(members, own)].min(axis=1)
        members = members[np.argsort(-reach, kind="stable")]
        spare = len(members) - len(own) * size
        for at in range(0, N, batch):
            for p in sorted(members[at : at + batch]):
                slot = own[np.argmin(dist[p, own])]
                if count[slot] >= size and spare > 0:
                    spare -= 1
                elif count[slot] >= size:
                    below = own[count[own] < size]
                    slot = below[np.argmin(dist[p, below])]
                slots[p], count[slot] = slot, count[slot] + 1
    return slots


def test_the_last_phase_is_that_of_loops():
    push, assign = jax.jit(_realize.push_surplus), jax.jit(_realize.assign_within)
    spread = jax.jit(
        lambda *given: _realize.spread_representatives(*given, m=M, metric="euclidean")
    )
    moved = chosen = left = 0
    for seed in range(30):
        rng = np.random.default_rng(seed)
        points, groups = random_points(rng), rng.integers(0, M, N).astype(np.int32)
        preliminary = rng.choice(N, K, replace=False).astype(np.int32)
        dist = np.linalg.norm(points[:, None] - points[preliminary], axis=-1).astype(np.float32)
        size, active = int(rng.integers(1, 4)), np.arange(K) <= rng.integers(0, K)
        # clusters of at least so many, as private ones are
        labels = np.argmin(np.where(active, dist, np.inf), axis=1).astype(np.int32)
        labels[rng.permutation(N)[: size * K]] = np.tile(np.arange(K), size) % active.sum()
        forest = kcenter.prefix_spanning_trees(jax.device_put(dist[preliminary]))
        tree = [np.asarray(part)[active.sum() - 1] for part in forest]
        tau = np.float32(rng.choice([0, *tree[1]]))
        pushed = np.asarray(push(*jax.device_put((labels, dist, *tree, tau, np.int32(size)))))
        expected = push_by_loop(labels, dist, *tree, tau, size)
        np.testing.assert_array_equal(pushed, expected)
        moved += np.any(pushed != labels)

        eta = (np.bincount(pushed, minlength=K) // size).astype(np.int32)
        most = min(K, int(eta.sum()))
        lower = np.bincount(rng.integers(0, M, most), minlength=M).astype(np.int32)
        lower = np.minimum(lower, np.bincount(groups, minlength=M)).astype(np.int32)
        bounds = jax.device_put((lower, lower + np.int32(1)))
        cands = kcenter.candidate_lists(*jax.device_put((dist, groups)), *bounds, K)
        state = jax.device_put((groups, eta, active))
        opened = kcenter.open_representatives(cands, *state, *bounds, K)
        if not opened.feasible:
            continue
        given = points, groups, pushed
        found = spread(*jax.device_put(given), opened, jax.device_put(preliminary))
        pairs = spread_by_loop(*given, opened, preliminary)
        mask = np.asarray(opened.mask)
        centers, origin = np.asarray(found.centers), np.asarray(found.origin)
        np.testing.assert_array_equal(found.mask, mask)
        assert sorted(zip(centers[mask], origin[mask], strict=True)) == pairs
        chosen += set(centers[mask]) != set(np.asarray(opened.centers)[mask])

        table = np.linalg.norm(points[:, None] - points[centers], axis=-1)
        table = np.where(mask, table, np.inf).astype(np.float32)
        for batch in (1, size, 5):
            numbers = jax.device_put((np.int32(size), np.int32(batch)))
            slots, radius = assign(*jax.device_put((table, pushed)), found, *numbers)
            expected = assign_by_loop(table, pushed, np.where(mask, origin, -1), size, batch)
            np.testing.assert_array_equal(slots, expected)
            assert radius == table[np.arange(N), expected].max()
            left += np.any(expected != np.argmin(table, axis=1))
    assert min(moved, chosen, left) > 5


def test_bad_input(bad_input):
    dist, counts = square(np.random.default_rng(0)), np.ones((K, K), np.int32)
    forest = kcenter.prefix_spanning_trees(jax.device_put(dist))
    for min_size in (2.5, -1):
        with pytest.raises(ValueError, match="min_size: expected"):
            kcenter.opening_budgets(counts, forest, min_size)


def test_bounds_of_numpy_that_jax_would_cut_are_no_bounds(bad_input):
    dist, groups = np.array([[0.0], [1.0]], np.float32), np.zeros(2, np.int32)
    none, most = np.zeros(1, int), np.array([np.iinfo(np.int64).max])
    cands = kcenter.candidate_lists(dist, groups, none, most, 1)
    assert cands.index[cands.mask].tolist() == [0]
    one = np.ones(1, np.int32)
    opened = kcenter.open_representatives(cands, groups, one, one == 1, none, most, 1)
    assert opened.centers.tolist() == [0]
