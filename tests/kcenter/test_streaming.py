"""The doubling algorithm: its invariants after every point."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab import kcenter
from tests.kcenter import oracles_traversal as oracles

N, Q = 14, 3
APART = np.arange(N, dtype=np.int32) % 2


def streams():
    """Points, groups, which are there: four of one group, one of two, and the half of that."""
    for seed in range(4):
        rng = np.random.default_rng(seed)
        cloud = rng.normal(size=(N, 2)) * rng.choice([0.1, 1, 10], (N, 1))
        cloud = np.round(cloud, 1 if seed % 2 else 6).astype(np.float32)
        yield cloud, np.zeros(N, np.int32), np.ones(N, bool)
        if not seed:
            first = cloud
    yield first, APART, np.ones(N, bool)
    yield first, np.zeros(N, np.int32), APART == 0


def point_by_point(cloud, groups, mask):
    """States after every point, and the last as a coreset."""

    def take(state, item):
        state = kcenter.stream_update(state, *jax.tree.map(lambda part: part[None], item))
        return state, state

    empty = kcenter.stream_init(Q, 2, num_groups=2)
    last, states = jax.lax.scan(take, empty, (cloud, groups, mask))
    return states, kcenter.stream_finalize(last)


@functools.cache
def answers():
    given = map(np.stack, zip(*streams(), strict=True))
    found = jax.jit(jax.vmap(point_by_point))(*jax.device_put(tuple(given)))
    found = jax.tree.map(np.asarray, found)
    return [jax.tree.map(lambda part, i=i: part[i], found) for i in range(6)]


def test_invariants_after_every_point():
    for (cloud, _, _), (states, _) in zip(list(streams())[:4], answers(), strict=False):
        dist = oracles.pairwise(cloud)
        for t in range(N):
            state = jax.tree.map(lambda part, t=t: part[t], states)
            delta, mask = state.delta[0], state.mask[0]
            kept = state.source_index[0][mask]
            assert 1 <= mask.sum() <= Q
            np.testing.assert_array_equal(state.representatives[0][mask], cloud[kept])
            apart = dist[np.ix_(kept, kept)][np.triu_indices(len(kept), 1)]
            assert (apart > delta * (1 - 1e-6)).all()
            cover = dist[: t + 1, kept].min(1).max()
            best = oracles.optimal_radius(dist[: t + 1, : t + 1], Q)
            assert cover <= 2 * delta * (1 + 1e-6)
            assert delta <= 4 * best * (1 + 1e-6)
            assert state.weights[0][mask].sum() == t + 1 == state.seen
            assert not state.mask[1].any()


def test_groups_are_streams_of_their_own():
    (_, _, (cloud, groups, _), _), (both, coreset) = list(streams())[2:], answers()[4]
    one, _ = answers()[5]
    np.testing.assert_array_equal(both.representatives[-1, 0], one.representatives[-1, 0])
    np.testing.assert_array_equal(both.weights[-1, 0], one.weights[-1, 0])
    assert both.delta[-1, 0] == one.delta[-1, 0] > 0
    assert both.delta[-1, 1] > 0
    assert (both.seen[-1], one.seen[-1]) == (N, N // 2)
    there = coreset.weights > 0
    assert coreset.weights.sum() == N
    assert coreset.radius == 2 * both.delta[-1].max()
    index = coreset.source_index
    assert ((index >= 0) == there).all()
    np.testing.assert_array_equal(coreset.groups[there], groups[index[there]])
    np.testing.assert_array_equal(coreset.points[there], cloud[index[there]])


def test_batches_change_nothing():
    cloud, groups, _ = list(streams())[4]
    empty = kcenter.stream_init(Q, 2, num_groups=2)
    whole = kcenter.stream_update(empty, *jax.device_put((cloud, groups)))
    for one, other in zip(whole, answers()[4][0], strict=True):
        np.testing.assert_array_equal(one, other[-1])


def test_a_traced_nan_ends_and_shows():
    batch = np.zeros((2 * Q, 2), np.float32) + np.arange(2 * Q, dtype=np.float32)[:, None]
    batch[1] = np.nan
    state = jax.jit(lambda batch: kcenter.stream_update(kcenter.stream_init(Q, 2), batch))(batch)
    assert np.isnan(kcenter.stream_finalize(state).radius)


def test_as_many_groups_as_bytes():
    batch, groups = jnp.zeros((128, 1)), jnp.arange(128, dtype=jnp.int8)
    state = kcenter.stream_update(kcenter.stream_init(1, 1, num_groups=128), batch, groups)
    assert state.weights.tolist() == [[1, 0]] * 128


def test_batches_too_far_apart_have_an_infinite_radius():
    state = kcenter.stream_init(1, 2)
    for batch in jnp.array([[[0, 0]], [[1e20, 0]], [[5, 0]]], jnp.float32):
        state = kcenter.stream_update(state, batch)
    found = kcenter.stream_finalize(state)
    assert (found.weights.tolist(), found.source_index.tolist()) == ([3, 0], [0, -1])
    assert found.radius == np.inf


def test_bad_input(bad_input):
    state, batch = kcenter.stream_init(Q, 2, num_groups=2), np.zeros((2, 2), np.float32)
    for match, call in {
        "size": lambda: kcenter.stream_init(0, 2),
        "dtype: expected a floating dtype": lambda: kcenter.stream_init(2, 2, dtype="int32"),
        "a floating dtype, got 'foo'": lambda: kcenter.stream_init(2, 2, dtype="foo"),
        "a floating dtype, got None": lambda: kcenter.stream_init(2, 2, dtype=None),
        "at most 32 bits": lambda: kcenter.stream_init(2, 2, dtype="float64"),
        "batch: expected coordinates at most 1.84e.19 apart": lambda: kcenter.stream_update(
            state, batch - [[0], [1e20]]
        ),
        "batch: expected finite": lambda: kcenter.stream_update(state, batch + np.nan),
        "batch: expected shape": lambda: kcenter.stream_update(state, batch[:, :1]),
        "group labels": lambda: kcenter.stream_update(state, batch, np.array([0, 2])),
        "mask: expected dtype": lambda: kcenter.stream_update(state, batch, None, np.ones(2)),
    }.items():
        with pytest.raises(ValueError, match=match):
            call()
