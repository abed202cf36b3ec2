"""A picture of a summary: a few images that stand for all.

Plain farthest-first centers, fair ones with as many of every class, fair and private ones whose
clusters are also large, and those moved to the middle of their clusters.
"""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax.numpy as jnp
import numpy as np

import jaxlab.data
from jaxlab import kcenter as kc
from jaxlab.checks import require
from jaxlab.experiments.components import principal_components
from jaxlab.experiments.interface import Count, Reporter, config
from jaxlab.experiments.kcenter.fashion_report import (
    CLAIMS,
    CLASSES,
    METHODS,
    draw_pictures,
    draw_sizes,
    judge,
    tabulate,
)

__all__ = ["CLAIMS", "Config", "run"]

SPLITS = {"fashion_mnist": "train", "digits": "all"}


@config
class Config:
    """``per_class`` images of every class of ``data`` by their first ``dims`` principal components.

    Clusters have at least ``min_size`` images; centers are moved in up to ``refine_steps`` rounds.
    """

    data: Literal["fashion_mnist", "digits"]
    dims: Count
    per_class: Count
    min_size: Count
    refine_steps: Count


class Summary(NamedTuple):
    """A summary by any method.

    Attributes:
        centers: ``[k]`` images; −1 for slots that are not used.
        labels: ``[n]`` slot of each image's center.
        radius: largest distance of an image to its center.
        lower_bound: no summary that satisfies the same constraints has a smaller radius.
    """

    centers: Any
    labels: Any
    radius: Any
    lower_bound: Any


def run(config: Config, run_dir: Path, reporter: Reporter) -> None:
    """Summarise by every method."""
    images, groups, names = load(config)
    least = CLASSES * config.per_class * config.min_size
    require(len(images) >= least, "min_size", config.min_size, f"{least} images or fewer to need")
    pixels = images[0].size
    require(config.dims <= pixels, "dims", config.dims, f"at most {pixels}, the pixels of an image")
    points = jnp.asarray(principal_components(images.reshape(len(images), -1), config.dims))
    reporter.plan(len(METHODS))
    joint = functools.cache(functools.partial(joint_solution, config, points, groups))

    def summarise(method: str) -> dict[str, Any]:
        return describe(points, groups, solution_of(config, points, groups, method, joint))

    cells = {
        method: reporter.cell(method, functools.partial(summarise, method)) for method in METHODS
    }
    tabulate(config, cells, names, reporter)
    draw_pictures(config, cells, images, reporter)
    draw_sizes(config, cells, reporter)
    judge(config, cells, reporter)


def load(config: Config) -> tuple[np.ndarray, Any, list[str]]:
    """Images, their classes, and the names of those."""
    data = jaxlab.data.load(config.data, SPLITS[config.data])
    names = data.arrays.get("label_names", np.arange(CLASSES))
    return data["images"], jnp.asarray(data["labels"]), [str(name) for name in names]


def quota_of(config: Config) -> Any:
    """As many images of every class."""
    return jnp.full(CLASSES, config.per_class, jnp.int32)


def joint_solution(config: Config, points: Any, groups: Any) -> kc.Solution:
    """The fair and private summary."""
    quota = quota_of(config)
    k = CLASSES * config.per_class
    return kc.fair_private_kcenter(
        points, groups, k=k, min_size=config.min_size, lower=quota, upper=quota
    )


def solution_of(
    config: Config, points: Any, groups: Any, method: str, joint: Callable[[], kc.Solution]
) -> Summary:
    """A summary by one of the methods."""
    k = CLASSES * config.per_class
    if method == "plain":
        order = kc.gonzalez(points, k)
        # the next pick is that far from all of these
        return Summary(order.indices, order.labels, order.radii[-1], order.radii[-1] / 2)
    if method == "fair":
        found = kc.fair_kcenter(points, groups, quota_of(config), k=k)
    elif method == "joint":
        found = joint()
    else:
        found = kc.refine_minimax(
            points, groups, joint(), min_size=config.min_size, steps=config.refine_steps
        )
    return Summary(found.centers, found.labels, found.radius, found.lower_bound)


def describe(points: Any, groups: Any, summary: Summary) -> dict[str, Any]:
    """Centers in the order of their classes, with sizes and the distances of their images."""
    centers, labels = np.asarray(summary.centers), np.asarray(summary.labels)
    used = np.flatnonzero(centers >= 0)
    classes = np.asarray(groups)[centers[used]]
    order = np.argsort(classes, kind="stable")
    distances = jnp.linalg.norm(points - points[centers[labels]], axis=1)
    return {
        "centers": centers[used][order].tolist(),
        "counts": np.bincount(labels, minlength=len(centers))[used][order].tolist(),
        "classes": classes[order].tolist(),
        "radius": float(summary.radius),
        "lower_bound": float(summary.lower_bound),
        "mean_distance": float(distances.mean()),
    }
