"""Random problems: the moments, groups and distances of their definitions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.graph_algorithms.instances import (
    block_means,
    geometric_instances,
    planted_matching,
    type_model,
)
from tests.graph_algorithms.oracle import scipy_cost
from tests.helpers import to_device

RNG = np.random.default_rng(15)


def test_type_model_has_its_means_and_variances():
    means = block_means(jax.random.key(3), groups=40, mean=50)
    assert means.min() >= 1
    np.testing.assert_allclose(means.mean(), 50, rtol=0.1)
    means = jnp.array([[5, 300], [80, 1200]], jnp.int32)
    for variance in (10, 500):
        cost = np.asarray(type_model(jax.random.key(4), means, n=120, variance=variance))
        blocks = cost.reshape(2, 60, 2, 60).transpose(0, 2, 1, 3).reshape(2, 2, -1)
        np.testing.assert_allclose(
            blocks.mean(axis=2), means, atol=4 * (variance / 3600) ** 0.5 + 1
        )
        given = np.asarray(means)
        # the number of trials is rounded down, so that the variance is a little below
        center, chance = given + variance, given / (given + variance)
        expected = np.floor(center / chance) * chance * (1 - chance)
        np.testing.assert_allclose(blocks.var(axis=2), expected, rtol=0.12)
    assert (cost < 0).any()
    assert type_model(jax.random.key(0), means, n=0, variance=1).shape == (0, 0)


def test_geometric_instances_take_points_of_their_clusters():
    labels = RNG.permutation(np.repeat(np.arange(6), [1, 2, 3, 4, 5, 6]))
    points = to_device(100 * RNG.normal(size=(21, 3)), np.float32)
    left, right = jnp.array([5, 0, 2]), jnp.array([4, 1, 3])
    seen = set()
    draw = jax.jit(geometric_instances)
    for seed in range(60):
        cost = draw(jax.random.key(seed), points, to_device(labels), left, right)
        mine, yours = points[labels == 0], points[labels == 1]
        options = np.floor(np.linalg.norm(mine[:, None] - yours, axis=-1)).astype(int)
        assert int(cost[1, 1]) in options
        seen.add(int(cost[1, 1]))
    assert seen == set(options.ravel().tolist())  # both points of that cluster are drawn


def test_planted_matchings_are_cheap_where_they_are_planted():
    cost, planted = planted_matching(jax.random.key(0), n=30, match=5, non_match=40, chance=0.4)
    on = np.arange(30) == np.asarray(planted)[:, None]
    assert (np.asarray(cost)[on] > 5).all()
    assert (np.asarray(cost)[~on] < 40).all()
    np.testing.assert_allclose(np.asarray(cost)[~on].mean(), 40 - 1 / 0.4, atol=0.3)
    assert scipy_cost(cost) == np.asarray(cost)[on].sum()


@pytest.mark.usefixtures("bad_input")
def test_refusals():
    key, means = jax.random.key(0), jnp.ones((2, 2), jnp.int32)
    points, labels, one = jnp.ones((3, 2)), jnp.array([0, 0, 2]), jnp.array([1])
    for call, message in [
        (lambda: block_means(key, groups=0), "groups: expected an integer >= 1"),
        (lambda: block_means(key, groups=2, mean=0.5), "mean: expected a finite number >= 1"),
        (lambda: type_model(key, means, n=4, variance=-1), "variance: expected a finite number"),
        (lambda: type_model(key, means[:1], n=4, variance=1), r"means: expected shape \[1, 1\]"),
        (
            lambda: type_model(key, means - 1, n=4, variance=1),
            "means: expected a finite number > 0",
        ),
        (lambda: planted_matching(key, n=3, chance=0), "chance: expected a finite number > 0"),
        (lambda: geometric_instances(key, points, labels, one, one), "labels: expected a point"),
        (lambda: geometric_instances(key, points, labels[:2], one, one), "labels: expected shape"),
        (
            lambda: geometric_instances(key, points, np.array([0, 1, -(2**63)]), one, one),
            "labels: expected numbers that fit int32",
        ),
    ]:
        with pytest.raises(ValueError, match=message):
            call()
