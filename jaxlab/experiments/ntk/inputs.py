"""Images and targets that the experiments share: scikit-learn's digits and Fashion-MNIST."""

from typing import Literal, NamedTuple

import numpy as np

import jaxlab.data
from jaxlab.checks import require

__all__ = ["DataName", "Images", "load_images", "title_of"]

DataName = Literal["digits", "fashion_mnist", "mnist"]

_TITLES = {
    "digits": "scikit-learn digits (8×8)",
    "fashion_mnist": "Fashion-MNIST (28×28)",
    "mnist": "MNIST (28×28)",
}
_CLASSES = 10


class Images(NamedTuple):
    """Standardised images with their classes, and centred one-hot targets.

    Attributes:
        x: ``[n, height, width, 1]``, float32; the training images have mean 0 and deviation 1 over
            all pixels.
        labels: ``[n]``, int32.
        targets: ``[n, 10]``: one-hot minus 0.1, so that every row sums to 0.
        x_test: as ``x``, by the same shift and scale.
        labels_test: as ``labels``.
        targets_test: as ``targets``.
    """

    x: np.ndarray
    labels: np.ndarray
    targets: np.ndarray
    x_test: np.ndarray
    labels_test: np.ndarray
    targets_test: np.ndarray


def load_images(name: DataName, train: int, test: int = 0, *, seed: int = 0) -> Images:
    """``train`` and ``test`` images drawn without replacement, disjoint.

    Test images come from the set's own test split where it has one.

    Raises:
        ValueError: more images than there are.

    Example:
        >>> images = load_images("digits", 20, 5)
        >>> images.x.shape, images.targets_test.shape
        ((20, 8, 8, 1), (5, 10))
    """
    rng = np.random.default_rng(seed)
    if name == "digits":
        every = jaxlab.data.load(name)
        order = rng.permutation(len(every["labels"]))
        chosen, held_out = order[:train], order[train : train + test]
        sources = every, every
    else:
        sources = jaxlab.data.load(name, "train"), jaxlab.data.load(name, "test")
        chosen = rng.permutation(len(sources[0]["labels"]))[:train]
        held_out = rng.permutation(len(sources[1]["labels"]))[:test]
    require(len(chosen) == train, "train", train, f"at most {len(chosen)} images of {name}")
    require(len(held_out) == test, "test", test, f"at most {len(held_out)} images of {name}")
    mean = sources[0]["images"][chosen].mean()
    deviation = sources[0]["images"][chosen].std()
    parts = []
    for source, indices in zip(sources, (chosen, held_out), strict=True):
        x = ((source["images"][indices] - mean) / deviation)[..., None].astype(np.float32)
        labels = source["labels"][indices]
        parts += [x, labels, np.eye(_CLASSES, dtype=np.float32)[labels] - 1 / _CLASSES]
    return Images(*parts)


def title_of(name: DataName) -> str:
    """What the data are called in captions."""
    return _TITLES[name]
