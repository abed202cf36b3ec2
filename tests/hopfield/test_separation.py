"""Separations against closed forms, bisection and scipy; their limits, masks, edges and errors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
from hypothesis import given
from hypothesis import strategies as st

from jaxlab.hopfield import separation as s
from jaxlab.hopfield._declare import cached
from tests.helpers import to_device

INF = float("inf")


def project(scores, power):
    """The weights ``max(x − τ, 0)^power`` that sum to 1, with ``τ`` found by bisection."""
    weights = []
    for x in np.asarray(scores, float):
        low, high = x.max() - 1, x.max()
        for _ in range(200):
            tau = (low + high) / 2
            if (np.maximum(x - tau, 0) ** power).sum() > 1:
                low = tau
            else:
                high = tau
        weights.append(np.maximum(x - tau, 0) ** power)
    return np.array(weights)


def keep_largest(scores, k, weigh):
    """Brute force of top-k: sort (earlier first among equals), weigh, put back."""
    result = np.zeros_like(scores)
    for row, out in zip(scores, result, strict=True):
        best = sorted(range(len(row)), key=lambda j: (-row[j], j))[:k]
        out[best] = weigh(row[best][None])[0]
    return result


def one_hot(scores):
    return np.eye(scores.shape[-1])[scores.argmax(-1)]


def soft(beta):
    return lambda scores: scipy.special.softmax(beta * scores, axis=-1)


# jaxlab's function and an independent float64 one, for positive scores
ORACLES = {
    "identity": (s.identity, lambda x: x),
    "log": (s.log, np.log),
    "polynomial_0.5": (s.polynomial(0.5), np.sqrt),
    "polynomial_3": (s.polynomial(3), lambda x: x * x * x),
    "polynomial_2_signed": (s.polynomial(2, signed=True), lambda x: np.sign(x) * x * x),
    "rectified_polynomial_2": (s.rectified_polynomial(2), lambda x: np.maximum(x, 0) ** 2),
    "rectified_polynomial_1.5": (s.rectified_polynomial(1.5), lambda x: np.maximum(x, 0) ** 1.5),
    "exponential": (s.exponential(3.0), lambda x: np.exp(3 * (x - x.max(-1, keepdims=True)))),
    "softmax": (s.softmax(4.0), soft(4)),
    "sparsemax": (s.sparsemax(2.0), lambda x: project(2 * x, 1)),
    "entmax15": (s.entmax15(4.0), lambda x: project(2 * x, 2)),
    "maximum": (s.maximum(), one_hot),
    "maximum_average": (s.maximum(ties="average"), one_hot),
    "top_k": (s.top_k(3, s.softmax(4.0)), lambda x: keep_largest(x, 3, soft(4))),
    "top_k_of_identity": (s.top_k(2, s.identity), lambda x: keep_largest(x, 2, lambda y: y)),
    "threshold": (s.threshold(0.9), lambda x: (x >= 0.9).astype(float)),
}
EVERY = pytest.mark.parametrize("name", ORACLES)
# one of each form
EAGER = {"polynomial_2_signed", "exponential", "softmax", "entmax15", "maximum_average", "top_k"}
SMOOTH = sorted(set(ORACLES) - {"maximum", "maximum_average", "threshold"})
COMPARING = [name for name, (function, _) in ORACLES.items() if function.mask_value == -INF]
STOCHASTIC = ["softmax", "sparsemax", "entmax15", "maximum", "maximum_average", "top_k"]

SCORES = np.random.default_rng(3).uniform(0.1, 2.0, (4, 7)).astype(np.float32)


@EVERY
def test_oracle(name):
    function, oracle = ORACLES[name]
    np.testing.assert_allclose(function(SCORES), oracle(SCORES.astype(float)), rtol=1e-5, atol=1e-6)


@EVERY
@pytest.mark.parametrize("sign", [1, -1])
def test_nan_weighs_nan(name, sign):
    function, _ = ORACLES[name]
    scores = SCORES.copy()
    scores[1, 4] = np.copysign(np.nan, sign)
    weights = np.asarray(function(scores))
    assert np.isnan(weights[1, 4])
    if name in COMPARING and "top_k" not in name:
        assert np.isnan(weights[1]).all()
    assert np.isfinite(np.delete(weights, 1, axis=0)).all()


@EVERY
def test_leading_axes_one_score_and_no_query(name):
    function, _ = ORACLES[name]
    whole = np.asarray(function(SCORES.reshape(2, 2, 7)))
    np.testing.assert_allclose(whole[1, 0], function(SCORES[2]), rtol=1e-6)
    assert jax.eval_shape(function, SCORES[:0]).shape == (0, 7)
    if "top_k" not in name:
        assert function(SCORES[:, :1]).shape == (4, 1)


@EVERY
def test_vmap_is_loop_and_jit_is_eager(name):
    function, _ = ORACLES[name]
    rows = np.stack([function(row) for row in SCORES])
    np.testing.assert_allclose(jax.vmap(function)(SCORES), rows, rtol=1e-6)
    if name in EAGER:
        with jax.disable_jit():
            eager = function(to_device(SCORES))
        np.testing.assert_allclose(function(SCORES), eager, rtol=1e-5, atol=1e-7)


@EVERY
def test_float64_and_half(name, x64):
    function, oracle = ORACLES[name]
    scores = SCORES.astype(np.float64)
    assert function(scores).dtype == jnp.float64
    np.testing.assert_allclose(function(scores), oracle(scores), rtol=1e-10, atol=1e-10)
    half = function(to_device(SCORES, jnp.bfloat16))
    assert half.dtype == jnp.bfloat16
    assert np.isfinite(np.asarray(half, float)).all()


@EVERY
def test_missing_memories_do_not_count(name):
    function, _ = ORACLES[name]
    padded = np.full((4, 10), function.mask_value, np.float32)
    there = [0, 2, 3, 5, 6, 7, 9]
    padded[:, there] = SCORES
    weights = np.asarray(function(padded))
    np.testing.assert_allclose(weights[:, there], function(SCORES), rtol=1e-6, atol=1e-7)
    if name in COMPARING:
        assert (np.delete(weights, there, axis=1) == 0).all()


@pytest.mark.parametrize("name", COMPARING)
def test_all_missing_gives_no_weight(name):
    function, _ = ORACLES[name]
    missing = np.full((4, 7), -INF, np.float32)
    assert (np.asarray(function(missing)) == 0).all()
    slope = jax.jit(jax.grad(lambda x: function(x).sum()))(missing)
    assert (np.asarray(slope) == 0).all()


@pytest.mark.parametrize("name", SMOOTH)
def test_derivatives_against_differences_of_the_oracle(name, x64):
    function, oracle = ORACLES[name]
    scores = SCORES.astype(float)
    weight = np.random.default_rng(0).normal(size=scores.shape)
    gradient = jax.jit(jax.grad(lambda x: jnp.vdot(weight, function(x))))(scores)
    step = 1e-6 * np.random.default_rng(1).normal(size=scores.shape)
    difference = np.vdot(weight, oracle(scores + step) - oracle(scores - step))
    np.testing.assert_allclose(2 * np.vdot(gradient, step), difference, rtol=1e-5)


@pytest.mark.parametrize("factory", [s.softmax, s.exponential, s.sparsemax, s.entmax15])
class TestInverseTemperature:
    def test_derivative(self, factory, x64):
        scores = SCORES.astype(np.float64)
        scores[:, 2] = -INF
        weight = np.random.default_rng(0).normal(size=scores.shape)

        @jax.jit
        def total(beta):
            return jnp.vdot(weight, factory(beta)(scores))

        difference = (total(1.5 + 1e-6) - total(1.5 - 1e-6)) / 2e-6
        np.testing.assert_allclose(jax.jit(jax.grad(total))(1.5), difference, rtol=1e-6)

    def test_array_broadcasts_against_leading_axes(self, factory):
        betas = np.float32([0.5, 1.0, 2.0, 8.0])
        together = factory(to_device(betas))(SCORES)
        apart = np.stack([factory(float(b))(x) for b, x in zip(betas, SCORES, strict=True)])
        np.testing.assert_allclose(together, apart, rtol=1e-5, atol=1e-7)
        mapped = jax.jit(jax.vmap(lambda beta: factory(beta)(SCORES[0])))(betas)
        per_head = factory(to_device(betas[:, None]))(np.broadcast_to(SCORES[0], (4, 3, 7)))
        np.testing.assert_allclose(np.asarray(per_head)[:, 1], mapped, rtol=1e-5, atol=1e-7)

    def test_zero_is_uniform(self, factory):
        weights = np.asarray(factory(0.0)(SCORES))
        np.testing.assert_allclose(weights, np.full_like(SCORES, weights[0, 0]), rtol=1e-6)
        if factory is not s.exponential:
            np.testing.assert_allclose(weights, np.full_like(SCORES, 1 / 7), rtol=1e-5)
        some = SCORES.copy()
        some[:, 1] = -INF
        masked = np.asarray(factory(0)(some))
        expected = np.tile(np.arange(7) != 1, (4, 1))
        np.testing.assert_allclose(masked / masked[:, :1], expected, rtol=1e-6)

    def test_infinity_is_maximum(self, factory):
        np.testing.assert_array_equal(factory(1e6)(SCORES), s.maximum()(SCORES))
        gradient = jax.jit(jax.grad(lambda x: (factory(1e6)(x) ** 2).sum()))(SCORES)
        assert np.isfinite(gradient).all()

    def test_refusals(self, factory, bad_input):
        for value in (-1.0, INF, float("nan"), jnp.array([1.0, -1.0])):
            with pytest.raises(ValueError, match="beta: expected a finite number >= 0"):
                factory(value)


def test_worked_example():
    weights = s.softmax(beta=2.0)(jnp.array([0.8, 0.3]))
    np.testing.assert_allclose(weights, [0.73106, 0.26894], atol=5e-6)


def test_sparse_separations_against_the_entmax_package():
    entmax = pytest.importorskip("entmax")
    torch = pytest.importorskip("torch")
    scores = np.random.default_rng(11).normal(size=(50, 40)).astype(np.float32) * 2
    for ours, theirs in ((s.sparsemax(1.0), entmax.sparsemax), (s.entmax15(1.0), entmax.entmax15)):
        expected = theirs(torch.tensor(scores), dim=-1).numpy()
        np.testing.assert_allclose(ours(scores), expected, atol=2e-6)
        assert ((np.asarray(ours(scores)) == 0) == (expected == 0)).mean() > 0.999


@pytest.mark.parametrize(("factory", "beta"), [(s.sparsemax, 0.99), (s.entmax15, 1.9)])
def test_sparse_separations_of_a_large_bank(factory, beta):
    n, function = 100_000, factory(beta)
    scores = np.zeros(n, np.float32)
    scores[5] = 1  # all others have a little weight each
    weights = np.asarray(function(scores), float)
    np.testing.assert_allclose(weights.sum(), 1, atol=1e-6)
    gradient = jax.jit(jax.grad(lambda x: function(x)[5]))(scores)
    slope = np.sqrt(weights) if factory is s.entmax15 else np.ones(n)
    expected = beta * slope[5] * (np.eye(1, n, 5)[0] - slope / slope.sum())
    np.testing.assert_allclose(gradient, expected, rtol=1e-5)


def test_signs_and_powers():
    scores = np.float32([-2.0, 0.0, 3.0])
    np.testing.assert_array_equal(s.polynomial(2)(scores), [4, 0, 9])
    np.testing.assert_array_equal(s.polynomial(2, signed=True)(scores), [-4, 0, 9])
    np.testing.assert_array_equal(s.polynomial(3, signed=True)(scores), [-8, 0, 27])
    np.testing.assert_array_equal(s.rectified_polynomial(2)(scores), [0, 0, 9])
    roots = s.polynomial(0.5, signed=True)(scores)
    np.testing.assert_allclose(roots, [-np.sqrt(2), 0, np.sqrt(3)], rtol=1e-6)
    # the documented exception: NaN for a negative score to a power that is not whole
    np.testing.assert_array_equal(np.isnan(s.polynomial(0.5)(scores)), [True, False, False])
    np.testing.assert_allclose(
        jax.jit(lambda p: s.polynomial(p, signed=True)(scores))(2.0), [-4, 0, 9], rtol=1e-6
    )


@pytest.mark.parametrize(
    "function",
    [
        s.polynomial(0.5),
        s.polynomial(0.5, signed=True),
        s.polynomial(2, signed=True),
        s.rectified_polynomial(0.5),
        s.log,
    ],
)
def test_gradient_at_zero_is_finite(function):
    slope = jax.jit(jax.grad(lambda x: function(x).sum()))(np.float32([0.0, 1.0]))
    assert np.isfinite(slope).all()


def test_ties():
    scores = np.float32([1.0, 3.0, 3.0, -INF])
    np.testing.assert_array_equal(s.maximum()(scores), [0, 1, 0, 0])
    np.testing.assert_array_equal(s.maximum(ties="average")(scores), [0, 0.5, 0.5, 0])
    np.testing.assert_array_equal(s.top_k(1, s.softmax(1.0))(scores), [0, 1, 0, 0])


def test_top_k_with_fewer_memories_than_k():
    scores = np.float32([-INF, 2.0, -INF, 1.0])
    for base in (s.softmax(1.0), s.maximum(), s.identity, s.sparsemax(1.0)):
        shifted = np.where(np.isinf(scores), np.float32(base.mask_value), scores)
        np.testing.assert_allclose(s.top_k(3, base)(scores), base(shifted), rtol=1e-6)


rows = st.lists(st.floats(-50, 50, width=32, allow_subnormal=False), min_size=6, max_size=6).map(
    lambda values: np.asarray(values, np.float32)
)


@given(rows)
def test_weights_lie_on_the_simplex(scores):
    for name in STOCHASTIC:
        weights = np.asarray(ORACLES[name][0](scores))
        assert (weights >= 0).all(), name
        np.testing.assert_allclose(weights.sum(), 1, atol=1e-5, err_msg=name)


@given(rows, st.permutations(range(6)))
def test_order_of_memories_does_not_matter(scores, order):
    order = np.asarray(order)
    for name in ("softmax", "sparsemax", "entmax15", "exponential", "maximum_average"):
        function, _ = ORACLES[name]
        expected = np.asarray(function(scores))[order]
        np.testing.assert_allclose(function(scores[order]), expected, atol=1e-5)


@given(rows)
def test_larger_scores_never_weigh_less(scores):
    order = np.argsort(scores)
    positive = np.maximum(scores, np.float32(0.1))
    ties = np.diff(positive[order]) == 0
    for name in (*COMPARING, "identity", "threshold", "rectified_polynomial_2"):
        if "maximum" not in name:  # one-hot at the first of equal scores
            weights = np.asarray(ORACLES[name][0](positive))[order]
            assert (np.where(ties, 0, np.diff(weights)) >= -1e-6).all(), name


@given(rows, st.integers(1, 6))
def test_top_k_is_sorting(scores, k):
    np.testing.assert_allclose(
        s.top_k(k, s.softmax(1.0))(scores),
        keep_largest(np.asarray(scores, float)[None], k, soft(1))[0],
        atol=1e-6,
    )


@given(rows)
def test_top_n_is_the_base(scores):
    for base in (s.softmax(2.0), s.sparsemax(1.0), s.maximum(), s.identity):
        np.testing.assert_allclose(s.top_k(6, base)(scores), base(scores), rtol=1e-6)


def test_factories_remember_equal_parameters():
    assert s.softmax(8) is s.softmax(beta=8.0)
    assert s.softmax(np.float32(8)) is s.softmax(8.0)
    assert s.softmax(8.0) is not s.softmax(7.0)
    assert s.top_k(2, s.softmax(1.0)) is s.top_k(k=2, base=s.softmax(1.0))
    assert s.maximum() is s.maximum(ties="first")
    assert s.polynomial(2) is not s.polynomial(2, signed=True)


def test_factories_may_have_parameters_by_keyword_alone():
    made = cached(lambda *, beta: lambda scores: beta * scores)
    assert made(beta=2.0) is made(beta=2)
    assert (made(beta=2.0)(1.0), made(beta=3.0)(1.0)) == (2, 3)


def test_mask_values():
    zeros = {name for name, (function, _) in ORACLES.items() if function.mask_value == 0}
    assert zeros | set(COMPARING) == set(ORACLES)
    assert zeros == {name for name in ORACLES if name.startswith(("poly", "rect"))} | {
        "identity",
        "log",
        "threshold",
    }


@pytest.mark.usefixtures("bad_input")
class TestErrors:
    @pytest.mark.parametrize("factory", [s.polynomial, s.rectified_polynomial])
    @pytest.mark.parametrize("power", [0, -1.0, INF, float("nan")])
    def test_power(self, factory, power):
        with pytest.raises(ValueError, match="power: expected a finite number > 0"):
            factory(power)

    @pytest.mark.parametrize("factory", [s.polynomial, s.rectified_polynomial])
    def test_powers(self, factory):
        with pytest.raises(ValueError, match=r"power: expected shape \[\]"):
            factory(np.float32([1.0, 2.0]))

    @pytest.mark.parametrize("theta", [INF, float("nan")])
    def test_theta(self, theta):
        with pytest.raises(ValueError, match="theta: expected a finite number"):
            s.threshold(theta)

    @pytest.mark.parametrize("k", [0, -1, 1.5])
    def test_k(self, k):
        with pytest.raises(ValueError, match="k: expected an integer >= 1"):
            s.top_k(k, s.identity)

    def test_k_above_n(self):
        with pytest.raises(ValueError, match="k: expected at most the number of memories 2, got 3"):
            s.top_k(3, s.identity)(jnp.ones(2))

    def test_ties(self):
        with pytest.raises(ValueError, match="did you mean 'average'"):
            s.maximum(ties="averag")

    @pytest.mark.parametrize(
        "factory", [s.softmax, s.exponential, s.sparsemax, s.entmax15, s.threshold]
    )
    def test_one_parameter_per_query(self, factory):
        name = "theta" if factory is s.threshold else "beta"
        expected = rf"{name}: expected a shape that broadcasts to \[\], got float32\[3\]"
        with pytest.raises(ValueError, match=expected):
            factory(jnp.ones(3))(jnp.ones(4))

    @EVERY
    def test_scores(self, name):
        function, _ = ORACLES[name]
        with pytest.raises(ValueError, match="scores: expected dtype floating"):
            function(jnp.ones(4, jnp.int32))
        with pytest.raises(ValueError, match="scores: expected at least one score"):
            function(jnp.ones((2, 0)))
