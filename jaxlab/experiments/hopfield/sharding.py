"""One bank of memories on several devices: does it retrieve what one device retrieves?

:func:`compare` needs a process with several devices; see
:func:`~jaxlab.experiments.devices.on_devices`.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Array, Float

from jaxlab.hopfield.patterns import spherical_gaussian
from jaxlab.hopfield.scale import retrieve_blocked, top_k_memories
from jaxlab.hopfield.similarity import dot_product, squared_euclidean

__all__ = ["bank_and_queries", "compare"]


def bank_and_queries(
    seed: int, n: int, dim: int, queries: int, noise: float
) -> tuple[Float[Array, "n d"], Float[Array, "q d"]]:
    """Random memories of length about 1; the first few again with noise of length ``noise``."""
    of_bank, of_noise = jax.random.split(jax.random.key(seed))
    bank = spherical_gaussian(of_bank, n, dim, scale=dim**-0.5)
    return bank, bank[:queries] + spherical_gaussian(
        of_noise, queries, dim, scale=noise * dim**-0.5
    )


def compare(
    *, devices: int, seed: int, n: int, dim: int, queries: int, noise: float, beta: float, k: int
) -> dict[str, Any]:
    """Softmax retrieval and top-k from one bank on one device and on ``devices``.

    The last memories are padding, masked, when ``n`` does not divide evenly.

    Returns:
        ``output_error``: largest absolute difference of the outputs over their largest magnitude;
        ``same_indices``: share of equal top-k indices; ``devices``.
    """
    bank, query = bank_and_queries(seed, n, dim, queries, noise)
    soft = functools.partial(retrieve_blocked, similarity=dot_product, beta=beta)
    nearest = functools.partial(top_k_memories, similarity=squared_euclidean, k=k)
    single = jax.jit(soft)(query, bank), nearest(query, bank).indices

    pad = -n % devices
    padded = jnp.pad(bank, ((0, pad), (0, 0)))
    mask = jnp.arange(n + pad) < n

    def of_shard(query: Array, rows: Array, mask: Array) -> tuple[Array, Array]:
        output = soft(query, rows, mask=mask, axis_name="bank")
        return output, nearest(query, rows, mask=mask, axis_name="bank").indices

    mesh = Mesh(np.array(jax.devices()[:devices]), ("bank",))
    split, whole = PartitionSpec("bank"), PartitionSpec()
    sharded = jax.jit(
        jax.shard_map(of_shard, mesh=mesh, in_specs=(whole, split, split), out_specs=(whole, whole))
    )(query, padded, mask)
    error = jnp.max(jnp.abs(sharded[0] - single[0])) / jnp.max(jnp.abs(single[0]))
    return {
        "devices": devices,
        "output_error": float(error),
        "same_indices": float(jnp.mean(sharded[1] == single[1])),
    }
