"""The training loop of one run: it starts, or goes on where the last process stopped.

The loop holds no state of its own. A step is a function of the state and of the batch with that
step's index, so a run that was killed and started again ends with the same parameters, bit for
bit, on the same devices.
"""

import contextlib
import math
import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jaxtyping import PyTree

from jaxlab.checks import check_dtype, check_integer, require
from jaxlab.progress import Progress
from jaxlab.training.checkpoint import (
    checkpoint_path,
    require_single,
    require_writable,
    restore_checkpoint,
    save_checkpoint,
)
from jaxlab.training.history import Record, append_record, read_history, rewind_history
from jaxlab.training.interrupts import StopRequest, TrainingInterrupted, stop_signals
from jaxlab.training.state import TrainState

__all__ = ["FitResult", "fit"]

# Most steps that wait for the device. Several CPU devices of one process can lock up in their
# all-reduces once some 32 programs wait, of which a step may start several, and XLA then ends the
# process.
AHEAD = 4


class FitResult(NamedTuple):
    """What a finished run leaves.

    Attributes:
        state: the state after the last step.
        history: one record per logged step, ascending: ``step``, the step's metrics, and
            ``eval/NAME`` for what ``evaluate`` measured after it. With ``metrics_path`` it goes
            back to the run's first step, otherwise to where this process took over.
        nonfinite_step: the first step run by this process with a metric that was not finite, what
            ``evaluate`` measures apart; ``None`` if there was none.
    """

    state: TrainState
    history: list[Record]
    nonfinite_step: int | None


