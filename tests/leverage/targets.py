"""Matrices with targets, and what plain numpy says of columns."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.datasets import load_breast_cancer, load_wine

__all__ = [
    "assert_derivative",
    "best",
    "data",
    "greedy",
    "lost_directions",
    "random_pair",
    "residual",
    "views",
    "wine_views",
]


@functools.cache
def data(name):
    """Centred raw columns of a data set and its classes, one-hot and centred."""
    columns, classes = {"wine": load_wine, "breast_cancer": load_breast_cancer}[name](
        return_X_y=True
    )
    target = np.eye(classes.max() + 1)[classes]
    return columns - columns.mean(axis=0), target - target.mean(axis=0)


def wine_views():
    """Wine's first six columns, and the others."""
    columns, _ = data("wine")
    return columns[:, :6], columns[:, 6:]


def random_pair(rng, m=14, n=8, p=3):
    """A matrix of uneven scales and spectrum, sometimes of low rank, and a target near it."""
    rank = rng.integers(2, n + 1)
    left, right = rng.normal(size=(m, rank)), rng.normal(size=(rank, n))
    a = left * 10 ** rng.uniform(-1.5, 1.5, rank) @ right * 10 ** rng.uniform(-2, 1, n)
    b = a / np.linalg.norm(a, axis=0) @ rng.normal(size=(n, p))
    return a, b + rng.choice([0, 0.3]) * rng.normal(size=(m, p))


def views(rng, m=30, n=8, p=8):
    """Two views that have three directions in common."""
    common = rng.normal(size=(m, 3))
    a = common @ rng.normal(size=(3, n)) + rng.normal(size=(m, n))
    b = common @ rng.normal(size=(3, p)) + rng.normal(size=(m, p))
    a, b = a * 10 ** rng.uniform(-2, 1, n), b * 10 ** rng.uniform(-2, 1, p)
    return a - a.mean(axis=0), b - b.mean(axis=0)


def lost_directions(m, values, sine):
    """``A`` of four singular values, and its left vectors: short columns may lie along the last.

    The second column is at that angle from the second right vector, in the plane of the third.
    """
    frame = np.linalg.qr(np.random.default_rng(0).normal(size=(m, 4)))[0]
    turn = np.eye(4)
    cosine = np.sqrt(1 - sine**2)
    turn[1:3, 1:3] = [[cosine, sine], [sine, -cosine]]
    return frame * np.array(values) @ turn, frame


def basis(columns):
    """Orthonormal basis of the span, whatever the columns' lengths."""
    lengths = np.linalg.norm(columns, axis=0)
    u, s, _ = np.linalg.svd(columns / np.where(lengths > 0, lengths, 1), full_matrices=False)
    return u[:, s > 1e-11 * s[0]]


def residual(a, b, columns):
    """``‖B − P_C B‖_F``."""
    q = basis(a[:, list(columns)])
    return np.linalg.norm(b - q @ (q.T @ b))


def greedy(a, b, c):
    """Farahat's algorithm on the residual columns themselves."""
    left, chosen = a / np.linalg.norm(a, axis=0), []
    for _ in range(c):
        merit = ((b.T @ left) ** 2).sum(axis=0) / np.maximum((left**2).sum(axis=0), 1e-12)
        merit[chosen] = -1
        chosen.append(int(merit.argmax()))
        q = left[:, chosen[-1]] / np.linalg.norm(left[:, chosen[-1]])
        left = left - np.outer(q, q @ left)
    return chosen


def best(a, b, c):
    """The columns of least residual, of all there are."""
    return min(itertools.combinations(range(a.shape[1]), c), key=lambda s: residual(a, b, s))


def put(*arrays):
    """On the device, as they are."""
    return tuple(jax.device_put(array) for array in arrays)


def assert_derivative(function, size):
    """The derivative of a function of ``size`` numbers at 0 is that of differences forwards."""
    function = jax.jit(function)
    slope = jax.jacrev(function)(jnp.zeros(size))
    step = 1e-4
    still, once, twice = np.array(
        [[function(steps * row) for row in step * np.eye(size)] for steps in range(3)]
    )
    numeric = (4 * once - 3 * still - twice) / (2 * step)
    np.testing.assert_allclose(slope, numeric.T, rtol=1e-5, atol=1e-9)
