"""A small network with running statistics, for whatever trains something in these tests."""

import io
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxlab.progress import Progress
from jaxlab.training import create_train_state, epoch_batches, fit, make_train_step

FEATURES, HIDDEN, EXAMPLES = 4, 8, 48

OPTIMIZERS = {
    "momentum": optax.sgd(0.1, momentum=0.9),
    "adam": optax.adam(1e-2),
    "clipped adamw": optax.chain(optax.clip_by_global_norm(0.5), optax.adamw(1e-2)),
}


def data(size=EXAMPLES, seed=0):
    random = np.random.default_rng(seed)
    x = random.normal(size=(size, FEATURES)).astype(np.float32)
    return {"x": x, "y": np.sin(x.sum(axis=1)).astype(np.float32)}


def parameters(dtype=jnp.float32):
    first, second = jax.random.split(jax.random.key(1))
    return {
        "hidden": {
            "kernel": jax.random.normal(first, (FEATURES, HIDDEN), dtype),
            "bias": jnp.zeros(HIDDEN, dtype),
        },
        "out": jax.random.normal(second, (HIDDEN,), dtype) / 3,
    }


def statistics(dtype=jnp.float32):
    """Running statistics of the hidden layer, and how often they were updated."""
    return {
        "mean": jnp.zeros(HIDDEN, dtype),
        "square": jnp.ones(HIDDEN, dtype),
        "updates": jnp.zeros((), jnp.int32),
        "active": jnp.zeros((), bool),
    }


def loss_fn(params, model_state, batch, key, noise=0.0):
    """Mean squared error; the hidden layer is normalized by the running statistics."""
    hidden = jnp.tanh(batch["x"] @ params["hidden"]["kernel"] + params["hidden"]["bias"])
    variance = model_state["square"] - model_state["mean"] ** 2
    normal = (hidden - model_state["mean"]) / jnp.sqrt(variance + 0.1)
    normal += noise * jax.random.normal(key, normal.shape, normal.dtype)
    error = normal @ params["out"] - batch["y"]
    new_state = {
        "mean": 0.9 * model_state["mean"] + 0.1 * hidden.mean(axis=0),
        "square": 0.9 * model_state["square"] + 0.1 * (hidden**2).mean(axis=0),
        "updates": model_state["updates"] + 1,
        "active": model_state["active"] | True,
    }
    return jnp.mean(error**2), (new_state, {"absolute": jnp.mean(jnp.abs(error))})


def noisy_loss_fn(params, model_state, batch, key):
    return loss_fn(params, model_state, batch, key, noise=0.1)


def initial_state(optimizer=OPTIMIZERS["adam"], dtype=jnp.float32, seed=7):
    return create_train_state(
        parameters(dtype), optimizer, key=jax.random.key(seed), model_state=statistics(dtype)
    )


def train(directory: Path | None, *, num_steps: int, batches=None, stream=None, **options):
    """The run that is killed and resumed: shuffled batches, noise in the loss, Adam."""
    optimizer = OPTIMIZERS["adam"]
    if directory is not None:
        options = {
            "checkpoint_dir": directory / "checkpoints",
            "metrics_path": directory / "metrics.jsonl",
            "checkpoint_every": 3,
            **options,
        }
    stream = io.StringIO() if stream is None else stream
    return fit(
        initial_state(optimizer),
        jax.jit(make_train_step(noisy_loss_fn, optimizer), donate_argnums=0),
        epoch_batches(data(), 10, seed=3) if batches is None else batches,
        num_steps=num_steps,
        log_every=options.pop("log_every", 2),
        progress=lambda *args, **kwargs: Progress(*args, **kwargs, stream=stream, interval=0.0),
        **options,
    )


def assert_same(actual, expected):
    """Two PyTrees are equal bit for bit."""
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    for one, other in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
        if jnp.issubdtype(one.dtype, jax.dtypes.prng_key):
            assert jax.random.key_impl(one) == jax.random.key_impl(other)
            one, other = jax.random.key_data(one), jax.random.key_data(other)
        one, other = np.asarray(one), np.asarray(other)
        assert one.dtype == other.dtype
        assert one.shape == other.shape
        assert one.tobytes() == other.tobytes()


def assert_close(actual, expected, tolerance=1e-5):
    """Two PyTrees are equal up to ``tolerance``, relative and absolute; keys exactly."""
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    for one, other in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
        if jnp.issubdtype(one.dtype, jax.dtypes.prng_key):
            one, other = jax.random.key_data(one), jax.random.key_data(other)
        assert one.dtype == other.dtype
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)
