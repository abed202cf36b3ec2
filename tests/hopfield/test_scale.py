"""Blocked soft retrieval against the dense formula, forward and backward."""

import functools

import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export
from jax.test_util import check_grads

from jaxlab.hopfield import retrieve, similarity
from jaxlab.hopfield._blocks import Blocks
from jaxlab.hopfield.scale import logsumexp_blocked, retrieve_blocked
from jaxlab.hopfield.separation import softmax

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


def dense(query, memories, projection, beta, mask=None, score=similarity.dot_product):
    weights = jax.nn.softmax(dense_logits(query, memories, beta, mask, score), axis=-1)
    return weights @ (memories if projection is None else projection)


def data(seed=0, dtype=jnp.float32):
    keys = jax.random.split(jax.random.key(seed), 3)
    query = jax.random.normal(keys[0], (5, D), dtype)
    memories = jax.random.normal(keys[1], (N, D), dtype)
    return query, memories, jax.random.normal(keys[2], (N, P), dtype)


@pytest.fixture
def mask():
    return jnp.arange(N) % 3 != 1


@pytest.mark.parametrize("n", [1, 2, 7, 23, 64])
@pytest.mark.parametrize("block_size", [1, 3, 8, 22, 23, 100])
def test_blocks_have_every_row_once(n, block_size):
    blocks = Blocks.of(n, block_size)
    assert blocks.size <= block_size
    seen = []
    for index in range(blocks.number):
        block = blocks.block(index)
        rows = np.asarray(block.rows(jnp.arange(n)))
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


@pytest.mark.parametrize("block_size", BLOCK_SIZES)
@pytest.mark.parametrize("name", SIMILARITIES)
def test_gradients_equal_dense(name, block_size, mask):
    query, memories, projection = data()
    score = SIMILARITIES[name]

    def blocked_loss(query, memories, projection, beta):
        options = {"similarity": score, "block_size": block_size, "mask": mask}
        output = retrieve_blocked(query, memories, projection, beta=beta, **options)
        return jnp.sum(jnp.sin(output))

    def dense_loss(query, memories, projection, beta):
        return jnp.sum(jnp.sin(dense(query, memories, projection, beta, mask, score)))

    arguments = (query, memories, projection, jnp.float32(0.7))
    ours = jax.grad(blocked_loss, (0, 1, 2, 3))(*arguments)
    for got, expected in zip(ours, jax.grad(dense_loss, (0, 1, 2, 3))(*arguments), strict=True):
        np.testing.assert_allclose(got, expected, atol=1e-5, rtol=1e-5)


def test_gradients_in_float64(x64, mask):
    arguments = (*data(dtype=jnp.float64), jnp.float64(0.7))

    def blocked_loss(query, memories, projection, beta):
        options = {"similarity": similarity.squared_euclidean, "block_size": 8, "mask": mask}
        # check_grads passes numpy arrays for its numerical derivative
        query, memories, projection, beta = map(jnp.asarray, (query, memories, projection, beta))
        output = retrieve_blocked(query, memories, projection, beta=beta, **options)
        assert output.dtype == jnp.float64
        return jnp.sum(jnp.sin(output))

    check_grads(blocked_loss, arguments, order=2, modes=["rev"], atol=1e-6, rtol=1e-6)


def test_autoassociation_gradient_reaches_memories_twice():
    query, memories, _ = data()
    options = {"similarity": similarity.dot_product, "beta": 0.7, "block_size": 8}
    ours = jax.grad(lambda m: jnp.sum(jnp.sin(retrieve_blocked(query, m, **options))))(memories)
    expected = jax.grad(lambda m: jnp.sum(jnp.sin(dense(query, m, None, 0.7))))(memories)
    np.testing.assert_allclose(ours, expected, atol=1e-5)


@pytest.mark.parametrize("transform", [lambda f: f, jax.jit], ids=["eager", "jit"])
def test_gradient_of_what_the_similarity_closes_over(transform):
    query, memories, projection = data()
    factor = jax.random.normal(jax.random.key(9), (D, 2))

    def blocked_loss(factor):
        metric = similarity.mahalanobis(factor)
        options = {"similarity": metric, "beta": 0.3, "block_size": 8}
        return jnp.sum(retrieve_blocked(query, memories, projection, **options) ** 2)

    def dense_loss(factor):
        metric = similarity.mahalanobis(factor)
        return jnp.sum(dense(query, memories, projection, 0.3, None, metric) ** 2)

    ours = transform(jax.grad(blocked_loss))(factor)
    np.testing.assert_allclose(ours, jax.grad(dense_loss)(factor), atol=1e-4, rtol=1e-4)


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
    expected = jax.grad(lambda q: dense(q[..., ::-1], memories, None, 1.0).sum())(query)
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
    query = jnp.stack([query, -query])
    beta = jnp.array([[0.5], [2.0]])
    options = {"similarity": similarity.dot_product, "beta": beta, "block_size": 8}
    output = retrieve_blocked(query, memories, projection, **options)
    expected = dense(query, memories, projection, beta)
    np.testing.assert_allclose(output, expected, atol=1e-5)


