"""The processes that the tests of kills, signals and several hosts start.

``python -m tests.training.worker ROLE ARGUMENT...``; each role is one function below.
"""

import os
import resource
import signal
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from jaxlab.training import (
    CheckpointError,
    create_train_state,
    data_parallel,
    epoch_batches,
    fit,
    initialize_distributed,
    make_train_step,
    replicate,
    restore_checkpoint,
    save_checkpoint,
    shard,
)
from jaxlab.training.history import append_record
from tests.training.problem import OPTIMIZERS, data, initial_state, loss_fn, train

KILL_STEPS, WORKER_BATCHES = 14, epoch_batches(data(), 10, seed=3)


def killed(directory, at):
    """Train, and be killed without warning while the step with index ``at`` runs."""

    def batches(index):
        if index == int(at):
            os.kill(os.getpid(), signal.SIGKILL)
        return WORKER_BATCHES(index)

    train(Path(directory), num_steps=KILL_STEPS, batches=batches)


def interrupted(directory):
    """Train slowly enough to be interrupted, with progress on standard error."""

    def batches(index):
        time.sleep(0.1)
        return WORKER_BATCHES(index)

    train(Path(directory), num_steps=400, batches=batches, stream=sys.stderr)


def big_state(step):
    """Eight megabytes that no compression makes smaller, different at every step."""
    values = np.random.default_rng(step).integers(0, 2**32, 2_000_000, dtype=np.uint32)
    state = create_train_state(jnp.zeros(3), OPTIMIZERS["adam"], key=jax.random.key(0))
    return state.replace(step=jnp.int32(step), model_state=values)


def saving(directory, file_size):
    """Save a large state over and over, each under the next step, from where the last left off.

    With a ``file_size``, the system kills the process in the second save, when the file it is
    writing grows beyond that.
    """
    found = restore_checkpoint(directory, big_state(0))
    step = 0 if found is None else int(found.state.step)
    while True:
        step += 1
        save_checkpoint(directory, big_state(step), keep=2)
        if int(file_size):
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            resource.setrlimit(resource.RLIMIT_FSIZE, (int(file_size), int(file_size)))


def distributed(directory, port, process):
    """One of two hosts; the second is told to stop, both stop, and both go on again.

    At the end it is told to stop once more, when the last step is done: both say so.
    """
    initialize_distributed(f"localhost:{port}", 2, int(process), timeout=60)
    mesh = jax.make_mesh((jax.device_count(),), ("data",))
    optimizer = OPTIMIZERS["adam"]
    step = data_parallel(make_train_step(loss_fn, optimizer, axis_name="data"), mesh)
    state = replicate(initial_state(optimizer), mesh)
    batches = epoch_batches(data(), 16, seed=2)
    directory = Path(directory)

    def run(signal_at, **options):
        def placed(index):
            if index == signal_at:
                signal.raise_signal(signal.SIGINT)
            return shard(batches(index), mesh)

        return fit(
            state,
            step,
            placed,
            log_every=2,
            checkpoint_dir=directory / "checkpoints",
            metrics_path=directory / "metrics.jsonl",
            **options,
        )

    def stopped_at_the_end(state):
        if process == "1":
            signal.raise_signal(signal.SIGINT)
        return {}

    try:
        run(signal_at=2 if process == "1" else None, num_steps=8)
        raise SystemExit("the run should have been stopped")
    except KeyboardInterrupt as stopped:
        print(stopped, flush=True)
    if process == "0":  # as if it had been killed two steps later
        append_record(directory / "metrics.jsonl", {"step": 6, "loss": 0.0})
    result = run(signal_at=None, num_steps=8)
    assert [record["step"] for record in result.history] == [2, 4, 6, 8]
    assert result.history[2]["loss"] > 0
    assert jax.device_count() == 4
    assert len(jax.local_devices()) == 2
    out = {name: np.asarray(value) for name, value in result.state.model_state.items()}
    np.savez(directory / f"{process}.npz", params=result.state.params["out"], **out)
    try:
        run(signal_at=None, num_steps=9, evaluate=stopped_at_the_end, evaluate_every=9)
        raise SystemExit("the run should have been stopped at its end")
    except KeyboardInterrupt as stopped:
        print(stopped, flush=True)


def restoring(directory, port, process):
    """One of two hosts that look at directories of their own; each says how it ended."""
    initialize_distributed(f"localhost:{port}", 2, int(process), timeout=60)
    for case in ("same", "older", "damaged"):
        try:
            found = restore_checkpoint(Path(directory) / case / process, initial_state())
            print(case, "none" if found is None else int(found.state.step), flush=True)
        except CheckpointError as error:
            print(case, error, flush=True)


if __name__ == "__main__":
    ROLES = (killed, interrupted, saving, distributed, restoring)
    role = {function.__name__: function for function in ROLES}
    role[sys.argv[1]](*sys.argv[2:])
