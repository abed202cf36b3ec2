"""Blocked soft retrieval against the dense formula, forward and backward."""

import functools

import chex
import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
from jax import export
from jax.test_util import check_grads

from jaxlab.hopfield import retrieve, similarity
from jaxlab.hopfield._blocks import Blocks
from jaxlab.hopfield.scale import logsumexp_blocked, retrieve_blocked
from jaxlab.hopfield.separation import softmax
from tests.helpers import to_device

N, D, P = 23, 6, 3
BLOCK_SIZES = (1, 8, 23, 100)
SIMILARITIES = {
    "dot": similarity.dot_product,
    "squared_euclidean": similarity.squared_euclidean,
    "manhattan": similarity.manhattan,
}


def dense_logits(query, memories, beta, mask, score):
    logits = jnp.asarray(beta)[..., None] * score(query, memories)
    return logits if mask is None else jnp.where(mask, logits, -jnp.inf)


@functools.partial(jax.jit, static_argnames="score")
def dense(query, memories, projection, beta, mask=None, score=similarity.dot_product):
    weights = jax.nn.softmax(dense_logits(query, memories, beta, mask, score), axis=-1)
    return weights @ (memories if projection is None else projection)


def data(seed=0, dtype=jnp.float32):
    rng = np.random.default_rng(seed)
    return tuple(to_device(rng.normal(size=shape), dtype) for shape in ((5, D), (N, D), (N, P)))


@pytest.fixture
def mask():
    return to_device(np.arange(N) % 3 != 1)


@pytest.mark.parametrize("n", [1, 2, 7, 23, 64])
@pytest.mark.parametrize("block_size", [1, 3, 8, 22, 23, 100])
def test_blocks_have_every_row_once(n, block_size):
    blocks = Blocks.of(n, block_size)
    assert blocks.size <= block_size
    seen = []
    for index in range(blocks.number):
        block = blocks.block(index)
        rows = np.asarray(block.rows(to_device(np.arange(n))))
        assert rows.shape == (blocks.size,)
        seen += list(rows if block.fresh is None else rows[np.asarray(block.fresh)])
    assert seen == list(range(n))


@pytest.mark.parametrize("block_size", BLOCK_SIZES)
@pytest.mark.parametrize("name", SIMILARITIES)
def test_equals_dense(name, block_size, mask):
    query, memories, projection = data()
    score = SIMILARITIES[name]
    output = retrieve_blocked(
        query,
        memories,
        projection,
        similarity=score,
        beta=0.7,
        block_size=block_size,
        mask=mask,
    )
    expected = dense(query, memories, projection, 0.7, mask, score)
    np.testing.assert_allclose(output, expected, atol=1e-5)


def test_equals_dot_product_attention():
    query, memories, projection = data()
    output = retrieve_blocked(
        query,
        memories,
        projection,
        similarity=similarity.dot_product,
        beta=0.5,
        block_size=5,
    )
    values = jnp.pad(projection, ((0, 0), (0, D - P)))
    expected = jax.nn.dot_product_attention(
        query[:, None], memories[:, None], values[:, None], scale=0.5
    )
    np.testing.assert_allclose(output, expected[:, 0, :P], atol=1e-5)


@functools.partial(jax.jit, static_argnames="score")
def dense_slopes(query, memories, projection, beta, mask, score):
    def loss(*arguments):
        return jnp.sum(jnp.sin(dense(*arguments, mask, score)))

    return jax.grad(loss, (0, 1, 2, 3))(query, memories, projection, beta)


@pytest.mark.parametrize("block_size", BLOCK_SIZES)
@pytest.mark.parametrize("name", SIMILARITIES)
def test_gradients_equal_dense(name, block_size, mask):
    query, memories, projection = data()
    score = SIMILARITIES[name]

    def blocked_loss(query, memories, projection, beta):
        options = {"similarity": score, "block_size": block_size, "mask": mask}
        output = retrieve_blocked(query, memories, projection, beta=beta, **options)
        return jnp.sum(jnp.sin(output))

    arguments = (query, memories, projection, np.float32(0.7))
    ours = jax.jit(jax.grad(blocked_loss, (0, 1, 2, 3)))(*arguments)
    theirs = dense_slopes(*arguments, mask, score)
    for got, expected in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(got, expected, atol=1e-5, rtol=1e-5)


