"""Images, corruptions, and the paired measurement that the hopfield experiments share.

Randomness: repetition ``r`` has the key ``fold_in(key(seed), r)``, and a corruption in it the key
``fold_in(that, crc32(label))``. One draw serves every memory and every count, so curves differ by
the memory alone and not by the noise it met, and a draw does not depend on what else is measured.
"""

import functools
import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from pydantic import Field

import jaxlab.data
from jaxlab.checks import require
from jaxlab.experiments.hopfield.capacity import (
    Memory,
    baseline_scores,
    capacity_curve,
)
from jaxlab.experiments.interface import Count, Positive, Reporter, config
from jaxlab.hopfield import corruption as spoil
from jaxlab.hopfield import metrics, similarity

__all__ = [
    "Common",
    "Corruption",
    "CorruptionKind",
    "Data",
    "Fraction",
    "Measured",
    "Panel",
    "Sigma",
    "Study",
    "Task",
    "cells",
    "corrupt",
    "measure",
    "measure_baselines",
    "select_blocks",
    "squared_error_threshold",
]

CorruptionKind = Literal["noise", "rows", "pixels", "border", "centre", "flips"]
Fraction = Annotated[float, Field(ge=0, le=1)]
Sigma = Annotated[float, Field(ge=0)]

# What a reader must not mistake the data for.
_TITLES: Mapping[str, str] = {
    "digits": "scikit-learn digits (8×8)",
    "fashion_mnist": "Fashion-MNIST (28×28)",
    "mnist": "MNIST (28×28)",
    "cifar10": "CIFAR-10 (32×32×3)",
    "tiny_imagenet": "Tiny ImageNet (64×64×3)",
    "natural_patches": "natural patches (32×32×3)",
}
_NOT_THE_PAPERS: Mapping[str, str] = {
    "digits": "The data are scikit-learn's 8×8 digits, not the 28×28 MNIST of the paper: 64 pixels "
    "average far less noise away than 784, so levels of noise do not carry over.",
    "fashion_mnist": "The data are Fashion-MNIST, which is not MNIST: same format, other images.",
    "natural_patches": "The data are 32×32 colour patches cut from two photographs. They have "
    "CIFAR-10's shape but are not CIFAR-10: patches of one picture resemble each other more than "
    "pictures of different things do.",
}


@config
class Data:
    """Which images are stored."""

    name: Literal["digits", "fashion_mnist", "mnist", "cifar10", "tiny_imagenet", "natural_patches"]


@config
class Common:
    """What every capacity experiment has in its config.

    ``threshold_mode``: ``"absolute"`` takes ``threshold`` as it is; ``"scaled"`` allows the same
    error per pixel at every image size, ``threshold·d/784``; ``"published"`` is the official code's
    normalisation, ``threshold·784/d``, which asks more of larger images.
    """

    seed: Annotated[int, Field(ge=0)]
    seeds: Count
    data: Data
    threshold: Positive
    threshold_mode: Literal["absolute", "scaled", "published"]


class Corruption(NamedTuple):
    """One way and one strength of spoiling a query.

    Attributes:
        kind: ``"noise"`` (level: standard deviation), or a mask, ``"rows"``, ``"pixels"``,
            ``"border"``, ``"centre"`` (level: fraction), or ``"flips"`` of bipolar patterns (level:
            fraction).
        level: its strength.
    """

    kind: CorruptionKind
    level: float

    @property
    def label(self) -> str:
        """Such as ``"noise σ=0.3"``."""
        return f"noise σ={self.level:g}" if self.kind == "noise" else f"{self.kind} {self.level:g}"


def corrupt(
    key: Array, patterns: Float[Array, "*b d"], corruption: Corruption, image_shape: tuple[int, ...]
) -> Float[Array, "*b d"]:
    """``patterns`` under one corruption.

    Noise is ``clip(|x + σε|, 0, 1)`` as in the paper's code; masked pixels are 0.
    """
    kind, level = corruption
    if kind == "noise":
        return spoil.gaussian_noise(key, patterns, level)
    if kind == "flips":
        return spoil.flip_bits(key, patterns, level)
    if kind == "pixels":
        return spoil.random_mask(key, patterns, level, image_shape)
    masks = {"rows": spoil.mask_rows, "border": spoil.border_mask, "centre": spoil.center_mask}
    return masks[kind](patterns, level, image_shape)


def select_blocks(available: int, size: int, repetitions: int, seed: int) -> list[np.ndarray]:
    """Which images each repetition stores: consecutive disjoint blocks where they fit.

    Where they do not, each repetition draws its own ``size`` images without replacement, and
    repetitions share images.

    Example:
        >>> [block.tolist() for block in select_blocks(7, 3, 2, seed=0)]
        [[0, 1, 2], [3, 4, 5]]
    """
    if size * repetitions <= available:
        return list(np.arange(size * repetitions).reshape(repetitions, size))
    return [
        np.random.default_rng([seed, repetition]).permutation(available)[:size]
        for repetition in range(repetitions)
    ]


