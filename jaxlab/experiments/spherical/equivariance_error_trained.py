"""Equivariance errors of networks that were trained, from images to logits."""

import dataclasses
import functools
from pathlib import Path
from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from pydantic import Field

from jaxlab.checks import check_choice
from jaxlab.experiments.interface import Count, Positive, config
from jaxlab.experiments.spherical.equivariance_error_measures import turned
from jaxlab.experiments.spherical.fitting import Training, train
from jaxlab.experiments.spherical.inputs import SphereData, count_classes, load_splits
from jaxlab.experiments.spherical.networks import init_network, make_network_tables, named_network
from jaxlab.experiments.spherical.scoring import Model
from jaxlab.experiments.spherical.spheres import images_grid, project, scaling_of, spheres
from jaxlab.spherical.equivariance import equivariance_error
from jaxlab.spherical.rotation import random_rotations
from jaxlab.spherical.s2cnn import apply_s2cnn
from jaxlab.spherical.s2cnn_architectures import S2CNN_PRESETS
from jaxlab.spherical.tables import make_s2_tables

__all__ = ["Trainings", "measure_trained"]

SmoothOrRelu = Literal["relu", "gelu", "silu", "softplus"]


@config
class Trainings:
    """Networks that are trained, for segmentation, on images as they are.

    Attributes:
        network: name of the preset, an equivariant network for segmentation.
        activations: one network for each.
        seeds: trainings of each.
        oversample: grids on which the trained network evaluates its activation; it is trained with
            1.
        images: test images that errors are measured on, each under a rotation of its own; at most
            as many as there are.
        classes: labels; all when empty.
        learning_rate: of Adam, at the start.
        steps: of each training, at most.
        data: images and how they come to the sphere.
        training: how networks are fitted.
    """

    network: str
    activations: Annotated[tuple[SmoothOrRelu, ...], Field(min_length=1)]
    seeds: Count
    oversample: Annotated[tuple[Annotated[float, Field(ge=1)], ...], Field(min_length=1)]
    images: Count
    classes: tuple[Annotated[int, Field(ge=0)], ...]
    learning_rate: Positive
    steps: Count
    data: SphereData
    training: Training

    def __post_init__(self) -> None:
        """The network is one of those that are measured here."""
        known = [name for name, cfg in S2CNN_PRESETS.items() if cfg.task == "segmentation"]
        check_choice("network", self.network, known)


def measure_trained(
    trainings: Trainings, activation: SmoothOrRelu, seed: int, run_dir: Path
) -> dict[str, Any]:
    """Train one network and measure it.

    Returns:
        ``"score"``: non-background mIoU on validation images; ``"before"`` and ``"after"``: errors
        of the logits at each oversampling, for the parameters before and after training;
        ``"moved"``: pixels that are not background for which the class of the turned image is
        another than the turned class, a share of them, after training.
    """
    data = trainings.data
    splits = load_splits(data, trainings.classes, seed=seed)
    fitted = spheres(data, splits.train, "train", rotate=False, seed=seed)
    held_out = spheres(data, splits.validation, "validation", rotate=False, seed=seed)
    scaling = scaling_of(data, fitted)
    network = named_network(
        trainings.network,
        "segmentation",
        data.bandwidth,
        1 + count_classes(splits, trainings.classes),
        grid=data.grid,
        activation=activation,
    )
    trained = train(
        network,
        data,
        trainings.training,
        fitted,
        held_out,
        scaling,
        learning_rate=trainings.learning_rate,
        steps=trainings.steps,
        seed=seed,
        checkpoint_dir=run_dir / "checkpoints" / f"{activation}-{seed}",
    )
    tested = spheres(data, splits.test, "test", rotate=False, seed=seed)
    images = project(data, tested, trainings.images).x
    x = jnp.asarray((images - scaling.shift) / scaling.scale)[:, None]
    of_params, _ = jax.random.split(jax.random.key(seed))  # what the training started from
    before = trained.model._replace(params=init_network(of_params, network)[0])
    errors = functools.partial(_errors, x=x, oversample=trainings.oversample, seed=seed)
    after = errors(trained.model)
    return {
        "score": float(f"{trained.validation:.6g}"),
        "oversample": list(trainings.oversample),
        "before": [error for error, _ in errors(before)],
        "after": [error for error, _ in after],
        "moved": [moved for _, moved in after],
    }


def _errors(
    model: Model, *, x: Array, oversample: tuple[float, ...], seed: int
) -> list[tuple[float, float]]:
    """Error of the logits, and share of pixels whose class depends on the orientation."""
    b = model.data.bandwidth
    rotation = random_rotations(jax.random.fold_in(jax.random.key(seed), 2), len(x))
    tables = make_s2_tables(b, b, images_grid(model.data))
    out_tables = make_s2_tables(b, b, model.data.grid)  # the images' own but with a mismatch
    found = []
    for over in oversample:
        network: Any = dataclasses.replace(model.network, oversample=over)  # type: ignore[arg-type]
        given = make_network_tables(network)

        def logits(x: Array, network: Any = network, given: Any = given) -> Array:
            scores, _ = apply_s2cnn(model.params, model.model_state, x, given, network, train=False)
            return jnp.moveaxis(scores, -1, 1)

        error = equivariance_error(logits, x, rotation, tables=tables, out_tables=out_tables)
        # the image that is turned must hold what can be turned only
        smooth = turned(x, (0.0, 0.0, 0.0), tables)
        of_turned = jnp.argmax(logits(turned(x, rotation, tables)), axis=1)
        expected = jnp.argmax(turned(logits(smooth), rotation, out_tables), axis=1)
        seen = (of_turned > 0) | (expected > 0)
        moved = float(np.sum(of_turned != expected)) / max(float(np.sum(seen)), 1.0)
        found.append((float(f"{float(error):.3g}"), float(f"{moved:.3g}")))
    return found
