"""One way to train any network on the sphere, and to score it.

Equivariant and planar networks differ in nothing here but in what :mod:`.networks` applies: the
same loss, optimizer, batches, validation and stopping. Tables, rates and scales are arguments of
the jitted step, so that one compilation serves all seeds, rates, lengths and training sets.

A training that was killed and is started again goes on from its newest checkpoint and ends with the
same numbers.
"""

import functools
import io
import math
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from pydantic import Field

from jaxlab.experiments.interface import Count, config
from jaxlab.experiments.spherical.inputs import SphereData
from jaxlab.experiments.spherical.networks import (
    NetworkConfig,
    init_network,
    make_network_tables,
)
from jaxlab.experiments.spherical.scoring import Model, confusion, score
from jaxlab.experiments.spherical.spheres import Scaling, Spheres, images_grid
from jaxlab.experiments.spherical.updates import (
    Given,
    Plan,
    Schedule,
    make_mesh,
    make_optimizer,
    update,
)
from jaxlab.experiments.spherical.watch import PlateauReachedError, Watch
from jaxlab.progress import Progress
from jaxlab.spherical.grids import sphere_points
from jaxlab.training import (
    TrainingInterrupted,
    create_train_state,
    epoch_batches,
    fit,
    read_history,
    replicate,
    shard,
)

__all__ = ["Trained", "Training", "train"]


@config
class Training:
    """How networks are fitted; the same for every network of an experiment.

    Attributes:
        batch_size: samples of a step, at most.
        schedule: of the learning rate: ``"cosine"`` falls to 0 at the last step.
        weight_decay: decoupled from the gradient; 0 is Adam.
        online_augmentation: rotate every sample anew in every step, instead of a fixed set of
            copies; nothing for sets that are not rotated.
        evaluate_every: steps between looks at the validation score; 0 looks once an epoch.
        patience: looks in a row without a better score after which a training has reached its
            plateau.
        early_stopping: whether it ends there, or only says so.
        checkpoint_every: looks between checkpoints.
        devices: over how many the batch is shared.
    """

    batch_size: Count
    schedule: Schedule
    weight_decay: Annotated[float, Field(ge=0)]
    online_augmentation: bool
    evaluate_every: Annotated[int, Field(ge=0)]
    patience: Count
    early_stopping: bool
    checkpoint_every: Count
    devices: Count


class Trained(NamedTuple):
    """What a training leaves.

    Attributes:
        model: the network with the parameters of the best validation score.
        validation: that score: accuracy, or non-background mIoU.
        best_step: when it was reached.
        steps: number of steps made.
        stopped: ``"plateau"`` if the best look is not among the last ``patience``, or the score
            cannot rise, ``"budget"`` otherwise.
        loss: on training batches, mean over the last tenth of the steps.
        scores: ``[step, validation score]`` of each look.
        seconds: wall-clock time of all steps, whichever process made them, without compilation,
            looks and checkpoints.
    """

    model: Model
    validation: float
    best_step: int
    steps: int
    stopped: Literal["plateau", "budget"]
    loss: float
    scores: list[tuple[int, float]]
    seconds: float

    def record(self) -> dict[str, Any]:
        """All but the model, rounded, as a cell's value holds it."""
        return {
            "validation": float(f"{self.validation:.6g}"),
            "best_step": self.best_step,
            "steps": self.steps,
            "stopped": self.stopped,
            "loss": float(f"{self.loss:.4g}"),
            "scores": [[step, float(f"{value:.4g}")] for step, value in self.scores],
            "seconds": self.seconds,
        }


def train(
    network: NetworkConfig,
    data: SphereData,
    settings: Training,
    training: Spheres,
    validation: Spheres,
    scaling: Scaling,
    *,
    learning_rate: float,
    steps: int,
    seed: int,
    checkpoint_dir: Path,
) -> Trained:
    """Fit a network, and keep the parameters that do best on validation data.

    Args:
        network: architecture.
        data: how images come to the sphere.
        settings: how to fit.
        training: what to fit to.
        validation: what the score is taken on.
        scaling: of intensities.
        learning_rate: of Adam, at the start.
        steps: at most so many.
        seed: of parameters and batches.
        checkpoint_dir: of this training alone; what is found there is gone on with.

    Returns:
        The network and how it came about.
    """
    of_params, of_run = jax.random.split(jax.random.key(seed))
    params, model_state = init_network(of_params, network)
    plan = Plan(
        network,
        data,
        settings.online_augmentation and training.rotate,
        settings.schedule,
        settings.devices,
    )
    given = Given(
        jax.tree.map(jnp.asarray, make_network_tables(network)),
        jnp.asarray(sphere_points(data.bandwidth, images_grid(data)), jnp.float32),
        scaling,
        training.key,
        training.rotate,
        learning_rate,
        float(steps),
        settings.weight_decay,
    )
    optimizer = make_optimizer(given, plan.schedule)
    state = create_train_state(params, optimizer, key=of_run, model_state=model_state)
    batch_size = min(settings.batch_size, len(training.source))
    batches = _batches(training, batch_size, plan.online, seed)
    mesh = make_mesh(settings.devices)
    if mesh is not None:
        state = replicate(state, mesh)
        on_host = batches

        def batches(step: int) -> Any:
            return shard(on_host(step), mesh)

    step = functools.partial(update, given, plan=plan)
    epoch = max(1, len(training.source) // batch_size)
    every = min(settings.evaluate_every or epoch, steps)

    def evaluate(params: Any, model_state: Any) -> float:
        model = Model(network, data, scaling, params, model_state)
        return score(confusion(model, validation).plain, network.task)

    def timed(at: int) -> Any:
        watch.start()
        return batches(at)

    save_every = every * settings.checkpoint_every
    watch = Watch(
        evaluate,
        state,
        checkpoint_dir,
        every=every,
        save_every=save_every,
        patience=settings.patience,
        early=settings.early_stopping,
    )
    jax.block_until_ready(step(jax.tree.map(jnp.copy, state), batches(0)))  # compile
    last = steps
    try:
        fit(
            state,
            step,
            timed,
            num_steps=steps,
            checkpoint_dir=checkpoint_dir,
            checkpoint_every=save_every,
            keep=1,
            evaluate=watch.look,
            evaluate_every=every,
            metrics_path=watch.metrics_path,
            progress=functools.partial(Progress, stream=io.StringIO()),  # the experiment's is there
        )
        watch.save()  # belongs to the last checkpoint
    except PlateauReachedError:
        last = watch.scores[-1][0]
    except TrainingInterrupted:
        watch.save()
        raise
    best = watch.best
    losses = [record["loss"] for record in read_history(watch.metrics_path)]
    return Trained(
        Model(network, data, scaling, best.params, best.model_state),
        watch.score,
        int(best.step),
        last,
        "plateau" if watch.idle >= settings.patience or watch.score == 1 else "budget",
        float(np.mean(losses[-math.ceil(len(losses) / 10) :])),
        watch.scores,
        watch.seconds,
    )


def _batches(
    samples: Spheres, size: int, online: bool, seed: int
) -> Callable[[int], dict[str, np.ndarray]]:
    """Batches of a training by step."""
    chosen = epoch_batches({"source": samples.source, "turn": samples.turn}, size, seed=seed)

    def batch_of(step: int) -> dict[str, np.ndarray]:
        source, turn = chosen(step).values()
        batch = {
            "images": samples.planar.images[source],
            "labels": samples.planar.labels[source],
            "turn": np.arange(size, dtype=np.int32) if online else turn,
        }
        return batch | ({"step": np.full(size, step, np.int32)} if online else {})

    return batch_of
