"""Exact top-k against a full sort, its ties, its second look, and its eight-bit banks."""

import functools

import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.hopfield import similarity
from jaxlab.hopfield.scale import quantize_memories, top_k_memories
from tests.helpers import to_device

N, D = 23, 4
BLOCK_SIZES = (1, 5, 8, 23, 100)
SIMILARITIES = {
    "dot": similarity.dot_product,
    "squared_euclidean": similarity.squared_euclidean,
    "euclidean": similarity.euclidean,
    "manhattan": similarity.manhattan,
    "hamming": similarity.hamming,
}


def whole_numbers(seed=0, n=N):
    """Few distinct values, so that many scores are equal and all arithmetic is exact."""
    generator = np.random.default_rng(seed)
    query = generator.integers(-1, 2, (6, D)).astype(np.float32)
    memories = generator.integers(-1, 2, (n, D)).astype(np.float32)
    return query, memories


def by_sorting(scores, k, mask=None):
    """Descending by score, ascending by index among equals."""
    scores = np.asarray(scores, np.float64)
    if mask is not None:
        scores = np.where(mask, scores, -np.inf)
    order = np.argsort(-scores, axis=-1, kind="stable")[..., :k]
    best = np.take_along_axis(scores, order, axis=-1)
    return best, np.where(best == -np.inf, -1, order)


@pytest.mark.parametrize("block_size", BLOCK_SIZES)
@pytest.mark.parametrize("name", SIMILARITIES)
def test_equals_sorting(name, block_size):
    query, memories = whole_numbers()
    mask = np.arange(N) % 3 != 1
    score = SIMILARITIES[name]
    found = top_k_memories(query, memories, k=6, similarity=score, block_size=block_size, mask=mask)
    scores, indices = by_sorting(score(query, memories), 6, mask)
    np.testing.assert_array_equal(found.indices, indices)
    np.testing.assert_allclose(found.scores, scores, atol=1e-6)
    assert found.indices.dtype == jnp.int32


@pytest.mark.parametrize("name", sorted(set(SIMILARITIES) - {"hamming"}))
def test_nan_comes_first(name):
    query, memories = whole_numbers()
    memories[[4, 20], 1], query[2, 0] = np.nan, np.nan
    mask = np.arange(N) % 3 != 1  # memory 4 is not there
    score = SIMILARITIES[name]
    found = top_k_memories(query, memories, k=6, similarity=score, block_size=8, mask=mask)
    others = np.arange(6) != 2
    scores = np.where(np.isnan(memories).any(-1), np.inf, score(query, memories))
    scores, indices = by_sorting(scores[others], 6, mask)
    np.testing.assert_array_equal(np.asarray(found.indices)[others], indices)
    assert (indices[:, 0] == 20).all()
    assert np.isnan(np.asarray(found.scores)[others, 0]).all()
    np.testing.assert_allclose(np.asarray(found.scores)[others, 1:], scores[:, 1:], atol=1e-6)
    assert np.isnan(found.scores[2]).all()


@pytest.mark.parametrize("name", sorted(set(SIMILARITIES) - {"hamming"}))
def test_nan_of_another_device_comes_first(name):
    query, memories = whole_numbers(n=24)
    memories[[4, 20], 1] = np.nan
    call = functools.partial(
        top_k_memories, k=6, similarity=SIMILARITIES[name], block_size=4, axis_name="bank"
    )
    sharded = jax.vmap(call, axis_name="bank", in_axes=(None, 0))
    found = jax.jit(sharded)(query, memories.reshape(3, 8, D))
    scores = np.where(np.isnan(memories).any(-1), np.inf, SIMILARITIES[name](query, memories))
    scores, indices = by_sorting(scores, 6)
    for device in range(3):
        np.testing.assert_array_equal(found.indices[device], indices)
        assert np.isnan(found.scores[device][:, :2]).all()
        np.testing.assert_allclose(found.scores[device][:, 2:], scores[:, 2:], atol=1e-6)


@hypothesis.given(seed=st.integers(0, 2**31 - 1), present=st.integers(0, N))
def test_masked_memories_are_never_found(seed, present):
    query, memories = whole_numbers(seed)
    mask = np.zeros(N, bool)
    mask[np.random.default_rng(seed).permutation(N)[:present]] = True
    found = top_k_memories(
        query,
        memories,
        k=9,
        similarity=similarity.squared_euclidean,
        block_size=8,
        mask=mask,
    )
    scores, indices = by_sorting(similarity.squared_euclidean(query, memories), 9, mask)
    np.testing.assert_array_equal(found.indices, indices)
    np.testing.assert_array_equal(found.scores, scores)


@pytest.mark.parametrize("block_size", [7, 100])
def test_all_memories_in_order(block_size):
    query, memories = whole_numbers()
    found = top_k_memories(
        query, memories, k=N, similarity=similarity.manhattan, block_size=block_size
    )
    scores, indices = by_sorting(similarity.manhattan(query, memories), N)
    np.testing.assert_array_equal(found.indices, indices)
    np.testing.assert_array_equal(found.scores, scores)


