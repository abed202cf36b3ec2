"""Kanerva's memory against loops over locations, and its overlap against the closed form."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.hopfield import models, patterns
from jaxlab.hopfield.capacity_theory import sdm_overlap_probability
from jaxlab.hopfield.corruption import flip_bits
from jaxlab.hopfield.sparse_distributed_memory import (
    SDMState,
    sdm_init,
    sdm_read,
    sdm_recall,
    sdm_write,
)

KEY = jax.random.key(12)


def written(num_locations=200, d=16, p=5, n=6, radius=5):
    state = sdm_init(KEY, num_locations, d, value_dim=p)
    address = patterns.random_bipolar(jax.random.fold_in(KEY, 1), n=n, d=d)
    value = patterns.random_bipolar(jax.random.fold_in(KEY, 2), n=n, d=p)
    return state, address, value, sdm_write(state, address, value, radius=radius)


def test_a_new_memory_is_random_and_empty():
    state = sdm_init(KEY, 1000, 64)
    assert set(np.unique(state.addresses)) == {-1, 1}
    assert abs(np.mean(state.addresses)) < 4 / np.sqrt(64_000)
    assert state.counters.shape == (1000, 64)
    assert not state.counters.any()


def test_write_and_read_equal_loops():
    state, address, value, after = written()
    locations = np.asarray(state.addresses)
    counters = np.zeros((200, 5), int)
    for b in range(6):
        for k in range(200):
            if np.sum(locations[k] != np.asarray(address[b])) <= 5:
                counters[k] += np.asarray(value[b]).astype(int)
    np.testing.assert_array_equal(after.counters, counters)
    query = flip_bits(KEY, address, 0.2)
    reading = sdm_read(after, query, radius=5)
    for unsigned in (np.uint8(5), jnp.uint32(5)):
        again = sdm_read(after, query, radius=unsigned)
        np.testing.assert_array_equal(again.active, reading.active)
    for b in range(6):
        active = [k for k in range(200) if np.sum(locations[k] != np.asarray(query[b])) <= 5]
        field = counters[active].sum(0)
        assert int(reading.active[b]) == len(active)
        np.testing.assert_array_equal(reading.field[b], field)
        np.testing.assert_array_equal(reading.output[b], np.where(field >= 0, 1, -1))


def test_the_order_of_writes_does_not_matter():
    state, address, value, together = written()
    one_by_one = state
    for b in (3, 0, 5, 1, 4, 2):
        one_by_one = sdm_write(one_by_one, address[b], value[b], radius=5)
    np.testing.assert_array_equal(one_by_one.counters, together.counters)
    blocks = sdm_write(state, address.reshape(2, 3, 16), value.reshape(2, 3, 5), radius=5)
    np.testing.assert_array_equal(blocks.counters, together.counters)
    nothing = sdm_write(state, address[:0], value[:0], radius=5)
    np.testing.assert_array_equal(nothing.counters, state.counters)


def test_reading_is_retrieval_from_hard_locations():
    _, address, _, after = written()
    query = flip_bits(KEY, address, 0.2)
    reading = sdm_read(after, query, radius=5)
    found = models.sparse_distributed_memory(query, after.addresses, after.counters, radius=5)
    np.testing.assert_array_equal(found.output, reading.output)
    np.testing.assert_array_equal(found.weights.sum(-1), reading.active)


def test_nothing_in_reach_is_reported():
    _, address, _, after = written()
    reading = sdm_read(after, address, radius=0)
    assert reading.active.tolist() == [0] * 6
    assert (reading.output == 1).all()


def test_recall_reads_until_it_reads_itself():
    state = sdm_init(KEY, 2000, 128)
    memories = patterns.random_bipolar(jax.random.fold_in(KEY, 1), n=10, d=128)
    state = sdm_write(state, memories, memories, radius=55)
    query = flip_bits(KEY, memories, 0.1)
    end = sdm_recall(state, query, radius=55, max_steps=8)
    assert end.converged.all()
    np.testing.assert_array_equal(end.output, memories)
    np.testing.assert_array_equal(end.active, sdm_read(state, memories, radius=55).active)
    address = query
    for step in range(1, int(end.steps.max()) + 1):
        previous, address = address, sdm_read(state, address, radius=55).output
        for b in np.flatnonzero(end.steps == step):
            np.testing.assert_array_equal(address[b], previous[b])


def test_recall_out_of_reach_stops_unchanged():
    _, address, _, _ = written()
    state = sdm_init(KEY, 50, 16)
    end = sdm_recall(state, address, radius=0, max_steps=4)
    np.testing.assert_array_equal(end.output, address)
    assert end.steps.tolist() == [1] * 6
    assert not end.converged.any()


def test_recall_that_needs_more_steps_is_reported():
    state = sdm_init(KEY, 2000, 128)
    memories = patterns.random_bipolar(jax.random.fold_in(KEY, 1), n=10, d=128)
    state = sdm_write(state, memories, memories, radius=55)
    end = sdm_recall(state, flip_bits(KEY, memories, 0.1), radius=55, max_steps=1)
    assert not end.converged.any()


def test_overlap_of_active_locations():
    """Of 100 000 random locations, how many are active for both of two addresses."""
    locations = np.asarray(sdm_init(KEY, 100_000, 100).addresses)
    for distance in (0, 10, 20, 40):
        other = np.ones(100, locations.dtype)
        other[:distance] = -1
        near = ((locations != 1).sum(-1) <= 40) & ((locations != other).sum(-1) <= 40)
        expected = sdm_overlap_probability(100, 40, distance)
        error = np.sqrt(expected * (1 - expected) / 100_000)
        assert abs(near.mean() - expected) < 4 * error


def test_overlap_values_and_limits():
    for distance, value in ((0, 0.02844), (10, 0.01302), (20, 0.00747), (40, 0.00198)):
        assert sdm_overlap_probability(100, 40, distance) == pytest.approx(value, abs=5e-6)
    assert sdm_overlap_probability(256, 103, 0) == pytest.approx(0.0011, abs=5e-5)
    assert sdm_overlap_probability(8, 8, 5) == 1.0
    assert sdm_overlap_probability(8, 0, 1) == 0.0
    # every one of the 2^6 locations, counted
    locations = np.array(np.meshgrid(*[[-1, 1]] * 6)).reshape(6, -1).T
    for radius in range(7):
        for distance in range(7):
            other = np.where(np.arange(6) < distance, -1, 1)
            near = ((locations != 1).sum(-1) <= radius) & ((locations != other).sum(-1) <= radius)
            assert sdm_overlap_probability(6, radius, distance) == near.mean()


def test_transformations_agree(x64):
    state, address, value, after = written()
    mapped = jax.vmap(lambda q: sdm_read(after, q, radius=5))(address)
    together = sdm_read(after, address, radius=5)
    np.testing.assert_array_equal(mapped.output, together.output)

    def write_and_read(radius):
        state_after = sdm_write(state, address, value, radius=radius)
        return sdm_read(state_after, address, radius=radius).field

    np.testing.assert_array_equal(jax.jit(write_and_read)(5), together.field)
    with jax.disable_jit():
        np.testing.assert_array_equal(write_and_read(5), together.field)
    assert sdm_read(after, address[:0], radius=5).output.shape == (0, 5)
    integers = sdm_read(after, address.astype(jnp.int8), radius=5)
    np.testing.assert_array_equal(integers.field, together.field)


@pytest.mark.usefixtures("bad_input")
def test_bad_input():
    state, address, value, _ = written()
    with pytest.raises(ValueError, match="num_locations: expected an integer >= 1"):
        sdm_init(KEY, 0, 4)
    with pytest.raises(ValueError, match="value_dim: expected an integer >= 1"):
        sdm_init(KEY, 4, 4, value_dim=0)
    with pytest.raises(ValueError, match=r"query: expected entries −1 and \+1, not booleans"):
        sdm_read(state, address > 0, radius=5)
    with pytest.raises(ValueError, match=r"value: expected entries −1 and \+1, not booleans"):
        sdm_write(state, address, value > 0, radius=5)
    for radius in (-1, float("nan")):
        with pytest.raises(ValueError, match="radius: expected a finite number >= 0"):
            sdm_read(state, address, radius=radius)
    with pytest.raises(ValueError, match=r"address: expected shape \[..., 16\]"):
        sdm_write(state, address[:, :4], value, radius=5)
    with pytest.raises(ValueError, match=r"value: expected shape \[6, 5\]"):
        sdm_write(state, address, value[:, :4], radius=5)
    with pytest.raises(ValueError, match=r"query: expected shape \[..., 16\]"):
        sdm_read(state, address[:, :4], radius=5)
    with pytest.raises(ValueError, match=r"state.counters: expected shape \[200, p\]"):
        sdm_read(SDMState(state.addresses, state.counters[:7]), address, radius=5)
    with pytest.raises(ValueError, match="state: expected values of 16 bits"):
        sdm_recall(state, address, radius=5, max_steps=3)
    with pytest.raises(ValueError, match="max_steps: expected an integer >= 1"):
        sdm_recall(sdm_init(KEY, 20, 16), address, radius=5, max_steps=0)
    with pytest.raises(ValueError, match="distance: expected at most dim = 10"):
        sdm_overlap_probability(10, 3, 11)
