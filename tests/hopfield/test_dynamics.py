"""Trajectories: order of the solvers, monotone energies, reported failure, batches."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
from scipy.integrate import solve_ivp

from jaxlab.hopfield import energy as energies
from jaxlab.hopfield import similarity as similarities
from tests.helpers import to_device

N, D = 5, 7
HIDDEN = {
    "softmax": energies.softmax_lagrangian(3.0),
    "power": energies.rectified_power_lagrangian(2),
}
VISIBLE = {
    "quadratic": energies.quadratic_lagrangian(),
    "log_cosh": energies.log_cosh_lagrangian(1.0),
    "layer_norm": energies.layer_norm_lagrangian(),
}
SIMILARITIES = {
    "dot": similarities.dot_product,
    "squared_euclidean": similarities.squared_euclidean,
    "smooth_manhattan": similarities.smooth_manhattan(0.1),
}
MODERN = {
    "similarity": similarities.dot_product,
    "hidden": HIDDEN["softmax"],
    "visible": VISIBLE["quadratic"],
}


@functools.partial(jax.jit, static_argnames=("seed", "batch"))
def start(seed=0, batch=(3,)):
    keys = jax.random.split(jax.random.key(seed), 3)
    memories = jax.random.normal(keys[0], (N, D))
    memories /= jnp.linalg.norm(memories, axis=-1, keepdims=True)
    v0 = 0.5 * jax.random.normal(keys[1], (*batch, D))
    return v0, 0.5 * jax.random.normal(keys[2], (*batch, N)), memories


@pytest.mark.parametrize("solver", ["euler", "heun", "rk4"])
def test_error_shrinks_with_the_solvers_order(solver, x64):
    v0, h0, memories = start(batch=())
    layers = {**MODERN, "visible": VISIBLE["log_cosh"]}

    table = np.asarray(memories)

    def forces(_, y):  # softmax and log cosh, written out
        weights = scipy.special.softmax(3.0 * y[D:])
        dv, dh = weights @ table - y[:D], (table @ np.tanh(y[:D]) - y[D:]) / 0.5
        return np.concatenate([dv, dh])

    exact = solve_ivp(forces, (0, 2.0), np.concatenate([v0, h0]), rtol=1e-11, atol=1e-12).y[:, -1]
    errors = []
    for num_steps in (20, 40):
        path = energies.simulate(
            v0,
            h0,
            memories,
            **layers,
            dt=2.0 / num_steps,
            num_steps=num_steps,
            tau_h=0.5,
            solver=solver,
            save_every=num_steps,
        )
        errors.append(np.abs(np.concatenate([path.v[-1], path.h[-1]]) - exact).max())
    order = {"euler": 1, "heun": 2, "rk4": 4}[solver]
    assert errors[0] / errors[1] == pytest.approx(2**order, rel=0.25)


@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_smooth_energies_fall_monotonically(similarity, x64):
    v0, h0, memories = start()
    pairs = [("softmax", "quadratic"), ("power", "log_cosh"), ("softmax", "layer_norm")]
    for hidden, visible in pairs:
        path = energies.simulate(
            v0,
            h0,
            memories,
            similarity=SIMILARITIES[similarity],
            hidden=HIDDEN[hidden],
            visible=VISIBLE[visible],
            dt=0.005,
            num_steps=600,
            tau_h=0.2,
            tolerance=1e-13,
        )
        assert np.all(path.status == energies.OK)
        assert np.all(np.diff(path.energy, axis=0) <= 1e-13 * (1 + np.abs(path.energy[1:])))
        assert np.all(path.energy[-1] < path.energy[0])


def test_the_saved_states_are_those_of_single_steps():
    v0, h0, memories = start()
    every = energies.simulate(v0, h0, memories, **MODERN, dt=0.1, num_steps=6)
    some = energies.simulate(v0, h0, memories, **MODERN, dt=0.1, num_steps=6, save_every=3)
    np.testing.assert_allclose(every.times, 0.1 * np.arange(7), rtol=1e-6)
    np.testing.assert_allclose(some.times, [0.0, 0.3, 0.6], rtol=1e-6)
    for name in ("v", "h", "energy"):
        np.testing.assert_allclose(
            getattr(some, name), getattr(every, name)[::3], rtol=1e-5, atol=1e-6
        )
    np.testing.assert_array_equal(every.v[0], v0)
    np.testing.assert_allclose(
        every.energy, energies.energy(every.v, every.h, memories, **MODERN), rtol=1e-5, atol=1e-6
    )


def test_an_energy_without_lower_bound_is_reported_and_frozen():
    v0, h0, memories = start()
    layers = {**MODERN, "hidden": energies.rectified_power_lagrangian(3)}
    v0, table = np.asarray(v0), np.asarray(memories)
    large = to_device(
        np.concatenate([v0[:2] * np.float32(0.1), 20 * table[:1]])
    )  # the third one runs away
    path = energies.simulate(large, 0 * h0, memories, **layers, dt=0.05, num_steps=400)
    assert path.status.tolist() == [0, 0, energies.DIVERGED]
    for field in (path.v, path.h, path.energy):
        assert np.isfinite(field).all()
    last = int(np.flatnonzero(np.any(np.diff(path.v[:, 2], axis=0) != 0, axis=-1))[-1]) + 1
    assert last < 400
    np.testing.assert_array_equal(
        path.v[last:, 2], np.broadcast_to(path.v[last, 2], (401 - last, D))
    )
    np.testing.assert_array_equal(path.energy[last:, 2], path.energy[last, 2])
    # one more step from the frozen state is not finite: nothing was cut short
    again = energies.simulate(path.v[-1], path.h[-1], memories, **layers, dt=0.05, num_steps=1)
    assert int(again.status[2]) == energies.DIVERGED


def test_a_start_that_is_not_finite_is_reported():
    v0, h0, memories = start()
    v0 = np.array(v0)
    v0[1, 0] = np.nan
    path = energies.simulate(to_device(v0), h0, memories, **MODERN, dt=0.1, num_steps=3)
    assert path.status.tolist() == [0, energies.DIVERGED, 0]


def test_steps_that_are_too_long_are_reported():
    v0, h0, memories = start()
    # forward Euler on a decay with rate 10 swings out of bounds for dt > 0.2
    path = energies.simulate(
        v0, h0, memories, **MODERN, dt=0.25, num_steps=40, tau_h=0.1, solver="euler"
    )
    assert np.all(path.status != energies.OK)
    fine = energies.simulate(
        v0, h0, memories, **MODERN, dt=0.05, num_steps=40, tau_h=0.1, solver="euler"
    )
    assert np.all(fine.status == energies.OK)


def test_corners_chatter_and_their_rounding_does_not(x64):
    v0, h0, memories = start()
    options = {"hidden": HIDDEN["softmax"], "visible": VISIBLE["quadratic"]}
    times = {"dt": 0.01, "num_steps": 1500, "save_every": 1500, "tau_h": 0.5}
    rough = energies.simulate(
        v0, h0, memories, similarity=similarities.manhattan, solver="euler", **options, **times
    )
    smooth = energies.simulate(
        v0, h0, memories, similarity=SIMILARITIES["smooth_manhattan"], **options, **times
    )
    assert np.any(rough.status == energies.ENERGY_ROSE)
    assert np.all(smooth.status == energies.OK)


def test_recall_from_a_corrupted_pattern():
    _, _, memories = start()
    noise = np.random.default_rng(9).normal(size=memories.shape)
    noisy = to_device(np.asarray(memories) + 0.1 * noise, np.float32)
    layers = {**MODERN, "hidden": energies.softmax_lagrangian(30.0)}
    path = energies.simulate(
        noisy, jnp.zeros((N, N)), memories, **layers, dt=0.05, num_steps=400, tau_h=0.1
    )
    assert np.all(path.status == energies.OK)
    assert np.max(np.abs(np.asarray(path.v)[-1] - np.asarray(memories))) < 0.05


def test_constant_input_shifts_the_fixed_point(x64):
    v0, h0, memories = start(batch=())
    bias = jnp.linspace(-1.0, 1.0, D)
    path = energies.simulate(
        v0, h0, memories, **MODERN, bias=bias, dt=0.05, num_steps=1000, save_every=1000
    )
    v, memories = np.asarray(path.v)[-1], np.asarray(memories)
    weights = scipy.special.softmax(3.0 * memories @ v)
    np.testing.assert_allclose(v, weights @ memories + np.asarray(bias), atol=1e-8)


def test_batches_jit_and_gradients():
    v0, h0, memories = start()

    def final(v, h, dt=0.1):
        return energies.simulate(v, h, memories, **MODERN, dt=dt, num_steps=5).v[-1]

    together = np.asarray(final(v0, h0))
    np.testing.assert_allclose(jax.jit(jax.vmap(final))(v0, h0), together, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(jax.jit(final)(v0, h0, 0.1), together, rtol=1e-5, atol=1e-6)
    steps = jnp.array([0.05, 0.1])
    curve = np.asarray(jax.jit(jax.vmap(lambda dt: final(v0, h0, dt)))(steps))
    np.testing.assert_allclose(curve[1], together, rtol=1e-5, atol=1e-6)
    slope = np.asarray(jax.jit(jax.grad(lambda v: final(v, h0).sum()))(v0))
    bump = np.zeros((3, D), np.float32)
    bump[1, 2] = 1e-2
    ahead, behind = (
        np.asarray(final(to_device(np.asarray(v0) + side * bump), h0)) for side in (1, -1)
    )
    difference = (ahead.sum() - behind.sum()) / 2e-2
    assert float(slope[1, 2]) == pytest.approx(float(difference), rel=1e-2)


def test_dtypes_and_empty_batches():
    v0, h0, memories = start()
    half = [to_device(x, jnp.bfloat16) for x in (v0, h0, memories)]
    path = energies.simulate(*half, **MODERN, dt=0.1, num_steps=4, tolerance=0.1)
    assert path.v.dtype == path.h.dtype == path.energy.dtype == jnp.bfloat16
    empty = energies.simulate(v0[:0], h0[:0], memories, **MODERN, dt=0.1, num_steps=2)
    assert (empty.v.shape, empty.status.shape) == ((3, 0, D), (0,))


@pytest.mark.usefixtures("bad_input")
def test_bad_input():
    v0, h0, memories = start()

    def run(v=v0, h=h0, **changes):
        return energies.simulate(v, h, memories, **{**MODERN, "dt": 0.1, "num_steps": 4, **changes})

    for name in ("dt", "tau_v", "tau_h"):
        for value in (0.0, -0.1, float("nan")):
            with pytest.raises(ValueError, match=f"{name}: expected a finite number > 0"):
                run(**{name: value})
    with pytest.raises(ValueError, match="num_steps: expected a multiple of save_every = 3"):
        run(save_every=3)
    with pytest.raises(ValueError, match="num_steps: expected an integer >= 1"):
        run(num_steps=0)
    with pytest.raises(ValueError, match="save_every: expected an integer >= 1"):
        run(save_every=0)
    with pytest.raises(ValueError, match="solver: expected one of 'rk4', 'heun', 'euler'"):
        run(solver="rk5")
    with pytest.raises(ValueError, match="tolerance: expected a finite number >= 0"):
        run(tolerance=-1.0)
    with pytest.raises(ValueError, match=r"v0: expected shape \[..., 7\]"):
        run(v=v0[:, :3])
    with pytest.raises(ValueError, match=r"h0: expected shape \[3, 5\]"):
        run(h=h0[:2])
    with pytest.raises(ValueError, match="visible: expected a Lagrangian"):
        run(visible=jnp.sum)