def fit(
    state: TrainState,
    step: Callable[[TrainState, PyTree], tuple[TrainState, Mapping[str, Any]]],
    batches: Callable[[int], PyTree],
    *,
    num_steps: int,
    checkpoint_dir: str | os.PathLike[str] | None = None,
    checkpoint_every: int = 1000,
    keep: int = 3,
    evaluate: Callable[[TrainState], Mapping[str, Any]] | None = None,
    evaluate_every: int = 1000,
    metrics_path: str | os.PathLike[str] | None = None,
    log_every: int = 10,
    title: str = "fit",
    progress: Callable[..., Progress] = Progress,
) -> FitResult:
    """Train until ``state.step`` is ``num_steps``.

    With ``checkpoint_dir``, the state is saved every ``checkpoint_every`` steps and at the end, and
    a call that finds checkpoints there goes on from the newest readable one: *to resume, make the
    same call again*. The first Ctrl-C (or SIGTERM) lets the present step finish, saves, says how
    to resume and raises :class:`TrainingInterrupted`; a second one aborts at once. Without
    ``checkpoint_dir`` Ctrl-C is the ordinary ``KeyboardInterrupt``.

    Metrics are fetched from the device on logged steps only (multiples of ``log_every``, steps
    after which ``evaluate`` runs, and the last one), so that the device need not wait for the host,
    which is at most 4 steps ahead of it.
    Those of the steps in between are checked then: the first value that is not finite is reported
    with its step, and training goes on.

    With several processes, all make the same call on a shared file system. Process 0 writes, and a
    signal to any of them stops all of them after the same logged step.

    Args:
        state: the state to start from; it is copied, not used up.
        step: a jitted train step, such as ``jax.jit(make_train_step(...), donate_argnums=0)`` or
            what :func:`jaxlab.training.data_parallel` returns.
        batches: the batch of the step with a given index (from 0), always the same for the same
            index; see :func:`jaxlab.training.epoch_batches`.
        num_steps: total number of steps, those of resumed processes included.
        checkpoint_dir: directory of this run's checkpoints.
        checkpoint_every: steps between checkpoints.
        keep: how many checkpoints to keep.
        evaluate: ``evaluate(state) -> metrics``, called every ``evaluate_every`` steps and at the
            end; must not use up the state.
        evaluate_every: steps between evaluations.
        metrics_path: JSON-lines file to which records are appended, made with its folder; lines
            after the step the run starts from are dropped first, all of them when it starts anew,
            so that no step is there twice.
        log_every: steps between records.
        title: what the progress line is headed with.
        progress: makes the :class:`jaxlab.progress.Progress` of the run, called as
            ``progress(title, total=num_steps, initial=first_step)``.

    Returns:
        A :class:`FitResult`.

    Raises:
        TrainingInterrupted: after a signal, once the state is saved.
        CheckpointError: if a checkpoint cannot be written, or none of those there can be read.
        ValueError: if an argument is out of range, ``step`` does not advance ``state.step`` by 1,
            ``step`` or ``evaluate`` returns no dict of metrics, a metric is not one real number or
            is called ``step``, or ``checkpoint_dir`` holds another run (other shapes, another PRNG
            key, or more than ``num_steps`` steps) or has one of the characters ``*?[`` or a
            backslash in its path, or ``metrics_path`` something that is no record of metrics.
        OSError: before the first step, if ``metrics_path`` cannot be written.

    Cost: that of the steps, and a copy of the state at the start.

    Example:
        >>> import io, functools, optax
        >>> from jaxlab.training import create_train_state, epoch_batches, make_train_step
        >>> def loss_fn(params, model_state, batch, key):
        ...     return jnp.mean((params - batch["x"]) ** 2), (model_state, {})
        >>> optimizer = optax.sgd(0.25)
        >>> result = fit(
        ...     create_train_state(jnp.zeros(()), optimizer, key=jax.random.key(0)),
        ...     jax.jit(make_train_step(loss_fn, optimizer), donate_argnums=0),
        ...     epoch_batches({"x": np.ones(8, np.float32)}, 4, seed=0),
        ...     num_steps=3,
        ...     log_every=1,
        ... )
        >>> [record["loss"] for record in result.history], float(result.state.params)
        ([1.0, 0.25, 0.0625], 0.875)
    """
    check_integer("num_steps", num_steps, minimum=0)
    check_integer("checkpoint_every", checkpoint_every, minimum=1)
    check_integer("evaluate_every", evaluate_every, minimum=1)
    check_integer("log_every", log_every, minimum=1)
    check_integer("keep", keep, minimum=1)
    require_single(state)

    state, saved, messages = _start(state, checkpoint_dir)
    first = int(state.step)
    require(first <= num_steps, "num_steps", num_steps, f"at least {first}, the step of the state")
    history = [] if metrics_path is None else _continue_history(metrics_path, first)
    pending: list[tuple[int, Mapping[str, Any]]] = []  # metrics that are still on the device
    nonfinite_step: int | None = None
    done, stopping = first, False

    # without checkpoints there is nothing to save first, and Ctrl-C stays what it is
    signals = contextlib.nullcontext(StopRequest()) if checkpoint_dir is None else stop_signals()
    with signals as stop, progress(title, total=num_steps, initial=first) as bar:
        for message in messages:
            bar.message(message)
        while done < num_steps and not stopping:
            # a copy: the device may read it after batches has filled its buffers again
            state, metrics = step(state, jax.tree.map(_copied, batches(done)))
            done += 1
            pending.append((done, metrics))
            if len(pending) > AHEAD:
                jax.block_until_ready(pending[-AHEAD - 1])
            evaluating = evaluate is not None and (done == num_steps or done % evaluate_every == 0)
            logging = evaluating or done == num_steps or done % log_every == 0
            saving = checkpoint_dir is not None and done % checkpoint_every == 0
            stopping = _stop_requested(stop, logging)

            if logging or saving or stopping:  # where the host waits for the device anyhow
                expected = f"to return a state whose step is {done}, one more than it got"
                require(int(state.step) == done, "step", int(state.step), expected)
            if logging or stopping:
                fetched = [(at, _numbers("step", values)) for at, values in jax.device_get(pending)]
                pending.clear()
                for _, values in fetched:
                    expected = "no metric of this name, it is the record's own"
                    require("step" not in values, "metrics", "step", expected)
                if nonfinite_step is None and (found := _first_nonfinite(fetched)) is not None:
                    nonfinite_step, what = found
                    bar.message(f"step {nonfinite_step}: {what}; training goes on")
            latest: dict[str, float] = {}
            if logging:
                latest = fetched[-1][1]
                if evaluate is not None and evaluating:
                    measured = _numbers("evaluate", jax.device_get(evaluate(state)))
                    latest |= {f"eval/{name}": value for name, value in measured.items()}
                history.append({"step": done, **latest})
                if metrics_path is not None and jax.process_index() == 0:
                    append_record(metrics_path, history[-1])
            bar.advance(latest=latest or None)

            # after the record, so that a run resumed here finds all lines up to this step
            if checkpoint_dir is not None and saving:
                save_checkpoint(checkpoint_dir, state, keep=keep)
                saved = done
        if checkpoint_dir is not None and saved != done:
            save_checkpoint(checkpoint_dir, state, keep=keep)

        notice = (
            f"stopped by {stop.signal or 'a signal to another process'} after step {done} of "
            f"{num_steps}; the state is saved in {checkpoint_dir}. To resume, start the same run "
            f"again: it goes on from step {done}."
        )
        # a signal may have come since the last step, to one of several processes
        interrupted = stopping or _stop_requested(stop, True)
        if interrupted:
            bar.message(notice)
    if interrupted and checkpoint_dir is not None:
        raise TrainingInterrupted(notice, done, checkpoint_path(checkpoint_dir, done))
    return FitResult(state, history, nonfinite_step)


