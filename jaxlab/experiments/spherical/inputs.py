"""Planar images, their splits, and how they come to the sphere.

Validation images are taken from the training part: the test part is looked at once, at the end.
"""

from typing import Annotated, Literal, NamedTuple

import numpy as np
from pydantic import Field

import jaxlab.data
from jaxlab.checks import require
from jaxlab.experiments.interface import Count, config
from jaxlab.spherical.types import Grid

__all__ = [
    "DataName",
    "Planar",
    "SphereData",
    "Splits",
    "check_planar",
    "count_classes",
    "load_splits",
    "title_of",
]

DataName = Literal["digits", "fashion_mnist", "mnist"]
TITLES = {
    "digits": "scikit-learn digits (8×8)",
    "fashion_mnist": "Fashion-MNIST (28×28)",
    "mnist": "MNIST (28×28)",
}
LEVELS = 255


@config
class SphereData:
    """Which images, and how they come to the sphere.

    Attributes:
        name: the set of planar images.
        train: training images; 0 takes all that validation leaves. A set without a test split of
            its own keeps a third of its images, in random order, for testing.
        validation: images taken from the training part, for choosing and stopping.
        test: test images; 0 takes all.
        bandwidth: of the grid of the spherical images.
        grid: kind of grid, of images and networks; ``"gauss_legendre"`` for equivariant ones only.
        official_mismatch: sample images on the Driscoll–Healy grid whatever the networks' grid is,
            as the published generator does.
        interpolation: as in :func:`~jaxlab.spherical.project_image`.
        threshold: intensity above which a point belongs to an item.
        images_per_rotation: how many consecutive samples share a rotation; 500 as published.
        normalize: ``"standardize"`` by mean and deviation of training pixels, or ``"none"``, which
            leaves intensities in 0 … 255.
    """

    name: DataName
    train: Annotated[int, Field(ge=0)]
    validation: Count
    test: Annotated[int, Field(ge=0)]
    bandwidth: Annotated[int, Field(ge=4)]
    grid: Grid
    official_mismatch: bool
    interpolation: Literal["bilinear", "official"]
    threshold: Annotated[float, Field(ge=0, le=255)]
    images_per_rotation: Count
    normalize: Literal["standardize", "none"]

    def __post_init__(self) -> None:
        """Networks get as many rows as they take."""
        if self.official_mismatch:
            _require_square("grid", self.grid, "official_mismatch")


class Planar(NamedTuple):
    """Planar images.

    Attributes:
        images: ``[n, h, w]``, float32, 0 … 255.
        labels: ``[n]``, int32, 0 … K − 1; or maps of classes ``[n, h, w]`` with 0 for background,
            as of :func:`~jaxlab.spherical.compose_canvas`.
    """

    images: np.ndarray
    labels: np.ndarray


class Splits(NamedTuple):
    """Disjoint parts of a set of images.

    Attributes:
        train: what networks are fitted to.
        validation: from the same part, for tuning and early stopping.
        test: looked at once, at the end.
    """

    train: Planar
    validation: Planar
    test: Planar


def check_planar(data: SphereData) -> None:
    """Refuse images that planar networks, which are made for ``2b`` rows, do not take."""
    _require_square("data.grid", data.grid, "planar networks")


def load_splits(data: SphereData, classes: tuple[int, ...] = (), *, seed: int = 0) -> Splits:
    """Training, validation and test images of some classes, in the random order of ``seed``.

    Args:
        data: which images.
        classes: labels to keep, which become 0 … K − 1 in this order; all when empty.
        seed: of the order.

    Raises:
        ValueError: more images than there are, or an unknown class.
    """
    rng = np.random.default_rng(seed)
    if data.name == "digits":
        every = _chosen(data.name, "all", classes, rng)
        test_size = -(-len(every.labels) // 3)
        fitted, held_out = _part(every, test_size), _part(every, 0, test_size)
    else:
        fitted, held_out = (_chosen(data.name, split, classes, rng) for split in ("train", "test"))
    validation = _part(fitted, 0, data.validation)
    rest = _part(fitted, data.validation)
    train, test = _part(rest, 0, data.train or None), _part(held_out, 0, data.test or None)
    for name, part, wanted in (
        ("data.train", train, max(data.train, 1)),
        ("data.validation", validation, data.validation),
        ("data.test", test, data.test),
    ):
        found = len(part.labels)
        require(found >= wanted, name, wanted, f"at most {found} images of {data.name}")
    return Splits(train, validation, test)


def count_classes(splits: Splits, classes: tuple[int, ...]) -> int:
    """Number of classes in what :func:`load_splits` gave for ``classes``.

    Where these are all, the last one that is in any part ends them: a part of few images may lack
    some.
    """
    return len(classes) or 1 + max(int(part.labels.max()) for part in splits)


def title_of(name: DataName) -> str:
    """What the images are called in captions."""
    return TITLES[name]


def _chosen(name: str, split: str, classes: tuple[int, ...], rng: np.random.Generator) -> Planar:
    """Images of the classes wanted, shuffled, as 0 … 255."""
    loaded = jaxlab.data.load(name, split)
    labels = loaded["labels"]
    kept = list(classes) or sorted(set(labels.tolist()))
    for label in kept:
        require(bool(np.any(labels == label)), "classes", label, f"a label of {name}")
    order = rng.permutation(len(labels))
    order = order[np.isin(labels[order], kept)]
    number = np.full(int(max(labels.max(), *kept)) + 1, -1)
    number[kept] = np.arange(len(kept))
    images = np.round(loaded["images"][order] * LEVELS).astype(np.float32)
    return Planar(images, number[labels[order]].astype(np.int32))


def _require_square(argument: str, grid: Grid, needed: str) -> None:
    expected = f"a grid of as many rows as columns for {needed}: 'soft' or 'driscoll_healy'"
    require(grid != "gauss_legendre", argument, grid, expected)


def _part(planar: Planar, start: int, stop: int | None = None) -> Planar:
    return Planar(planar.images[start:stop], planar.labels[start:stop])