def test_shapes():
    query, memories = whole_numbers()
    call = functools.partial(top_k_memories, similarity=similarity.manhattan, block_size=8)
    assert call(query[0], memories, k=3).scores.shape == (3,)
    assert call(query.reshape(2, 3, D), memories, k=3).indices.shape == (2, 3, 3)
    nobody = jax.eval_shape(functools.partial(call, k=3), query[:0], memories)
    assert nobody.indices.shape == (0, 3)
    assert call(query, memories[:1], k=1).indices.tolist() == [[0]] * 6


def near_duplicates():
    """Sixteen patterns around 1000, whose distances the expanded square cannot tell apart."""
    generator = np.random.default_rng(0)
    base = 1000 + generator.random(512)
    memories = (base + 1e-2 * generator.random((16, 512))).astype(np.float32)
    query = (memories[11] + 1e-3 * generator.random(512)).astype(np.float32)
    exact = np.sum(np.square(query.astype(np.float64) - memories.astype(np.float64)), axis=-1)
    return query, memories, exact


@pytest.mark.parametrize(
    ("score", "is_squared"),
    [
        (similarity.squared_euclidean, True),
        (similarity.euclidean, False),
        (similarity.mahalanobis(jnp.eye(512)), True),
        (similarity.embedded(similarity.squared_euclidean, lambda x: x), True),
        (similarity.embedded(similarity.euclidean, lambda x: x), False),
    ],
)
def test_rerank_finds_the_nearest_among_near_duplicates(score, is_squared):
    query, memories, exact = near_duplicates()
    call = functools.partial(top_k_memories, query, memories, k=16, similarity=score, block_size=8)
    found = call(rerank=True)
    np.testing.assert_array_equal(found.indices, np.argsort(exact))
    expected = np.sort(exact) if is_squared else np.sqrt(np.sort(exact))
    np.testing.assert_allclose(-found.scores, expected, rtol=1e-3)
    assert np.any(np.asarray(call(rerank=False).indices) != found.indices), "the case is too easy"


def test_rerank_compares_codes(x64):
    rng = np.random.default_rng(1)
    factor = jnp.asarray(rng.normal(size=(8, 3)), jnp.float32)
    query, memories = (rng.normal(size=shape).astype(np.float32) for shape in ((5, 8), (20, 8)))
    codes = np.asarray(memories) @ np.asarray(factor)
    base = similarity.squared_euclidean
    coded = similarity.embedded(base, lambda x: x @ factor)
    for score, bank in ((similarity.mahalanobis(factor), memories), (coded, codes)):
        for rerank in (False, True):
            found = top_k_memories(query, bank, k=4, similarity=score, rerank=rerank)
            scores, indices = by_sorting(base(query @ factor, codes), 4)
            np.testing.assert_array_equal(found.indices, indices)
            np.testing.assert_allclose(found.scores, scores, rtol=1e-4, atol=1e-5)


def test_rerank_in_float64(x64):
    generator = np.random.default_rng(0)
    memories = (1 + 1e-6 * generator.random((16, 64))).astype(np.float32)
    exact = np.sum(np.square(1 - memories.astype(np.float64)), axis=-1)
    found = top_k_memories(
        np.ones(64, np.float32),
        memories,
        k=4,
        similarity=similarity.squared_euclidean,
    )
    assert found.scores.dtype == jnp.float32
    np.testing.assert_allclose(-found.scores, np.sort(exact)[:4], rtol=1e-6)


