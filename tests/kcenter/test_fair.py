"""Baselines: factors against the optimum, quotas, and the oracles against each other."""

import functools

import chex
import jax
import numpy as np
import pytest

from jaxlab import kcenter
from jaxlab.kcenter.oracles import brute_force_optimum, milp_optimum
from jaxlab.kcenter.sequential import BASES
from tests.kcenter.instances import K, M, N, random_instances, random_points


@functools.cache
def quotas():
    """Instances with exact numbers, and their optima without sizes."""
    found = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        points = random_points(rng)
        groups = rng.permutation(np.append(np.arange(M), rng.integers(0, M, N - M)))
        size = np.bincount(groups, minlength=M)
        quota = np.minimum([2, 1, 1], size)
        quota[np.argmax(size)] += K - quota.sum()
        optimum = milp_optimum(points, groups, K, 0, quota, quota).radius
        found.append((points, groups.astype(np.int32), quota.astype(np.int32), optimum))
    return found


def test_factors_of_fair_clustering():
    for points, groups, quota, optimum in quotas():
        arrays = jax.device_put((points, groups))
        problem = {"k": K, "min_size": 0, "lower": quota, "upper": quota}
        matched = kcenter.fair_kcenter(*arrays, quota, k=K)
        ranged = kcenter.fair_range_kcenter(*arrays, k=K, lower=quota, upper=quota)
        swapped = kcenter.fair_kcenter_swap(*arrays, quota, k=K)
        assert matched.centers.tolist() == ranged.centers.tolist()
        assert matched.radius <= 3 * optimum * (1 + 1e-6)
        assert swapped.radius <= (3 * 2 ** (M - 1) - 1) * optimum * (1 + 1e-6)
        heuristics = (kcenter.greedy_per_group, kcenter.greedy_capped)
        others = [heuristic(*arrays, quota, k=K) for heuristic in heuristics]
        for found in (matched, swapped, *others):
            checked = kcenter.check_solution(points, groups, found, **problem)
            assert checked.violations == ()
            assert found.radius >= optimum * (1 - 1e-6)
            assert found.lower_bound <= optimum * (1 + 1e-6)


def test_factor_of_fair_ranges():
    for one in random_instances(8):
        bounds = {"k": K, "lower": one.lower, "upper": one.upper}
        optimum = milp_optimum(one.points, one.groups, K, 0, one.lower, one.upper).radius
        found = kcenter.fair_range_kcenter(*one.arrays, **bounds)
        checked = kcenter.check_solution(one.points, one.groups, found, min_size=0, **bounds)
        assert checked.violations == ()
        assert found.radius <= 3 * optimum * (1 + 1e-6)


@pytest.mark.parametrize("base", BASES)
def test_sizes_after_groups(base):
    for points, groups, quota, _ in quotas()[:4]:
        problem = {"k": K, "min_size": 4, "lower": quota, "upper": quota}
        arrays = jax.device_put((points, groups))
        found = kcenter.sequential_fair_private(*arrays, base=base, **problem)
        assert kcenter.check_solution(points, groups, found, **problem).violations == ()


@pytest.mark.filterwarnings("error")
@pytest.mark.usefixtures("bad_input")  # annotations have arrays of jax only
def test_float64_of_numpy_is_rounded_without_a_warning():
    points, groups, quota, _ = quotas()[0]
    problem = {"k": K, "min_size": 4, "lower": quota, "upper": quota}
    found = kcenter.sequential_fair_private(points.astype(np.float64), groups, **problem)
    alike = kcenter.sequential_fair_private(points, groups, **problem)
    chex.assert_trees_all_equal(found, alike)


def test_greedy_per_group_is_farthest_first_inside_of_groups():
    for points, groups, quota, _ in quotas():
        found = kcenter.greedy_per_group(*jax.device_put((points, groups)), quota, k=K, first=3)
        expected = []
        for c in range(M):
            own = np.flatnonzero(groups == c)
            picks = [3 if groups[3] == c else own[0]]
            while len(picks) < quota[c]:
                table = np.linalg.norm(points[own][:, None] - points[picks], axis=-1)
                picks.append(own[np.argmax(table.min(axis=1))])
            expected += picks
        assert found.centers.tolist() == expected


