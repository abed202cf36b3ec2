"""Online learners: regret within its bound, medians as numpy's."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.graph_algorithms.learning import fit_duals
from jaxlab.graph_algorithms.online import median_learner, online_learner, regret
from jaxlab.graph_algorithms.types import Duals
from tests.helpers import aligned_zeros, to_device

RNG = np.random.default_rng(13)
ROUNDS, N, RADIUS = 200, 4, 10.0


def stream():
    """Samples about a centre that jumps half way."""
    center = RNG.uniform(-8, 8, (2, 2 * N))[np.arange(ROUNDS) * 2 // ROUNDS]
    drawn = np.clip(center + RNG.normal(size=(ROUNDS, 2 * N)), -RADIUS, RADIUS)
    return Duals(*(to_device(part, np.float32) for part in np.split(drawn, 2, axis=1)))


def play(learner, samples):
    """Predictions of all rounds, the first of zeros."""
    zeros = jax.tree.map(lambda part: jnp.zeros_like(part[0]), samples)

    def step(carry, sample):
        guess, state = carry
        following, state = learner.update(sample, state)
        return (following, state), guess

    _, guesses = jax.lax.scan(step, (zeros, learner.init(zeros)), samples)
    return guesses


@pytest.mark.parametrize("loss", ["l1", "linf"])
def test_regret_of_gradient_descent_is_below_its_bound(loss):
    samples = stream()
    d = 2 * N
    # D G √T with diameter 2 C √d and gradients of norm √d (ℓ1) or 1 (ℓ∞)
    steepest = np.sqrt(d) if loss == "l1" else 1.0
    diameter = 2 * RADIUS * np.sqrt(d)
    rate = diameter / (steepest * np.sqrt(ROUNDS))
    guesses = play(online_learner(loss, rate, RADIUS), samples)
    assert regret(guesses, samples, loss) <= diameter * steepest * np.sqrt(ROUNDS)
    assert np.abs(np.concatenate(guesses)).max() <= RADIUS
    still = jax.tree.map(jnp.zeros_like, samples)
    assert regret(guesses, samples, loss) < regret(still, samples, loss)


def test_a_state_shares_no_memory_with_what_it_was_made_of():
    buffer = aligned_zeros(64)
    state = online_learner("l1", 0.1, radius=9).init(Duals(buffer, buffer))
    buffer[:] = 5
    assert not np.asarray(state.row).any()


def test_steps_follow_the_gradient():
    samples = jax.tree.map(lambda x: x[:1], stream())
    for loss in ("l1", "l2", "linf"):
        learner = online_learner(loss, 0.5)
        zeros = Duals(jnp.zeros(N), jnp.zeros(N))
        sample = jax.tree.map(lambda x: x[0], samples)
        moved, _ = learner.update(sample, learner.init(zeros))

        def distance(y, loss=loss, sample=sample):
            apart = jnp.concatenate([y.row - sample.row, y.col - sample.col])
            if loss == "l2":
                return jnp.sum(apart**2) / 2
            return jnp.linalg.norm(apart, 1 if loss == "l1" else jnp.inf)

        slope = jax.grad(distance)(zeros)
        expected = jax.tree.map(lambda leaf: -0.5 * leaf, slope)
        chex.assert_trees_all_close(moved, expected, rtol=1e-5)


@pytest.mark.parametrize("horizon", [3, ROUNDS])
def test_medians_of_what_is_remembered(horizon):
    samples = stream()
    guesses = play(median_learner(horizon), samples)
    for t in (1, 2, 5, 50, ROUNDS - 1):
        past = np.asarray(samples.col[max(0, t - horizon) : t])
        lower = np.percentile(past, 50, axis=0, method="lower")
        np.testing.assert_array_equal(guesses.col[t], lower)


def test_regret_of_the_best_is_zero_and_of_others_is_not():
    samples = stream()
    for loss in ("l0", "l1", "l2"):
        best = fit_duals(samples, loss, "none")
        fixed = jax.tree.map(lambda part, all_: jnp.broadcast_to(part, all_.shape), best, samples)
        worse = jax.tree.map(lambda part: part + 1, fixed)
        assert regret(fixed, samples, loss) == pytest.approx(0, abs=1e-2)
        if loss == "l0":  # which may equal as many of the samples
            assert regret(worse, samples, loss) >= 0
        else:
            assert regret(worse, samples, loss) > 1
    constant = jax.tree.map(lambda part: jnp.ones_like(part), samples)
    assert regret(constant, constant, "l1") == 0


@pytest.mark.parametrize(("dtype", "high"), [(np.uint8, 256), (np.int16, 2**15), (np.int32, 2**31)])
def test_regret_of_integers_that_a_difference_would_wrap(dtype, high):
    info = np.iinfo(dtype)
    guesses, samples = (
        Duals(*(RNG.integers(info.min, high, (9, k)).astype(dtype) for k in (2, 3)))
        for _ in range(2)
    )
    wide = [
        jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), duals) for duals in (guesses, samples)
    ]
    narrow = [jax.tree.map(jnp.asarray, duals) for duals in (guesses, samples)]
    one_off = jax.tree.map(lambda x: x ^ 1, narrow[1])
    assert regret(one_off, narrow[1], "l0") >= regret(narrow[1], narrow[1], "l0") + 9 * 5
    assert regret(*narrow, "l1") == pytest.approx(float(regret(*wide, "l1")), rel=1e-5)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize(
    "learner",
    [
        online_learner("l2"),
        online_learner("l2", np.float64(1)),
        online_learner("l2", 1.0, np.float64(9)),
        median_learner(2),
    ],
)
def test_wide_samples_within_a_scan(learner):
    samples = Duals(jnp.ones((3, 2)), jnp.ones((3, 2)))
    assert samples.row.dtype == jnp.float64
    start = learner.init(jax.tree.map(lambda part: part[0], samples))
    _, guesses = jax.lax.scan(lambda state, s: learner.update(s, state)[::-1], start, samples)
    assert guesses.row.tolist() == np.ones((3, 2)).tolist()


@pytest.mark.usefixtures("bad_input")
def test_refusals():
    samples = stream()
    for call, message in [
        (lambda: online_learner("l0"), "loss: expected one of 'l1', 'l2', 'linf'"),
        (lambda: online_learner("l1", 0.0), "learning_rate: expected a finite number"),
        (lambda: online_learner("l1", 1.0, -1), "radius: expected a finite number"),
        (lambda: median_learner(0), "horizon: expected an integer >= 1"),
        (lambda: regret(samples, samples, "l7"), "loss: expected one of"),
        (lambda: regret(jax.tree.map(lambda x: x[1:], samples), samples), "predictions.row: exp"),
    ]:
        with pytest.raises(ValueError, match=message):
            call()
