"""The solver against the optimum, the authors' radii, and itself under transformations."""

import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab import kcenter
from tests.kcenter.instances import K, M, N, random_instances, random_points

TOY = np.array([[1, 2], [0, 0], [6, 7], [0, -1], [-2, -3], [0, -1.2], [1, 3], [6, 1]], np.float32)
DATA = Path(os.environ.get("JAXLAB_DATA", "")) / "kcenter" / "countQuery.npz"
COUNT_QUERY = {"k": 7, "lower": [1] * 7, "upper": [1] * 7}


def solve(instance, **options):
    return kcenter.fair_private_kcenter(*instance.arrays, **instance.problem, **options)


def report(instance, solution):
    return kcenter.check_solution(instance.points, instance.groups, solution, **instance.problem)


def count_query():
    with np.load(DATA) as f:
        return jax.device_put((f["x"].astype(np.float32), f["y"].astype(np.int32)))


def test_guarantee_and_certificate():
    ratios = []
    for instance in random_instances(25):
        found = solve(instance)
        assert report(instance, found).violations == ()
        optimum = instance.optimum * (1 + 1e-6)
        assert found.lower_bound <= optimum
        assert found.radius >= instance.optimum * (1 - 1e-6)
        ratios.append(float(found.radius) / instance.optimum)
        # the largest prefix of centers that are pairwise more than 2 OPT apart (T1, T2)
        order = kcenter.gonzalez(instance.arrays[0], K).indices
        picks = instance.points[order]
        apart = np.linalg.norm(picks[:, None] - picks, axis=-1) + np.diag([np.inf] * K)
        last = max(i for i in range(K) if i == 0 or apart[: i + 1, : i + 1].min() > 2 * optimum)
        assert found.prefix_radii[last] <= 2 * optimum
        assert found.forest_radii[last] + found.assignment_radii[last] <= 13 * optimum
    assert max(ratios) <= 15
    assert np.mean(ratios) <= 1.25


def test_the_paper_selection_is_feasible_and_exact_never_worse():
    for instance in random_instances(25):
        found = solve(instance, selection="paper")
        assert report(instance, found).violations == ()
        assert found.radius <= 15 * instance.optimum
        assert solve(instance).radius <= found.radius * (1 + 1e-6)


def test_refinement_and_filling_keep_what_is_asked_for():
    plain, refined = [], []
    for instance in random_instances(25):
        found = solve(instance, refine_steps=8)
        assert report(instance, found).violations == ()
        refined.append(float(found.radius) / instance.optimum)
        plain.append(float(solve(instance).radius) / instance.optimum)
        assert refined[-1] <= plain[-1]
        full = solve(instance, fill=True)
        assert report(instance, full).violations == ()
        assert full.radius <= plain[-1] * instance.optimum * (1 + 1e-6)
    assert np.mean(refined) < np.mean(plain)
    assert np.mean(refined) <= 1.2


def test_spread_keeps_the_groups():
    for instance in random_instances(10):
        found = solve(instance, spread=True)
        assert report(instance, found).violations == ()


def test_some_prefixes():
    for instance in random_instances(5):
        every = solve(instance)
        few = solve(instance, prefixes=(1, 3))
        assert report(instance, few).violations == ()
        assert int(few.prefix) in (1, 3)
        assert few.radius >= every.radius
        np.testing.assert_array_equal(few.prefix_radii, every.prefix_radii)
        assert np.isinf(few.forest_radii[0])
        assert np.isfinite(few.forest_radii[1])


def test_the_toy_of_the_authors():
    groups = np.array([0, 0, 0, 1, 1, 0, 0, 1], np.int32)
    problem = {"k": 4, "min_size": 1, "lower": [1, 0], "upper": [13, 8]}
    found = kcenter.fair_private_kcenter(*jax.device_put((TOY, groups)), **problem)
    assert kcenter.check_solution(TOY, groups, found, **problem).violations == ()
    owners = kcenter.assignment_points(found)
    distance = np.linalg.norm(TOY - TOY[np.asarray(owners)], axis=1)
    assert found.radius == pytest.approx(distance.max())


