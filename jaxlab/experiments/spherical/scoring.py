"""Trained networks and their scores on a set of spheres."""

import functools
from collections.abc import Iterator
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
from jaxlab.spherical.augmentation import average_over_rotations
from jaxlab.spherical.grids import quadrature_weights, sphere_points
from jaxlab.spherical.metrics import confusion_matrix, non_background_miou, pixel_accuracy
from jaxlab.spherical.types import Task

__all__ = ["Confusion", "Model", "confusion", "predict", "score"]

BATCH = 64  # the same for every set, so that one compilation serves all


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


def confusion(model: Model, samples: Spheres, rotations: np.ndarray | None = None) -> Confusion:
    """Confusion matrices of a network on a set of samples.

    Args:
        model: the network.
        samples: what to look at.
        rotations: average probabilities over these rotations of each input, ``[k, 3, 3]``.
    """
    plain: Any = 0
    weighted: Any = 0
    for answers, _ in _answers(model, samples, len(samples.source), rotations):
        plain = plain + np.asarray(answers.plain, np.int64)
        weighted = weighted + np.asarray(answers.weighted, np.float64)
    return Confusion(plain, weighted)


def predict(model: Model, samples: Spheres, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images, true and predicted classes of the first ``n`` samples, for figures."""
    parts = [
        [np.asarray(leaf)[:count] for leaf in (answers.x, answers.labels, answers.predicted)]
        for answers, count in _answers(model, samples, n)
    ]
    x, labels, predicted = (np.concatenate(leaves) for leaves in zip(*parts, strict=True))
    return x, labels, predicted


class _Answers(NamedTuple):
    """What a batch looks like, what it shows, what the network sees in it, and the counts."""

    x: Any
    labels: Any
    predicted: Any
    plain: Any
    weighted: Any


def _answers(
    model: Model, samples: Spheres, n: int, rotations: np.ndarray | None = None
) -> Iterator[tuple[_Answers, int]]:
    """Answers to batches of the first ``n`` samples, and how many of each count."""
    network, data, scaling, params, model_state = model
    points = sphere_points(data.bandwidth, images_grid(data)).astype(np.float32)
    tables = make_network_tables(network)
    for batch, count in batches_of(samples, np.arange(n), BATCH):
        of_batch = (batch, np.arange(BATCH) < count, samples.key, samples.rotate)
        of_network = (params, model_state, tables, points, scaling)
        yield _ask(of_network, of_batch, rotations, network=network, data=data), count


@functools.partial(jax.jit, static_argnames=("network", "data"))
def _ask(
    of_network: tuple[Any, ...],
    of_batch: tuple[Any, ...],
    rotations: Array | None,
    *,
    network: NetworkConfig,
    data: SphereData,
) -> _Answers:
    params, model_state, tables, points, scaling = of_network
    batch, counted, key, rotate = of_batch
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
    predicted = jnp.argmax(found, axis=-1)
    labels = batch["labels"] if network.task == "classification" else seen.mask
    judged = jnp.where(counted.reshape([-1] + [1] * (labels.ndim - 1)), labels, -1)
    plain = confusion_matrix(predicted, judged, network.num_classes)
    if network.task == "classification":
        return _Answers(seen.x, labels, predicted, plain, plain)
    area = quadrature_weights(data.bandwidth, images_grid(data), "s2")[:, None]
    weighted = confusion_matrix(predicted, judged, network.num_classes, area)
    return _Answers(seen.x, labels, predicted, plain, weighted)
