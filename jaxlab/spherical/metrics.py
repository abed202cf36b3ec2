"""Losses and scores of segmentation and classification, from logits and from one confusion matrix.

``C[p, t]`` counts the samples of true class ``t`` that were given class ``p``. Summed over a whole
test set, every score follows from it; the intersection over union of class ``c`` is

    IoU_c = C_cc / (Σ_t C_ct + Σ_p C_pc − C_cc),

and is averaged without the background, class 0, which most of the sphere is. A sample of label −1
counts nowhere. Weights make a sample count by the area it stands for: on an equirectangular grid
the pixels near the poles are many for their area.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Integer, Num

from jaxlab.checks import check_dtype, check_integer, check_shape, concrete, require

__all__ = [
    "confusion_matrix",
    "iou_per_class",
    "mean_iou",
    "non_background_accuracy",
    "non_background_miou",
    "pixel_accuracy",
    "pixel_cross_entropy",
]


def confusion_matrix(
    pred: Integer[Array, "*batch"],
    true: Integer[Array, "*batch"],
    num_classes: int,
    weights: Float[Array, "..."] | Float[np.ndarray, "..."] | None = None,
) -> Num[Array, "p t"]:
    """Count, for each pair of a predicted and a true class, the samples that have it.

    Args:
        pred: predicted classes, 0 … ``num_classes − 1``, of any shape.
        true: true classes, or −1 for samples to leave out.
        num_classes: number of classes, the background included.
        weights: what each sample counts; anything that broadcasts to ``pred``, such as
            ``tables.weights[:, None]`` for maps ``[..., β, α]``. None counts samples.

    Returns:
        ``C[pred, true]``: integers without ``weights``, in float32 at least with them, rounded
        like running sums of some ``√samples + num_classes²`` numbers. The matrices of batches, or
        of devices, add up to that of all.

    Raises:
        ValueError: if shapes differ, or a class is out of range. Inside ``jit`` values are not
            known: a sample with a class out of range is then left out.

    Cost:
        O(samples + num_classes²).

    Example:
        >>> confusion_matrix(jnp.array([0, 1, 1, 0]), jnp.array([0, 1, 0, -1]), 2).tolist()
        [[1, 0], [1, 1]]
    """
    check_integer("num_classes", num_classes, minimum=1)
    check_shape("true", true, pred.shape)
    _check_classes("pred", pred, 0, num_classes)
    _check_classes("true", true, -1, num_classes)
    pred, true = _wide(pred), _wide(true)
    counted = (true >= 0) & (true < num_classes) & (pred >= 0) & (pred < num_classes)
    cell = jnp.where(counted, pred * num_classes + true, 0).ravel()
    samples = counted if weights is None else jnp.where(counted, _spread(weights, true), 0)
    samples = samples.astype(jnp.promote_types(samples.dtype, jnp.int32)).ravel()
    # sums of sums: one alone would stop growing in float32 after some millions of samples
    groups = min(math.isqrt(cell.size), cell.size // num_classes**2)
    groups = 1 if weights is None else max(groups, 1)
    sums = jnp.zeros((groups, num_classes**2), samples.dtype)
    sums = sums.at[jnp.arange(cell.size) % groups, cell].add(samples)
    return sums.sum(axis=0).reshape(num_classes, num_classes)


def iou_per_class(confusion: Num[Array, "p t"]) -> Float[Array, " c"]:
    """Intersection over union of each class, ``C_cc / (Σ_t C_ct + Σ_p C_pc − C_cc)``.

    Args:
        confusion: from :func:`confusion_matrix`.

    Returns:
        Numbers in 0 … 1, NaN for a class that is neither predicted nor true anywhere.

    Raises:
        ValueError: if ``confusion`` is not square.

    Cost:
        O(num_classes²).

    Example:
        >>> iou_per_class(jnp.array([[2, 1, 0], [1, 0, 0], [0, 0, 0]])).tolist()
        [0.5, 0.0, nan]
    """
    hits, union = _hits_and_union(confusion)
    return _ratio(hits, union)


def mean_iou(confusion: Num[Array, "p t"]) -> Float[Array, ""]:
    """Mean of :func:`iou_per_class` over all classes that occur.

    Args:
        confusion: from :func:`confusion_matrix`.

    Returns:
        A number in 0 … 1, NaN if no class occurs.

    Raises:
        ValueError: if ``confusion`` is not square.

    Cost:
        O(num_classes²).

    Example:
        >>> float(mean_iou(jnp.array([[2, 1, 0], [1, 0, 0], [0, 0, 0]])))
        0.25
    """
    return _mean_of_occurring(*_hits_and_union(confusion))


def non_background_miou(confusion: Num[Array, "p t"]) -> Float[Array, ""]:
    """Mean of :func:`iou_per_class` over the classes from 1 on that occur.

    Pixels of the background still count in the unions: what is predicted on it is wrong.

    Args:
        confusion: from :func:`confusion_matrix`.

    Returns:
        A number in 0 … 1, NaN if no class but the background occurs.

    Raises:
        ValueError: if ``confusion`` is not square.

    Cost:
        O(num_classes²).

    Source:
        Gerken et al. 2022, the score of their segmentation experiments.

    Example:
        >>> float(non_background_miou(jnp.array([[5, 1, 0], [1, 2, 0], [0, 0, 4]])))
        0.75
    """
    hits, union = _hits_and_union(confusion)
    return _mean_of_occurring(hits[1:], union[1:])


def non_background_accuracy(confusion: Num[Array, "p t"]) -> Float[Array, ""]:
    """Share of right classes among the samples that neither are nor were taken for background.

    Args:
        confusion: from :func:`confusion_matrix`.

    Returns:
        A number in 0 … 1, NaN if there are no such samples.

    Raises:
        ValueError: if ``confusion`` is not square.

    Cost:
        O(num_classes²).

    Example:
        >>> float(non_background_accuracy(jnp.array([[5, 1, 0], [1, 3, 0], [0, 1, 4]])))
        0.875
    """
    return pixel_accuracy(confusion[1:, 1:])


def pixel_accuracy(confusion: Num[Array, "p t"]) -> Float[Array, ""]:
    """Share of samples with the right class; of images, for a classifier.

    Args:
        confusion: from :func:`confusion_matrix`.

    Returns:
        A number in 0 … 1, NaN if there are no samples.

    Raises:
        ValueError: if ``confusion`` is not square.

    Cost:
        O(num_classes²).

    Example:
        >>> float(pixel_accuracy(jnp.array([[5, 1], [1, 1]])))
        0.75
    """
    confusion = _square(confusion)
    return _ratio(jnp.trace(confusion), confusion.sum())


def pixel_cross_entropy(
    logits: Float[Array, "..."],
    labels: Integer[Array, "*batch"],
    weights: Float[Array, "..."] | Float[np.ndarray, "..."] | None = None,
    *,
    axis: int = -1,
    axis_name: str | None = None,
) -> Float[Array, ""]:
    """Mean cross-entropy, ``−Σ_i w_i log softmax(logits_i)_{y_i} / Σ_i w_i``, of pixels or images.

    Args:
        logits: class scores, one axis more than ``labels``.
        labels: true classes, −1 for samples to leave out.
        weights: what each sample counts, as in :func:`confusion_matrix`; None counts all alike,
            which on a grid is more at the poles.
        axis: axis of the classes in ``logits``: −1 for images, 1 for ``[batch, classes, β, α]``.
        axis_name: mapped axis over which the samples are sharded. The loss of a device is then
            such that the mean over devices is the loss of all samples, however many are left out
            on each; so are the gradients.

    Returns:
        The loss in nats, in float32 at least; 0 where all samples are left out.

    Raises:
        ValueError: if shapes differ, or a label is out of range. Inside ``jit`` values are not
            known: a label out of range then makes the loss NaN.

    Cost:
        O(samples · classes).

    Example:
        >>> float(pixel_cross_entropy(jnp.zeros((2, 4)), jnp.array([3, -1])))
        1.386...
    """
    check_dtype("logits", logits, "floating")
    check_integer("axis", axis)
    require(-logits.ndim <= axis < logits.ndim, "axis", axis, f"one of {logits.ndim} axes")
    axis %= logits.ndim
    classes = logits.shape[axis]
    check_shape("labels", labels, logits.shape[:axis] + logits.shape[axis + 1 :])
    _check_classes("labels", labels, -1, classes)
    labels = _wide(labels)
    logits = logits.astype(jnp.promote_types(logits.dtype, jnp.float32))
    chosen = jax.nn.one_hot(labels, classes, axis=axis, dtype=bool)
    losses = -jnp.where(chosen, jax.nn.log_softmax(logits, axis), 0).sum(axis)
    losses = jnp.where((labels >= -1) & (labels < classes), losses, jnp.nan)
    counted = (labels != -1).astype(logits.dtype)
    if weights is not None:
        counted = counted * _spread(weights, labels)
    total = counted.sum()
    total = total if axis_name is None else jax.lax.pmean(total, axis_name)
    return (losses * counted).sum() / jnp.where(total == 0, 1, total)


def _hits_and_union(confusion: Num[Array, "p t"]) -> tuple[Num[Array, " c"], Num[Array, " c"]]:
    confusion = _square(confusion)
    hits = jnp.diagonal(confusion)
    return hits, confusion.sum(axis=0) + confusion.sum(axis=1) - hits


def _mean_of_occurring(hits: Num[Array, " c"], union: Num[Array, " c"]) -> Float[Array, ""]:
    occurs = union != 0  # true of NaN
    return _ratio(jnp.where(occurs, _ratio(hits, union), 0).sum(), occurs.sum())


def _ratio(part: Num[Array, "..."], whole: Num[Array, "..."]) -> Float[Array, "..."]:
    return jnp.where(whole > 0, part / jnp.where(whole > 0, whole, 1), jnp.nan)


def _spread(
    weights: Float[Array, "..."] | Float[np.ndarray, "..."], like: Array
) -> Float[Array, "..."]:
    """Weights for each sample."""
    fits = len(weights.shape) <= like.ndim and all(
        have in (1, want) for have, want in zip(weights.shape[::-1], like.shape[::-1], strict=False)
    )
    require(fits, "weights", weights, f"a shape that broadcasts to {list(like.shape)}")
    weights = jnp.asarray(weights)
    return jnp.broadcast_to(
        weights.astype(jnp.promote_types(weights.dtype, jnp.float32)), like.shape
    )


def _wide(labels: Integer[Array, "*batch"]) -> Integer[Array, "*batch"]:
    """Labels in a type that holds -1, and the number of any cell."""
    return labels.astype(jnp.promote_types(labels.dtype, jnp.int32))


def _square(confusion: Num[Array, "p t"]) -> Float[Array, "c c"]:
    """The matrix in floats, whose sums do not leave their range as those of int32 can."""
    check_shape("confusion", confusion, ("classes", "classes"))
    require(confusion.shape[0] == confusion.shape[1], "confusion", confusion, "a square matrix")
    return confusion.astype(jnp.promote_types(confusion.dtype, jnp.float32))


def _check_classes(argument: str, labels: Array, least: int, num_classes: int) -> None:
    check_dtype(argument, labels, "integer")
    values = concrete(labels)
    if values is None or values.size == 0:
        return
    for value in (int(values.min()), int(values.max())):
        expected = f"classes {least} ... {num_classes - 1}"
        require(least <= value < num_classes, argument, value, expected)