@pytest.mark.skipif(not DATA.exists(), reason="needs a copy of the data in $JAXLAB_DATA")
def test_the_radii_of_the_authors():
    points, groups = count_query()
    official = {1: 0.3138, 1071: 0.3138, 1428: 0.4330}
    for min_size, radius in official.items():
        found = kcenter.fair_private_kcenter(points, groups, min_size=min_size, **COUNT_QUERY)
        checked = kcenter.check_solution(points, groups, found, min_size=min_size, **COUNT_QUERY)
        assert checked.violations == ()
        assert found.radius <= radius + 1e-4


def test_a_sweep_of_sizes_by_vmap_is_a_loop():
    instance = random_instances(1)[0]
    points, groups = instance.arrays
    bounds = {"k": K, "lower": [0] * M, "upper": [N] * M}
    sizes = np.arange(N // K + 1)

    def radius(size):
        return kcenter.fair_private_kcenter(points, groups, min_size=size, **bounds)

    together = jax.jit(jax.vmap(radius))(jax.device_put(sizes))
    for size, row in zip(sizes, together.radius, strict=True):
        one = kcenter.fair_private_kcenter(points, groups, min_size=int(size), **bounds)
        assert row == pytest.approx(float(one.radius))
    np.testing.assert_array_equal(together.feasible, True)


def test_an_infeasible_problem_says_so():
    points, groups = jax.device_put(
        (random_points(np.random.default_rng(0)), np.zeros(N, np.int32))
    )

    def hidden(groups):  # traced, so that nothing is known of the groups
        return kcenter.fair_private_kcenter(
            points, groups, k=K, min_size=1, lower=[0, 1, 0], upper=[K, 1, K]
        )

    found = jax.jit(hidden)(groups)
    assert not found.feasible
    assert not found.mask.any()
    assert int(found.prefix) == -1
    assert np.isinf(found.radius)


def test_gradient_of_the_radius():
    instance = random_instances(3)[2]
    points, groups = instance.arrays

    def radius(points):
        return kcenter.fair_private_kcenter(points, groups, **instance.problem).radius

    gradient = np.asarray(jax.grad(radius)(points))
    direction = random_points(np.random.default_rng(1))
    step = 1e-3
    ahead, behind = (float(radius(points + way * direction)) for way in (step, -step))
    assert float(np.sum(gradient * direction)) == pytest.approx(
        (ahead - behind) / (2 * step), rel=0.02
    )


def test_in_float64(x64):
    instance = random_instances(1)[0]
    points = jax.device_put(instance.points.astype(np.float64))
    found = kcenter.fair_private_kcenter(points, instance.arrays[1], **instance.problem)
    single = solve(instance)
    assert found.radius.dtype == jnp.float64
    assert found.radius == pytest.approx(float(single.radius), rel=1e-6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"k": 0}, "k must be at least 1"),
        ({"k": 7}, "fewer points than k"),
        ({"min_size": -1}, "min_size"),
        ({"min_size": 4}, "not enough points for min_size"),
        ({"lower": [2, 0], "upper": [1, 2]}, "lower bound exceeds upper bound for group 0"),
        ({"lower": [2, 1]}, "sum of lower bounds"),
        ({"lower": [0, 2], "upper": [2, 2]}, "group 1 has only"),
        ({"upper": [0, 2]}, "sum of upper bounds"),
        ({"lower": [0], "upper": [2]}, "group labels"),
        ({"lower": [0, 0, 0]}, "upper"),
        ({"groups": np.zeros(5, np.int32)}, "same length"),
        ({"points": np.full((6, 2), np.nan, np.float32)}, "finite"),
        ({"points": np.zeros((0, 2), np.float32)}, "no points"),
        ({"first": 6}, "first"),
        ({"metric": "chebyshev"}, "unknown"),
        ({"metric": "sqeuclidean"}, "triangle inequality"),
        ({"selection": "best"}, "selection: expected one of"),
        ({"prefixes": (2,)}, "positions from 0 to 1"),
        ({"spread": 1}, "spread: expected True or False"),
        ({"refine_steps": -1}, "refine_steps"),
    ],
)
def test_bad_input(bad_input, changes, message):
    given = {
        "points": np.arange(12, dtype=np.float32).reshape(6, 2),
        "groups": np.array([0, 0, 0, 0, 0, 1], np.int32),
        "k": 2,
        "min_size": 1,
        "lower": [0, 0],
        "upper": [2, 2],
    } | changes
    with pytest.raises(ValueError, match=message):
        kcenter.fair_private_kcenter(given.pop("points"), given.pop("groups"), **given)