@pytest.mark.parametrize("block_size", [8, 100])
def test_everything_masked(block_size):
    query, memories, projection = data()
    options = {"similarity": similarity.dot_product, "block_size": block_size}
    nothing = jnp.zeros(N, bool)

    def loss(query, memories, projection, beta):
        output = retrieve_blocked(query, memories, projection, beta=beta, mask=nothing, **options)
        return jnp.sum(output), output

    gradients, output = jax.grad(loss, (0, 1, 2, 3), has_aux=True)(query, memories, projection, 1.0)
    assert not output.any()
    assert all(not gradient.any() for gradient in gradients)
    logsumexp = logsumexp_blocked(query, memories, beta=1.0, mask=nothing, **options)
    assert (logsumexp == -jnp.inf).all()


@pytest.mark.parametrize("block_size", [5, 100])
def test_whole_blocks_masked(block_size):
    query, memories, projection = data()
    mask = (jnp.arange(N) >= 7) & (jnp.arange(N) < 12)
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
    np.testing.assert_allclose(uniform, jnp.tile(projection.mean(0), (5, 1)), atol=1e-6)
    sharp = call(beta=1e6, block_size=8)
    winner = jnp.argmax(query @ memories.T, axis=-1)
    np.testing.assert_allclose(sharp, projection[winner], atol=1e-6)
    slope = jax.grad(lambda beta: call(beta=beta, block_size=8).sum())
    assert jnp.isfinite(slope(0.0))
    assert jnp.isfinite(slope(1e6))


def test_single_memory_and_no_query():
    query, memories, projection = data()
    options = {"similarity": similarity.manhattan, "beta": 3.0}
    one = retrieve_blocked(query, memories[:1], projection[:1], **options)
    np.testing.assert_allclose(one, jnp.tile(projection[:1], (5, 1)), atol=1e-6)
    assert retrieve_blocked(query[:0], memories, block_size=8, **options).shape == (0, D)
    assert retrieve_blocked(query[0], memories, block_size=8, **options).shape == (D,)
    assert logsumexp_blocked(query[0], memories, block_size=8, **options).shape == ()


def test_bfloat16_accumulates_in_float32():
    query, memories, projection = data()
    low = [x.astype(jnp.bfloat16) for x in (query, memories, projection)]
    options = {"similarity": similarity.dot_product, "beta": 0.7, "block_size": 8}
    output = retrieve_blocked(*low, **options)
    assert output.dtype == jnp.bfloat16
    expected = dense(*(x.astype(jnp.float32) for x in low), 0.7)
    np.testing.assert_allclose(output.astype(jnp.float32), expected, atol=1e-2)
    gradients = jax.grad(lambda *x: jnp.sum(retrieve_blocked(*x, **options) ** 2), (0, 1, 2))(*low)
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
    logits = dense_logits(query, memories, 0.7, mask, similarity.dot_product)
    np.testing.assert_allclose(ours, jax.nn.logsumexp(logits, axis=-1), atol=1e-5)
    slope = jax.grad(lambda q: logsumexp_blocked(q, memories, beta=0.7, **options).sum())(query)
    np.testing.assert_allclose(slope, 0.7 * dense(query, memories, None, 0.7, mask), atol=1e-5)


def test_vmap_equals_loop():
    queries = jnp.stack([data(seed)[0] for seed in range(3)])
    banks = jnp.stack([data(seed)[1] for seed in range(3)])
    betas = jnp.array([0.1, 1.0, 10.0])

    def call(query, memories, beta):
        options = {"similarity": similarity.manhattan, "block_size": 8}
        return jnp.sum(retrieve_blocked(query, memories, beta=beta, **options) ** 2)

    call = jax.value_and_grad(call, (0, 1, 2))
    together = jax.vmap(call)(queries, banks, betas)
    for index in range(3):
        alone = call(queries[index], banks[index], betas[index])
        jax.tree.map(
            lambda a, b, index=index: np.testing.assert_allclose(a[index], b, atol=1e-5),
            together,
            alone,
        )


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
    everything = jnp.ones(N, bool)
    output = retrieve_blocked(query, memories, projection, mask=everything, **options)
    order = np.random.default_rng(seed).permutation(N)
    permuted = retrieve_blocked(
        query, memories[order], projection[order], mask=everything, **options
    )
    np.testing.assert_allclose(output, permuted, atol=1e-4)
    # rows that are not there may hold anything
    present = everything.at[order[:9]].set(False)
    filled = [x.at[order[:9]].set(1e3) for x in (memories, projection)]
    emptied = [x.at[order[:9]].set(0.0) for x in (memories, projection)]
    np.testing.assert_array_equal(
        retrieve_blocked(query, *filled, mask=present, **options),
        retrieve_blocked(query, *emptied, mask=present, **options),
    )


@hypothesis.given(seed=st.integers(0, 2**31 - 1))
def test_output_lies_among_the_projection(seed):
    query, memories, projection = data(seed)
    options = {"similarity": similarity.manhattan, "beta": 1.0, "block_size": 8}
    output = retrieve_blocked(query, memories, projection, **options)
    assert (output <= projection.max(0) + 1e-5).all()
    assert (output >= projection.min(0) - 1e-5).all()


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