def squared_error_threshold(config: Common, base: float, dim: int) -> float:
    """The squared error up to which ``dim`` pixels are correct, from one that is for 784."""
    if config.threshold_mode == "scaled":
        return metrics.scaled_threshold(base, dim=dim)
    if config.threshold_mode == "published":
        return metrics.scaled_threshold(base, dim, dim=784)
    return base


class Study:
    """Images and queries of one experiment: everything depends on the config alone.

    Attributes:
        title: what the data are called in captions.
        image_shape: height, width and, in colour, channels.
        dim: pixels of an image.
        images: all images that are not black, flattened, ``[available, dim]``; blocks are of these.
        counts: numbers of stored patterns, as many of the asked ones as the data set can serve.
        threshold: squared error up to which a recall is correct.
        repetitions: number of blocks.
        notes: what the report has to say about the data.
    """

    def __init__(self, config: Common, counts: Sequence[int]):
        name = config.data.name
        wanted = max(counts)
        options: dict[str, Any] = (
            {"limit": wanted * config.seeds} if name == "tiny_imagenet" else {}
        )
        images = jaxlab.data.load(name, **options)["images"]
        # a black image has no sum to be normalised by, and nothing to be recalled from
        images = images[images.reshape(len(images), -1).any(axis=1)]
        self.counts = tuple(sorted({count for count in counts if count <= len(images)}))
        if not self.counts:
            raise ValueError(
                f"counts: expected one of at most {len(images)} images of {name}, got {counts}"
            )
        self.image_shape = images.shape[1:]
        self.dim = math.prod(self.image_shape)
        self.title = _TITLES[name]
        self.threshold = squared_error_threshold(config, config.threshold, self.dim)
        self.repetitions = config.seeds
        self.notes = [_NOT_THE_PAPERS[name]] if name in _NOT_THE_PAPERS else []
        self._seed = config.seed
        self.images = images.reshape(len(images), -1)

        size = self.counts[-1]
        self._blocks = select_blocks(len(images), size, config.seeds, config.seed)
        if size * config.seeds > len(images):
            self.notes.append(
                f"{config.seeds} disjoint blocks of {size} images do not fit in the {len(images)} "
                "of the data set: each repetition draws its own block without replacement, and "
                "blocks share images, so the bands may understate the spread between disjoint "
                "blocks."
            )
        if wanted > len(images):
            left_out = [count for count in counts if count > len(images)]
            self.notes.append(
                f"{name} has {len(images)} images; the counts {left_out} are left out."
            )

    def served(self, name: str, counts: Sequence[int]) -> list[int]:
        """Those of ``counts``, the config's ``name``, that the data set can serve."""
        found = [count for count in self.counts if count in counts]
        require(bool(found), name, tuple(counts), f"one of at most {len(self.images)} images")
        return found

    def patterns(self, repetition: int) -> Float[Array, "n d"]:
        """The images of one block, flattened."""
        return jnp.asarray(self.images[self._blocks[repetition]])

    def queries(self, repetition: int, corruption: Corruption) -> Float[Array, "n d"]:
        """The corrupted images of one block: the same draw for every memory and count."""
        key = self.key(repetition, corruption)
        return corrupt(key, self.patterns(repetition), corruption, self.image_shape)

    def key(self, repetition: int, corruption: Corruption) -> Array:
        """The key of one corruption's draw."""
        key = jax.random.fold_in(jax.random.key(self._seed), repetition)
        return jax.random.fold_in(key, zlib.crc32(corruption.label.encode()))

    def task(self, repetition: int, corruption: Corruption) -> "Task":
        """Auto-association: the images are recalled from their corrupted selves."""
        patterns = self.patterns(repetition)
        return Task(self.queries(repetition, corruption), patterns, patterns)

    def confusable(self) -> float:
        """Share of the first block's images with another one within the threshold of them."""
        patterns = self.patterns(0)
        distance = -similarity.squared_euclidean(patterns, patterns)
        others = jnp.where(jnp.eye(len(patterns), dtype=bool), jnp.inf, distance)
        return float(jnp.mean(others.min(axis=1) <= self.threshold))

    def caption(self, *, threshold: bool = True) -> str:
        """Data, repetitions and threshold: the end of every caption."""
        text = f"{self.title}; "
        if self.repetitions == 1:
            text += "one block of images"
        else:
            text += f"mean ± 1 standard deviation over {self.repetitions} blocks of images"
        return (
            f"{text}; correct: squared error ≤ {self.threshold:.3g}." if threshold else f"{text}."
        )


class Task(NamedTuple):
    """What one repetition asks of a memory under one corruption.

    Attributes:
        queries: corrupted patterns, row ``i`` from memory ``i``, ``[n, d]``.
        memories: the patterns, ``[n, d]``.
        projection: what is to be recalled, ``[n, p]``.
    """

    queries: Array
    memories: Array
    projection: Array


