import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax import export

from jaxlab.training import create_train_state, data_parallel, make_eval_step, make_train_step
from tests.training.problem import (
    OPTIMIZERS,
    assert_close,
    assert_same,
    data,
    initial_state,
    loss_fn,
    noisy_loss_fn,
)

PLATFORMS = ("cpu", "cuda", "tpu")
BATCH = data(24)


def run(step, state, steps=3):
    for _ in range(steps):
        state, metrics = step(state, BATCH)
    return state, metrics


def noise_fn(params, model_state, batch, key):
    """Reports the noise it draws, so that the key can be checked."""
    noise = jax.random.normal(key, ())
    return jnp.sum(params) * 0 + noise, (model_state, {"noise": noise})


def noise_state(steps=0):
    state = create_train_state(jnp.ones(2), optax.sgd(0.1), key=jax.random.key(5))
    return state.replace(step=jnp.int32(steps))


def test_one_step_is_gradient_descent():
    x = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    y, w = x @ np.array([1.0, -2.0, 0.5], np.float32), np.array([0.1, 0.2, 0.3], np.float32)

    def squared(params, model_state, batch, key):
        return jnp.mean((batch["x"] @ params - batch["y"]) ** 2), (model_state, {})

    optimizer = optax.sgd(0.1)
    state = create_train_state(w, optimizer, key=jax.random.key(0))
    state, metrics = jax.jit(make_train_step(squared, optimizer))(state, {"x": x, "y": y})
    gradient = 2 * x.T @ (x @ w - y) / 6
    np.testing.assert_allclose(state.params, w - 0.1 * gradient, rtol=1e-5)
    np.testing.assert_allclose(metrics["loss"], np.mean((x @ w - y) ** 2), rtol=1e-5)
    np.testing.assert_allclose(metrics["grad_norm"], np.linalg.norm(gradient), rtol=1e-5)
    assert int(state.step) == 1


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("accumulate", [2, 6])
def test_accumulation_is_the_full_batch(name, accumulate):
    optimizer = OPTIMIZERS[name]
    whole = jax.jit(make_train_step(loss_fn, optimizer))
    parts = jax.jit(make_train_step(loss_fn, optimizer, accumulate=accumulate))
    expected, actual = run(whole, initial_state(optimizer)), run(parts, initial_state(optimizer))
    assert_close(actual, expected)
    assert int(actual[0].model_state["updates"]) == 3
    assert bool(actual[0].model_state["active"])


def test_low_precision_gradients_are_summed_in_float32():
    # bfloat16 has 8 bits: adding up 512 gradients of 1 in it would stop at 256
    def linear(params, model_state, batch, key):
        return jnp.sum(params) * jnp.mean(batch), (model_state, {})

    optimizer = optax.sgd(1.0)
    state = create_train_state(jnp.zeros(1, jnp.bfloat16), optimizer, key=jax.random.key(0))
    step = jax.jit(make_train_step(linear, optimizer, accumulate=512))
    state, _ = step(state, jnp.ones(512, jnp.bfloat16))
    assert state.params.dtype == jnp.bfloat16
    assert float(state.params[0]) == -1.0


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
@pytest.mark.parametrize("slope", [1.0, 300.0, 1e-4])
def test_low_precision_metrics_are_float32(dtype, slope):
    # in bfloat16 the sum of 1000 squares of 1 stops at 256; in float16 300² overflows, 1e-8 is 0
    def linear(params, model_state, batch, key):
        return sum(leaf * batch for leaf in params), (model_state, {})

    params = [jnp.zeros((), dtype)] * 1000
    state = create_train_state(params, optax.sgd(0.0), key=jax.random.key(0))
    slope = jnp.asarray(slope, dtype)
    _, metrics = make_train_step(linear, optax.sgd(0.0))(state, slope)
    assert {name: value.dtype for name, value in metrics.items()} == {
        "loss": jnp.float32,
        "grad_norm": jnp.float32,
    }
    np.testing.assert_allclose(metrics["grad_norm"], np.sqrt(1000) * float(slope), rtol=1e-4)


