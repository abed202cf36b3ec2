"""Scores of a matrix whose rows are spread over devices: are they those of one device?

:func:`compare` needs a process with several devices; see
:func:`~jaxlab.experiments.devices.on_devices`.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, Float

from jaxlab import leverage

__all__ = ["compare", "scores_of_gram"]


def scores_of_gram(gram: Float[Array, "n n"], subset: Sequence[int]) -> Float[Array, " n"]:
    """Leverage scores of columns from ``AᵀA``, of singular vectors by descending value."""
    vectors = jnp.linalg.eigh(gram)[1][:, ::-1]
    return leverage.subspace_leverage_scores(vectors[:, tuple(subset)], orthonormal=True)


def compare(*, devices: int, m: int, n: int, seed: int, subset: Sequence[int]) -> dict[str, Any]:
    """Scores from Gram matrices and from QR, on one device and on ``devices``.

    Returns:
        ``gram`` and ``qr``: largest difference of the scores; ``residual``: that of the residual
        fractions of ten columns for a target, from moments on one and on all; ``columns``: whether
        these columns are the same; ``devices``.
    """
    key_a, key_mixing, key_noise = jax.random.split(jax.random.key(seed), 3)
    decay = 1 / jnp.sqrt(jnp.arange(1, n + 1))
    a = jax.random.normal(key_a, (m, n)) * decay
    b = a @ jax.random.normal(key_mixing, (n, 3)) + 0.1 * jax.random.normal(key_noise, (m, 3))
    mesh = Mesh(np.array(jax.devices()[:devices]), ("data",))

    gram, single = leverage.gram_sharded(a, mesh=mesh), leverage.gram(a)
    r_sharded, r_single = leverage.tsqr(a, mesh=mesh)[1], leverage.tsqr(a)[1]
    spread, whole = _moments(a, b, mesh, devices), _moments(a, b, None, 1)
    selected = [
        leverage.gcss_from_moments(moments, c=min(10, n), method="greedy")
        for moments in (spread, whole)
    ]

    def difference(left: Any, right: Any) -> float:
        return float(np.abs(np.asarray(left) - np.asarray(right)).max())

    return {
        "devices": devices,
        "gram": difference(scores_of_gram(gram, subset), scores_of_gram(single, subset)),
        "qr": difference(
            *(
                leverage.generalized_leverage_scores(leverage.svd(r), tuple(subset))
                for r in (r_sharded, r_single)
            )
        ),
        "residual": difference(*(found.residual_fraction for found in selected)),
        "columns": bool((np.asarray(selected[0].columns) == np.asarray(selected[1].columns)).all()),
    }


def _moments(a: Array, b: Array, mesh: Mesh | None, devices: int) -> leverage.Moments:
    """Moments of both views, of rows on each device."""
    n, p = a.shape[1], b.shape[1]
    if mesh is None:
        return leverage.moments_update(leverage.moments_init(n, p), a, b)
    pad = -len(a) % devices
    rows = jax.sharding.PartitionSpec("data")

    def of_shard(a: Array, b: Array, mask: Array) -> leverage.Moments:
        mine = leverage.moments_update(leverage.moments_init(n, p), a, b, mask)
        return leverage.moments_psum(mine, "data")

    over = jax.shard_map(
        of_shard, mesh=mesh, in_specs=(rows, rows, rows), out_specs=jax.sharding.PartitionSpec()
    )
    padded = [jnp.pad(view, ((0, pad), (0, 0))) for view in (a, b)]
    return jax.jit(over)(*padded, jnp.arange(len(a) + pad) < len(a))
