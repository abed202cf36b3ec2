"""Points with groups: the study's data sets, and random ones small and large."""

import functools
import os
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import jaxlab.data
from jaxlab.data.demographics import read_points

__all__ = [
    "MADE",
    "TITLES",
    "DataName",
    "Instance",
    "Points",
    "blobs",
    "load",
    "privacy_grid",
    "random_instance",
]

DataName = Literal["count_query", "gender_diabetes", "race_adult", "sub_electric", "blobs"]

STAND_IN = "sub_electric, stood in for"
MADE = ("blobs", STAND_IN)  # what is made here, and is no published data set
TITLES = {
    "count_query": "countQuery",
    "gender_diabetes": "genderDiabetes",
    "race_adult": "raceAdult",
    "sub_electric": "subElectric",
    "blobs": "blobs",
    STAND_IN: "blobs in place of subElectric",
}
ELECTRIC = "subElectric.npz"
ELECTRIC_SHAPE = (2_049_280, 4, 32)  # points, dimensions, groups
BLOBS_SHAPE = (2000, 2, 4)

_BLOBS, _ZIPF = 1000, 1.1
_SPREAD = (0.2, 1.0, 3.0)


class Points(NamedTuple):
    """A data set.

    Attributes:
        name: key of :data:`TITLES`.
        points: ``[n, d]`` float32.
        groups: ``[n]`` int32, from 0.
    """

    name: str
    points: Any
    groups: Any


class Instance(NamedTuple):
    """A small problem.

    Attributes:
        points: ``[n, 2]`` float32.
        groups: ``[n]`` int32.
        min_size: least number of points of a cluster.
        lower: ``[m]`` int32, least number of centers of each group.
        upper: ``[m]`` int32, largest.
    """

    points: Any
    groups: Any
    min_size: Any
    lower: Any
    upper: Any


def load(name: DataName) -> Points:
    """A data set of the study, as it was published, or a few blobs, which need no file.

    ``sub_electric`` is read from ``subElectric.npz`` in the working directory or in the folder
    ``kcenter`` of ``$JAXLAB_DATA``; without it, blobs of as many points and groups stand in, under
    a name that says so.
    """
    if name == "blobs":
        n, dims, groups = BLOBS_SHAPE
        return Points(name, *blobs(jax.random.key(0), n, dims=dims, groups=groups))
    if name != "sub_electric":
        data = jaxlab.data.load(name)
        return Points(name, jnp.asarray(data["features"], jnp.float32), jnp.asarray(data["labels"]))
    # jaxlab.data.load hands out nothing without a published checksum, and this file has none
    for folder in (Path(), Path(os.environ.get("JAXLAB_DATA", ".")).expanduser() / "kcenter"):
        if (folder / ELECTRIC).is_file():
            read = read_points((folder / ELECTRIC).read_bytes())
            features = jnp.asarray(read["features"], jnp.float32)
            return Points(name, features, jnp.asarray(read["labels"]))
    n, dims, groups = ELECTRIC_SHAPE
    return Points(STAND_IN, *blobs(jax.random.key(0), n, dims=dims, groups=groups))


def privacy_grid(n: int, k: int, values: int) -> list[int]:
    """Least cluster sizes from 1 to ⌊(n - 1) / k⌋, evenly spread.

    Example:
        >>> privacy_grid(10_000, 7, 4)
        [1, 476, 952, 1428]
    """
    return sorted({int(size) for size in np.linspace(1, (n - 1) // k, values)})


@functools.partial(jax.jit, static_argnames=("n", "dims", "groups"))
def blobs(key: Any, n: int, *, dims: int = 4, groups: int = 32) -> tuple[Any, Any]:
    """Points of a thousand Gaussian blobs in the unit cube, a few of them large.

    Blob ``b`` has a share of the points in proportion to ``1 / b^1.1``, a standard deviation
    between 0.01 and 0.05, and the group ``b mod groups``.

    Returns:
        Points ``[n, dims]`` float32 and groups ``[n]`` int32.
    """
    at, width, member, noise = jax.random.split(key, 4)
    middle = jax.random.uniform(at, (_BLOBS, dims))
    sigma = jax.random.uniform(width, (_BLOBS,), minval=0.01, maxval=0.05)
    share = jnp.cumsum(jnp.arange(1, _BLOBS + 1) ** -_ZIPF)
    drawn = share[-1] * jax.random.uniform(member, (n,))
    blob = jnp.minimum(jnp.searchsorted(share, drawn, method="scan_unrolled"), _BLOBS - 1)
    points = middle[blob] + sigma[blob, None] * jax.random.normal(noise, (n, dims))
    return points, (blob % groups).astype(jnp.int32)


def random_instance(
    rng: np.random.Generator, n: int, k: int, most_groups: int, *, correlated: bool = False
) -> Instance:
    """A problem that has a solution, with one to ``most_groups`` groups.

    Points are normal, each scaled by 0.2, 1 or 3. Every group is present; its interval is the
    balanced quota, widened at either end by one or not. Groups are drawn independently of the
    points, or, ``correlated``, are layers of the first coordinate with some noise. Intervals are
    padded to ``most_groups``, with none of the groups that are not there.
    """
    m = int(rng.integers(1, most_groups + 1))
    points = rng.standard_normal((n, 2)) * rng.choice(_SPREAD, (n, 1))
    if correlated:
        rank = np.argsort(np.argsort(points[:, 0] + 0.3 * rng.standard_normal(n)))
        groups = rank * m // n
    else:
        groups = rng.permutation(np.concatenate([np.arange(m), rng.integers(0, m, n - m)]))
    sizes = np.bincount(groups, minlength=most_groups)
    quota = np.array([k // m + (group < k % m) for group in range(m)])
    lower = np.zeros(most_groups, np.int32)
    upper = np.zeros(most_groups, np.int32)
    lower[:m] = np.minimum(np.maximum(quota - rng.integers(0, 2, m), 0), sizes[:m])
    upper[:m] = np.minimum(quota + rng.integers(0, 2, m), sizes[:m])
    if upper.sum() < k:
        upper = sizes.astype(np.int32)
    return Instance(
        points=points.astype(np.float32),
        groups=groups.astype(np.int32),
        min_size=np.int32(rng.integers(1, n // k + 1)),
        lower=lower,
        upper=upper,
    )
