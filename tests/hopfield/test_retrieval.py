"""Single-shot retrieval: reference outputs, guarantees, masks, transformations, edges, errors."""

import functools
import gc

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import distance

from jaxlab.hopfield import retrieve
from jaxlab.hopfield import separation as sep
from jaxlab.hopfield import similarity as sim
from tests.helpers import to_device

RNG = np.random.default_rng(2)
MEMORIES = RNG.uniform(0.1, 1, (9, 6)).astype(np.float32)
QUERY = RNG.uniform(0.1, 1, (4, 6)).astype(np.float32)
VALUES = RNG.normal(size=(9, 3)).astype(np.float32)
EYE = np.eye(2, dtype=np.float32)

GOLDEN_SIMILARITIES = {
    "normalized_dot_product": sim.sum_normalized(sim.normalized_dot_product),
    "manhattan": sim.reciprocal(sim.manhattan),
    "squared_euclidean": sim.reciprocal(sim.squared_euclidean),
    "kl_divergence": sim.reciprocal(sim.kl_divergence),
    "reverse_kl_divergence": sim.reciprocal(sim.reverse_kl_divergence),
    "published_jensen_shannon": sim.published_jensen_shannon,
}
GOLDEN_SEPARATIONS = {
    "log": sep.log,
    "identity": sep.identity,
    "sqrt": sep.polynomial(0.5),
    "square": sep.polynomial(2),
    "cube": sep.polynomial(3),
    "quartic": sep.polynomial(4),
    "tenth": sep.polynomial(10),
    "softmax_20": sep.softmax(20.0),
    "softmax_1000": sep.softmax(1000.0),
    "maximum": sep.maximum(),
}
# one of each kind of separation and of score, for the properties that every pair must have
PAIRS = {
    "dot_softmax": (sim.dot_product, sep.softmax(3.0)),
    "manhattan_maximum": (sim.manhattan, sep.maximum()),
    "euclidean_top_k": (sim.euclidean, sep.top_k(2, sep.softmax(1.0))),
    "cosine_polynomial": (sim.cosine, sep.polynomial(3)),
    "reciprocal_sqrt": (sim.reciprocal(sim.squared_euclidean), sep.polynomial(0.5)),
    "reciprocal_log": (sim.reciprocal(sim.manhattan), sep.log),
    "hamming_threshold": (sim.hamming, sep.threshold(-1.0)),
    "kl_exponential": (sim.kl_divergence, sep.exponential(2.0)),
    "jaccard_sparsemax": (sim.jaccard, sep.sparsemax(5.0)),
    "sum_normalized_identity": (sim.sum_normalized(sim.dot_product), sep.identity),
}
# the similarities and separations by themselves are tested eagerly elsewhere
EAGER = {"euclidean_top_k", "reciprocal_sqrt", "jaccard_sparsemax"}
EVERY_PAIR = pytest.mark.parametrize("pair", PAIRS)


@pytest.mark.parametrize("name", GOLDEN_SIMILARITIES)
def test_official_update_rule(name, golden):
    with np.load(golden / "hopfield" / "official_update_rule.npz") as reference:
        i = list(reference["similarities"]).index(name)
        order = [list(reference["separations"]).index(name) for name in GOLDEN_SEPARATIONS]
        arrays = [reference[a].astype(np.float32) for a in ("queries", "memories", "projection")]
        auto, hetero = reference["auto"][i, order], reference["hetero"][i, order]

    @jax.jit
    def every(queries, memories, projection):
        rules = [
            {
                "similarity": GOLDEN_SIMILARITIES[name],
                "separation": separation,
                "normalize_scores": True,
                "normalize_weights": True,
            }
            for separation in GOLDEN_SEPARATIONS.values()
        ]
        return (
            [retrieve(queries, memories, **rule).output for rule in rules],
            [retrieve(queries, memories, projection, **rule).output for rule in rules],
        )

    got = every(*arrays)
    for ours, theirs in zip(got, (auto, hetero), strict=True):
        for separation, a, b in zip(GOLDEN_SEPARATIONS, ours, theirs, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-5, err_msg=separation)