@pytest.mark.parametrize("name", ["dot", "euclidean"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_several_blocks_with_float64_enabled(x64, name, dtype):
    query, memories = (x.astype(dtype) for x in whole_numbers())
    score = SIMILARITIES[name]
    scores, indices = by_sorting(score(query, memories), 6)
    for block_size in (8, 1):  # the last of eight shares rows with the one before it
        found = top_k_memories(query, memories, k=6, similarity=score, block_size=block_size)
        assert found.indices.dtype == jnp.int32
        assert found.scores.dtype == dtype
        np.testing.assert_array_equal(found.indices, indices)
        np.testing.assert_allclose(found.scores, scores, atol=1e-6)


def test_duplicates_have_the_lowest_index_first():
    rng = np.random.default_rng(0)
    query, memories = (rng.normal(size=shape).astype(np.float32) for shape in ((64,), (40, 64)))
    memories[[3, 17, 31]] = query
    for block_size in (7, 40):
        for name in ("squared_euclidean", "manhattan"):
            score = SIMILARITIES[name]
            found = top_k_memories(query, memories, k=3, similarity=score, block_size=block_size)
            assert found.indices.tolist() == [3, 17, 31]
            assert not np.any(found.scores)


def test_eight_bit_bank():
    rng = np.random.default_rng(0)
    memories = rng.normal(size=(200, 32)) * np.linspace(0.1, 10, 200)[:, None]
    memories[5] = 0.0
    memories = memories.astype(np.float32)
    bank = quantize_memories(to_device(memories))
    assert bank.values.dtype == jnp.int8
    values, scale = map(np.asarray, bank)
    restored = values * scale[:, None]
    assert (np.abs(restored - memories) <= 0.5001 * scale[:, None]).all()
    query = (memories[::20] + 0.01 * rng.normal(size=(10, 32))).astype(np.float32)
    for name in ("squared_euclidean", "manhattan", "dot"):
        options = {"k": 5, "similarity": SIMILARITIES[name], "block_size": 64}
        eight = top_k_memories(query, bank.values, scale=bank.scale, **options)
        restored_search = top_k_memories(query, restored, **options)
        np.testing.assert_array_equal(eight.indices, restored_search.indices)
        np.testing.assert_allclose(eight.scores, restored_search.scores, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["dot", "squared_euclidean"])
def test_approximate_selection_is_exact_on_cpu(name):
    query, memories = whole_numbers()
    for k, block_size in ((1, 8), (1, 100), (5, 8)):
        options = {"k": k, "similarity": SIMILARITIES[name], "block_size": block_size}
        found = top_k_memories(query, memories, approximate=True, recall_target=0.8, **options)
        scores, indices = by_sorting(SIMILARITIES[name](query, memories), k)
        np.testing.assert_array_equal(found.scores, scores)
        np.testing.assert_array_equal(found.indices, indices)


def test_bfloat16_scores_in_float32():
    query, memories = (to_device(x, jnp.bfloat16) for x in whole_numbers())
    found = top_k_memories(query, memories, k=4, similarity=similarity.dot_product, block_size=8)
    scores, indices = by_sorting(similarity.dot_product(query, memories), 4)
    assert found.scores.dtype == jnp.float32
    np.testing.assert_array_equal(found.indices, indices)
    np.testing.assert_array_equal(found.scores, scores)


def test_gradient_of_scores():
    rng = np.random.default_rng(0)
    query, memories = (rng.normal(size=shape).astype(np.float32) for shape in ((3, D), (N, D)))

    def loss(query, memories):
        options = {"k": 4, "similarity": similarity.squared_euclidean, "block_size": 8}
        return jnp.sum(jnp.sin(top_k_memories(query, memories, **options).scores))

    def dense(query, memories):
        scores = -jnp.sum(jnp.square(query[:, None] - memories), axis=-1)
        return jnp.sum(jnp.sin(jax.lax.top_k(scores, 4)[0]))

    for ours, expected in zip(
        jax.jit(jax.grad(loss, (0, 1)))(query, memories),
        jax.jit(jax.grad(dense, (0, 1)))(query, memories),
        strict=True,
    ):
        np.testing.assert_allclose(ours, expected, atol=1e-5)


def test_vmap_equals_loop_and_jit_equals_eager():
    pairs = [whole_numbers(seed) for seed in range(3)]
    queries, banks = (np.stack(x) for x in zip(*pairs, strict=True))
    call = functools.partial(
        top_k_memories, k=4, similarity=similarity.squared_euclidean, block_size=8
    )
    together = jax.tree.map(np.asarray, jax.jit(jax.vmap(call))(queries, banks))
    for index, (query, memories) in enumerate(pairs):
        alone = call(query, memories)
        np.testing.assert_array_equal(together.indices[index], alone.indices)
        np.testing.assert_array_equal(together.scores[index], alone.scores)
    with jax.disable_jit():
        eager = call(*map(to_device, pairs[0]))
    np.testing.assert_array_equal(eager.indices, together.indices[0])


def test_temporary_memory_does_not_grow_with_the_bank():
    def temporary(n):
        arrays = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in ((16, 32), (n, 32))]
        options = {"k": 5, "similarity": similarity.squared_euclidean, "block_size": 128}
        compiled = jax.jit(functools.partial(top_k_memories, **options)).lower(*arrays).compile()
        return compiled.memory_analysis().temp_size_in_bytes

    small, large = temporary(2040), temporary(20400)
    assert large <= 1.1 * small
    assert large < 20400 * 32 * 4, "a copy of the bank"


@pytest.mark.parametrize(
    ("change", "argument"),
    [
        ({"k": 0}, "k"),
        ({"k": N + 1}, "k"),
        ({"k": 2.0}, "k"),
        ({"query": jnp.ones((2, D + 1))}, "query"),
        ({"memories": jnp.ones((0, D))}, "memories"),
        ({"mask": jnp.ones(N + 1, bool)}, "mask"),
        ({"scale": jnp.ones(N + 1)}, "scale"),
        ({"block_size": 0}, "block_size"),
        ({"recall_target": 0.0}, "recall_target"),
        ({"implementation": "palas"}, "implementation"),
        ({"implementation": "pallas"}, "similarity"),
        ({"similarity": similarity.reciprocal(similarity.manhattan)}, "similarity"),
        ({"memories": jnp.ones((N, D), jnp.int8)}, "memories"),
    ],
)
def test_refuses(bad_input, change, argument):
    query, memories = whole_numbers()
    arguments = {"query": query, "memories": memories, "k": 2}
    arguments["similarity"] = similarity.dot_product
    with pytest.raises(ValueError, match=f"^{argument}: "):
        top_k_memories(**(arguments | change))