@pytest.mark.parametrize(("accumulate", "at"), [(1, 0), (1, 9), (3, 4)])
def test_randomness_is_derived_as_documented(accumulate, at):
    step = jax.jit(make_train_step(noise_fn, optax.sgd(0.1), accumulate=accumulate))
    state, metrics = step(noise_state(at), jnp.zeros(6))
    base = jax.random.fold_in(jax.random.fold_in(jax.random.key(5), at), 0)
    draws = [jax.random.normal(jax.random.fold_in(base, a), ()) for a in range(accumulate)]
    np.testing.assert_allclose(metrics["noise"], np.mean(draws), rtol=1e-6)
    assert_same(state.key, noise_state().key)


@pytest.mark.parametrize("optimizer", [optax.polyak_sgd(), optax.contrib.reduce_on_plateau()])
def test_optimizers_that_ask_for_the_loss_get_it(optimizer):
    optimizer = optax.chain(optax.sgd(0.1), optimizer)
    state = initial_state(optimizer)
    new, metrics = jax.jit(make_train_step(loss_fn, optimizer, accumulate=2))(state, BATCH)
    (_, grads) = jax.value_and_grad(lambda p: loss_fn(p, state.model_state, BATCH, state.key)[0])(
        state.params
    )
    updates, _ = optimizer.update(grads, state.opt_state, state.params, value=metrics["loss"])
    assert_close(new.params, optax.apply_updates(state.params, updates))


def test_jit_is_eager():
    step = make_train_step(noisy_loss_fn, OPTIMIZERS["adam"], accumulate=2)
    assert_close(run(jax.jit(step), initial_state()), run(step, initial_state()), 1e-6)


def test_vmap_over_seeds_is_a_loop():
    step = make_train_step(noisy_loss_fn, OPTIMIZERS["adam"])
    states = [initial_state(seed=seed) for seed in range(3)]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *states)
    together, _ = jax.jit(jax.vmap(step, in_axes=(0, None)))(stacked, BATCH)
    jitted = jax.jit(step)
    for index, state in enumerate(states):
        assert_close(jax.tree.map(lambda leaf, i=index: leaf[i], together), jitted(state, BATCH)[0])


@pytest.mark.usefixtures("x64")
def test_float64_is_kept():
    state = initial_state(dtype=jnp.float64)
    batch = jax.tree.map(lambda leaf: leaf.astype(np.float64), BATCH)
    results = []
    for accumulate in (1, 4):
        step = jax.jit(make_train_step(loss_fn, OPTIMIZERS["adam"], accumulate=accumulate))
        results.append(step(state, batch))
    assert results[0][0].params["out"].dtype == jnp.float64
    assert results[0][1]["loss"].dtype == jnp.float64
    assert_close(results[1], results[0], 1e-12)


def test_a_loss_that_is_not_finite_is_in_the_metrics():
    batch = {**BATCH, "y": np.full(24, np.nan, np.float32)}
    state, metrics = jax.jit(make_train_step(loss_fn, OPTIMIZERS["adam"]))(initial_state(), batch)
    assert np.isnan(metrics["loss"])
    assert np.isnan(metrics["grad_norm"])
    assert int(state.step) == 1


def test_a_donated_state_is_used_up():
    state = initial_state()
    step = jax.jit(make_train_step(loss_fn, OPTIMIZERS["adam"]), donate_argnums=0)
    step(state, BATCH)
    assert state.params["out"].is_deleted()


def test_eval_step_measures_and_changes_nothing():
    def measure(params, model_state, batch):
        return {"norm": jnp.sum(params["out"] ** 2), "positive": jnp.sum(batch["y"] > 0)}

    state = initial_state()
    metrics = jax.jit(make_eval_step(measure))(state, BATCH)
    np.testing.assert_allclose(metrics["norm"], np.sum(np.square(state.params["out"])), rtol=1e-6)
    assert metrics["positive"].dtype == jnp.float32
    assert float(metrics["positive"]) == np.sum(BATCH["y"] > 0)
    assert_same(state, initial_state())


