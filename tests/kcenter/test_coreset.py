"""Coresets: what they stand for, what a solution of them is worth, one device or many."""

import jax
import numpy as np
import pytest
from jax.sharding import Mesh, PartitionSpec

from jaxlab import kcenter
from tests.kcenter import oracles_traversal as oracles

N, M, Q, K, LEAST = 160, 3, 12, 4, 30
RNG = np.random.default_rng(3)
POINTS = (RNG.normal(size=(N, 2)) * RNG.choice([0.2, 1, 3], (N, 1))).astype(np.float32)
GROUPS = RNG.integers(0, M, N).astype(np.int32)
OTHERS = (POINTS[::-1] + 1).astype(np.float32)
HELD = jax.device_put((POINTS, GROUPS))


def check(coreset, points, groups):
    """Weights and radius are those of some division of the points, group by group."""
    found = jax.tree.map(np.asarray, coreset)
    there = found.source_index >= 0
    assert (found.weights[~there] == 0).all()
    np.testing.assert_array_equal(found.points[there], points[found.source_index[there]])
    np.testing.assert_array_equal(found.groups[there], groups[found.source_index[there]])
    farthest = 0.0
    for group in range(M):
        mine = there & (found.groups == group)
        dist = oracles.pairwise(points[groups == group], found.points[mine])
        farthest = max(farthest, dist.min(1).max())
        assert found.weights[mine].sum() == (groups == group).sum()
        np.testing.assert_array_equal(
            np.bincount(dist.argmin(1), minlength=mine.sum()), found.weights[mine]
        )
    np.testing.assert_allclose(found.radius, farthest, rtol=1e-5)


def solve(coreset):
    """Private centers of a coreset."""
    order = kcenter.gonzalez(coreset.points, K, mask=coreset.weights > 0)
    dist = kcenter.distance_matrix(coreset.points, order.indices)
    return order.indices, kcenter.private_assignment(dist, LEAST, weights=coreset.weights)


def test_every_group_is_represented():
    check(kcenter.kcenter_coreset(*HELD, Q), POINTS, GROUPS)
    whole = kcenter.kcenter_coreset(*HELD, Q, per_group=False)
    dist = oracles.pairwise(POINTS)
    picks, radii = oracles.farthest_first(dist, Q)
    np.testing.assert_array_equal(whole.source_index, picks)
    np.testing.assert_array_equal(whole.weights, np.bincount(dist[:, picks].argmin(1)))
    np.testing.assert_allclose(whole.radius, radii[-1], rtol=1e-6)


def test_small_groups_are_padded():
    groups = np.where(np.arange(N) < 3, 0, 2).astype(np.int32)
    coreset = kcenter.kcenter_coreset(HELD[0], jax.device_put(groups), Q, num_groups=M)
    index = np.asarray(coreset.source_index)
    assert (index[:Q] >= 0).tolist() == [True] * 3 + [False] * (Q - 3)
    assert index[Q : 2 * Q].tolist() == [-1] * Q
    assert np.sum(coreset.weights) == N


def test_points_at_infinite_distance_keep_their_weight():
    line = np.array([[0], [1], [300], [-300]], np.float16)
    line, groups, there = jax.device_put((line, np.zeros(4, int), np.array([1, 1, 2, 0])))
    coreset = kcenter.kcenter_coreset(line, groups, 1, weights=there)
    assert (coreset.weights.tolist(), float(coreset.radius)) == ([4], np.inf)


def test_coresets_of_coresets():
    both = np.concatenate([POINTS, OTHERS])
    parts = [
        kcenter.kcenter_coreset(jax.device_put(points), HELD[1], Q) for points in (POINTS, OTHERS)
    ]
    merged = kcenter.merge_coresets(parts, sizes=[N, N])
    small = kcenter.kcenter_coreset(
        merged.points, merged.groups, 5, num_groups=M, weights=merged.weights
    )
    parts, merged, small = jax.tree.map(np.asarray, (parts, merged, small))
    index = merged.source_index
    assert (index >= 0).all()
    np.testing.assert_array_equal(merged.points, both[index])
    assert merged.radius == max(part.radius for part in parts)
    assert np.sum(merged.weights) == 2 * N
    np.testing.assert_array_equal(
        np.bincount(small.groups, small.weights, M), 2 * np.bincount(GROUPS, minlength=M)
    )
    for group in range(M):
        mine = (small.groups == group) & (small.weights > 0)
        dist = oracles.pairwise(both[np.tile(GROUPS, 2) == group], small.points[mine])
        assert dist.min(1).max() <= small.radius + merged.radius + 1e-5