def test_worked_example():
    result = retrieve(
        np.float32([0.8, 0.3]), EYE, similarity=sim.dot_product, separation=sep.softmax(2.0)
    )
    np.testing.assert_allclose(result.scores, [0.8, 0.3], atol=1e-6)
    np.testing.assert_allclose(result.weights, [0.73106, 0.26894], atol=5e-6)
    np.testing.assert_allclose(result.output, [0.73106, 0.26894], atol=5e-6)


def test_dot_product_and_softmax_are_attention():
    expected = jax.nn.dot_product_attention(
        QUERY[None, :, None], MEMORIES[None, :, None], MEMORIES[None, :, None], scale=0.7
    )
    result = retrieve(QUERY, MEMORIES, similarity=sim.dot_product, separation=sep.softmax(0.7))
    np.testing.assert_allclose(result.output, expected[0, :, 0], rtol=1e-5)


def test_manhattan_and_softmax_by_hand():
    result = retrieve(QUERY, MEMORIES, VALUES, similarity=sim.manhattan, separation=sep.softmax(2))
    weights = scipy.special.softmax(-2 * distance.cdist(QUERY, MEMORIES, "cityblock"), axis=-1)
    np.testing.assert_allclose(result.weights, weights, rtol=1e-5)
    np.testing.assert_allclose(result.output, weights @ VALUES, rtol=1e-4, atol=1e-6)


def test_normalisation_flags_are_the_explicit_steps():
    result = retrieve(
        QUERY,
        MEMORIES,
        similarity=sim.dot_product,
        separation=sep.polynomial(2),
        normalize_scores=True,
        normalize_weights=True,
    )
    scores = QUERY @ MEMORIES.T
    scores /= scores.sum(-1, keepdims=True)
    weights = scores**2 / (scores**2).sum(-1, keepdims=True)
    np.testing.assert_allclose(result.scores, scores, rtol=1e-5)
    np.testing.assert_allclose(result.weights, weights, rtol=1e-5)


