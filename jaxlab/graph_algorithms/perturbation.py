"""Days of one road network: noisy lengths, some of them negative, but no negative cycle."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key, Num

from jaxlab.checks import check_key, check_scalar, check_shape, require
from jaxlab.graphs.containers import Digraph, check_directed

__all__ = ["hiding_potentials", "perturbed_potential_graph"]


def hiding_potentials(
    key: Key[Array, ""], base_graph: Digraph, *, negative: int | float | Float[Array, ""] = 0.3
) -> Num[Array, " n"]:
    """Random potentials ``π`` that make a share of the lengths ``ℓ(u, v) + π_u − π_v`` negative.

    ``π = round(s z)`` with standard normal ``z``. An arc turns negative once
    ``s > ℓ / (z_v − z_u)``, so that ``s`` is the quantile of these; ``−z`` stands for a ``z`` that
    rises along too few arcs.

    Args:
        key: PRNG key.
        base_graph: nonnegative lengths are its weights.
        negative: share of the arcs that is to become negative, at most 1/2. Where the potentials
            turn no more arcs than that, the last of them gets length 0.

    Returns:
        One number a vertex in the type of the weights; 0 for padding.

    Raises:
        ValueError: an undirected graph, or one without weights; a share outside of 0 to 1/2.

    Cost:
        O(arcs log arcs).

    Example:
        >>> from jaxlab.graphs import digraph_from_arcs
        >>> graph = digraph_from_arcs([[0, 1], [1, 0], [1, 2], [2, 1]], 3, weights=[5, 5, 5, 5])
        >>> hiding_potentials(jax.random.key(0), graph, negative=0.0).tolist()
        [0, 0, 0]
    """
    check_key("key", key)
    check_directed(base_graph, "base_graph")
    require(base_graph.weights is not None, "base_graph.weights", None, "one length an arc")
    check_scalar("negative", negative, minimum=0, maximum=0.5)
    mask, weights = base_graph.mask, base_graph.weights
    there = jnp.arange(base_graph.node_capacity) < base_graph.n_node
    z = jnp.where(there, jax.random.normal(key, (base_graph.node_capacity,)), 0)
    tail = z.at[base_graph.senders].get(mode="fill", fill_value=0)
    head = z.at[base_graph.receivers].get(mode="fill", fill_value=0)
    wanted = jnp.floor(negative * jnp.sum(mask)).astype(jnp.int32)
    rising, falling = jnp.sum(mask & (head > tail)), jnp.sum(mask & (head < tail))
    sign = jnp.where((rising <= wanted) & (falling > rising), -1, 1)
    z, slope = sign * z, sign * (head - tail)
    turns = jnp.where(slope > 0, weights / slope, jnp.inf)
    turns = jnp.sort(jnp.where(mask, turns, jnp.inf))
    if turns.size == 0:
        return jnp.zeros(base_graph.node_capacity, weights.dtype)
    last = jnp.clip(jnp.minimum(wanted, jnp.maximum(rising, falling) - 1), 0)
    potentials = jnp.where(jnp.isfinite(turns[last]) & (wanted > 0), turns[last], 0) * z
    if jnp.issubdtype(weights.dtype, jnp.integer):
        potentials = jnp.round(potentials)
    return potentials.astype(weights.dtype)


def perturbed_potential_graph(
    key: Key[Array, ""],
    base_graph: Digraph,
    sigma: int | float | Float[Array, ""],
    *,
    potentials: Num[Array, " n"] | None = None,
) -> Digraph:
    """One day's lengths, ``max(1, round(ℓ exp(σ N(0, 1)))) + π_u − π_v``.

    The potentials make lengths negative without changing which paths are shortest; keep them from
    day to day, as the noise is what a prediction has to live with.

    Args:
        key: PRNG key; one a day.
        base_graph: positive lengths are its weights.
        sigma: standard deviation of the logarithm.
        potentials: ``π``, such as those of :func:`hiding_potentials`; None for 0.

    Returns:
        The graph with that day's weights, in the type of the base's; there is no negative cycle.

    Raises:
        ValueError: an undirected graph, or one without weights, potentials of another size, or a
            negative ``sigma``.

    Cost:
        O(arcs).

    Example:
        >>> from jaxlab.graphs import digraph_from_arcs
        >>> graph = digraph_from_arcs([[0, 1], [1, 2]], 3, weights=[100, 50])
        >>> pi = jnp.array([0, 500, 20])
        >>> perturbed_potential_graph(jax.random.key(0), graph, 0.0, potentials=pi).weights.tolist()
        [-400, 530]
    """
    check_key("key", key)
    check_directed(base_graph, "base_graph")
    require(base_graph.weights is not None, "base_graph.weights", None, "one length an arc")
    check_scalar("sigma", sigma, minimum=0)
    weights = base_graph.weights
    noise = jnp.exp(sigma * jax.random.normal(key, weights.shape))
    # float32 holds integers up to 2²⁴ exactly: without noise nothing is rounded
    lengths = jnp.round(weights * noise)
    lengths = jnp.where(noise == 1, weights, lengths.astype(weights.dtype))
    lengths = jnp.maximum(lengths, 1)
    if potentials is not None:
        check_shape("potentials", potentials, (base_graph.node_capacity,))
        potentials = jnp.asarray(potentials).astype(weights.dtype)
        tail = potentials.at[base_graph.senders].get(mode="fill", fill_value=0)
        head = potentials.at[base_graph.receivers].get(mode="fill", fill_value=0)
        lengths = lengths + (tail - head)
    lengths = jnp.where(base_graph.mask, lengths, 0)
    return base_graph.replace(weights=lengths)  # type: ignore[attr-defined]
