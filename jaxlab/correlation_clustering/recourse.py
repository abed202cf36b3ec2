"""How many vertices changed cluster between two clusterings.

Cluster ids are matched by overlap before anything is counted: a cluster that got another id and
kept its vertices has not changed.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, Int32

from jaxlab.checks import check_choice, check_dtype, check_number, check_shape, check_uncut
from jaxlab.varying import vary_like

__all__ = ["Recourse", "match_overlap", "recourse"]

KINDS = ("overlap", "identity")
NONE = jnp.iinfo(jnp.int32).max


class Recourse(NamedTuple):
    """What :func:`recourse` returns.

    Attributes:
        total: number of vertices that changed cluster.
        per_vertex: which did, 0 or 1.
    """

    total: Int32[Array, ""]
    per_vertex: Int32[Array, " n"]


def match_overlap(
    old: Int[Array, " n"], new: Int[Array, " n"], n_old: int | Int[Array, ""]
) -> Bool[Array, " n"]:
    """Which vertices stay in their cluster when old and new ids are matched by overlap.

    All pairs (old id, new id), the one that most vertices share first, of equals that of the least
    old, then the least new id: a pair is taken when neither of its ids has been. Only equality of
    ids matters, but for ties.

    Args:
        old: cluster of each vertex before; any integers.
        new: cluster of each vertex after.
        n_old: vertices from here on are new: they match nothing.

    Returns:
        Whether the vertex's pair was taken; False for new vertices.

    Raises:
        ValueError: arrays that are not integers of one length, or, of NumPy, do not fit the type
            jax gives them; an ``n_old`` that is negative or no integer.

    Cost:
        Four sorts of ``n``, and rounds of four scatters and four gathers of ``n``: O(log n) of them
        unless ties form chains.

    Example:
        >>> match_overlap(jnp.array([0, 0, 0, 1]), jnp.array([5, 5, 7, 7]), 4).tolist()
        [True, True, False, True]
    """
    _check(old, new, n_old)
    return _match(old, new, n_old)


def recourse(
    old: Int[Array, " n"],
    new: Int[Array, " n"],
    n_old: int | Int[Array, ""],
    *,
    kind: str = "overlap",
) -> Recourse:
    """Vertices that changed cluster.

    Args:
        old: cluster of each vertex before; any integers.
        new: cluster of each vertex after.
        n_old: vertices from here on are new and do not count.
        kind: "overlap" matches ids first, see :func:`match_overlap`; "identity" counts every vertex
            whose id is another: usually more, but not always, as the matching is greedy. Static.

    Returns:
        Total, and which vertices they are.

    Raises:
        ValueError: an unknown kind; and as of :func:`match_overlap`.

    Cost:
        That of :func:`match_overlap`; O(n) for "identity".

    Example:
        >>> old, new = jnp.array([0, 0, 0, 1]), jnp.array([5, 5, 7, 7])
        >>> int(recourse(old, new, 4).total), int(recourse(old, new, 4, kind="identity").total)
        (1, 4)
    """
    check_choice("kind", kind, KINDS)
    _check(old, new, n_old)
    kept = _match(old, new, n_old) if kind == "overlap" else old == new
    changed = ((jnp.arange(old.shape[0]) < n_old) & ~kept).astype(jnp.int32)
    return Recourse(jnp.sum(changed, dtype=jnp.int32), changed)


def _check(old: Any, new: Any, n_old: Any) -> None:
    check_shape("old", old, ("n",))
    check_shape("new", new, old.shape)
    check_dtype("old", old, "integer")
    check_dtype("new", new, "integer")
    check_uncut("old", old)
    check_uncut("new", new)
    check_shape("n_old", n_old, ())
    check_dtype("n_old", n_old, "integer")
    check_number("n_old", n_old, minimum=0)


@jax.jit
def _match(old: Array, new: Array, n_old: Any) -> Array:
    return matched(old, new, jnp.arange(old.shape[0]) < n_old)


def matched(old: Array, new: Array, there: Array) -> Array:
    """:func:`match_overlap` of the vertices that are ``there``."""
    n = old.shape[0]
    if n == 0:
        return there
    position = jnp.arange(n, dtype=jnp.int32)
    missing = (~there).astype(jnp.int32)
    missing, old, new, vertex = jax.lax.sort((missing, old, new, position), num_keys=3)
    starts = _starts(missing, old, new)
    pair = jnp.cumsum(starts, dtype=jnp.int32) - 1
    count = jnp.zeros(n, jnp.int32).at[pair].add(1 - missing)

    # one entry for each pair, numbered by the order in which pairs are taken
    head = jnp.zeros(n, jnp.int32).at[pair].max(jnp.where(starts, position, 0))
    real = count > 0
    old_id, new_id = old[head], new[head]
    _, order = jax.lax.sort((jnp.where(real, -count, 1), position), num_keys=2)
    rank = jnp.zeros(n, jnp.int32).at[order].set(position)
    old_slot = _slots(old_id, real)
    new_slot = _slots(new_id, real)

    def proposes(state: tuple[Array, Array]) -> Array:
        return jnp.any(state[0])

    def propose(state: tuple[Array, Array]) -> tuple[Array, Array]:
        open_, taken = state
        key = jnp.where(open_, rank, NONE)
        best_of_old = jnp.full(n, NONE, jnp.int32).at[old_slot].min(key)
        best_of_new = jnp.full(n, NONE, jnp.int32).at[new_slot].min(key)
        mutual = open_ & (best_of_old[old_slot] == rank) & (best_of_new[new_slot] == rank)
        used_old = jnp.zeros(n, bool).at[old_slot].max(mutual)
        used_new = jnp.zeros(n, bool).at[new_slot].max(mutual)
        return open_ & ~used_old[old_slot] & ~used_new[new_slot], taken | mutual

    _, taken = jax.lax.while_loop(proposes, propose, vary_like((real, jnp.zeros(n, bool))))
    return jnp.zeros(n, bool).at[vertex].set(taken[pair] & (missing == 0))


def _starts(*keys: Array) -> Array:
    """Where a run of equal keys starts."""
    change = functools.reduce(jnp.logical_or, [key[1:] != key[:-1] for key in keys])
    return jnp.concatenate([jnp.ones(1, bool), change])


def _slots(ids: Array, real: Array) -> Array:
    """Small numbers for ids: equal where they are equal, among the real ones."""
    n = ids.shape[0]
    position = jnp.arange(n, dtype=jnp.int32)
    missing, ids, index = jax.lax.sort(((~real).astype(jnp.int32), ids, position), num_keys=2)
    slot = jnp.cumsum(_starts(missing, ids), dtype=jnp.int32) - 1
    return jnp.zeros(n, jnp.int32).at[index].set(slot)
