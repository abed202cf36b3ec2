"""Radii that no solution can beat."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxlab.kcenter.gonzalez import gonzalez
from jaxlab.kcenter.metrics import Metric, distance_matrix
from jaxlab.kcenter.order_statistics import kth_smallest


@functools.partial(jax.jit, static_argnames=("k", "metric"))
def lower_bound(
    points: Array, k: int, min_size: Any, *, first: Any = 0, metric: Metric = "euclidean"
) -> Array:
    """Half the covering radius of the Gonzalez picks, or half a pick's L-th nearest distance."""
    order = gonzalez(points, k, first=first, metric=metric)
    table = distance_matrix(points, order.indices, metric=metric)
    near = jax.lax.map(lambda column: kth_smallest(column, min_size), table.T)
    return jnp.maximum(order.radii[-1], jnp.max(near)) / 2