def test_gradients_in_float64(x64, mask):
    arguments = (*data(dtype=np.float64), np.float64(0.7))

    @jax.jit
    def blocked_loss(query, memories, projection, beta):
        options = {"similarity": similarity.squared_euclidean, "block_size": 8, "mask": mask}
        output = retrieve_blocked(query, memories, projection, beta=beta, **options)
        assert output.dtype == jnp.float64
        return jnp.sum(jnp.sin(output))

    check_grads(blocked_loss, arguments, order=2, modes=["rev"], atol=1e-6, rtol=1e-6)


def test_autoassociation_gradient_reaches_memories_twice():
    query, memories, _ = data()
    options = {"similarity": similarity.dot_product, "beta": 0.7, "block_size": 8}
    ours = jax.jit(jax.grad(lambda m: jnp.sum(jnp.sin(retrieve_blocked(query, m, **options)))))(
        memories
    )
    expected = jax.jit(jax.grad(lambda m: jnp.sum(jnp.sin(dense(query, m, None, 0.7)))))(memories)
    np.testing.assert_allclose(ours, expected, atol=1e-5)


@pytest.mark.parametrize("transform", [lambda f: f, jax.jit], ids=["eager", "jit"])
def test_gradient_of_what_the_similarity_closes_over(transform):
    query, memories, projection = data()
    factor = to_device(np.random.default_rng(9).normal(size=(D, 2)), np.float32)

    def blocked_loss(factor):
        metric = similarity.mahalanobis(factor)
        options = {"similarity": metric, "beta": 0.3, "block_size": 8}
        return jnp.sum(retrieve_blocked(query, memories, projection, **options) ** 2)

    def dense_loss(factor):
        metric = similarity.mahalanobis(factor)
        return jnp.sum(dense(query, memories, projection, 0.3, None, metric) ** 2)

    ours = transform(jax.grad(blocked_loss))(factor)
    np.testing.assert_allclose(ours, jax.jit(jax.grad(dense_loss))(factor), atol=1e-4, rtol=1e-4)


def test_nan_reaches_the_output_unless_it_is_masked(mask):
    query, memories, projection = data()
    options = {"similarity": similarity.dot_product, "beta": 0.7, "block_size": 8, "mask": mask}
    query, absent = query.at[2, 0].set(jnp.nan), 1
    memories, projection = (x.at[absent].set(jnp.nan) for x in (memories, projection))
    output = np.asarray(retrieve_blocked(query, memories, projection, **options))
    np.testing.assert_array_equal(np.isnan(output).all(-1), np.arange(5) == 2)
    assert np.isfinite(np.delete(output, 2, axis=0)).all()
    logsumexp = logsumexp_blocked(query, memories, **options)
    np.testing.assert_array_equal(np.isnan(logsumexp), np.arange(5) == 2)
    memories = memories.at[2, 1].set(jnp.nan)
    assert np.isnan(retrieve_blocked(query, memories, projection, **options)).all()


