"""Assignment problems between points drawn from the clusters of real data.

k-means splits the data into 2k clusters, of which a random half are the rows and the others the
columns. Each problem draws one point of every cluster; distances are rounded down.
"""

import functools
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import jaxlab.data
from jaxlab import graph_algorithms as ga
from jaxlab.experiments.components import principal_components
from jaxlab.experiments.interface import Reporter

__all__ = ["TITLES", "Clusters", "DataName", "cluster", "draw_problems", "load_points"]

DataName = Literal["skin", "shuttle", "fashion", "pixels"]

TITLES = {
    "skin": "Skin",
    "shuttle": "Shuttle",
    "fashion": "Fashion-MNIST",
    "pixels": "photographs' pixels",
}

_ROWS = {"skin": 100_000, "shuttle": 43_500, "fashion": 20_000, "pixels": 20_000}
_COMPONENTS = 50


class Clusters(NamedTuple):
    """Points with their clusters.

    Attributes:
        points: ``[points, d]`` float32.
        labels: ``[points]`` int32.
        left: ``[k]`` clusters of the rows.
        right: ``[k]`` clusters of the columns.
        iterations: that Lloyd's algorithm took.
    """

    points: np.ndarray
    labels: np.ndarray
    left: np.ndarray
    right: np.ndarray
    iterations: int


@functools.lru_cache(maxsize=1)
def load_points(name: DataName, seed: int) -> np.ndarray:
    """The points of a data set, ``[n, d]`` float32.

    ``"skin"``: colours of 100,000 pixels of Skin Segmentation, drawn without replacement.
    ``"shuttle"``: the nine columns of Statlog Shuttle's training part. ``"fashion"``: the first
    20,000 training images of Fashion-MNIST, pixels 0 to 255, on their 50 principal components.
    ``"pixels"``: colours of 20,000 pixels of scikit-learn's photographs, which need no network.
    """
    if name == "fashion":
        images = jaxlab.data.load("fashion_mnist", "train", dtype="uint8")["images"]
        return principal_components(images[: _ROWS[name]].reshape(_ROWS[name], -1), _COMPONENTS)
    if name == "pixels":
        patches = jaxlab.data.load("natural_patches", dtype="uint8")["images"]
        points = patches.reshape(-1, 3).astype(np.float32)
    else:
        source = {"skin": "skin_segmentation", "shuttle": "statlog_shuttle"}[name]
        points = jaxlab.data.load(source)["features"]
    if len(points) > _ROWS[name]:
        points = points[np.random.default_rng(seed).choice(len(points), _ROWS[name], False)]
    return np.asarray(points, np.float32)


def cluster(
    reporter: Reporter, name: DataName, k: int, *, seed: int, max_iterations: int
) -> Clusters:
    """Split a data set into ``2k`` clusters, in a cell of its own, and these into two halves."""
    points = load_points(name, seed)
    found = reporter.cell(
        f"clusters/{name}/k={k}",
        functools.partial(_k_means, points, 2 * k, seed=seed, max_iterations=max_iterations),
    )
    order = np.random.default_rng([seed, k]).permutation(2 * k)
    labels = np.array(found["labels"], np.int32)
    return Clusters(points, labels, order[:k], order[k:], found["iterations"])


def draw_problems(clusters: Clusters, count: int, *, seed: int) -> Any:
    """Costs of that many problems, ``[count, k, k]`` int32."""
    keys = jax.random.split(jax.random.key(seed), count)
    return _draw(keys, *(jnp.asarray(part) for part in clusters[:4]))


@jax.jit
def _draw(keys: Any, points: Any, labels: Any, left: Any, right: Any) -> Any:
    return jax.lax.map(lambda key: ga.geometric_instances(key, points, labels, left, right), keys)


def _k_means(points: np.ndarray, count: int, *, seed: int, max_iterations: int) -> dict[str, Any]:
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):  # several threads add the points of a cluster in any order
        method = KMeans(
            count, n_init=1, max_iter=max_iterations, algorithm="lloyd", random_state=seed
        )
        labels = method.fit(points).labels_
    return {"labels": labels.tolist(), "iterations": int(method.n_iter_)}