def filled(groups, centers, lower, upper, rank):
    """Places that are left go one by one to the point of largest rank that may have one."""
    centers, upper = list(centers), np.minimum(upper, np.bincount(groups, minlength=M))
    while len(centers) < K:
        number = np.bincount(groups[centers], minlength=M)
        missing = np.maximum(lower - number, 0)
        spare = K - len(centers) > missing.sum()
        allowed = ((missing > 0) | ((number < upper) & spare))[groups]
        allowed[centers] = False
        centers.append(int(np.argmax(np.where(allowed, rank(centers), -1))))
    return centers


def farthest(points):
    return lambda centers: np.linalg.norm(points[:, None] - points[centers], axis=-1).min(axis=1)


def test_greedy_capped_is_farthest_first_in_groups_with_places():
    for points, groups, quota, _ in quotas():
        found = kcenter.greedy_capped(*jax.device_put((points, groups)), quota, k=K, first=3)
        assert found.centers.tolist() == filled(groups, [3], quota, quota, farthest(points))


def test_places_that_are_left_by_a_matching():
    left = 0
    for points, groups, quota, _ in quotas():
        slack = np.maximum(quota - 1, 0), quota + 1
        ranks = {"first": lambda _: np.arange(N)[::-1], "farthest": farthest(points)}
        for fill, rank in ranks.items():
            options = {"k": K, "fill": fill}
            arrays = jax.device_put((points, groups))
            exact = kcenter.fair_kcenter(*arrays, quota, **options)
            ranged = kcenter.fair_range_kcenter(*arrays, lower=slack[0], upper=slack[1], **options)
            for found, (lower, upper) in ((exact, (quota, quota)), (ranged, slack)):
                matched = found.centers.tolist()[: int(found.prefix) + 1]
                expected = filled(groups, matched, lower, upper, rank)
                assert found.centers.tolist() == expected
                left += K - len(matched)
    assert left > 0


@pytest.mark.parametrize(
    "method",
    ["fair_kcenter", "fair_range_kcenter", "greedy_per_group", "greedy_capped", "sequential"],
)
def test_a_traced_quota_that_cannot_be_met_is_infeasible(method):
    points = random_points(np.random.default_rng(0), 6)
    quota = np.array([2, 2], np.int32)

    def solve(points, groups, quota):
        if method == "fair_range_kcenter":
            return kcenter.fair_range_kcenter(points, groups, k=4, lower=quota, upper=quota)
        if method == "sequential":
            problem = {"k": 4, "min_size": 1, "lower": quota, "upper": quota}
            base = "greedy_per_group"
            return kcenter.sequential_fair_private(points, groups, base=base, **problem)
        return getattr(kcenter, method)(points, groups, quota, k=4)

    # group 1 has two points, one, or none; traced, that cannot be seen
    groups = np.array([[0, 0, 0, 0, 1, 1], [0, 0, 0, 0, 1, 0], [0] * 6], np.int32)
    found = jax.jit(jax.vmap(solve, (None, 0, None)))(*jax.device_put((points, groups, quota)))
    assert found.feasible.tolist() == [True, False, False]
    assert found.group_counts[0].tolist() == [2, 2]
    for centers in np.asarray(found.centers):
        there = centers[centers >= 0]
        assert np.unique(there).size == there.size


def test_greedy_of_an_empty_group_takes_nothing():
    line = np.array([[0], [1], [5]], np.float32)
    quota, groups = np.array([1, 3], np.int32), np.ones(3, np.int32)
    greedy = jax.jit(lambda *given: kcenter.greedy_per_group(*given, k=4))
    with pytest.raises(ValueError, match="fewer points than k"):
        greedy(line, groups, quota)
    greedy = jax.jit(lambda *given: kcenter.greedy_per_group(*given, k=3))
    found = greedy(*jax.device_put((line, groups, quota - [0, 1])))
    assert found.centers.tolist() == [-1, 0, 2]
    assert not found.feasible