def _copied(leaf: Any) -> Any:
    return leaf.copy() if isinstance(leaf, np.ndarray) else leaf


def _start(
    state: TrainState, checkpoint_dir: str | os.PathLike[str] | None
) -> tuple[TrainState, int | None, list[str]]:
    """The state to go on from, the step of its checkpoint if it has one, and what to tell."""
    if checkpoint_dir is None:
        return jax.tree.map(jnp.copy, state), None, []
    require_writable(checkpoint_dir)  # before hours of training, not after them
    found = restore_checkpoint(checkpoint_dir, state)
    if found is None:
        return jax.tree.map(jnp.copy, state), None, []
    same = np.array_equal(jax.random.key_data(found.state.key), jax.random.key_data(state.key))
    expected = "an empty directory, or one with this run's checkpoints"
    require(same, "checkpoint_dir", f"{found.path}, of a run with another PRNG key", expected)
    step = int(found.state.step)
    return found.state, step, [*found.skipped, f"resuming after step {step} from {found.path}"]


def _continue_history(path: str | os.PathLike[str], step: int) -> list[Record]:
    """The records up to ``step``; process 0 also drops the later ones from the file."""
    if jax.process_index() == 0:
        return rewind_history(path, step)
    return [record for record in read_history(path) if record["step"] <= step]


def _stop_requested(stop: StopRequest, logging: bool) -> bool:
    """Whether to stop now; several processes agree on it when they log, so that none waits."""
    if jax.process_count() == 1:
        return stop.signal is not None
    asked = np.array(stop.signal is not None)
    return logging and bool(np.any(multihost_utils.process_allgather(asked)))


def _numbers(source: str, metrics: Mapping[str, Any]) -> dict[str, float]:
    """What ``source`` returned, as Python's numbers."""
    require(
        isinstance(metrics, Mapping), source, metrics, "a function that returns a dict of metrics"
    )
    for name, value in metrics.items():
        require(np.shape(value) == (), f"metrics[{name!r}]", value, "a scalar")
        check_dtype(f"metrics[{name!r}]", value, "real")
    return {name: float(value) for name, value in metrics.items()}


def _first_nonfinite(fetched: list[tuple[int, dict[str, float]]]) -> tuple[int, str] | None:
    for step, record in fetched:
        bad = [f"{name} is {value}" for name, value in record.items() if not math.isfinite(value)]
        if bad:
            return step, ", ".join(bad)
    return None