class Panel(NamedTuple):
    """Curves of every memory along one axis ``x``.

    Attributes:
        correct: ``[memory, repetition, x]``.
        recalled: ``[memory, repetition, x]``.
    """

    correct: np.ndarray
    recalled: np.ndarray


class Measured(NamedTuple):
    """Results of :func:`measure`, with axes ``[memory, corruption, repetition, count]``.

    The order of the memories is that of the mapping that was measured.

    Attributes:
        correct: share of recalls within the threshold, ``[…, threshold]``.
        recalled: share of largest weights on the right memory.
    """

    correct: np.ndarray
    recalled: np.ndarray

    def against_count(self, corruption: int, threshold: int = 0) -> Panel:
        """Curves over the counts, at one corruption and one threshold."""
        return Panel(self.correct[:, corruption, ..., threshold], self.recalled[:, corruption])

    def against_corruption(self, count: int, corruptions: slice = slice(None)) -> Panel:
        """Curves over the corruptions, at one count and the first threshold."""
        return Panel(
            self.correct[:, corruptions, :, count, 0].swapaxes(1, 2),
            self.recalled[:, corruptions, :, count].swapaxes(1, 2),
        )


def measure(
    reporter: Reporter,
    study: Study,
    corruptions: Sequence[Corruption],
    memories: Mapping[str, Memory],
    *,
    counts: Sequence[int] | None = None,
    thresholds: Sequence[float] | None = None,
    task: Callable[[int, Corruption], Task] | None = None,
    group: str = "",
) -> Measured:
    """Capacity curves of every memory under every corruption, one cell per repetition.

    Args:
        reporter: keeps the cells; its plan must count :func:`cells` of them.
        study: images and queries.
        corruptions: see :class:`Corruption`.
        memories: by name.
        counts: numbers of stored patterns; default the study's.
        thresholds: squared errors; default the study's one.
        task: from repetition and corruption; default auto-association, :meth:`Study.task`.
        group: start of the cells' keys, distinct for every call of one experiment.

    Returns:
        A :class:`Measured`.
    """
    steps = study.counts if counts is None else tuple(counts)
    limits = jnp.asarray([study.threshold] if thresholds is None else thresholds, jnp.float32)
    # every memory of a cell's row meets the same draw: make it once
    task = functools.lru_cache(maxsize=1)(study.task if task is None else task)

    def cell(name: str, corruption: Corruption, repetition: int) -> dict[str, Any]:
        asked = Task(*(array[: max(steps)] for array in task(repetition, corruption)))
        curve = capacity_curve(*asked, jnp.asarray(steps), limits, memory=memories[name])
        return {
            f"index recall of {max(steps)}": float(curve.recalled[-1]),  # for the progress bar
            "correct": curve.correct.tolist(),
            "recalled": curve.recalled.tolist(),
        }

    shape = (len(memories), len(corruptions), study.repetitions)
    correct = np.zeros((*shape, len(steps), len(limits)))
    recalled = np.zeros((*shape, len(steps)))
    for level, corruption in enumerate(corruptions):
        for repetition in range(study.repetitions):
            for place, name in enumerate(memories):
                values = reporter.cell(
                    f"{group}{corruption.label}/{name}/{repetition}",
                    functools.partial(cell, name, corruption, repetition),
                )
                correct[place, level, repetition] = values["correct"]
                recalled[place, level, repetition] = values["recalled"]
    return Measured(correct, recalled)


def cells(study: Study, corruptions: Sequence[Corruption], memories: Mapping[str, Memory]) -> int:
    """How many cells a :func:`measure` of these needs."""
    return study.repetitions * len(corruptions) * len(memories)


def measure_baselines(
    reporter: Reporter, study: Study, corruptions: Sequence[Corruption]
) -> Mapping[str, np.ndarray]:
    """Answers that pick no memory, under the study's threshold: one cell per repetition.

    Returns:
        ``"mean"`` and ``"pca"``, each ``[corruption, repetition, count]``.
    """
    limits = jnp.asarray([study.threshold], jnp.float32)

    def cell(repetition: int) -> dict[str, list[Any]]:
        patterns = study.patterns(repetition)
        queries = jnp.stack([study.queries(repetition, how) for how in corruptions])
        scores = [
            baseline_scores(queries[:, :count], patterns[:count], limits) for count in study.counts
        ]
        return {
            "mean": np.stack([score.mean[:, 0] for score in scores], axis=-1).tolist(),
            "pca": np.stack([score.pca[:, 0] for score in scores], axis=-1).tolist(),
        }

    cells = [
        reporter.cell(f"baselines/{repetition}", functools.partial(cell, repetition))
        for repetition in range(study.repetitions)
    ]
    return {
        name: np.stack([np.asarray(cell[name]) for cell in cells], axis=1)
        for name in ("mean", "pca")
    }
