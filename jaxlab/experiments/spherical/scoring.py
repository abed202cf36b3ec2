"""Trained networks and their scores on a set of spheres."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxlab.experiments.spherical.inputs import SphereData
from jaxlab.experiments.spherical.networks import (
    NetworkConfig,
    apply_network,
    make_network_tables,
)
from jaxlab.experiments.spherical.spheres import (
    Scaling,
    Spheres,
    batches_of,
    images_grid,
    look_at,
)
from jaxlab.spherical.augmentation import Task, average_over_rotations
from jaxlab.spherical.grids import quadrature_weights, sphere_points
from jaxlab.spherical.metrics import confusion_matrix, non_background_miou, pixel_accuracy

__all__ = ["Confusion", "Model", "confusion", "predict", "score"]

BATCH = 64


class Model(NamedTuple):
    """A network that can be asked.

    Attributes:
        network: architecture.
        data: how images come to the sphere.
        scaling: of intensities.
        params: its parameters.
        model_state: running statistics of its batch-norm.
    """

    network: NetworkConfig
    data: SphereData
    scaling: Scaling
    params: Any
    model_state: Any


class Confusion(NamedTuple):
    """``C[pred, true]`` summed over a whole set.

    Attributes:
        plain: counts of pixels, or of images.
        weighted: pixels counted by their area, in units of a sphere; images as in ``plain``.
    """

    plain: np.ndarray
    weighted: np.ndarray


def score(counts: np.ndarray, task: Task) -> float:
    """What validation looks at: accuracy of a classifier, non-background mIoU of a segmentation.

    A segmentation that finds nothing where there is nothing scores 0, not NaN.
    """
    measure = pixel_accuracy if task == "classification" else non_background_miou
    return float(np.nan_to_num(measure(jnp.asarray(counts))))


def confusion(
    model: Model, samples: Spheres, rotations: np.ndarray | None = None, *, batch_size: int = BATCH
) -> Confusion:
    """Confusion matrices of a network on a set of samples.

    Args:
        model: the network.
        samples: what to look at.
        rotations: average probabilities over these rotations of each input, ``[k, 3, 3]``.
        batch_size: samples at a time.
    """
    total: list[Any] = [0, 0]
    given = _given(model)
    size = min(batch_size, len(samples.source))
    for batch, count in batches_of(samples, np.arange(len(samples.source)), size):
        counted = np.arange(size) < count
        parts = _confusion(
            given,
            batch,
            counted,
            samples.key,
            rotations,
            network=model.network,
            data=model.data,
            rotate=samples.rotate,
        )
        total = [
            whole + np.asarray(part, np.float64) for whole, part in zip(total, parts, strict=True)
        ]
    return Confusion(total[0].astype(np.int64), total[1])


def predict(model: Model, samples: Spheres, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images, true and predicted classes of the first ``n`` samples, for figures."""
    batch, _ = next(batches_of(samples, np.arange(n), n))
    x, labels, predicted = _predict(
        _given(model),
        batch,
        samples.key,
        None,
        network=model.network,
        data=model.data,
        rotate=samples.rotate,
    )
    return np.asarray(x), np.asarray(labels), np.asarray(predicted)


def _given(model: Model) -> tuple[Any, ...]:
    """The arrays that a compiled function needs of a network."""
    points = sphere_points(model.data.bandwidth, images_grid(model.data)).astype(np.float32)
    tables = make_network_tables(model.network)
    return model.params, model.model_state, tables, points, model.scaling


STATIC = ("network", "data", "rotate")


@functools.partial(jax.jit, static_argnames=STATIC)
def _predict(
    given: tuple[Any, ...],
    batch: dict[str, Array],
    key: Array,
    rotations: Array | None,
    *,
    network: NetworkConfig,
    data: SphereData,
    rotate: bool,
) -> tuple[Array, Array, Array]:
    params, model_state, tables, points, scaling = given
    args = (batch["images"], batch["labels"], batch["turn"])
    seen = look_at(points, *args, key, 0, data, rotate=rotate)

    def logits(x: Array) -> Array:
        return apply_network(params, model_state, x, tables, network, train=False)[0]

    x = (seen.x - scaling.shift) / scaling.scale
    if rotations is None:
        found = logits(x)
    else:
        options: dict[str, Any] = {
            "task": network.task,
            "grid": images_grid(data),
            "channels_last": True,
        }
        found = average_over_rotations(
            lambda x: logits(x[..., 0]), x[..., None], rotations, **options
        )
    labels = batch["labels"] if network.task == "classification" else seen.mask
    return seen.x, labels, jnp.argmax(found, axis=-1)


@functools.partial(jax.jit, static_argnames=STATIC)
def _confusion(
    given: tuple[Any, ...],
    batch: dict[str, Array],
    counted: Array,
    key: Array,
    rotations: Array | None,
    *,
    network: NetworkConfig,
    data: SphereData,
    rotate: bool,
) -> tuple[Array, Array]:
    _, labels, predicted = _predict(
        given, batch, key, rotations, network=network, data=data, rotate=rotate
    )
    labels = jnp.where(counted.reshape([-1] + [1] * (labels.ndim - 1)), labels, -1)
    plain = confusion_matrix(predicted, labels, network.num_classes)
    if network.task == "classification":
        return plain, plain
    area = quadrature_weights(data.bandwidth, images_grid(data), "s2")[:, None]
    return plain, confusion_matrix(predicted, labels, network.num_classes, area)
