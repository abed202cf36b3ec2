"""Trees, budgets, candidate lists and the flow against scipy, loops and integer programs."""

import jax
import numpy as np
import pytest
from scipy.sparse.csgraph import minimum_spanning_tree

from jaxlab import kcenter
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


def test_bad_input(bad_input):
    dist, counts = square(np.random.default_rng(0)), np.ones((K, K), np.int32)
    forest = kcenter.prefix_spanning_trees(jax.device_put(dist))
    for min_size in (2.5, -1):
        with pytest.raises(ValueError, match="min_size: expected"):
            kcenter.opening_budgets(counts, forest, min_size)
