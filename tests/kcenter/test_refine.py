"""Moving centers to the middle of their clusters, and groups among clusters."""

import jax
import numpy as np
import pytest

from jaxlab import kcenter
from tests.kcenter.instances import K, M, N, random_instances


def on_a_line(ends, middles):
    """Four clusters far apart: the middle is of one group, all other points are of another.

    The centers are ends, of radius 4; next to the middle it is 3, in the middle 2.
    """
    offsets = [-2, -1, 0, 1, 2], [-2, -1, 0, 1, 2], [-2, 0, 1, 2], [-2, 0, 1, 2]
    points, groups, labels = [], [], []
    for j, offset in enumerate(offsets):
        points += [100 * j + x for x in offset]
        groups += [middles[j] if x == 0 else ends[j] for x in offset]
        labels += [j] * len(offset)
    centers = np.array([0, 5, 10, 14], np.int32)
    points = np.stack([points, np.zeros(N)], axis=1).astype(np.float32)
    groups, labels = np.array(groups, np.int32), np.array(labels, np.int32)
    return points, groups, centers, labels


def start_from(points, groups, centers, labels):
    one = random_instances(1)[0]
    solution = kcenter.fair_private_kcenter(*one.arrays, **one.problem)
    counts, number = np.bincount(labels, minlength=K), np.bincount(groups[centers], minlength=M)
    exact = {"counts": counts.astype(np.int32), "group_counts": number.astype(np.int32)}
    start = {"centers": centers, "labels": labels, "mask": centers >= 0, "radius": np.float32(4)}
    return solution._replace(**jax.device_put(start | exact))


@pytest.mark.parametrize(
    ("ends", "middles", "radius"),
    [
        ([0, 0, 1, 2], [0, 0, 1, 2], 2),  # centers move to the middle
        ([1, 2, 0, 0], [0, 0, 1, 2], 2),  # groups have to change places for that
        ([0, 0, 1, 2], [1, 1, 0, 0], 3),  # there are not as many of some group: next to it
    ],
)
def test_centers_move_and_change_groups(ends, middles, radius):
    points, groups, centers, labels = on_a_line(ends, middles)
    start = start_from(points, groups, centers, labels)
    arrays = jax.device_put((points, groups))
    found = kcenter.refine_minimax(*arrays, start, min_size=4)
    number = np.bincount(groups[centers], minlength=M)
    problem = {"k": K, "min_size": 4, "lower": number, "upper": number}
    assert kcenter.check_solution(points, groups, found, **problem).violations == ()
    assert float(found.radius) == radius
    # there is nothing left to do
    stays = kcenter.refine_minimax(*arrays, found, min_size=4)
    np.testing.assert_array_equal(stays.centers, found.centers)


def test_clusters_that_stay_too_small_are_not_feasible():
    line = np.array([[0], [1], [2], [9]], np.float32)
    arrays = jax.device_put((line, np.array([0, 0, 0, 1], np.int32)))
    start = kcenter.fair_kcenter(*arrays, [1, 1], k=2)
    assert start.feasible
    for min_size, feasible in ((1, True), (2, False)):
        found = kcenter.refine_minimax(*arrays, start, min_size=min_size)
        assert bool(found.feasible) is feasible is bool(found.counts.min() >= min_size)


def test_bad_input(bad_input):
    points, groups, centers, labels = on_a_line([0, 0, 1, 2], [0, 0, 1, 2])
    start = start_from(points, groups, centers, labels)
    with pytest.raises(ValueError, match="labels"):
        kcenter.refine_minimax(points[1:], groups[1:], start, min_size=4)
    for match, changes in {
        "triangle inequality": {"metric": "sqeuclidean"},
        "group labels from 0 to 2": {"groups": groups + 7},
        "groups: expected dtype integer": {"groups": groups.astype(np.float32)},
        "solution.radius: expected dtype float32": {
            "solution": start._replace(radius=start.radius.astype(np.float16))
        },
    }.items():
        given = {"points": points, "groups": groups, "solution": start, "min_size": 4} | changes
        with pytest.raises(ValueError, match=match):
            kcenter.refine_minimax(**given)
    wide = kcenter.refine_minimax(points.astype(np.float64), groups, start, min_size=4)
    assert wide.radius == 2  # computed in float32
    with pytest.raises(ValueError, match="steps"):
        kcenter.refine_minimax(points, groups, start, min_size=4, steps=0)