@pytest.mark.parametrize("check_vma", [True, False])
def test_summaries_of_devices_solve_the_whole(devices, check_vma):
    split, whole = PartitionSpec("x"), PartitionSpec()

    def two_rounds(points, groups):
        found = kcenter.distributed_summary(points, groups, 4, solve, axis_name="x", num_groups=M)
        centers, assignment = found.solution
        labels = kcenter.lift_assignment(found.units, assignment.flow)
        return centers, assignment, labels, found

    centers, assignment, labels, found = jax.jit(
        jax.shard_map(
            two_rounds,
            mesh=Mesh(np.array(devices), ("x",)),
            in_specs=(split, split),
            out_specs=(whole, whole, split, kcenter.Summary(whole, whole, split)),
            check_vma=check_vma,
        )
    )(*HELD)
    centers, assignment, labels, found = jax.tree.map(
        np.asarray, (centers, assignment, labels, found)
    )
    coreset, units = found.coreset, found.units
    np.testing.assert_array_equal(
        np.bincount(units, minlength=len(coreset.weights)), coreset.weights
    )
    np.testing.assert_array_equal(coreset.groups[units], GROUPS)
    moved = np.linalg.norm(POINTS - coreset.points[units], axis=1)
    np.testing.assert_allclose(moved.max(), coreset.radius, rtol=1e-6)
    # carried back: sizes are kept, and the radius grows by that of the coreset at most
    np.testing.assert_array_equal(np.bincount(labels, minlength=K), assignment.counts)
    assert assignment.feasible
    sources = coreset.source_index[centers]
    far = np.linalg.norm(POINTS - POINTS[sources][labels], axis=1).max()
    assert far <= assignment.radius + coreset.radius + 1e-5


def test_padding_is_lifted_to_no_center():
    units, flow = np.array([0, -1, 1, -1, 0]), np.array([[1, 1], [0, 1]])
    found = kcenter.lift_assignment(*jax.device_put((units, flow)))
    assert found.tolist() == [0, -1, 1, -1, 1]


@pytest.mark.usefixtures("bad_input")  # annotations have signed integers only
def test_small_integers_do_not_wrap():
    for kind, parts in ((np.uint8, [200, 100]), (np.int8, [100, 100])):
        units, flow = np.zeros(sum(parts), np.int8), np.ones((150, 2), kind)
        flow[0] = parts
        found = kcenter.lift_assignment(*jax.device_put((units, flow)))
        assert np.bincount(found).tolist() == parts


def test_bad_input(bad_input):
    points, groups = np.zeros((4, 2), np.float32), np.array([0, 1, 0, 1])
    plane = kcenter.Coreset(points, groups, groups, np.float32(0), groups)
    for match, call in {
        "same length": lambda: kcenter.kcenter_coreset(points, groups[:3], 2),
        "group labels": lambda: kcenter.kcenter_coreset(points, groups, 2, num_groups=1),
        "fewer points than size": lambda: kcenter.kcenter_coreset(points, groups, 5),
        "coordinates": lambda: kcenter.kcenter_coreset(
            np.zeros((4, 4), np.float32), groups, 2, metric="precomputed"
        ),
        "triangle inequality": lambda: kcenter.kcenter_coreset(
            points, groups, 2, metric="sqeuclidean"
        ),
        "weights: expected a finite number >= 0": lambda: kcenter.kcenter_coreset(
            points, groups, 2, weights=np.array([1, 1, 1, -1])
        ),
        "weights: expected a sum that fits int32": lambda: kcenter.kcenter_coreset(
            points, groups, 2, weights=np.full(4, 2**30 + 5)
        ),
        "units: expected rows of flow": lambda: kcenter.lift_assignment(
            groups, np.ones((1, 2), int)
        ),
        "units: expected dtype integer": lambda: kcenter.lift_assignment(
            points[:, 0], groups[:, None]
        ),
        "flow: expected shape": lambda: kcenter.lift_assignment(groups, groups),
        "num_groups": lambda: jax.jit(lambda g: kcenter.kcenter_coreset(points, g, 2))(groups),
        "at least one": lambda: kcenter.merge_coresets([]),
        "a list of at least one": lambda: kcenter.merge_coresets(plane),
        r"coresets.points: expected shape \[q, 2\]": lambda: kcenter.merge_coresets(
            [plane, plane._replace(points=points[:, :1])]
        ),
        "sizes: expected a sum that fits int32": lambda: kcenter.merge_coresets(
            [plane] * 2, sizes=[2**31 - 4, 4]
        ),
        "one per coreset": lambda: kcenter.merge_coresets([None], sizes=[4, 4]),
    }.items():
        with pytest.raises(ValueError, match=match):
            call()
