"""Similarities against scipy, scikit-learn and brute force; their invariances, edges and errors."""

import gc
import weakref
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import distance
from scipy.special import rel_entr
from sklearn.metrics import pairwise as sklearn_pairwise

from jaxlab.hopfield import _pairwise, recall, retrieve
from jaxlab.hopfield import similarity as s
from jaxlab.hopfield.scale import logsumexp_blocked, retrieve_blocked, top_k_memories
from jaxlab.hopfield.separation import softmax, top_k
from tests.helpers import to_device

FACTOR = np.random.default_rng(5).normal(size=(19, 4)).astype(np.float32)
EPSILON = 1e-4
COMPARE_WORDS = [
    partial(retrieve, similarity=s.hamming, separation=softmax(1.0)),
    partial(recall, similarity=s.hamming, separation=softmax(1.0), max_steps=1),
    partial(retrieve_blocked, similarity=s.hamming, beta=1.0),
    partial(logsumexp_blocked, similarity=s.hamming, beta=1.0),
    partial(top_k_memories, similarity=s.hamming, k=1),
]


def normalized(x):
    return x / x.sum(-1, keepdims=True)


def pairs(function):
    """Lift a function of two patterns to [Q, d] x [n, d]."""
    return lambda q, m: np.array([[function(a, b) for b in m] for a in q])


def kl(a, b):
    """``Σ â log((â+ε)/(b̂+ε))`` through scipy: rel_entr(x, y) = x log(x/y)."""
    a, b = normalized(a) + EPSILON, normalized(b) + EPSILON
    return np.sum((a - EPSILON) / a * rel_entr(a, b))


def cdist(metric, **options):
    return lambda q, m: -distance.cdist(q, m, metric, **options)


# jaxlab's function and an independent float64 one, for non-negative patterns
ORACLES = {
    "dot_product": (s.dot_product, lambda q, m: q @ m.T),
    "biased_dot_product": (
        s.biased_dot_product,
        lambda q, m: (q**2).sum(-1)[:, None] / 2 - distance.cdist(q, m, "sqeuclidean") / 2,
    ),
    "normalized_dot_product": (
        s.normalized_dot_product,
        lambda q, m: normalized(q) @ normalized(m).T,
    ),
    "cosine": (s.cosine, lambda q, m: 1 - distance.cdist(q, m, "cosine")),
    "squared_euclidean": (s.squared_euclidean, cdist("sqeuclidean")),
    "euclidean": (s.euclidean, cdist("euclidean")),
    "manhattan": (s.manhattan, cdist("cityblock")),
    "minkowski_3": (s.minkowski(3), cdist("minkowski", p=3)),
    "minkowski_2.5": (s.minkowski(2.5), cdist("minkowski", p=2.5)),
    "chebyshev": (s.chebyshev, cdist("chebyshev")),
    "hamming": (s.hamming, lambda q, m: -q.shape[1] * distance.cdist(q, m, "hamming")),
    "jaccard": (
        s.jaccard,
        pairs(lambda a, b: np.minimum(a, b).sum() / np.maximum(a, b).sum()),
    ),
    "kl_divergence": (s.kl_divergence, pairs(lambda q, m: -kl(m, q))),
    "reverse_kl_divergence": (s.reverse_kl_divergence, pairs(lambda q, m: -kl(q, m))),
    "symmetric_kl": (s.symmetric_kl, pairs(lambda q, m: -(kl(q, m) + kl(m, q)) / 2)),
    "jensen_shannon": (
        s.jensen_shannon,
        lambda q, m: -(distance.cdist(normalized(q), normalized(m), "jensenshannon") ** 2),
    ),
    "published_jensen_shannon": (
        s.published_jensen_shannon,
        pairs(lambda q, m: 1 / (0.5 / kl(m, q) + 0.5 / kl(q, m))),
    ),
    "mahalanobis": (
        s.mahalanobis(to_device(FACTOR)),
        lambda q, m: (
            -(distance.cdist(q, m, "mahalanobis", VI=FACTOR @ FACTOR.T.astype(float)) ** 2)
        ),
    ),
    "smooth_manhattan": (
        s.smooth_manhattan(0.25),
        pairs(lambda a, b: -np.sqrt((a - b) ** 2 + 0.25**2).sum()),
    ),
    "embedded": (s.embedded(s.manhattan, jnp.tanh), lambda q, m: cdist("cityblock")(np.tanh(q), m)),
    "reciprocal": (
        s.reciprocal(s.manhattan),
        lambda q, m: (lambda d: d.min(-1, keepdims=True) / d)(distance.cdist(q, m, "cityblock")),
    ),
    "sum_normalized": (s.sum_normalized(s.dot_product), lambda q, m: normalized(q @ m.T)),
}
EVERY = pytest.mark.parametrize("name", ORACLES)
REAL = sorted(set(ORACLES) - {"hamming"})
# one of each form: a product, a blocked sum, a blocked maximum, a divergence, each wrapper
EAGER = {"cosine", "minkowski_2.5", "chebyshev", "published_jensen_shannon", "mahalanobis"}
EAGER |= {"embedded", "reciprocal", "sum_normalized"}
DISTANCES = ["squared_euclidean", "euclidean", "manhattan", "minkowski_3", "minkowski_2.5"]
DISTANCES += ["chebyshev", "hamming", "smooth_manhattan", "reciprocal"]


