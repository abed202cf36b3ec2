"""Opening representatives within budgets and group intervals, by a small flow.

The flow runs on centers and groups only. A candidate point holds at most one unit, so that it is
no node but a state: its owner, the center that opens it. An arc from a center to a group is then a
free candidate, one from a center to another is a candidate that the other would give up, and one
from a group to a center is a candidate of the group that the center would close.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxlab.checks import check_integer, check_shape, check_uncut
from jaxlab.kcenter._checks import as_integers
from jaxlab.kcenter.types import Candidates, Opened
from jaxlab.varying import vary_like

__all__ = ["open_representatives"]


class Flow(NamedTuple):
    """Outcome of the flow on the lists.

    Attributes:
        used: which entries of the lists are opened, ``[center, rank]``.
        radius: largest distance of a used entry that could not be avoided.
        feasible: whether the flow saturates; False too when the limit on the radius was reached.
    """

    used: Bool[Array, "k k"]
    radius: Float[Array, ""]
    feasible: Bool[Array, ""]


def open_representatives(
    cands: Candidates,
    groups: Int[Array, " n"],
    eta: Int[Array, " k"],
    active: Bool[Array, " k"],
    lower: Int[Array, " m"],
    upper: Int[Array, " m"],
    k: int,
) -> Opened:
    """Between 1 and ``η_j`` candidates of each active center, at the least assignment radius.

    Minimises ``α = max d(s_j, p)`` over the opened pairs, each point opened at most once, with
    between ``a_c`` and ``b_c`` points of each group and at most ``k`` in total.

    Args:
        cands: the list of each center.
        groups: group of each point, below ``m``.
        eta: how many points each center may open; infeasible where it is 0 for an active one.
        active: which centers take part.
        lower: ``a_c``.
        upper: ``b_c``.
        k: number of centers; static.

    Returns:
        Opened points with their origins. With slack intervals fewer than ``k`` are opened.

    Raises:
        ValueError: shapes that disagree; bounds that are no integers; groups of NumPy that do not
            fit the type jax gives them.

    Cost:
        At most ``2 k`` augmentations of O(k²) and a search of O((k + m)²) for each level.

    Source:
        Angelidakis et al. 2022, phase 4: the network with lower bounds.

    Example:
        >>> from jaxlab.kcenter import candidate_lists
        >>> dist = jnp.array([[0.0, 3.0], [1.0, 2.0], [2.0, 1.0], [3.0, 0.0]])
        >>> groups, one = jnp.array([0, 0, 0, 1]), jnp.array([1, 1])
        >>> cands = candidate_lists(dist, groups, one, one, 2)
        >>> opened = open_representatives(cands, groups, one, one == 1, one, one, 2)
        >>> opened.centers.tolist(), float(opened.radius)
        ([0, 3], 0.0)
    """
    check_integer("k", k, minimum=1)
    check_shape("cands.index", cands.index, (k, k))
    check_shape("eta", eta, (k,))
    check_shape("active", active, (k,))
    check_uncut("groups", groups)
    lower, upper = as_integers("lower", lower), as_integers("upper", upper)
    check_shape("upper", upper, lower.shape)
    return _open_representatives(cands, groups, eta, active, lower, upper)


@jax.jit
def _open_representatives(
    cands: Candidates, groups: Array, eta: Array, active: Array, lower: Array, upper: Array
) -> Opened:
    colors = groups[jnp.where(cands.mask, cands.index, 0)]
    same = same_points(cands)
    flow = color_flow(cands, colors, same, eta, active, lower, upper, jnp.inf)
    return opened_points(cands, flow)


def opened_points(cands: Candidates, flow: Flow) -> Opened:
    """The used entries of the lists in a row, by origin."""
    k = cands.index.shape[0]
    used = (flow.used & flow.feasible).reshape(-1)
    place = jnp.where(used, jnp.cumsum(used) - 1, k)
    origin = jnp.repeat(jnp.arange(k, dtype=jnp.int32), k)
    empty = jnp.full(k, -1, jnp.int32)
    centers = empty.at[place].set(cands.index.reshape(-1), mode="drop")
    origin = empty.at[place].set(origin, mode="drop")
    radius = jnp.where(flow.feasible, flow.radius, jnp.inf)
    return Opened(centers, origin, centers >= 0, radius, flow.feasible)


def same_points(cands: Candidates) -> Array:
    """A number below ``k²`` for each entry of the lists, the same for the same point."""
    flat = jnp.where(cands.mask, cands.index, -1).reshape(-1)
    return jnp.searchsorted(jnp.sort(flat), flat).reshape(cands.index.shape)


class _State(NamedTuple):
    residual: Any  # [V, V] capacity that is left on the arcs that no candidate stands for
    owner: Any  # who opens the point, by its number; k for nobody
    value: Any  # units that have reached the sink
    radius: Any  # least radius at which that much can flow
    open: Any  # whether more might flow


class _Search(NamedTuple):
    visited: Any
    parent: Any
    radius: Any
    open: Any


def color_flow(
    cands: Candidates,
    colors: Array,
    same: Array,
    eta: Array,
    active: Array,
    lower: Array,
    upper: Array,
    limit: Array | float,
) -> Flow:
    """A largest flow by shortest augmenting paths at the least radius below ``limit``.

    Source → center (1, 0 if η = 0), source → z (A), z → center (η − 1), center → candidate → group
    (1 each), group → sink (a), group → t (b − a), t → z (k − A), z → sink (active centers) with
    A = Σ a: budgets and intervals are met exactly when A + (active centers) units flow. When no
    path is left at a radius, the shortest entry that leaves the set of reached nodes is a lower
    bound on the radius of any larger flow: the radius jumps there, and the search goes on.

    Args:
        cands: the list of each center.
        colors: group of each entry.
        same: number of each entry's point, from :func:`same_points`.
        eta: how many entries each center may open.
        active: which centers take part.
        lower: least number of each group.
        upper: largest number of each group.
        limit: gives up when the radius would not stay below.

    Returns:
        The used entries and the radius.
    """
    k, m = cands.index.shape[0], lower.shape[0]
    at = Nodes(k, m)
    lower, upper, eta = (given.astype(jnp.int32) for given in (lower, upper, eta))
    demand, started = jnp.sum(lower, dtype=jnp.int32), jnp.sum(active, dtype=jnp.int32)
    direct = jnp.minimum(demand, started)  # source → z → sink, at once
    residual = group_arcs(at, lower, upper, k - demand)
    residual = residual.at[at.source, :k].set((active & (eta > 0)).astype(jnp.int32))
    residual = residual.at[at.source, at.z].set(demand - direct)
    residual = residual.at[at.z, at.source].set(direct)
    residual = residual.at[at.z, :k].set(jnp.where(active, jnp.maximum(eta - 1, 0), 0))
    residual = residual.at[at.z, at.sink].set(started - direct)
    residual = residual.at[at.sink, at.z].set(direct)
    length = jnp.where(cands.mask & active[:, None], cands.distance, jnp.inf)
    limit = jnp.where(demand <= k, limit, -jnp.inf)
    missing = demand + started - direct
    return saturate(at, length, colors, same, residual, missing, limit)


class Nodes:
    """Numbers of the nodes: centers, groups, and four more."""

    def __init__(self, k: int, m: int) -> None:
        self.k, self.m, self.size = k, m, k + m + 4
        self.source, self.z, self.t, self.sink = range(k + m, k + m + 4)
        self.groups = slice(k, k + m)


def group_arcs(at: Nodes, lower: Array, upper: Array, rest: Array) -> Array:
    """Group → sink (a), group → t (b − a), t → z (``rest``)."""
    residual = jnp.zeros((at.size, at.size), jnp.int32)
    residual = residual.at[at.groups, at.sink].set(lower)
    residual = residual.at[at.groups, at.t].set(jnp.maximum(upper - lower, 0))
    return residual.at[at.t, at.z].set(jnp.asarray(rest, jnp.int32))


def saturate(
    at: Nodes,
    length: Array,
    colors: Array,
    same: Array,
    residual: Array,
    target: Array,
    limit: Array | float,
) -> Flow:
    """``target`` more units from the source to the sink at the least radius below ``limit``.

    Args:
        at: the nodes.
        length: from which radius on an entry can be used, ``[center, rank]``; ``inf`` for never.
        colors: group of each entry.
        same: number of each entry's point.
        residual: capacity of the arcs that no entry stands for, ``[node, node]``.
        target: how many units are wanted.
        limit: gives up when the radius would not stay below.

    Returns:
        The used entries and the radius.
    """
    k, dtype, points = at.k, length.dtype, length.size
    group0, source, sink, size = at.groups.start, at.source, at.sink, at.size
    nodes = jnp.arange(size, dtype=jnp.int32)
    rows = jnp.broadcast_to(nodes[:k, None], length.shape)
    listed = length < jnp.inf
    colors = colors.astype(jnp.int32)  # nodes have larger numbers than groups

    def arcs(state: _State) -> Array:
        """Radius from which on each arc can be used."""
        owner = state.owner[same]
        towards = jnp.where(owner == k, group0 + colors, owner)
        arc = jnp.where(state.residual > 0, -jnp.inf, jnp.inf).astype(dtype)
        arc = arc.at[rows, towards].min(length)
        closing = jnp.where((owner == rows) & listed, group0 + colors, size)
        return arc.at[closing, rows].set(-jnp.inf, mode="drop")

    def search(state: _State) -> _Search:
        arc = arcs(state)

        def grow(s: _Search) -> _Search:
            reach = jnp.where(s.visited[:, None], arc, jnp.inf)
            least = jnp.min(reach, axis=0)
            new = ~s.visited & (least <= s.radius) & (least < jnp.inf)
            by = jnp.min(jnp.where(reach <= s.radius, nodes[:, None], size), axis=0)
            jump = jnp.min(jnp.where(s.visited, jnp.inf, least))
            stuck = ~jnp.any(new)
            radius = jnp.where(stuck, jump, s.radius)
            return _Search(
                s.visited | new, jnp.where(new, by, s.parent), radius, s.open & (radius < limit)
            )

        start = _Search(
            nodes == source, jnp.full(size, source, jnp.int32), state.radius, state.open
        )
        return jax.lax.while_loop(lambda s: s.open & ~s.visited[sink], grow, vary_like(start))

    def augment(state: _State, found: _Search) -> _State:
        before = state.owner[same]

        def step(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
            v, residual, owner = carry
            u = found.parent[v]
            row = jnp.minimum(jnp.where(u < k, u, v), k - 1)
            held, allowed = before[row], length[row] <= found.radius
            opens = (u < k) & (v >= group0) & (v < source)
            takes = (u < k) & (v < k)
            closes = (u >= group0) & (u < source) & (v < k)
            entry = opens & allowed & (held == k) & (colors[row] == v - group0)
            entry |= takes & allowed & (held == v)
            entry |= closes & listed[row] & (held == v) & (colors[row] == u - group0)
            point = jnp.where(jnp.any(entry), same[row, jnp.argmax(entry)], points)
            owner = owner.at[point].set(jnp.where(closes, k, u), mode="drop")
            fixed = jnp.where(opens | takes | closes, 0, 1)
            residual = residual.at[u, v].add(-fixed).at[v, u].add(fixed)
            return u, residual, owner

        def walk(carry: tuple[Array, Array, Array]) -> Array:
            return reached & (carry[0] != source)

        reached = found.visited[sink]
        start = (jnp.asarray(sink, jnp.int32), state.residual, state.owner)
        _, residual, owner = jax.lax.while_loop(walk, step, vary_like(start))
        radius = jnp.where(reached, found.radius, state.radius)
        return _State(residual, owner, state.value + reached, radius, reached)

    start = _State(
        residual,
        jnp.full(points, k, jnp.int32),
        jnp.int32(0),
        jnp.asarray(-jnp.inf, dtype),
        jnp.asarray(limit) > -jnp.inf,
    )
    final = jax.lax.while_loop(
        lambda state: state.open & (state.value < target),
        lambda state: augment(state, search(state)),
        vary_like(start, length, colors, same, target),
    )
    used = (final.owner[same] == rows) & listed
    done = (final.value >= target) & (jnp.asarray(limit) > -jnp.inf)
    return Flow(used, jnp.maximum(final.radius, 0), done)