@pytest.mark.parametrize("accumulate", [1, 3])
def test_a_train_step_lowers_for_every_platform(accumulate):
    step = jax.jit(make_train_step(noisy_loss_fn, OPTIMIZERS["adam"], accumulate=accumulate))
    exported = export.export(step, platforms=PLATFORMS)(initial_state(), BATCH)
    assert set(exported.platforms) == set(PLATFORMS)


def test_a_data_parallel_step_lowers_for_every_platform(devices):
    mesh = jax.make_mesh((8,), ("data",), devices=devices)
    train = make_train_step(noisy_loss_fn, OPTIMIZERS["adam"], axis_name="data", accumulate=3)
    evaluate = make_eval_step(lambda params, _, batch: {"y": batch["y"].mean()}, axis_name="data")
    for step in (data_parallel(train, mesh), data_parallel(evaluate, mesh, donate_state=False)):
        exported = export.export(step, platforms=PLATFORMS)(initial_state(), BATCH)
        assert set(exported.platforms) == set(PLATFORMS)


def returns(change):
    """A loss function that keeps its promise except for ``change``."""

    def changed(params, model_state, batch, key):
        return change(*loss_fn(params, model_state, batch, key))

    return changed


@pytest.mark.usefixtures("bad_input")
@pytest.mark.parametrize(
    ("function", "message"),
    [
        (returns(lambda loss, aux: loss), r"to return \(loss, \(model_state, metrics\)\)"),
        (
            returns(lambda loss, aux: (loss, aux[0])),
            r"to return \(loss, \(model_state, metrics\)\)",
        ),
        (returns(lambda loss, aux: (loss, (aux[0], loss))), "with a dict of metrics"),
        (returns(lambda loss, aux: (jnp.ones(2) * loss, aux)), "real scalar loss"),
        (returns(lambda loss, aux: (jnp.int32(1), aux)), "real scalar loss"),
        (returns(lambda loss, aux: (loss, (None, aux[1]))), "a model_state like the one it got"),
        (
            returns(lambda loss, aux: (loss, ({**aux[0], "mean": jnp.zeros(3)}, aux[1]))),
            "a model_state like the one it got",
        ),
        (returns(lambda loss, aux: (loss, (aux[0], {"loss": loss}))), "no metric of this name"),
        (returns(lambda loss, aux: (loss, (aux[0], {"step": loss}))), "no metric of this name"),
    ],
)
def test_refuses_a_loss_function_that_breaks_its_promise(function, message):
    step = jax.jit(make_train_step(function, OPTIMIZERS["adam"]))
    with pytest.raises(ValueError, match=f"loss_fn: expected .*{message}"):
        step(initial_state(), BATCH)


@pytest.mark.usefixtures("bad_input")
def test_refuses_bad_arguments():
    make = functools.partial(make_train_step, loss_fn, OPTIMIZERS["adam"])
    for accumulate in (0, 1.5):
        with pytest.raises(ValueError, match="accumulate: expected an integer >= 1"):
            make(accumulate=accumulate)
    with pytest.raises(ValueError, match=r"batch\['x'\]: expected a leading axis .* 7 equal parts"):
        jax.jit(make(accumulate=7))(initial_state(), BATCH)
    with pytest.raises(ValueError, match="metrics_fn: expected a dict"):
        make_eval_step(lambda params, model_state, batch: batch["y"])(initial_state(), BATCH)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_model_may_set_its_state_to_numbers_of_python(accumulate, devices):
    def constant(params, model_state, batch, key):
        return jnp.mean(params * batch), ({"rate": 0.5, "count": 3}, {"one": 1})

    optimizer = optax.sgd(0.1)
    numbers = {"rate": 0.1, "count": 0}
    state = create_train_state(jnp.ones(()), optimizer, key=jax.random.key(0), model_state=numbers)
    mesh = jax.make_mesh((2,), ("data",), devices=devices[:2])
    plain = make_train_step(constant, optimizer, accumulate=accumulate)
    shared = make_train_step(constant, optimizer, axis_name="data", accumulate=accumulate)
    for step in (jax.jit(plain), data_parallel(shared, mesh, donate_state=False)):
        after, _ = step(state, jnp.ones(8))
        assert after.model_state == {"rate": 0.5, "count": 3}