@pytest.mark.usefixtures("bad_input")  # annotations have signed integers only
@pytest.mark.parametrize(("narrow", "m"), [(np.uint8, 256), (np.int8, 128)])
def test_as_many_groups_as_bytes(narrow, m):
    line, groups = np.arange(m, dtype=np.float32)[:, None], np.arange(m).astype(narrow)
    quota = np.isin(np.arange(m), [0, m - 1]).astype(np.int32)
    for method in (kcenter.greedy_capped, kcenter.fair_kcenter):
        found = method(*jax.device_put((line, groups)), quota, k=2)
        assert found.centers.tolist() == [0, m - 1]
        assert found.feasible


def test_the_oracles_agree():
    for one in random_instances(6):
        few = (one.points[:11], one.groups[:11], K, min(one.min_size, 2), [0] * M, one.upper)
        best, optimum = brute_force_optimum(*few), milp_optimum(*few)
        assert best.radius == pytest.approx(optimum.radius)
        assert np.bincount(best.labels).min() >= few[3]
        assert np.bincount(optimum.labels).min() >= few[3]
    assert milp_optimum(np.zeros((2, 1)), [0, 0], 1, 1, [0, 1], [1, 1]).radius == np.inf


def test_violations_are_found():
    one = random_instances(1)[0]
    found = kcenter.fair_private_kcenter(*one.arrays, **one.problem)
    twice = found._replace(centers=found.centers.at[1].set(found.centers[0]))
    wrong = found._replace(labels=found.labels.at[:].set(0), radius=found.radius / 2)
    said = kcenter.check_solution(one.points, one.groups, twice, **one.problem)
    assert not said.feasible
    assert "a point is a center twice" in said.violations
    said = kcenter.check_solution(one.points, one.groups, wrong, **one.problem)
    assert any("the radius is" in sentence for sentence in said.violations)
    assert any("fewer than min_size" in sentence for sentence in said.violations)


def test_solutions_are_counted_of_integers_too():
    """Differences of unsigned integers wrap."""
    points, groups = np.array([[0], [3], [200], [204]], np.uint8), np.array([0, 0, 1, 1])
    arrays = jax.device_put((points.astype(np.float32), groups))
    found = kcenter.greedy_capped(*arrays, np.array([1, 1]), k=2)
    bounds = {"k": 2, "min_size": 1, "lower": [1, 1], "upper": [1, 1]}
    for metric in ("euclidean", "manhattan"):
        said = kcenter.check_solution(points, groups, found, metric=metric, **bounds)
        assert said.feasible
        assert said.radius == 4


def test_bad_input(bad_input):
    points, groups = np.zeros((6, 2), np.float32), np.zeros(6, np.int32)
    with pytest.raises(ValueError, match="numbers that sum to k = 2"):
        kcenter.fair_kcenter(points, groups, [1], k=2)
    with pytest.raises(ValueError, match="base: expected one of"):
        kcenter.sequential_fair_private(
            points, groups, base="fair", k=2, min_size=1, lower=[2], upper=[2]
        )
    problem = {"k": 2, "min_size": 1, "lower": [1], "upper": [2]}
    with pytest.raises(ValueError, match=r"lower: expected numbers .* unless base .*, got 1$"):
        kcenter.sequential_fair_private(points, groups, **problem)
    with pytest.raises(ValueError, match=r"points: expected a concrete value \(host only\)"):
        jax.jit(lambda points: kcenter.fair_kcenter_swap(points, groups, [2], k=2))(points)
    found = kcenter.fair_kcenter(points, groups, [2], k=2)
    for match, changes in {
        r"groups: expected shape \[6\]": {"groups": groups[1:]},
        r"upper: expected shape \[1\]": {"upper": [1, 1]},
    }.items():
        given = {"groups": groups} | problem | changes
        with pytest.raises(ValueError, match=match):
            kcenter.check_solution(points, given.pop("groups"), found, **given)
