"""The best threshold and representatives of every prefix."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxlab.kcenter.color_flow import Flow, color_flow, opened_points, same_points
from jaxlab.kcenter.types import Budgets, Candidates, Opened
from jaxlab.varying import vary_like

__all__ = ["open_prefixes"]


class _Best(NamedTuple):
    position: Any  # threshold that is tried next
    bound: Any  # least τ + α so far
    threshold: Any
    flow: Any


def open_prefixes(
    cands: Candidates,
    groups: Array,
    budgets: Budgets,
    lower: Array,
    upper: Array,
    competing: Array,
) -> tuple[Opened, Array]:
    """For each competing prefix the representatives of least ``τ + α``, and that ``τ``.

    A threshold is passed over when its budgets cannot pay for the lower bounds, when those of a
    smaller one were at least as large, and when it cannot be better than what was found.
    """
    k = cands.index.shape[0]
    positions = jnp.arange(k, dtype=jnp.int32)
    colors = groups[jnp.where(cands.mask, cands.index, 0)]
    same = same_points(cands)
    demand = jnp.sum(lower)
    nothing = Flow(
        jnp.zeros((k, k), bool), jnp.asarray(jnp.inf, cands.distance.dtype), jnp.asarray(False)
    )

    def of_prefix(_: None, prefix: Array) -> tuple[None, tuple[Opened, Array]]:
        active = positions <= prefix
        thresholds, eta = budgets.thresholds[prefix], budgets.eta[prefix]
        as_large = jnp.all(eta[:, None, :] >= eta[None, :, :], axis=2)
        passed = jnp.any(as_large & (positions[:, None] < positions), axis=0)
        worth = (
            competing[prefix] & ~passed & (jnp.sum(eta, axis=1) >= demand) & (thresholds < jnp.inf)
        )

        def following(position: Array, bound: Array) -> Array:
            ahead = worth & (positions >= position) & (thresholds < bound)
            return jnp.where(jnp.any(ahead), jnp.argmax(ahead), k).astype(jnp.int32)

        def attempt(best: _Best) -> _Best:
            tau = thresholds[jnp.minimum(best.position, k - 1)]
            limit = jnp.where(best.position < k, best.bound - tau, -jnp.inf)
            flow = color_flow(
                cands,
                colors,
                same,
                eta[jnp.minimum(best.position, k - 1)],
                active,
                lower,
                upper,
                limit,
            )
            better = flow.feasible & (tau + flow.radius < best.bound)
            bound = jnp.where(better, tau + flow.radius, best.bound)
            kept = jax.tree.map(lambda new, old: jnp.where(better, new, old), flow, best.flow)
            threshold = jnp.where(better, tau, best.threshold)
            return _Best(following(best.position + 1, bound), bound, threshold, kept)

        infinity = jnp.asarray(jnp.inf, cands.distance.dtype)
        start = _Best(
            following(jnp.int32(0), infinity),
            infinity,
            infinity,
            nothing,
        )
        start = vary_like(start, cands, groups, budgets, lower, upper, competing)
        best = jax.lax.while_loop(lambda best: best.position < k, attempt, start)
        return None, (opened_points(cands, best.flow), best.threshold)

    return jax.lax.scan(of_prefix, None, positions)[1]
