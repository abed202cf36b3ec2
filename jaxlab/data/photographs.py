"""Patches cut from photographs that come inside scikit-learn and scikit-image.

Real colour images of CIFAR-10's shape without a network. They are not CIFAR-10: say so beside
every figure made with them.
"""

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jaxlab.checks import check_choice, check_integer, require
from jaxlab.data.entry import Entry, ReadFile, pixels
from jaxlab.data.files import DataUnavailableError

__all__ = ["ENTRIES", "photograph"]

SIDE = 32
# photograph -> the package that ships it, and where
PHOTOGRAPHS = {
    "china": ("sklearn", "scikit-learn", "datasets/images/china.jpg"),
    "flower": ("sklearn", "scikit-learn", "datasets/images/flower.jpg"),
    "astronaut": ("skimage", "scikit-image", "data/astronaut.png"),
    "chelsea": ("skimage", "scikit-image", "data/chelsea.png"),
    "coffee": ("skimage", "scikit-image", "data/coffee.png"),
    "rocket": ("skimage", "scikit-image", "data/rocket.jpg"),
    "motorcycle": ("skimage", "scikit-image", "data/motorcycle_left.png"),
}


def photograph(name: str) -> np.ndarray:
    """A whole photograph, from the package's own file: nothing is ever downloaded.

    Args:
        name: one that ``load("natural_patches", photographs=…)`` takes.

    Returns:
        uint8 [height, width, 3].

    Raises:
        ValueError: an unknown name.
        DataUnavailableError: the package is not installed, or ships no such photograph.
    """
    from PIL import Image

    check_choice("name", name, PHOTOGRAPHS)
    package, project, path = PHOTOGRAPHS[name]
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise DataUnavailableError(
            f"natural_patches: the photograph {name!r} comes with {project}: pip install {project}"
        )
    file = Path(spec.origin).parent / path
    if not file.is_file():
        raise DataUnavailableError(
            f"natural_patches: this {project} does not ship the photograph {name!r} ({path}); "
            "leave it out of photographs=…"
        )
    with Image.open(file) as picture:
        return np.asarray(picture.convert("RGB"))


def _patches(image: np.ndarray) -> np.ndarray:
    """``[n, SIDE, SIDE, 3]`` in reading order; what is left at the right and below is dropped."""
    rows, columns = image.shape[0] // SIDE, image.shape[1] // SIDE
    whole = image[: rows * SIDE, : columns * SIDE]
    grid = whole.reshape(rows, SIDE, columns, SIDE, 3).transpose(0, 2, 1, 3, 4)
    return grid.reshape(-1, SIDE, SIDE, 3)


def _natural_patches(
    read_file: ReadFile,
    split: str,
    *,
    photographs: Sequence[str] = ("china", "flower"),
    seed: int = 0,
    dtype: str = "float32",
) -> dict[str, np.ndarray]:
    """``photographs``: which; ``seed``: of the shuffle. ``labels`` index ``photographs``."""
    listed = not isinstance(photographs, str) and len(photographs) > 0
    require(listed, "photographs", photographs, "a sequence of at least one name")
    for name in photographs:
        check_choice("photographs", name, PHOTOGRAPHS)
    require(len(set(photographs)) == len(photographs), "photographs", photographs, "distinct names")
    check_integer("seed", seed, minimum=0)
    patches = [_patches(photograph(name)) for name in photographs]
    labels = np.repeat(np.arange(len(patches), dtype=np.int32), [len(part) for part in patches])
    order = np.random.default_rng(seed).permutation(len(labels))
    return {
        "images": pixels(np.concatenate(patches)[order], dtype),
        "labels": labels[order],
        "label_names": np.array(photographs),
    }


ENTRIES = (
    Entry(
        name="natural_patches",
        description="Patches of photographs, shuffled: images [520, 32, 32, 3], labels.",
        source="scikit-learn; scikit-image for the photographs beyond china and flower",
        licence="china, flower: CC BY 2.0; the others: see the documentation of skimage.data",
        citation="china: photograph by danielbuechele; flower: photograph by vultilion (Flickr, "
        "with scikit-learn); the others: S. van der Walt et al., scikit-image, PeerJ 2:e453, 2014.",
        splits=("all",),
        read=_natural_patches,
    ),
)
