"""What the scale experiment measures on one bank of memories."""

import functools
from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array
from pydantic import Field

from jaxlab.checks import require
from jaxlab.experiments.devices import on_devices
from jaxlab.experiments.hopfield.sharding import compare
from jaxlab.experiments.interface import Count, Counts, Positive, config
from jaxlab.hopfield.retrieval import retrieve
from jaxlab.hopfield.scale import quantize_memories, retrieve_blocked, top_k_memories
from jaxlab.hopfield.separation import softmax
from jaxlab.hopfield.similarity import dot_product, squared_euclidean

__all__ = [
    "Call",
    "Config",
    "exactness",
    "function_of",
    "sharded_differences",
]


@config
class Config:
    """Sizes of the bank.

    Memories are Gaussian vectors of length about 1, queries copies with noise of length ``noise``;
    ``repeats`` timed calls per point, of which the median is reported; ``devices`` of the sharded
    comparison, which takes the smallest ``n``.
    """

    seed: Annotated[int, Field(ge=0)]
    n: Annotated[tuple[Count, ...], Field(min_length=2)]
    dim: Count
    queries: Count
    block: Counts
    beta: Positive
    k: Count
    noise: Annotated[float, Field(ge=0)]
    repeats: Count
    devices: Annotated[int, Field(ge=2)]

    def __post_init__(self) -> None:
        """Queries have memories of their own, as many are there as are looked for; blocks fit."""
        most = f"at most the smallest n = {min(self.n)}"
        require(self.queries <= min(self.n), "queries", self.queries, most)
        require(self.k <= min(self.n), "k", self.k, most)
        require(max(self.block) <= min(self.n), "block", self.block, most)


class Call(NamedTuple):
    """One way to retrieve: ``method`` ``"softmax"`` or ``"top-k"``, ``block`` None for dense."""

    method: str
    block: int | None

    @property
    def label(self) -> str:
        """Name in keys, tables and legends."""
        return f"{self.method}, " + ("dense" if self.block is None else f"block {self.block}")


def function_of(config: Config, call: Call) -> Callable[[Array, Array], Any]:
    """The call as a function of query and bank."""
    if call.method == "softmax":
        if call.block is None:
            dense = functools.partial(
                retrieve, similarity=dot_product, separation=softmax(config.beta)
            )
            return lambda query, bank: dense(query, bank).output
        return functools.partial(
            retrieve_blocked, similarity=dot_product, beta=config.beta, block_size=call.block
        )
    if call.block is None:
        return lambda query, bank: jax.lax.top_k(squared_euclidean(query, bank), config.k)
    return functools.partial(
        top_k_memories, similarity=squared_euclidean, k=config.k, block_size=call.block
    )


def exactness(config: Config, bank: Array, query: Array) -> dict[str, float]:
    """Softmax outputs, and exact, approximate and eight-bit top-k, against float64."""
    block, k = min(config.block), config.k
    output, truth = _reference(config, query, bank)
    result = {}
    for name, call in (("blocked", Call("softmax", block)), ("dense", Call("softmax", None))):
        ours = np.asarray(jax.jit(function_of(config, call))(query, bank))
        result[f"{name}_error"] = float(np.abs(ours - output).max() / np.abs(output).max())

    def nearest(memories: Array, **options: Any) -> np.ndarray:
        found = top_k_memories(
            query, memories, k=k, similarity=squared_euclidean, block_size=block, **options
        )
        return np.asarray(found.indices)

    small = quantize_memories(bank)
    exact = nearest(bank)
    result["exact"] = _recall(exact, truth)
    result["approximate"] = _recall(nearest(bank, approximate=True), truth)
    result["int8"] = _recall(nearest(small.values, scale=small.scale), truth)
    result["own_first"] = float(np.mean(exact[:, 0] == np.arange(config.queries)))
    return result


def _reference(
    config: Config, query: Array, bank: Array, chunk: int = 50_000
) -> tuple[np.ndarray, np.ndarray]:
    """Softmax outputs ``[q, d]`` and the nearest memories ``[q, k]``, by NumPy in float64."""
    q = np.asarray(query, np.float64)
    # the own memory's score is near the largest; any shift gives the same softmax
    shift = config.beta * np.sum(q * np.asarray(bank[: len(q)], np.float64), axis=1, keepdims=True)
    total, output = np.zeros((len(q), 1)), np.zeros(q.shape)
    best = np.full((len(q), config.k), np.inf)
    index = np.zeros((len(q), config.k), np.int64)
    for start in range(0, len(bank), chunk):
        rows = np.asarray(bank[start : start + chunk], np.float64)
        scores = q @ rows.T
        weights = np.exp(config.beta * scores - shift)
        total += weights.sum(axis=1, keepdims=True)
        output += weights @ rows
        # squared distances but for the query's own square
        distances = np.concatenate([best, np.square(rows).sum(axis=1) - 2 * scores], axis=1)
        numbers = np.concatenate(
            [index, np.tile(start + np.arange(len(rows)), (len(q), 1))], axis=1
        )
        chosen = np.argsort(distances, axis=1)[:, : config.k]
        best = np.take_along_axis(distances, chosen, axis=1)
        index = np.take_along_axis(numbers, chosen, axis=1)
    return output / total, index


def _recall(found: np.ndarray, truth: np.ndarray) -> float:
    """Share of the true neighbours that were found."""
    shared = [len(set(a) & set(b)) for a, b in zip(found.tolist(), truth.tolist(), strict=True)]
    return float(np.sum(shared) / truth.size)


def sharded_differences(config: Config, n: int) -> dict[str, Any]:
    """One device against several, at ``n`` memories."""
    return on_devices(
        compare,
        config.devices,
        seed=config.seed,
        n=n,
        dim=config.dim,
        queries=config.queries,
        noise=config.noise,
        beta=config.beta,
        k=config.k,
    )