def test_whole_numbers_have_no_gradient():
    generator = np.random.default_rng(2)
    query = to_device(generator.choice([-1.0, 1.0], (5, D)), np.float32)
    bits = to_device(generator.choice([-1, 1], (N, D)), np.int8)

    def loss(retrieval, query, memories, beta):
        return jnp.sum(jnp.sin(retrieval(query, memories, beta)))

    def blocked(query, memories, beta):
        return retrieve_blocked(
            query, memories, similarity=similarity.bipolar_hamming, beta=beta, block_size=8
        )

    def whole(query, memories, beta):
        scores = similarity.bipolar_hamming(query, memories)
        return jax.nn.softmax(beta * scores, axis=-1) @ memories.astype(jnp.float32)

    got, expected = (
        jax.jit(jax.grad(functools.partial(loss, each), argnums=(0, 2)))(query, bits, 0.7)
        for each in (blocked, whole)
    )
    np.testing.assert_allclose(got[0], expected[0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(got[1], expected[1], rtol=1e-4)
    of_beta = jax.jit(jax.grad(functools.partial(loss, blocked), argnums=2))
    np.testing.assert_allclose(of_beta(query.astype(jnp.int8), bits, 0.7), expected[1], rtol=1e-4)


def test_similarity_may_be_wider_than_the_patterns(x64):
    query, memories, projection = data()
    factor = to_device(np.random.default_rng(4).normal(size=(D, 2)))
    score = similarity.mahalanobis(factor)
    got = retrieve_blocked(query, memories, projection, similarity=score, beta=0.7, block_size=8)
    expected = retrieve(query, memories, projection, similarity=score, separation=softmax(0.7))
    assert got.dtype == expected.output.dtype == jnp.float32
    np.testing.assert_allclose(got, expected.output, rtol=1e-5)


def test_similarity_may_close_over_known_integers():
    query, memories, _ = data()
    order = jnp.arange(D)[::-1]

    def score(query, memories):
        return similarity.dot_product(query[..., order], memories)

    slope = jax.jit(
        jax.grad(
            lambda q: retrieve_blocked(q, memories, similarity=score, beta=1.0, block_size=8).sum()
        )
    )
    expected = jax.jit(jax.grad(lambda q: dense(q[..., ::-1], memories, None, 1.0).sum()))(query)
    np.testing.assert_allclose(slope(query), expected, atol=1e-5)


def test_embedded_similarity():
    query, memories, projection = data()
    score = similarity.embedded(similarity.manhattan, jnp.tanh)
    options = {"similarity": score, "beta": 2.0, "block_size": 5}
    output = retrieve_blocked(query, jnp.tanh(memories), projection, **options)
    expected = dense(
        jnp.tanh(query), jnp.tanh(memories), projection, 2.0, None, similarity.manhattan
    )
    np.testing.assert_allclose(output, expected, atol=1e-5)


def test_one_beta_per_query():
    query, memories, projection = data()
    query = to_device(np.stack([query, -np.asarray(query)]))
    beta = to_device([[0.5], [2.0]], np.float32)
    options = {"similarity": similarity.dot_product, "beta": beta, "block_size": 8}
    output = retrieve_blocked(query, memories, projection, **options)
    expected = dense(query, memories, projection, beta)
    np.testing.assert_allclose(output, expected, atol=1e-5)


@pytest.mark.parametrize("block_size", [8, 100])
def test_everything_masked(block_size):
    query, memories, projection = data()
    options = {"similarity": similarity.dot_product, "block_size": block_size}
    nothing = to_device(np.zeros(N, bool))

    def loss(query, memories, projection, beta):
        output = retrieve_blocked(query, memories, projection, beta=beta, mask=nothing, **options)
        return jnp.sum(output), output

    slopes = jax.jit(jax.grad(loss, (0, 1, 2, 3), has_aux=True))
    gradients, output = slopes(query, memories, projection, 1.0)
    assert not np.any(output)
    assert all(not np.any(gradient) for gradient in gradients)
    logsumexp = logsumexp_blocked(query, memories, beta=1.0, mask=nothing, **options)
    assert (np.asarray(logsumexp) == -np.inf).all()


@pytest.mark.parametrize("block_size", [5, 100])
def test_whole_blocks_masked(block_size):
    query, memories, projection = data()
    mask = to_device((np.arange(N) >= 7) & (np.arange(N) < 12))
    options = {"similarity": similarity.dot_product, "beta": 1.0, "block_size": block_size}
    output = retrieve_blocked(query, memories, projection, mask=mask, **options)
    expected = dense(query, memories[7:12], projection[7:12], 1.0)
    np.testing.assert_allclose(output, expected, atol=1e-6)


def test_extreme_temperatures():
    query, memories, projection = data()
    call = functools.partial(
        retrieve_blocked, query, memories, projection, similarity=similarity.dot_product
    )
    uniform = call(beta=0.0, block_size=8)
    mean = np.asarray(projection).mean(0)
    np.testing.assert_allclose(uniform, np.tile(mean, (5, 1)), atol=1e-6)
    sharp = call(beta=1e6, block_size=8)
    winner = np.argmax(np.asarray(query) @ np.asarray(memories).T, axis=-1)
    np.testing.assert_allclose(sharp, np.asarray(projection)[winner], atol=1e-6)
    slope = jax.jit(jax.grad(lambda beta: call(beta=beta, block_size=8).sum()))
    assert np.isfinite(slope(0.0))
    assert np.isfinite(slope(1e6))


def test_single_memory_and_no_query():
    query, memories, projection = data()
    options = {"similarity": similarity.manhattan, "beta": 3.0}
    one = retrieve_blocked(query, memories[:1], projection[:1], **options)
    np.testing.assert_allclose(one, np.tile(projection[:1], (5, 1)), atol=1e-6)
    assert retrieve_blocked(query[:0], memories, block_size=8, **options).shape == (0, D)
    assert retrieve_blocked(query[0], memories, block_size=8, **options).shape == (D,)
    assert logsumexp_blocked(query[0], memories, block_size=8, **options).shape == ()


def test_bfloat16_accumulates_in_float32():
    query, memories, projection = data()
    low = [to_device(x, jnp.bfloat16) for x in (query, memories, projection)]
    options = {"similarity": similarity.dot_product, "beta": 0.7, "block_size": 8}
    output = retrieve_blocked(*low, **options)
    assert output.dtype == jnp.bfloat16
    expected = dense(*(to_device(x, np.float32) for x in low), 0.7)
    np.testing.assert_allclose(np.asarray(output, np.float32), expected, atol=1e-2)
    slopes = jax.jit(jax.grad(lambda *x: jnp.sum(retrieve_blocked(*x, **options) ** 2), (0, 1, 2)))
    gradients = slopes(*low)
    assert all(gradient.dtype == jnp.bfloat16 for gradient in gradients)
    logsumexp = logsumexp_blocked(low[0], low[1], **options)
    assert logsumexp.dtype == jnp.float32


def test_equals_retrieve(mask):
    query, memories, projection = data()
    separated = retrieve(
        query,
        memories,
        projection,
        similarity=similarity.manhattan,
        separation=softmax(beta=2.0),
        mask=mask,
    )
    output = retrieve_blocked(
        query,
        memories,
        projection,
        similarity=similarity.manhattan,
        beta=2.0,
        block_size=8,
        mask=mask,
    )
    np.testing.assert_allclose(output, separated.output, atol=1e-6)


def test_logsumexp_and_its_gradient(mask):
    query, memories, _ = data()
    options = {"similarity": similarity.dot_product, "block_size": 8, "mask": mask}
    ours = logsumexp_blocked(query, memories, beta=0.7, **options)
    logits = np.where(mask, 0.7 * np.asarray(query) @ np.asarray(memories).T, -np.inf)
    np.testing.assert_allclose(ours, scipy.special.logsumexp(logits, axis=-1), atol=1e-5)
    slope = jax.jit(jax.grad(lambda q: logsumexp_blocked(q, memories, beta=0.7, **options).sum()))
    expected = 0.7 * np.asarray(dense(query, memories, None, 0.7, mask))
    np.testing.assert_allclose(slope(query), expected, atol=1e-5)


def test_vmap_equals_loop():
    queries = np.stack([data(seed)[0] for seed in range(3)])
    banks = np.stack([data(seed)[1] for seed in range(3)])
    betas = np.float32([0.1, 1.0, 10.0])

    def call(query, memories, beta):
        options = {"similarity": similarity.manhattan, "block_size": 8}
        return jnp.sum(retrieve_blocked(query, memories, beta=beta, **options) ** 2)

    call = jax.value_and_grad(call, (0, 1, 2))
    together = jax.tree.map(np.asarray, jax.jit(jax.vmap(call))(queries, banks, betas))
    call = jax.jit(call)
    for index in range(3):
        alone = call(queries[index], banks[index], betas[index])
        one = jax.tree.map(lambda leaf, index=index: leaf[index], together)
        chex.assert_trees_all_close(one, alone, rtol=1e-7, atol=1e-5)


def test_jit_equals_eager():
    query, memories, projection = data()
    call = functools.partial(
        retrieve_blocked, similarity=similarity.dot_product, beta=1.0, block_size=8
    )
    compiled = jax.jit(call)(query, memories, projection)
    with jax.disable_jit():
        eager = call(query, memories, projection)
    np.testing.assert_allclose(compiled, eager, atol=1e-6)


@hypothesis.given(seed=st.integers(0, 2**31 - 1), beta=st.floats(0, 100))
def test_order_and_padding_do_not_matter(seed, beta):
    query, memories, projection = data(seed)
    options = {"similarity": similarity.dot_product, "beta": beta, "block_size": 8}

    def run(mask, *bank):
        return retrieve_blocked(query, *map(to_device, bank), mask=to_device(mask), **options)

    everything = np.ones(N, bool)
    memories, projection = np.asarray(memories), np.asarray(projection)
    output = run(everything, memories, projection)
    order = np.random.default_rng(seed).permutation(N)
    permuted = run(everything, memories[order], projection[order])
    np.testing.assert_allclose(output, permuted, atol=1e-4)
    # rows that are not there may hold anything
    present = ~np.isin(np.arange(N), order[:9])
    filled, emptied = (
        [np.where(present[:, None], x, np.float32(other)) for x in (memories, projection)]
        for other in (1e3, 0.0)
    )
    np.testing.assert_array_equal(run(present, *filled), run(present, *emptied))


@hypothesis.given(seed=st.integers(0, 2**31 - 1))
def test_output_lies_among_the_projection(seed):
    query, memories, projection = data(seed)
    options = {"similarity": similarity.manhattan, "beta": 1.0, "block_size": 8}
    output = np.asarray(retrieve_blocked(query, memories, projection, **options))
    assert (output <= np.max(projection, 0) + 1e-5).all()
    assert (output >= np.min(projection, 0) - 1e-5).all()


@pytest.mark.parametrize("name", ["dot", "manhattan"])
def test_temporary_memory_does_not_grow_with_the_bank(name):
    def loss(query, memories, projection):
        options = {"similarity": SIMILARITIES[name], "beta": 1.0, "block_size": 128}
        return jnp.sum(retrieve_blocked(query, memories, projection, **options) ** 2)

    def temporary(function, n):
        shapes = [(16, 32), (n, 32), (n, 8)]
        arrays = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes]
        return jax.jit(function).lower(*arrays).compile().memory_analysis().temp_size_in_bytes

    for function in (loss, jax.grad(loss, (0, 1, 2))):
        small, large = temporary(function, 2040), temporary(function, 20400)
        assert large <= 1.1 * small
        assert large < 20400 * 32 * 4, "a copy of the bank"


def test_lowers_for_every_platform():
    options = {"similarity": similarity.manhattan, "beta": 1.0, "block_size": 8}
    loss = jax.jit(jax.grad(lambda *x: jnp.sum(retrieve_blocked(*x, **options)), (0, 1, 2)))
    exported = export.export(loss, platforms=("cpu", "cuda", "tpu"))(*data())
    assert set(exported.platforms) == {"cpu", "cuda", "tpu"}


@pytest.mark.parametrize(
    ("change", "argument"),
    [
        ({"query": jnp.ones((2, D + 1))}, "query"),
        ({"memories": jnp.ones((0, D))}, "memories"),
        ({"projection": jnp.ones((N + 1, P))}, "projection"),
        ({"mask": jnp.ones(N)}, "mask"),
        ({"mask": jnp.ones(N + 1, bool)}, "mask"),
        ({"beta": -1.0}, "beta"),
        ({"beta": float("nan")}, "beta"),
        ({"beta": jnp.ones(3)}, "beta"),
        ({"block_size": 0}, "block_size"),
        ({"block_size": 2.5}, "block_size"),
        ({"query": jnp.ones((2, D), jnp.int32)}, "query"),
        ({"similarity": similarity.reciprocal(similarity.manhattan)}, "similarity"),
    ],
)
def test_refuses(bad_input, change, argument):
    query, memories, projection = data()
    arguments = {"query": query, "memories": memories, "projection": projection}
    arguments |= {"similarity": similarity.dot_product, "beta": 1.0, "block_size": 8}
    with pytest.raises(ValueError, match=f"^{argument}: "):
        retrieve_blocked(**(arguments | change))
