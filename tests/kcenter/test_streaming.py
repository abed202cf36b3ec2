"""The doubling algorithm: its invariants after every point."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab import kcenter
from tests.kcenter import oracles_traversal as oracles

N, Q = 14, 3
UPDATE = jax.jit(kcenter.stream_update)


def streams():
    for seed in range(4):
        rng = np.random.default_rng(seed)
        cloud = rng.normal(size=(N, 2)) * rng.choice([0.1, 1, 10], (N, 1))
        yield np.round(cloud, 1 if seed % 2 else 6).astype(np.float32)


def test_invariants_after_every_point():
    for cloud in streams():
        state, dist = kcenter.stream_init(Q, 2), oracles.pairwise(cloud)
        for t in range(N):
            state = UPDATE(state, jax.device_put(cloud[t : t + 1]))
            delta, mask = float(state.delta[0]), np.asarray(state.mask[0])
            kept = np.asarray(state.source_index[0])[mask]
            assert 1 <= mask.sum() <= Q
            np.testing.assert_array_equal(state.representatives[0][mask], cloud[kept])
            apart = dist[np.ix_(kept, kept)][np.triu_indices(len(kept), 1)]
            assert (apart > delta * (1 - 1e-6)).all()
            cover = dist[: t + 1, kept].min(1).max()
            best = oracles.optimal_radius(dist[: t + 1, : t + 1], Q)
            assert cover <= 2 * delta * (1 + 1e-6)
            assert delta <= 4 * best * (1 + 1e-6)
            assert state.weights[0][mask].sum() == t + 1 == state.seen


def test_groups_are_streams_of_their_own():
    cloud = next(streams())
    groups = np.arange(N, dtype=np.int32) % 2
    both = UPDATE(kcenter.stream_init(Q, 2, num_groups=2), *jax.device_put((cloud, groups)))
    mask = np.arange(N) % 2 == 0
    one = UPDATE(kcenter.stream_init(Q, 2), jax.device_put(cloud), None, jax.device_put(mask))
    np.testing.assert_array_equal(both.representatives[0], one.representatives[0])
    np.testing.assert_array_equal(both.weights[0], one.weights[0])
    assert both.delta[0] == one.delta[0]
    assert (both.seen, one.seen) == (N, N // 2)
    coreset = kcenter.stream_finalize(both)
    there = np.asarray(coreset.weights) > 0
    assert coreset.weights.sum() == N
    assert coreset.radius == 2 * both.delta.max()
    index = np.asarray(coreset.source_index)
    assert (index >= 0).tolist() == there.tolist()
    np.testing.assert_array_equal(coreset.groups[there], groups[index[there]])
    np.testing.assert_array_equal(coreset.points[there], cloud[index[there]])


def test_batches_change_nothing():
    cloud = next(streams())
    whole = UPDATE(kcenter.stream_init(Q, 2), jax.device_put(cloud))
    parts = kcenter.stream_init(Q, 2)
    for t in range(N):
        parts = UPDATE(parts, jax.device_put(cloud[t : t + 1]))
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_array_equal(one, other)


def test_bad_input(bad_input):
    state = kcenter.stream_init(2, 2)
    for match, call in {
        "size": lambda: kcenter.stream_init(0, 2),
        "batch: expected shape": lambda: kcenter.stream_update(state, jnp.zeros((3, 1))),
        "group labels": lambda: kcenter.stream_update(state, jnp.zeros((2, 2)), jnp.array([0, 1])),
        "mask: expected dtype": lambda: kcenter.stream_update(
            state, jnp.zeros((2, 2)), None, jnp.ones(2)
        ),
    }.items():
        with pytest.raises(ValueError, match=match):
            call()
