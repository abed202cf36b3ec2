"""Matching of ids by overlap against a dictionary."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.correlation_clustering import match_overlap, recourse
from tests.correlation_clustering import oracles


def pairs(seed, count, n=24):
    rng = np.random.default_rng(seed)
    for _ in range(count):
        ids = int(rng.integers(1, 12))
        old = rng.integers(-3, ids, n)
        new = np.where(rng.random(n) < rng.random(), old + 5, rng.integers(0, ids, n))
        yield rng, jnp.asarray(old), jnp.asarray(new), int(rng.integers(0, n + 1))


def test_against_a_dictionary():
    for _, old, new, n_old in pairs(0, 300):
        expected = oracles.changed(old.tolist(), new.tolist(), n_old)
        kept = match_overlap(old, new, n_old)
        assert kept.tolist() == [v < n_old and not expected[v] for v in range(24)]
        found = recourse(old, new, n_old)
        assert found.total == sum(expected)
        assert found.per_vertex.tolist() == [int(moved) for moved in expected]


def test_names_of_clusters_do_not_matter():
    for rng, old, new, n_old in pairs(1, 50):
        assert recourse(old, 2 * old + 7, n_old).total == 0
        name = np.sort(rng.integers(-1000, 1000, 40))  # keeps the order, by which ties are broken
        renamed = jnp.asarray(np.unique(name)[np.asarray(new) + 3])
        assert recourse(old, renamed, n_old).total == recourse(old, new, n_old).total
        by_identity = recourse(old, new, n_old, kind="identity")
        assert by_identity.total == np.sum(np.asarray(old != new)[:n_old])


def test_ids_that_stay_may_be_fewer_changes_than_matching_finds():
    old, new = jnp.array([0, 0, 0, 0, 0, 1, 1]), jnp.array([0, 0, 1, 1, 1, 1, 1])
    assert match_overlap(old, new, 7).tolist() == [v in (2, 3, 4) for v in range(7)]
    assert recourse(old, new, 7).total == 4
    assert recourse(old, new, 7, kind="identity").total == 3


def test_vmap_is_a_loop():
    _, old, new, n_old = zip(*pairs(2, 6), strict=True)
    together = jax.vmap(match_overlap)(jnp.stack(old), jnp.stack(new), jnp.asarray(n_old))
    for row, *case in zip(together, old, new, n_old, strict=True):
        np.testing.assert_array_equal(row, match_overlap(*case))


def test_wide_labels_that_int32_would_merge(x64):
    old = jnp.array([0, 2**32, 0, 2**32])
    assert match_overlap(old, old, 4).tolist() == [True] * 4
    split = jnp.array([7, 7, 7, 7])
    assert recourse(split, old, 4).total == recourse(old, split, 4).total == 2


def test_nobody():
    nobody = jnp.zeros(0, jnp.int32)
    assert recourse(nobody, nobody, 0).total == 0


def test_bad_input(bad_input):
    with pytest.raises(ValueError, match="kind: expected one of 'overlap', 'identity'"):
        recourse(jnp.zeros(3, int), jnp.zeros(3, int), 3, kind="ids")
    with pytest.raises(ValueError, match=r"new: expected shape \[3\]"):
        match_overlap(jnp.zeros(3, int), jnp.zeros(2, int), 2)
    with pytest.raises(ValueError, match="old: expected dtype integer"):
        match_overlap(jnp.zeros(3), jnp.zeros(3, int), 2)
    for kind in ("overlap", "identity"):
        for match, n_old in (("integer", 2.5), ("a finite number >= 0", -3), ("shape", [1, 2])):
            with pytest.raises(ValueError, match=f"n_old: expected .*{match}"):
                recourse(jnp.zeros(3, int), jnp.zeros(3, int), n_old, kind=kind)
        with pytest.raises(ValueError, match="new: expected dtype integer"):
            recourse(jnp.zeros(3, int), jnp.zeros(3), 2, kind=kind)
        with pytest.raises(ValueError, match="old: expected numbers that fit int32"):
            recourse(np.array([0, 2**32]), np.zeros(2, int), 2, kind=kind)