def patterns(shape, seed=0, *, zeros=True):
    """Non-negative patterns, a sixth of them exactly 0, for hamming and 0 log 0."""
    rng = np.random.default_rng(seed)
    values = rng.uniform(0.1, 1.0, shape)
    if zeros:
        values = np.where(rng.uniform(size=shape) < 1 / 6, 0.0, values)
    return values.astype(np.float32)


QUERY, MEMORIES = patterns((5, 19), 1), patterns((37, 19), 2)


@EVERY
def test_oracle(name):
    function, oracle = ORACLES[name]
    expected = oracle(QUERY.astype(float), MEMORIES.astype(float))
    np.testing.assert_allclose(function(QUERY, MEMORIES), expected, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("name", REAL)
def test_nan_scores_nan(name):
    function, _ = ORACLES[name]
    query, memories = QUERY.copy(), MEMORIES.copy()
    memories[3, 0] = np.nan
    assert np.isnan(np.asarray(function(query, memories))[:, 3]).all()
    query[1, 18] = np.nan
    scores = np.asarray(function(query, MEMORIES))
    np.testing.assert_array_equal(np.isnan(scores).all(-1), np.arange(5) == 1)
    assert np.isfinite(np.delete(scores, 1, axis=0)).all()


def test_nan_is_no_symbol_of_an_alphabet():
    pattern = jnp.array([1.0, jnp.nan, 2.0])
    assert s.hamming(pattern, pattern[None]).tolist() == [-1.0]


def test_a_distance_that_overflows_is_not_the_shortest():
    query, memories = np.float32([1e20, 2e20]), np.float32([[5e20, 9e20], [1e20, 2e20]])
    assert np.isnan(s.euclidean(query, memories)).all()


@EVERY
def test_leading_axes_are_independent_queries(name):
    function, _ = ORACLES[name]
    whole = np.asarray(function(QUERY[:4].reshape(2, 2, 19), MEMORIES))
    assert whole.shape == (2, 2, 37)
    np.testing.assert_allclose(function(QUERY[3], MEMORIES), whole[1, 1], rtol=1e-5, atol=1e-6)
    assert jax.eval_shape(function, QUERY[:0], MEMORIES).shape == (0, 37)


@EVERY
def test_one_memory(name):
    function, oracle = ORACLES[name]
    expected = oracle(QUERY.astype(float), MEMORIES[:1].astype(float))
    np.testing.assert_allclose(function(QUERY, MEMORIES[:1]), expected, rtol=2e-5, atol=2e-5)


@EVERY
def test_vmap_is_loop_and_jit_is_eager(name):
    function, _ = ORACLES[name]
    banks = np.stack([MEMORIES, MEMORIES[::-1]])
    mapped = np.asarray(jax.vmap(function, in_axes=(None, 0))(QUERY, banks))
    for bank, scores in zip(banks, mapped, strict=True):
        np.testing.assert_allclose(function(QUERY, bank), scores, rtol=1e-5, atol=1e-6)
    if name in EAGER:
        with jax.disable_jit():
            eager = function(to_device(QUERY), to_device(MEMORIES))
        np.testing.assert_allclose(function(QUERY, MEMORIES), eager, rtol=1e-5, atol=1e-6)


@EVERY
def test_float64(name, x64):
    function, oracle = ORACLES[name]
    q, m = QUERY.astype(np.float64), MEMORIES.astype(np.float64)
    scores = function(q, m)
    assert scores.dtype == jnp.float64
    np.testing.assert_allclose(scores, oracle(q, m), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("name", "dtype"),
    [(name, jnp.bfloat16) for name in ORACLES]
    + [(name, jnp.float16) for name in ("cosine", "euclidean", "manhattan", "kl_divergence")],
)
def test_half_precision_patterns_accumulate_in_float32(name, dtype):
    function, oracle = ORACLES[name]
    q, m = (to_device(x, dtype) for x in (QUERY, MEMORIES))
    scores = function(q, m)
    assert scores.dtype == jnp.float32
    if name != "embedded":  # its encoder works in the pattern's own dtype
        expected = oracle(np.asarray(q, float), np.asarray(m, float))
        np.testing.assert_allclose(scores, expected, rtol=3e-5, atol=3e-5)


def test_cosine_of_the_smallest_half_precision_numbers():
    tiny = jnp.array([[1.0, 2.0, 2.0], [2.0, 1.0, 2.0]]) * 2.0**-24
    found = s.cosine(tiny[0].astype(jnp.float16), tiny.astype(jnp.float16))
    np.testing.assert_allclose(found, [1, 8 / 9], rtol=1e-6)


@pytest.mark.parametrize("name", REAL)
def test_derivatives_against_differences_of_the_oracle(name, x64):
    function, oracle = ORACLES[name]
    rng = np.random.default_rng(4)
    point = patterns((2, 19), 3, zeros=False), patterns((4, 19), 4, zeros=False)
    point = tuple(x.astype(float) for x in point)
    tangent = tuple(rng.normal(size=x.shape) for x in point)
    weight = rng.normal(size=(2, 4))

    @jax.jit
    def both_modes(point, tangent):
        _, forward = jax.jvp(function, point, tangent)
        _, pullback = jax.vjp(function, *point)
        backward = sum(jnp.vdot(g, t) for g, t in zip(pullback(weight), tangent, strict=True))
        return forward, backward

    forward, backward = both_modes(point, tangent)
    step = 1e-6
    ahead, behind = (
        oracle(*(x + side * t for x, t in zip(point, tangent, strict=True)))
        for side in (step, -step)
    )
    np.testing.assert_allclose(forward, (ahead - behind) / (2 * step), rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(backward, np.vdot(weight, forward), rtol=1e-9)


@pytest.mark.parametrize("name", ORACLES)
def test_gradient_is_finite_at_a_stored_pattern_and_at_zero(name):
    function, _ = ORACLES[name]
    bank = MEMORIES[:3].copy()
    bank[1] = 0.0

    def total(q, m):
        scores = function(q, m)
        return scores.sum(), scores

    slope = jax.jit(jax.grad(total, argnums=(0, 1), has_aux=True))
    for query in (bank[0], bank[1]):
        gradients, scores = slope(query, bank)
        assert np.isfinite(scores).all()
        for gradient in gradients:
            assert np.isfinite(gradient).all()


@pytest.mark.parametrize(
    ("factory", "value"),
    [(s.minkowski, 2.5), (s.smooth_manhattan, 0.3), (s.mahalanobis, FACTOR)],
)
def test_parameters_are_differentiable(factory, value, x64):
    value = np.asarray(value, np.float64)
    q, m = (to_device(x[:3], np.float64) for x in (QUERY, MEMORIES))

    @jax.jit
    def total(value):
        return factory(value)(q, m).sum()

    gradient = jax.jit(jax.grad(total))(value)
    step = 1e-6 * np.random.default_rng(0).normal(size=value.shape)
    difference = total(value + step) - total(value - step)
    np.testing.assert_allclose(2 * np.vdot(gradient, step), difference, rtol=1e-6)


def test_worked_example():
    memories, query = jnp.eye(2), jnp.array([0.8, 0.3])
    for function, expected in (
        (s.dot_product, [0.8, 0.3]),
        (s.manhattan, [-0.5, -1.5]),
        (s.squared_euclidean, [-0.13, -1.13]),
    ):
        np.testing.assert_allclose(function(query, memories), expected, atol=1e-6)


def test_boolean_and_integer_patterns():
    rng = np.random.default_rng(7)
    q, m = rng.integers(0, 2, (4, 40)), rng.integers(0, 2, (9, 40))
    count = -(q[:, None] != m[None]).sum(-1)
    for cast in (np.bool_, np.int8, np.float32):
        np.testing.assert_array_equal(s.hamming(q.astype(cast), m.astype(cast)), count)
        np.testing.assert_allclose(
            s.jaccard(q.astype(cast), m.astype(cast)),
            1 - sklearn_pairwise.pairwise_distances(q == 1, m == 1, metric="jaccard"),
            rtol=1e-6,
        )
    np.testing.assert_array_equal(s.bipolar_hamming(2 * q - 1, 2 * m - 1), count)
    letters = rng.integers(0, 4, (3, 40))
    expected = -40 * distance.cdist(letters, letters, "hamming")
    np.testing.assert_allclose(s.hamming(letters, letters), expected, atol=1e-5)


def test_hamming_tells_integers_apart_that_float32_does_not():
    query = np.int32([2**24 + 1, -5])
    memories = np.int32([[2**24, -5], [2**24 + 1, -5]])
    np.testing.assert_array_equal(s.hamming(query, memories), [-1, 0])
    small = np.int8([[0, -5], [1, -5]])
    np.testing.assert_array_equal(s.hamming(query, small), [-1, -1])


def test_mahalanobis_codes_of_half_precision_are_not_rounded():
    q, m, factor = (to_device(x, jnp.bfloat16) for x in (QUERY, MEMORIES, FACTOR))
    codes = [np.asarray(x, float) @ np.asarray(factor, float) for x in (q, m)]
    expected = -distance.cdist(*codes, "sqeuclidean")
    np.testing.assert_allclose(s.mahalanobis(factor)(q, m), expected, rtol=3e-5, atol=3e-5)


def test_zero_patterns():
    zero, bank = np.float32([0, 0, 0]), np.float32([[0, 0, 0], [1, 2, 1]])
    np.testing.assert_array_equal(s.cosine(zero, bank), [0, 0])
    np.testing.assert_array_equal(s.cosine(bank[1], bank)[0], 0)
    np.testing.assert_array_equal(s.normalized_dot_product(zero, bank), [0, 0])
    np.testing.assert_array_equal(s.jaccard(zero, bank), [1, 0])
    np.testing.assert_array_equal(s.kl_divergence(bank[1], bank)[0], 0)
    half_log_two = -0.5 * np.log(2)
    np.testing.assert_allclose(s.jensen_shannon(bank[1], bank), [half_log_two, 0], atol=1e-6)


@pytest.mark.parametrize("noise", [1e-2, 1e-3, 1e-4])
def test_jensen_shannon_tells_near_duplicates_apart(noise):
    rng = np.random.default_rng(0)
    base = patterns((64,), 3)
    bank = (base * (1 + noise * rng.normal(size=(30, 64)))).astype(np.float32)
    query = (bank[:20] * (1 + 0.3 * noise * rng.normal(size=(20, 64)))).astype(np.float32)

    def wide(q, m):  # q̂ log(q̂/a) + m̂ log(m̂/a), halved
        q, m = normalized(q)[:, None], normalized(m)
        return -rel_entr(np.stack([q + 0 * m, m + 0 * q]), (q + m) / 2).sum((0, -1)) / 2

    expected = wide(query.astype(float), bank.astype(float))
    scores = np.asarray(s.jensen_shannon(query, bank))
    np.testing.assert_allclose(scores, expected, rtol=3e-7 / noise)
    np.testing.assert_array_equal(scores.argmax(1), np.arange(20))
    one = jax.jit(jax.grad(lambda q: s.jensen_shannon(q, bank[:1])[0]))(query[0])
    there = base > 0
    q, m = (normalized(x.astype(float)[there]) for x in (query[0], bank[0]))
    slope = np.log(2 * q / (q + m)) / 2
    slope = (np.vdot(slope, q) - slope) / query[0].sum(dtype=float)
    error = np.abs(np.asarray(one)[there] - slope).max()
    assert error < 1e-6 / noise * np.abs(slope).max()


def test_jensen_shannon_where_an_entry_is_zero():
    query, bank = np.float32([0, 0, 1, 1e-39]), np.float32([[0, 1, 1, 0]])
    value, slope = jax.value_and_grad(lambda q: s.jensen_shannon(q, bank)[0])(query)
    np.testing.assert_allclose(value, -np.log(64 / 27) / 4, rtol=1e-6)
    assert np.isfinite(slope).all()
    np.testing.assert_array_equal(s.jensen_shannon(bank[0], bank), [0])


def test_published_jensen_shannon_prefers_the_least_similar():
    query = QUERY[0]
    bank = np.stack(
        [query + np.float32(0.02 * i) * np.arange(19, dtype=np.float32) for i in range(1, 6)]
    )
    assert int(s.jensen_shannon(query, bank).argmax()) == 0
    assert int(s.published_jensen_shannon(query, bank).argmax()) == 4


@pytest.mark.parametrize("base", [s.manhattan, s.squared_euclidean, s.kl_divergence, s.chebyshev])
def test_reciprocal_is_one_over_distance_after_normalisation(base):
    scores = 1 / -np.asarray(base(QUERY, MEMORIES), float)
    both = s.sum_normalized(s.reciprocal(base))(QUERY, MEMORIES)
    np.testing.assert_allclose(both, normalized(scores), rtol=1e-4)


def test_reciprocal_of_a_stored_pattern_is_finite():
    bank = MEMORIES[[0, 1, 0, 2]]
    np.testing.assert_array_equal(s.reciprocal(s.manhattan)(bank[0], bank), [1, 0, 1, 0])
    np.testing.assert_array_equal(
        s.sum_normalized(s.reciprocal(s.manhattan))(bank[0], bank), [0.5, 0, 0.5, 0]
    )


def test_wrappers_heed_only_the_memories_that_are_there():
    where = jnp.array([True, False, True])
    bank = jnp.array([[1.0, 0.0], [0.0, 0.0], [4.0, 0.0]])
    for function in (s.reciprocal(s.manhattan), s.embedded(s.reciprocal(s.manhattan), jnp.abs)):
        scores = function(jnp.zeros(2), bank, where=where)
        np.testing.assert_allclose(scores[where], [1.0, 0.25])
    shares = s.sum_normalized(s.dot_product)(jnp.ones(2), bank, where=where)
    np.testing.assert_allclose(shares[where], [0.2, 0.8], rtol=1e-6)
    nobody = s.reciprocal(s.manhattan)(jnp.ones(2), bank, where=jnp.zeros(3, bool))
    assert np.isfinite(nobody).all()


def test_sums_of_zero_normalise_to_zero():
    scores = s.sum_normalized(s.dot_product)(jnp.array([1.0, -1.0]), jnp.eye(2))
    np.testing.assert_array_equal(scores, [0, 0])


# whole numbers: every product, square and difference is exact, so the properties are too
grid = st.lists(st.integers(0, 7), min_size=18, max_size=18).map(
    lambda values: np.asarray(values, np.float32).reshape(6, 3)
)
scales = st.sampled_from([1e-25, 2.0**-10, 0.25, 3.0, 1000.0, 1e20])


@given(grid, st.permutations(range(5)))
def test_permuting_memories_permutes_scores(values, order):
    query, bank = values[0] + 1, values[1:] + 1
    order = np.asarray(order)
    for name in ("dot_product", "euclidean", "manhattan", "kl_divergence", "jaccard"):
        function, _ = ORACLES[name]
        np.testing.assert_allclose(
            function(query, bank[order]),
            np.asarray(function(query, bank))[order],
            rtol=1e-5,
            atol=1e-6,
        )


@given(grid, st.lists(st.integers(-50, 50), min_size=3, max_size=3))
def test_distances_are_translation_invariant(values, offset):
    query, bank, shift = values[0], values[1:], np.asarray(offset, np.float32)
    for function in (s.squared_euclidean, s.euclidean, s.manhattan, s.hamming, s.chebyshev):
        scores = function(query, bank)
        np.testing.assert_allclose(function(query + shift, bank + shift), scores, rtol=1e-6)


@given(grid, scales, scales)
def test_angles_and_distributions_are_scale_invariant(values, first, second):
    query, bank = values[0] + 1, values[1:] + 1
    first, rescaled = np.float32(first), bank.copy()
    rescaled[2] *= second
    for name in ("cosine", "normalized_dot_product", "kl_divergence", "reverse_kl_divergence"):
        function, _ = ORACLES[name]
        np.testing.assert_allclose(
            function(first * query, rescaled), function(query, bank), rtol=1e-5, atol=1e-5
        )
    np.testing.assert_allclose(
        s.jensen_shannon(first * query, rescaled), s.jensen_shannon(query, bank), atol=1e-5
    )


@given(grid, st.integers(0, 4))
def test_a_stored_pattern_is_nearest_to_itself(values, index):
    bank = values[1:]
    for name in DISTANCES:
        function, _ = ORACLES[name]
        scores = np.asarray(function(bank[index], bank))
        nearest = bank[scores == scores.max()]
        np.testing.assert_array_equal(nearest - bank[index], 0)


def test_factories_remember_equal_parameters():
    assert s.minkowski(3) is s.minkowski(p=3)
    assert s.minkowski(3) is not s.minkowski(4)
    assert s.reciprocal(s.manhattan) is s.reciprocal(s.manhattan)
    assert s.embedded(s.manhattan, jnp.tanh) is s.embedded(s.manhattan, encoder=jnp.tanh)


def test_factories_keep_nothing_that_is_not_in_use():
    array = jnp.ones((3, 1))
    made = [
        s.reciprocal(s.mahalanobis(array)),
        s.embedded(s.manhattan, lambda x, shift=array: x + shift),
        top_k(2, softmax(array)),
    ]
    kept = weakref.ref(array)
    del array, made
    gc.collect()
    assert kept() is None


def test_factories_check_what_equals_an_earlier_argument(bad_input):
    first = top_k(1, softmax(1.0))
    for equal in (True, 1.0):
        with pytest.raises(ValueError, match="k: expected an integer >= 1"):
            top_k(equal, softmax(1.0))
    assert top_k(1, softmax(1.0)) is first


@EVERY
def test_declared_range_holds(name):
    function, _ = ORACLES[name]
    lowest, highest = function.score_range
    scores = np.asarray(function(QUERY, MEMORIES))
    assert (scores >= lowest - 1e-5).all()
    assert (scores <= highest + 1e-5).all()


@pytest.mark.parametrize("name", ["manhattan", "chebyshev"])
def test_no_array_of_all_differences_is_made(name):
    function, _ = ORACLES[name]
    q, m = (jax.ShapeDtypeStruct(shape, jnp.float32) for shape in ((64, 128), (8192, 128)))
    everything = 64 * 8192 * 128 * 4

    def gradient(q, m):
        return jax.grad(lambda *both: function(*both).sum(), argnums=(0, 1))(q, m)

    for measured in (function, gradient):
        analysis = jax.jit(measured).lower(q, m).compile().memory_analysis()
        assert analysis.temp_size_in_bytes < everything / 8


@pytest.mark.parametrize(("queries", "memories", "features"), [(1, 1, 1), (7, 50, 5), (9, 23, 35)])
@pytest.mark.parametrize("combine", [jnp.add, jnp.maximum])
def test_tiles_that_do_not_divide_the_sizes(queries, memories, features, combine, monkeypatch):
    monkeypatch.setattr(_pairwise, "QUERY_TILE", 4)
    monkeypatch.setattr(_pairwise, "TILE_ENTRIES", 80)
    rng = np.random.default_rng(8)
    q, m = rng.normal(size=(queries, features)), rng.normal(size=(memories, features))
    terms = np.abs(q[:, None] - m[None])
    expected = terms.sum(-1) if combine is jnp.add else terms.max(-1)

    def distance(q, m):
        return _pairwise.pairwise(q, m, lambda a, b: jnp.abs(a - b), combine)

    q, m = to_device(q, np.float32), to_device(m, np.float32)
    np.testing.assert_allclose(jax.jit(distance)(q, m), expected, rtol=1e-5)
    got = jax.jit(jax.grad(lambda m: distance(q, m).sum()))(m)
    sign = np.sign(np.asarray(m)[None] - np.asarray(q)[:, None])
    if combine is jnp.maximum:
        sign = sign * (terms == terms.max(-1, keepdims=True))
    np.testing.assert_allclose(got, sign.sum(0), atol=1e-5)


@pytest.mark.usefixtures("bad_input")
class TestErrors:
    @EVERY
    def test_sizes(self, name):
        function, _ = ORACLES[name]
        with pytest.raises(ValueError, match="query: expected"):
            function(jnp.ones((2, 18)), jnp.ones((3, 19)))
        with pytest.raises(ValueError, match="memories: expected"):
            function(jnp.ones(19), jnp.ones(19))
        with pytest.raises(ValueError, match="memories: expected at least one memory"):
            function(jnp.ones(19), jnp.ones((0, 19)))

    @pytest.mark.parametrize("name", sorted(set(REAL) - {"jaccard"}))
    def test_integers_are_refused_where_real_numbers_are_compared(self, name):
        function, _ = ORACLES[name]
        with pytest.raises(ValueError, match="dtype floating"):
            function(jnp.ones(19), jnp.ones((3, 19), jnp.int32))

    @pytest.mark.parametrize("function", [s.hamming, *COMPARE_WORDS])
    def test_words_of_numpy_that_jax_would_cut_are_refused(self, function):
        with pytest.raises(ValueError, match="memories: expected numbers that fit int32"):
            function(np.array([0]), np.array([[2**32]]))

    @pytest.mark.parametrize("function", COMPARE_WORDS)
    def test_a_mask_is_of_memories_not_of_as_many_queries(self, function):
        words, mask = np.array([[0], [2**32]]), np.array([True, False])
        function(words[:1], words, mask=mask)
        with pytest.raises(ValueError, match="query: expected numbers that fit int32"):
            function(words, words, mask=mask)

    @pytest.mark.parametrize(
        "name", ["kl_divergence", "jensen_shannon", "symmetric_kl", "jaccard", "sum_normalized"]
    )
    def test_negative_entries(self, name):
        function = ORACLES[name][0]
        if name == "sum_normalized":
            function = s.reciprocal(s.reverse_kl_divergence)
        q, m = jnp.array([1.0, -1.0]), jnp.array([[1.0, 1.0], [0.5, 1.0]])
        with pytest.raises(ValueError, match=r"query: expected no negative entry, got -1\.0"):
            function(q, m)
        with pytest.raises(ValueError, match="memories: expected no negative entry"):
            function(jnp.ones(2), -m)
        # inside jit the values are not known: they count as zero
        np.testing.assert_allclose(
            jax.jit(function)(q, m), function(jnp.array([1.0, 0.0]), m), rtol=1e-6
        )

    def test_parameters(self):
        for value in (0.5, float("inf"), float("nan")):
            with pytest.raises(ValueError, match="p: expected"):
                s.minkowski(value)
        with pytest.raises(ValueError, match=r"p: expected shape \[\]"):
            s.minkowski(np.float32([2.0, 3.0]))
        with pytest.raises(ValueError, match="delta: expected"):
            s.smooth_manhattan(0.0)
        with pytest.raises(ValueError, match=r"delta: expected shape \[\]"):
            s.smooth_manhattan(np.float32([1.0, 2.0]))
        with pytest.raises(ValueError, match="factor: expected"):
            s.mahalanobis(jnp.ones(3))
        with pytest.raises(ValueError, match="factor: expected 2 rows"):
            s.mahalanobis(jnp.ones((3, 1)))(jnp.ones(2), jnp.eye(2))
        with pytest.raises(ValueError, match="negated distances"):
            s.reciprocal(s.dot_product)
        with pytest.raises(ValueError, match="reciprocal"):
            s.sum_normalized(s.manhattan)
