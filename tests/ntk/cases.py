"""Networks on which the cost of a kernel is measured, here and under the reference library.

Like ``nets.py``: plain ``jax.numpy``, numbers drawn by numpy, float32.
"""

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

__all__ = ["CASES", "Case"]


class Case(NamedTuple):
    """A network and two batches of the same size.

    Attributes:
        apply_fn: ``(params, x) -> outputs``, examples first and independent of each other.
        params: PyTree of float32 numpy arrays.
        x1: first batch.
        x2: second batch.
    """

    apply_fn: Callable[..., Any]
    params: Any
    x1: np.ndarray
    x2: np.ndarray


def _normal(rng: np.random.Generator, *shape: int, variance: float = 1.0) -> np.ndarray:
    return (variance**0.5 * rng.standard_normal(shape)).astype(np.float32)


def fully_connected(width: int) -> Case:
    """784 inputs, three hidden ReLU layers, 10 outputs, 8 examples a side; no biases."""
    rng = np.random.default_rng(width)
    sizes = [784, width, width, width, 10]
    params = [_normal(rng, n, m, variance=2 / n) for n, m in itertools.pairwise(sizes)]

    def apply_fn(params, x):
        for w in params[:-1]:
            x = jax.nn.relu(x @ w)
        return x @ params[-1]

    return Case(apply_fn, params, _normal(rng, 8, 784), _normal(rng, 8, 784))


def convolutional(channels: int) -> Case:
    """28×28 images, three 3×3 ReLU convolutions, global mean, 10 outputs, 4 examples a side."""
    rng = np.random.default_rng(channels)
    sizes = [1, channels, channels, channels]
    params = {
        "kernels": [
            _normal(rng, 3, 3, n, m, variance=2 / (9 * n)) for n, m in itertools.pairwise(sizes)
        ],
        "head": _normal(rng, channels, 10, variance=1 / channels),
    }

    def apply_fn(params, x):
        for w in params["kernels"]:
            numbers = ("NHWC", "HWIO", "NHWC")
            x = lax.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=numbers)
            x = jax.nn.relu(x)
        return x.mean((1, 2)) @ params["head"]

    return Case(apply_fn, params, _normal(rng, 4, 28, 28, 1), _normal(rng, 4, 28, 28, 1))


def transformer() -> Case:
    """Two blocks of width 64 with 4 heads on 16 of 1000 tokens, 8 outputs, 4 examples a side."""
    width, heads, length, vocabulary = 64, 4, 16, 1000
    rng = np.random.default_rng(64)

    def block():
        return {
            "norms": [(np.ones(width, np.float32), np.zeros(width, np.float32)) for _ in range(2)],
            "projections": [
                _normal(rng, width, heads, width // heads, variance=1 / width) for _ in range(3)
            ],
            "out": _normal(rng, heads, width // heads, width, variance=1 / width),
            "w1": _normal(rng, width, 4 * width, variance=2 / width),
            "w2": _normal(rng, 4 * width, width, variance=1 / (4 * width)),
        }

    params = {
        "table": _normal(rng, vocabulary, width),
        "positions": _normal(rng, length, width, variance=0.1),
        "blocks": [block() for _ in range(2)],
        "head": _normal(rng, width, 8, variance=1 / width),
    }

    def norm(x, scale, shift):
        centred = x - x.mean(-1, keepdims=True)
        return scale * centred / jnp.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5) + shift

    def apply_fn(params, x):
        h = params["table"][x] + params["positions"]
        for p in params["blocks"]:
            q, k, v = (
                jnp.einsum("ntd,dhe->nthe", norm(h, *p["norms"][0]), w) for w in p["projections"]
            )
            scores = jnp.einsum("nthe,nshe->nhts", q, k) / (width // heads) ** 0.5
            mixed = jnp.einsum("nhts,nshe->nthe", jax.nn.softmax(scores), v)
            h = h + jnp.einsum("nthe,hed->ntd", mixed, p["out"])
            h = h + jax.nn.gelu(norm(h, *p["norms"][1]) @ p["w1"]) @ p["w2"]
        return h.mean(1) @ params["head"]

    tokens = rng.integers(0, vocabulary, (2, 4, length)).astype(np.int32)
    return Case(apply_fn, params, tokens[0], tokens[1])


CASES: dict[str, Callable[[], Case]] = {
    "fc_256": lambda: fully_connected(256),
    "fc_512": lambda: fully_connected(512),
    "fc_1024": lambda: fully_connected(1024),
    "cnn_16": lambda: convolutional(16),
    "cnn_64": lambda: convolutional(64),
    "transformer": transformer,
}