@EVERY_PAIR
@pytest.mark.parametrize("normalize", [False, True])
def test_masked_memories_change_nothing(pair, normalize):
    similarity, separation = PAIRS[pair]
    flags = {"normalize_scores": normalize and max(similarity.score_range) > 0}
    flags |= {"normalize_weights": normalize, "similarity": similarity, "separation": separation}
    expected = retrieve(QUERY, MEMORIES, VALUES, **flags)
    there = np.array([1, 2, 4, 5, 6, 8, 9, 10, 12])
    mask = np.isin(np.arange(13), there)
    # padding that would be the best match, padding of zeros, and padding of NaN
    bank, values = np.zeros((13, 6), np.float32), np.full((13, 3), 1e3, np.float32)
    bank[0], bank[3], bank[there], values[there] = QUERY[0], QUERY[1], MEMORIES, VALUES
    bank[11], values[11] = np.nan, np.nan
    result = jax.tree.map(np.asarray, retrieve(QUERY, bank, values, mask=mask, **flags))
    np.testing.assert_allclose(result.output, expected.output, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(result.weights[:, there], expected.weights, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(result.scores[:, there], expected.scores, rtol=1e-5, atol=1e-6)
    assert (result.weights[:, ~mask] == 0).all()
    assert (result.scores[:, ~mask] == -np.inf).all()


@EVERY_PAIR
def test_nan_reaches_the_output(pair):
    similarity, separation = PAIRS[pair]
    if similarity is sim.hamming:  # NaN is one more difference
        similarity = sim.bipolar_hamming
    query, memories = QUERY.copy(), MEMORIES.copy()
    query[2, 1], memories[5, 0] = np.nan, np.nan
    options = {"similarity": similarity, "separation": separation}
    assert np.isnan(retrieve(QUERY, memories, VALUES, **options).output).all()
    output = np.asarray(retrieve(query, MEMORIES, VALUES, **options).output)
    np.testing.assert_array_equal(np.isnan(output).all(-1), np.arange(4) == 2)


def test_what_is_made_of_a_function_compiles_once():
    traces = []

    def encoder(x):
        traces.append(1)
        return x

    for _ in range(3):
        similarity = sim.embedded(sim.manhattan, encoder)
        retrieve(QUERY, MEMORIES, similarity=similarity, separation=sep.softmax(2.0))
        del similarity
        gc.collect()
    assert len(traces) == 1


@EVERY_PAIR
def test_all_masked_gives_zeros_and_finite_gradients(pair):
    similarity, separation = PAIRS[pair]

    def run(query, memories, mask):
        result = retrieve(
            query,
            memories,
            similarity=similarity,
            separation=separation,
            mask=mask,
            normalize_weights=True,
        )
        return result.output.sum(), result

    slope = jax.jit(jax.grad(run, argnums=(0, 1), has_aux=True))
    gradients, result = jax.tree.map(np.asarray, slope(QUERY, MEMORIES, np.zeros(9, bool)))
    assert (result.output == 0).all()
    assert (result.weights == 0).all()
    assert (result.scores == -np.inf).all()
    assert all((gradient == 0).all() for gradient in gradients)


@EVERY_PAIR
def test_order_of_memories_does_not_matter(pair):
    similarity, separation = PAIRS[pair]
    order = np.random.default_rng(1).permutation(9)
    rule = {"similarity": similarity, "separation": separation}
    straight = retrieve(QUERY, MEMORIES, VALUES, **rule)
    permuted = retrieve(QUERY, MEMORIES[order], VALUES[order], **rule)
    np.testing.assert_allclose(permuted.output, straight.output, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        permuted.weights, np.asarray(straight.weights)[:, order], rtol=1e-4, atol=1e-6
    )


@EVERY_PAIR
def test_batch_vmap_and_eager(pair):
    similarity, separation = PAIRS[pair]

    memories, values = to_device(MEMORIES), to_device(VALUES)

    def run(query):
        return retrieve(query, memories, values, similarity=similarity, separation=separation)

    whole = run(QUERY)
    for got in (jax.vmap(run)(QUERY), jax.tree.map(lambda *x: np.stack(x), *map(run, QUERY))):
        for ours, theirs in zip(got, whole, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)
    if pair in EAGER:
        with jax.disable_jit():
            eager = run(to_device(QUERY))
        np.testing.assert_allclose(eager.output, whole.output, rtol=1e-5, atol=1e-5)
    empty = jax.eval_shape(run, QUERY[:0])
    assert (empty.output.shape, empty.weights.shape) == ((0, 3), (0, 9))
    one = retrieve(
        QUERY, MEMORIES[:1], similarity=similarity, separation=sep.softmax(1.0)
    )  # with one memory, all the weight is its own
    np.testing.assert_allclose(one.output, np.tile(MEMORIES[0], (4, 1)), rtol=1e-6)


def test_gradients_in_all_arrays_and_parameters(x64):
    arguments = {
        "query": QUERY.astype(np.float64),
        "memories": MEMORIES.astype(np.float64),
        "projection": VALUES.astype(np.float64),
        "beta": np.float64(1.5),
        "factor": RNG.normal(size=(6, 4)),
    }
    mask = np.arange(9) != 4

    @jax.jit
    def total(a):
        output = retrieve(
            a["query"],
            a["memories"],
            a["projection"],
            similarity=sim.mahalanobis(a["factor"]),
            separation=sep.softmax(a["beta"]),
            mask=mask,
        ).output
        return jnp.sum(output**2)

    gradient = jax.tree.map(np.asarray, jax.jit(jax.grad(total))(arguments))
    for name, value in arguments.items():
        step = 1e-6 * np.random.default_rng(0).normal(size=value.shape)
        difference = total(arguments | {name: value + step}) - total(
            arguments | {name: value - step}
        )
        np.testing.assert_allclose(
            2 * np.vdot(gradient[name], step), difference, rtol=1e-6, err_msg=name
        )
    assert (gradient["projection"][4] == 0).all()


@pytest.mark.parametrize("transform", ["grad", "jit_grad", "grad_jit"])
def test_gradient_of_a_closed_over_beta(transform):
    def total(beta):
        return retrieve(
            QUERY, MEMORIES, similarity=sim.manhattan, separation=sep.softmax(beta)
        ).output.sum()

    gradient = {
        "grad": jax.grad(total),
        "jit_grad": jax.jit(jax.grad(total)),
        "grad_jit": jax.grad(jax.jit(total)),
    }[transform]
    scores = -distance.cdist(QUERY, MEMORIES, "cityblock")
    # d softmax(βs)·r / dβ is the covariance of s and r under the weights
    for beta in (0.5, 2.0):
        w = scipy.special.softmax(beta * scores, axis=-1)
        r = MEMORIES.sum(-1)
        covariance = (w * scores * r).sum(-1) - (w * scores).sum(-1) * (w * r).sum(-1)
        np.testing.assert_allclose(gradient(beta), covariance.sum(), rtol=1e-4)


def test_vmap_over_a_closed_over_beta():
    def run(beta):
        separation = sep.softmax(beta)
        return retrieve(QUERY, MEMORIES, similarity=sim.euclidean, separation=separation).output

    betas = np.float32([0.0, 1.0, 5.0])
    mapped = np.asarray(jax.jit(jax.vmap(run))(betas))
    for beta, output in zip(betas, mapped, strict=True):
        np.testing.assert_allclose(run(float(beta)), output, rtol=1e-5)
    # one number per head, against queries [heads, queries, d]
    heads = retrieve(
        np.broadcast_to(QUERY, (3, 4, 6)),
        MEMORIES,
        similarity=sim.euclidean,
        separation=sep.softmax(to_device(betas[:, None])),
    ).output
    np.testing.assert_allclose(heads, mapped, rtol=1e-5)


def test_equal_parameters_compile_once():
    traces = []

    def counted(query, memories):
        traces.append(1)
        return query @ memories.T

    for beta in (8.0, 8, np.float32(8)):
        retrieve(QUERY, MEMORIES, similarity=counted, separation=sep.softmax(beta))
    assert len(traces) == 1


def test_plain_functions_will_do():
    result = retrieve(
        QUERY,
        MEMORIES,
        similarity=lambda q, m: q @ m.T,
        separation=lambda s: jax.nn.softmax(s, axis=-1),
        mask=np.arange(9) < 8,
    )
    expected = scipy.special.softmax(QUERY @ MEMORIES[:8].T, axis=-1) @ MEMORIES[:8]
    np.testing.assert_allclose(result.output, expected, rtol=1e-5)


def test_codes_and_patterns_may_differ_in_size():
    def encoder(x):
        return x.reshape(*x.shape[:-1], 3, 2).sum(-1)

    result = retrieve(
        MEMORIES[2],
        encoder(MEMORIES),
        MEMORIES,
        similarity=sim.embedded(sim.manhattan, encoder),
        separation=sep.maximum(),
    )
    np.testing.assert_array_equal(result.output, MEMORIES[2])


patterns = st.lists(
    st.lists(st.integers(0, 4), min_size=3, max_size=3), min_size=5, max_size=5
).map(lambda rows: np.asarray(rows, np.float32))


@given(patterns, st.integers(0, 4))
def test_a_stored_pattern_is_retrieved_exactly(memories, index):
    # few values: duplicates are common, and the output must be the pattern all the same
    for similarity in (
        sim.squared_euclidean,
        sim.euclidean,
        sim.manhattan,
        sim.chebyshev,
        sim.hamming,
        sim.minkowski(3),
        sim.reciprocal(sim.manhattan),
        sim.smooth_manhattan(0.5),
    ):
        result = retrieve(
            memories[index], memories, similarity=similarity, separation=sep.maximum()
        )
        np.testing.assert_array_equal(result.output, memories[index])
        assert int(np.argmax(result.weights)) == min(
            j for j in range(5) if (memories[j] == memories[index]).all()
        )


@given(
    st.lists(st.floats(-2, 2, width=32), min_size=18, max_size=18),
    st.integers(0, 4),
    st.sampled_from([0.5, 2.0, 10.0]),
)
def test_margin_bound(values, index, beta):
    values = np.asarray(values, np.float32).reshape(6, 3)
    query, memories = values[5], values[:5]
    for similarity in (sim.dot_product, sim.manhattan, sim.squared_euclidean, sim.cosine):
        result = retrieve(query, memories, similarity=similarity, separation=sep.softmax(beta))
        scores = np.asarray(result.scores, float)
        margin = scores[index] - np.delete(scores, index).max()
        others = 4 * np.exp(-beta * margin)
        spread = np.linalg.norm(memories - memories[index], axis=-1).max()
        error = np.linalg.norm(np.asarray(result.output) - memories[index])
        assert error <= others / (1 + others) * spread + 1e-5


def test_euclidean_equals_dot_product_when_all_norms_are_equal():
    memories = MEMORIES / np.linalg.norm(MEMORIES, axis=-1, keepdims=True)
    # β s shifted by a constant: −β‖q − m‖² = 2β q·m − const
    squared = retrieve(
        QUERY, memories, similarity=sim.squared_euclidean, separation=sep.softmax(1.5)
    )
    dot = retrieve(QUERY, memories, similarity=sim.dot_product, separation=sep.softmax(3.0))
    np.testing.assert_allclose(squared.output, dot.output, rtol=1e-5)
    biased = retrieve(
        QUERY, MEMORIES, similarity=sim.biased_dot_product, separation=sep.softmax(3.0)
    )
    plain = retrieve(QUERY, MEMORIES, similarity=sim.squared_euclidean, separation=sep.softmax(1.5))
    np.testing.assert_allclose(biased.output, plain.output, rtol=1e-5)


def test_extreme_inverse_temperatures():
    for similarity in (sim.dot_product, sim.squared_euclidean, sim.kl_divergence):
        flat = retrieve(QUERY, MEMORIES, similarity=similarity, separation=sep.softmax(0.0))
        np.testing.assert_allclose(flat.output, np.tile(MEMORIES.mean(0), (4, 1)), rtol=1e-5)
        sharp = retrieve(QUERY, MEMORIES, similarity=similarity, separation=sep.softmax(1e6))
        best = retrieve(QUERY, MEMORIES, similarity=similarity, separation=sep.maximum())
        np.testing.assert_array_equal(sharp.output, best.output)


def test_zero_query_and_zero_memory_stay_finite():
    memories = MEMORIES.copy()
    memories[3] = 0.0
    for similarity in (
        sim.cosine,
        sim.normalized_dot_product,
        sim.kl_divergence,
        sim.reverse_kl_divergence,
        sim.symmetric_kl,
        sim.jensen_shannon,
        sim.published_jensen_shannon,
        sim.jaccard,
        sim.reciprocal(sim.kl_divergence),
    ):
        for query in (memories[3], memories[0]):
            result = retrieve(query, memories, similarity=similarity, separation=sep.softmax(1.0))
            assert np.isfinite(result.output).all()


@pytest.mark.parametrize(
    "separation", [sep.identity, sep.log, sep.polynomial(0.5), sep.softmax(1000.0), sep.maximum()]
)
def test_reciprocal_scores_of_a_stored_query_are_finite(separation):
    result = retrieve(
        MEMORIES[5],
        MEMORIES,
        similarity=sim.reciprocal(sim.manhattan),
        separation=separation,
        normalize_scores=True,
        normalize_weights=True,
    )
    assert np.isfinite(result.output).all()
    np.testing.assert_array_equal(result.scores, np.eye(9)[5])


def test_zero_sums_normalise_to_zero():
    result = retrieve(
        np.float32([1, -1]),
        EYE,
        similarity=sim.dot_product,
        separation=sep.identity,
        normalize_scores=True,
        normalize_weights=True,
    )
    for part in result:
        np.testing.assert_array_equal(part, [0, 0])


def test_dtypes(x64):
    def dtypes(query, memories, similarity=sim.dot_product):
        rule = {"similarity": similarity, "separation": sep.softmax(1.0)}
        result = jax.eval_shape(functools.partial(retrieve, **rule), query, memories)
        return tuple(part.dtype.name for part in result)

    patterns = {
        name: to_device(np.ones((2, 2)), jnp.dtype(name))
        for name in ("bfloat16", "float16", "float32")
    }
    for name, x in patterns.items():
        assert dtypes(x, x) == (name, "float32", "float32")
        assert dtypes(patterns["float32"], x) == ("float32",) * 3
    double = np.ones((2, 2))
    assert dtypes(double, double) == ("float64",) * 3
    whole = np.ones((2, 2), np.int8)
    assert dtypes(whole, whole, sim.hamming) == ("float32",) * 3


def test_half_precision_outputs_accumulate_in_float32():
    # 4096 equal weights: a bfloat16 sum would stop growing at 256
    ones = jnp.ones((4096, 2), jnp.bfloat16)
    result = retrieve(ones[0], ones, similarity=sim.dot_product, separation=sep.identity)
    np.testing.assert_array_equal(result.output.astype(float), [8192, 8192])


@pytest.mark.usefixtures("bad_input")
class TestErrors:
    def run(self, query=QUERY, memories=MEMORIES, projection=None, **options):
        options = {"similarity": sim.dot_product, "separation": sep.identity} | options
        return retrieve(query, memories, projection, **options)

    def test_feature_sizes(self):
        for similarity in (sim.dot_product, lambda q, m: q @ m.T):
            with pytest.raises(ValueError, match=r"query: expected shape \[\.\.\., 6\]"):
                self.run(query=QUERY[:, :5], similarity=similarity)

    def test_projection_rows(self):
        with pytest.raises(ValueError, match=r"projection: expected shape \[9, p\]"):
            self.run(projection=VALUES[:8])

    def test_mask(self):
        with pytest.raises(ValueError, match="mask: expected dtype bool"):
            self.run(mask=jnp.ones(9))
        with pytest.raises(ValueError, match=r"mask: expected shape \[9\]"):
            self.run(mask=jnp.ones(8, bool))
        with pytest.raises(ValueError, match=r"mask: expected shape \[9\]"):
            self.run(mask=jnp.ones((4, 9), bool))

    def test_empty_bank(self):
        with pytest.raises(ValueError, match="memories: expected at least one memory"):
            self.run(memories=MEMORIES[:0])

    def test_integers(self):
        with pytest.raises(ValueError, match="query: expected dtype floating, got int32"):
            self.run(query=QUERY.astype(np.int32))

    def test_k_above_n(self):
        with pytest.raises(ValueError, match="k: expected at most the number of memories 9"):
            self.run(separation=sep.top_k(10, sep.softmax(1.0)))

    @pytest.mark.parametrize("similarity", [sim.manhattan, sim.kl_divergence, sim.hamming])
    def test_scores_that_are_never_positive(self, similarity):
        for separation in (sep.polynomial(0.5), sep.log, sep.top_k(2, sep.log)):
            with pytest.raises(ValueError, match="separation: expected one that is defined"):
                self.run(similarity=similarity, separation=separation)
        self.run(similarity=similarity, separation=sep.polynomial(0.5, signed=True))
        with pytest.raises(ValueError, match="similarity: expected scores that can be positive"):
            self.run(similarity=similarity, normalize_scores=True)
