"""Segments: loops over NumPy slices, with padding of every kind among the entries."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.graphs import segments as seg

RNG = np.random.default_rng(3)
LANES, ENTRIES, SEGMENTS = 100, 40, 9
IDS = RNG.integers(-2, SEGMENTS + 3, (LANES, ENTRIES))
MASK = RNG.random((LANES, ENTRIES)) < 0.8
VALUES = RNG.integers(-3, 4, (LANES, ENTRIES))


def members(lane):
    for segment in range(SEGMENTS):
        yield segment, np.flatnonzero(MASK[lane] & (IDS[lane] == segment))


def mapped(function, values):
    def one(values, ids, mask):
        return function(values, ids, SEGMENTS, mask=mask)

    arrays = jnp.asarray(values), jnp.asarray(IDS), jnp.asarray(MASK)
    return jax.tree.map(np.asarray, jax.vmap(one)(*arrays))


@pytest.mark.parametrize(
    ("function", "reduce", "empty"),
    [
        (seg.segment_sum, np.sum, 0),
        (seg.segment_max, np.max, np.iinfo(np.int32).min),
        (seg.segment_min, np.min, np.iinfo(np.int32).max),
    ],
)
def test_reductions(function, reduce, empty):
    found = mapped(function, VALUES)
    for lane in range(LANES):
        for segment, index in members(lane):
            wanted = reduce(VALUES[lane, index]) if index.size else empty
            assert found[lane, segment] == wanted


def test_first_least():
    found = mapped(seg.segment_argmin, VALUES)
    for lane in range(LANES):
        for segment, index in members(lane):
            wanted = index[np.argmin(VALUES[lane, index])] if index.size else -1
            assert found[lane, segment] == wanted


def test_most_frequent():
    value, count = mapped(seg.segment_mode, VALUES)
    for lane in range(LANES):
        for segment, index in members(lane):
            if not index.size:
                assert (value[lane, segment], count[lane, segment]) == (-1, 0)
                continue
            distinct, often = np.unique(VALUES[lane, index], return_counts=True)
            assert value[lane, segment] == distinct[np.argmax(often)]
            assert count[lane, segment] == often.max()


def softmax_of(values):
    weights = np.exp(values)
    return weights / weights.sum(axis=0)


def test_mean_and_softmax_of_vectors():
    values = RNG.standard_normal((LANES, ENTRIES, 2)).astype(np.float32)
    mean, softmax = mapped(seg.segment_mean, values), mapped(seg.segment_softmax, values)
    for lane in range(0, LANES, 10):
        wanted = np.zeros_like(values[lane])
        for segment, index in members(lane):
            if index.size:
                average = values[lane, index].mean(axis=0)
                np.testing.assert_allclose(mean[lane, segment], average, atol=1e-6)
                wanted[index] = softmax_of(values[lane, index])
            else:
                np.testing.assert_array_equal(mean[lane, segment], 0)
        np.testing.assert_allclose(softmax[lane], wanted, atol=1e-6)


def test_softmax_of_large_and_forbidden_entries():
    values = jnp.array([1e4, 1e4, -jnp.inf, -jnp.inf, jnp.nan])
    ids = jnp.array([0, 0, 0, 1, 2])

    def weights(values):
        return seg.segment_softmax(values, ids, 2)

    np.testing.assert_array_equal(weights(values), [0.5, 0.5, 0, 0, 0])
    slope = jax.grad(lambda values: weights(values)[0])(values.at[2:].set(0))
    np.testing.assert_allclose(slope, [0.25, -0.25, 0, 0, 0], atol=1e-6)


@pytest.mark.usefixtures("bad_input")  # which take no unsigned integers
@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
def test_narrow_identifiers_with_more_segments_than_they_can_name(dtype):
    ids = jnp.asarray(np.array([0, 5, 100, 5], dtype))
    mask = jnp.array([True, True, True, False])
    for count in (128, 256, 300):
        found = seg.segment_sum(jnp.array([1, 2, 4, 8]), ids, count, mask=mask)
        assert np.flatnonzero(found).tolist() == [0, 5, 100]
        assert found[jnp.array([0, 5, 100])].tolist() == [1, 2, 4]


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_many_entries_of_half_precision(dtype):
    ones, ids = jnp.ones(5000, dtype), jnp.zeros(5000, jnp.int32)
    mean, weights = seg.segment_mean(ones, ids, 1), seg.segment_softmax(ones, ids, 1)
    assert (mean.dtype, weights.dtype) == (dtype, dtype)
    assert mean.tolist() == [1]
    np.testing.assert_allclose(np.asarray(weights, np.float64).sum(), 1, rtol=1e-2)


def test_no_segments():
    ids = jnp.zeros(3, jnp.int32)
    assert seg.segment_argmin(jnp.ones(3), ids, 0).shape == (0,)
    assert seg.segment_mode(ids, ids, 0).value.shape == (0,)
    assert seg.segment_mean(jnp.ones(3), ids, 0).shape == (0,)
    assert seg.segment_softmax(jnp.ones(3), ids, 0).tolist() == [0, 0, 0]


@pytest.mark.usefixtures("bad_input")
def test_most_frequent_of_unsigned_integers():
    values, ids = jnp.array([255, 255, 3], jnp.uint8), jnp.array([0, 0, 2])
    assert seg.segment_mode(values, ids, 3).value.tolist() == [255, -1, 3]
    with pytest.raises(ValueError, match="values: expected signed integers, or narrower ones"):
        seg.segment_mode(values.astype(jnp.uint32), ids, 3)


def test_no_entries():
    none = jnp.zeros(0, jnp.int32)
    assert seg.segment_mode(none, none, 2).value.tolist() == [-1, -1]
    assert seg.segment_argmin(none, none, 2).tolist() == [-1, -1]
    assert seg.segment_softmax(jnp.zeros(0), none, 2).shape == (0,)


@pytest.mark.usefixtures("bad_input")
def test_refusals():
    values, ids = jnp.ones(3), jnp.zeros(3, jnp.int32)
    with pytest.raises(ValueError, match=r"segments: expected shape \[3\]"):
        seg.segment_sum(values, ids[:2], 2)
    with pytest.raises(ValueError, match="segments: expected dtype integer"):
        seg.segment_min(values, values, 2)
    with pytest.raises(ValueError, match=r"mask: expected shape \[3\]"):
        seg.segment_max(values, ids, 2, mask=jnp.ones(2, bool))
    with pytest.raises(ValueError, match="mask: expected dtype bool"):
        seg.segment_max(values, ids, 2, mask=np.ones(3))
    with pytest.raises(ValueError, match="num_segments: expected an integer >= 0"):
        seg.segment_argmin(values, ids, -1)
    with pytest.raises(ValueError, match="values: expected dtype floating"):
        seg.segment_mean(ids, ids, 2)
    with pytest.raises(ValueError, match="values: expected dtype floating"):
        seg.segment_softmax(ids, ids, 2)
    with pytest.raises(ValueError, match="values: expected dtype integer"):
        seg.segment_mode(values, ids, 2)
    missing = np.array([0, -(2**63), 1])  # what NumPy makes of NaN; its last 32 bits are 0
    with pytest.raises(ValueError, match="segments: expected numbers that fit int32"):
        seg.segment_sum(values, missing, 2)
    with pytest.raises(ValueError, match="values: expected numbers that fit int32"):
        seg.segment_mode(values=missing, segments=ids, num_segments=2)
    left_out = missing >= 0
    assert seg.segment_sum(values, missing, 2, mask=left_out).tolist() == [1, 1]
