"""Training: one pure step, on one device or many, in a loop that can be killed and resumed.

The pieces are independent of each other and of any method:

* a :class:`TrainState` holds everything that changes, and :func:`make_train_step` makes the pure
  function from a state and a batch to the next state, which runs under ``jax.jit``, ``jax.pmap``
  and, through :func:`data_parallel`, ``jax.shard_map``, on the devices of one process or several
  (:func:`initialize_distributed`);
* :func:`fit` is the loop around it: progress, metrics, evaluation, checkpoints, resume. A run that
  was stopped or killed at any step and started again ends with the same parameters, bit for bit,
  on the same number of devices;
* :func:`save_checkpoint` and :func:`restore_checkpoint` are what it uses to get there, and
  :func:`epoch_batches` gives it batches that are addressed by step.

Example:
    A linear model, in batches of four out of eight examples:

    >>> import jax, jax.numpy as jnp, numpy as np, optax
    >>> from jaxlab.training import create_train_state, epoch_batches, fit, make_train_step
    >>> x = np.linspace(-1, 1, 8, dtype=np.float32)
    >>> batches = epoch_batches({"x": x, "y": 2 * x + 1}, 4, seed=0)
    >>> def loss_fn(params, model_state, batch, key):
    ...     prediction = params["slope"] * batch["x"] + params["offset"]
    ...     return jnp.mean((prediction - batch["y"]) ** 2), (model_state, {})
    >>> optimizer = optax.adam(0.1)
    >>> params = {"slope": jnp.zeros(()), "offset": jnp.zeros(())}
    >>> state = create_train_state(params, optimizer, key=jax.random.key(0))
    >>> step = jax.jit(make_train_step(loss_fn, optimizer), donate_argnums=0)
    >>> result = fit(state, step, batches, num_steps=200)
    >>> {name: round(float(value), 2) for name, value in result.state.params.items()}
    {'offset': 1.0, 'slope': 2.0}

    With ``checkpoint_dir="runs/line"`` the same call, made again after a kill, goes on where the
    newest checkpoint is.
"""

from jaxlab.training.batches import check_batch, epoch_batches, split_batch
from jaxlab.training.checkpoint import (
    CheckpointError,
    Restored,
    checkpoint_path,
    checkpoint_steps,
    restore_checkpoint,
    save_checkpoint,
)
from jaxlab.training.fit import FitResult, fit
from jaxlab.training.history import read_history
from jaxlab.training.interrupts import TrainingInterrupted
from jaxlab.training.parallel import (
    data_parallel,
    initialize_distributed,
    pmap_replicate,
    pmap_shard,
    pmap_unreplicate,
    replicate,
    shard,
)
from jaxlab.training.state import TrainState, create_train_state
from jaxlab.training.steps import make_eval_step, make_train_step

__all__ = [
    "CheckpointError",
    "FitResult",
    "Restored",
    "TrainState",
    "TrainingInterrupted",
    "check_batch",
    "checkpoint_path",
    "checkpoint_steps",
    "create_train_state",
    "data_parallel",
    "epoch_batches",
    "fit",
    "initialize_distributed",
    "make_eval_step",
    "make_train_step",
    "pmap_replicate",
    "pmap_shard",
    "pmap_unreplicate",
    "read_history",
    "replicate",
    "restore_checkpoint",
    "save_checkpoint",
    "shard",
    "split_batch",
]
