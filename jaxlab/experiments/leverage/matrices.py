"""The matrices of the experiments, with what their columns are to say something about.

Real data come from :mod:`jaxlab.data`, or from files of the user's; planted targets are made of
chosen left singular vectors and noise.
"""

import functools
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Float
from pydantic import Field

import jaxlab.data
from jaxlab.checks import require
from jaxlab.experiments.interface import config

__all__ = [
    "TITLES",
    "Data",
    "Name",
    "Pair",
    "load",
    "name_of",
    "names_of",
    "planted_target",
    "prepared",
]

Name = Literal[
    "wine",
    "wine_halves",
    "breast_cancer",
    "diabetes",
    "linnerud",
    "digits",
    "digits_halves",
    "fashion_labels",
    "fashion_halves",
]

TITLES = {
    "wine": "wine → cultivar",
    "wine_halves": "wine, columns 0–5 → 6–12",
    "breast_cancer": "breast cancer → diagnosis",
    "diabetes": "diabetes → progression",
    "linnerud": "linnerud, exercises → bodies",
    "digits": "digits → label",
    "digits_halves": "digits, top → bottom half",
    "fashion_labels": "Fashion-MNIST → label",
    "fashion_halves": "Fashion-MNIST, top → bottom half",
}


@config
class Data:
    """Which matrices, and how they are made ready.

    ``names`` are data sets, of which the first ``rows`` rows are taken, all with 0. A ``path``
    takes the place of all of them: a matrix of the user's (:func:`jaxlab.data.read_matrix`), with
    its target in the file ``target``; without one, the right half of its columns is the target of
    the left. Columns are centred where ``center`` says so, and brought to unit standard deviation
    with ``scale``; those of a single value, and those whose standard deviation is not above
    ``drop_std_below``, are left out.
    """

    names: tuple[Name, ...]
    path: str
    target: str
    rows: Annotated[int, Field(ge=0)]
    center: bool
    scale: bool
    drop_std_below: Annotated[float, Field(ge=0)]

    def __post_init__(self) -> None:
        """There is something to load."""
        require(bool(self.names or self.path), "names", self.names, "at least one, or a path")


class Pair(NamedTuple):
    """A matrix and its target.

    Attributes:
        title: for tables and figures.
        a: ``[m, n]`` float64, the columns to choose from.
        b: ``[m, p]`` float64, what they are to say something about.
        columns: ``[n]`` place of each column of ``a`` among those of the data set.
        targets: ``[p]`` the same of ``b``.
        means: ``[n]`` what was taken off each column of ``a``.
        units: ``[n]`` what each was divided by after that.
        picture: height and width, where columns are the pixels of a picture.
    """

    title: str
    a: Float[np.ndarray, "m n"]
    b: Float[np.ndarray, "m p"]
    columns: np.ndarray
    targets: np.ndarray
    means: np.ndarray
    units: np.ndarray
    picture: tuple[int, int] | None


def names_of(data: Data) -> tuple[str, ...]:
    """What to pass to :func:`load`, one after the other."""
    return (data.path,) if data.path else data.names


def name_of(name: str) -> str:
    """The title of a data set; of a user's file, its name."""
    return TITLES.get(name, name.replace("\\", "/").rsplit("/", 1)[-1])


@functools.lru_cache(maxsize=2)
def load(name: str, data: Data) -> Pair:
    """The matrix called ``name`` and its target, centred and scaled as ``data`` says."""
    a, b, picture = _user(data) if data.path else _raw(name)
    if data.rows:
        a, b = a[: data.rows], b[: data.rows]
    kept, useful = (_varied(matrix, data.drop_std_below) for matrix in (a, b))
    if not kept.size or not useful.size:
        raise ValueError(
            f"{name_of(name)}: expected columns with a standard deviation above "
            f"{data.drop_std_below:g}"
        )
    return Pair(
        name_of(name),
        prepared(a[:, kept], center=data.center, scale=data.scale),
        prepared(b[:, useful], center=data.center, scale=data.scale),
        kept,
        useful,
        a[:, kept].mean(axis=0) if data.center else np.zeros(kept.size),
        a[:, kept].std(axis=0) if data.scale else np.ones(kept.size),
        picture,
    )


def prepared(matrix: Any, *, center: bool, scale: bool) -> Float[np.ndarray, "m n"]:
    """``matrix`` in float64, of columns of mean 0 and of standard deviation 1 where asked for."""
    matrix = np.asarray(matrix, np.float64)
    if center:
        matrix = matrix - matrix.mean(axis=0)
    return matrix / matrix.std(axis=0) if scale else matrix


def _varied(matrix: Any, least: float) -> np.ndarray:
    """Columns of more than one value whose standard deviation is above ``least``.

    That of a single value is not always 0: its mean is off by rounding.
    """
    return np.flatnonzero((matrix != matrix[:1]).any(axis=0) & (matrix.std(axis=0) > least))


def planted_target(
    u: Float[np.ndarray, "m k"], seed: int, *, width: int = 30, noise: float = 0.1
) -> Float[np.ndarray, "m p"]:
    """Random combinations of the columns of ``u``, of norm 1, and noise of norm ``noise``.

    ``B = U G / ‖U G‖_F + noise E / ‖E‖_F`` with Gaussian ``G`` ``[k, width]`` and ``E``; norms are
    Frobenius norms.

    Example:
        >>> u = np.eye(50)[:, :2]
        >>> b = planted_target(u, seed=0, noise=0.0)
        >>> b.shape, round(float(np.linalg.norm(b)), 6), bool(b[2:].any())
        ((50, 30), 1.0, False)
    """
    rng = np.random.default_rng(seed)
    b = u @ rng.standard_normal((u.shape[1], width))
    b /= np.linalg.norm(b)
    error = rng.standard_normal(b.shape)
    return b + noise * error / np.linalg.norm(error)


def _raw(name: str) -> tuple[Any, Any, tuple[int, int] | None]:
    if name in ("wine", "wine_halves", "breast_cancer"):
        bunch = jaxlab.data.load(name.removesuffix("_halves"))
        features = bunch["features"]
        if name == "wine_halves":
            return features[:, :6], features[:, 6:], None
        return features, _one_hot(bunch["labels"]), None
    if name in ("diabetes", "linnerud"):
        options: dict[str, Any] = {"scaled": False} if name == "diabetes" else {}
        bunch = jaxlab.data.load(name, **options)
        return bunch["features"], bunch["targets"].reshape(len(bunch["features"]), -1), None
    bunch = jaxlab.data.load("digits" if name.startswith("digits") else "fashion_mnist")
    images = bunch["images"]
    height, width = images.shape[1:]
    if name.endswith("_halves"):
        top, bottom = images[:, : height // 2], images[:, height // 2 :]
        return (
            top.reshape(len(images), -1),
            bottom.reshape(len(images), -1),
            (height // 2, width),
        )
    return images.reshape(len(images), -1), _one_hot(bunch["labels"]), (height, width)


def _user(data: Data) -> tuple[Any, Any, None]:
    a = jaxlab.data.read_matrix(data.path)
    if data.target:
        b = jaxlab.data.read_matrix(data.target)
        if len(a) != len(b):
            raise ValueError(
                f"{data.target}: expected {len(a)} rows, as {data.path} has, got {len(b)}"
            )
        return a, b, None
    if a.shape[1] < 2:
        raise ValueError(f"{data.path}: without data.target, expected at least two columns")
    half = a.shape[1] // 2
    return a[:, :half], a[:, half:], None


def _one_hot(labels: np.ndarray) -> np.ndarray:
    return (labels[:, None] == np.unique(labels)).astype(np.float64)
