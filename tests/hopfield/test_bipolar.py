"""One-step bipolar memories against their textbook forms."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.distance import cdist

from jaxlab.hopfield import models, patterns
from jaxlab.hopfield.corruption import flip_bits
from tests.helpers import to_device

KEY = jax.random.key(4)


def bank(n=6, d=15, queries=8):
    memories = patterns.random_bipolar(KEY, n=n, d=d)
    chosen = memories[jnp.arange(queries) % n]
    return memories, flip_bits(jax.random.fold_in(KEY, 1), chosen, 0.2)


def sign(field):
    return np.where(np.asarray(field) >= 0, 1.0, -1.0)


@pytest.mark.parametrize("zero_diagonal", [False, True])
def test_hopfield_network_is_one_step_of_its_hebbian_weights(zero_diagonal):
    memories, query = bank()
    weights = np.zeros((15, 15))
    for pattern in np.asarray(memories):
        for i in range(15):
            for j in range(15):
                if i != j or not zero_diagonal:
                    weights[i, j] += pattern[i] * pattern[j]
    got = models.hopfield_network(query, memories, zero_diagonal=zero_diagonal)
    np.testing.assert_array_equal(got.output, sign(np.asarray(query) @ weights))
    np.testing.assert_array_equal(got.weights, np.asarray(query) @ np.asarray(memories).T)


def test_integer_patterns_are_welcome_and_zero_fields_become_plus_one():
    memories = jnp.array([[1, 1], [-1, -1]], jnp.int8)
    output = models.hopfield_network(jnp.array([1, -1], jnp.int8), memories).output
    assert output.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
@pytest.mark.parametrize("zero_diagonal", [False, True])
def test_short_dtypes_give_the_signs_of_float32(zero_diagonal, dtype):
    """More memories than the dtype counts exactly; fields beyond the range of float16."""
    memories, query = bank(n=3001, d=41, queries=200)
    query = query.at[0].set(memories[0])
    memories = memories.at[:2000].set(memories[0])
    expected = models.hopfield_network(query, memories, zero_diagonal=zero_diagonal)
    got = models.hopfield_network(
        query.astype(dtype), memories.astype(dtype), zero_diagonal=zero_diagonal
    )
    assert got.output.dtype == dtype
    np.testing.assert_array_equal(got.output.astype(jnp.float32), expected.output)
    np.testing.assert_array_equal(got.weights, expected.weights)


@pytest.mark.parametrize("power", [1, 2, 3, 5])
@pytest.mark.parametrize("negative", ["signed", "rectified"])
def test_dense_associative_memory_equals_its_loop(power, negative):
    memories, query = bank()
    field = np.zeros((8, 15))
    for b in range(8):
        for pattern in np.asarray(memories):
            score = float(np.asarray(query[b]) @ pattern)
            if negative == "signed":
                field[b] += np.sign(score) * abs(score) ** power * pattern
            else:
                field[b] += max(score, 0.0) ** power * pattern
    got = models.dense_associative_memory(query, memories, power=power, negative=negative)
    np.testing.assert_array_equal(got.output, sign(field))
    np.testing.assert_array_equal(got.scores, np.asarray(query) @ np.asarray(memories).T)


def test_dense_memory_of_power_one_is_the_hopfield_network():
    memories, query = bank()
    dense = models.dense_associative_memory(query, memories, power=1)
    np.testing.assert_array_equal(dense.output, models.hopfield_network(query, memories).output)


@pytest.mark.parametrize("negative", ["signed", "rectified"])
@pytest.mark.parametrize(("d", "power"), [(784, 20), (65, 200), (65, 2000.5)])
def test_high_powers_neither_overflow_nor_vanish(d, power, negative):
    memories, query = bank(n=50, d=d, queries=50)
    got = models.dense_associative_memory(query, memories, power=power, negative=negative)
    np.testing.assert_array_equal(got.output, memories)


def test_rectified_powers_keep_the_best_score_beside_a_larger_negative_one():
    memories = jnp.ones((2, 64)).at[0].set(-1.0).at[1, :31].set(-1.0)
    got = models.dense_associative_memory(jnp.ones(64), memories, power=100, negative="rectified")
    np.testing.assert_array_equal(got.output, memories[1])


@pytest.mark.parametrize("radius", [0, 3, 4.5, 15, np.uint8(3), jnp.uint32(3)])
def test_single_stage_sdm_is_the_majority_within_the_radius(radius):
    memories, query = bank()
    near = cdist(query, memories, "hamming") * 15 <= radius + 1e-9
    got = models.sparse_distributed_memory(query, memories, radius=radius)
    np.testing.assert_array_equal(got.weights, near)
    np.testing.assert_array_equal(got.output, sign(near @ np.asarray(memories)))


def test_single_stage_sdm_retrieves_paired_values():
    memories, query = bank()
    values = patterns.random_bipolar(jax.random.fold_in(KEY, 2), n=6, d=4)
    got = models.sparse_distributed_memory(query, memories, values, radius=3)
    index = np.asarray(got.weights).argmax(-1)
    alone = np.asarray(got.weights).sum(-1) == 1
    assert alone.sum() >= 4
    expected = np.asarray(values)[index[alone]]
    np.testing.assert_array_equal(np.asarray(got.output)[alone], expected)


MODELS = {
    "hopfield": functools.partial(models.hopfield_network, zero_diagonal=True),
    "dense": functools.partial(models.dense_associative_memory, power=3),
    "sdm": functools.partial(models.sparse_distributed_memory, radius=4),
}


@pytest.mark.parametrize("name", MODELS)
def test_masked_memories_change_nothing(name):
    memories, query = bank()
    model = MODELS[name]
    table = np.asarray(memories)
    padded = np.concatenate([table[:2], np.full((3, 15), 7, np.float32), table[2:]])
    mask = np.array([True, True, False, False, False, True, True, True, True])
    plain, masked = (
        jax.tree.map(np.asarray, result)
        for result in (
            model(query, memories),
            model(query, to_device(padded), mask=to_device(mask)),
        )
    )
    np.testing.assert_array_equal(masked.output, plain.output)
    np.testing.assert_allclose(masked.weights[:, mask], plain.weights, rtol=1e-6)
    assert not masked.weights[:, ~mask].any()


@pytest.mark.parametrize("name", MODELS)
def test_transformations_agree(name, x64):
    memories, query = bank()
    model = MODELS[name]
    together = model(query, memories)
    assert together.output.dtype == jnp.float64
    mapped = jax.jit(jax.vmap(model, (0, None)))(query, memories)
    np.testing.assert_array_equal(mapped.output, together.output)
    np.testing.assert_array_equal(jax.jit(model)(query, memories).output, together.output)
    with jax.disable_jit():
        np.testing.assert_array_equal(model(query, memories).output, together.output)
    assert jax.eval_shape(model, query[:0], memories).output.shape == (0, 15)
    half = jax.jit(model)(query.astype(jnp.bfloat16), memories.astype(jnp.bfloat16))
    assert half.output.dtype == jnp.bfloat16


@pytest.mark.parametrize("name", MODELS)
def test_whole_numbers_are_summed_exactly_on_every_device(name):
    memories, query = bank()
    program = jax.jit(MODELS[name]).lower(query, memories).as_text()
    # the sum over the memories is the one product of this shape
    sums = [
        line
        for line in program.splitlines()
        if "dot_general" in line and line.endswith("tensor<8x15xf32>")
    ]
    assert len(sums) == 1
    assert "precision = [HIGHEST, HIGHEST]" in sums[0]


def test_bipolar_sign_of_zero_and_nan():
    x = jnp.array([-0.0, 0.0, -1e-30, jnp.inf, jnp.nan])
    np.testing.assert_array_equal(models.bipolar_sign(x), [1, 1, -1, 1, np.nan])


@pytest.mark.usefixtures("bad_input")
def test_bad_input():
    memories, query = bank()
    for model in MODELS.values():
        with pytest.raises(ValueError, match=r"query: expected entries −1 and \+1, not booleans"):
            model(query > 0, memories)
        with pytest.raises(ValueError, match=r"query: expected shape \[..., 15\]"):
            model(query[:, :4], memories)
        with pytest.raises(ValueError, match="memories: expected at least one memory"):
            model(query, memories[:0])
        with pytest.raises(ValueError, match="mask: expected dtype bool"):
            model(query, memories, mask=jnp.ones(6))
    with pytest.raises(ValueError, match="power: expected a finite number > 0"):
        models.dense_associative_memory(query, memories, power=0)
    with pytest.raises(ValueError, match="negative: expected one of 'signed', 'rectified'"):
        models.dense_associative_memory(query, memories, power=2, negative="sign")
    with pytest.raises(ValueError, match="radius: expected a finite number >= 0"):
        models.sparse_distributed_memory(query, memories, radius=-1)
    with pytest.raises(ValueError, match="x: expected dtype floating"):
        models.bipolar_sign(jnp.ones(3, int))
