"""How maintained ids follow the agreement clusters when these change.

Only the vertices of clusters that gained or lost one are looked at. In any other cluster all
members stayed, its ids have been settled, and both rules leave it as it is.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxlab.correlation_clustering._windows import compact
from jaxlab.correlation_clustering.types import OnlineState
from jaxlab.graphs.segments import segment_mode

__all__ = ["consistent", "published"]

NONE = jnp.iinfo(jnp.int32).max


def consistent(before: OnlineState, after: OnlineState, few: Array) -> OnlineState:
    """Members keep their ids, those who join take the most frequent one, growth by 3/2 renews it.

    Args:
        before: the state before, but for the newcomer's fresh id.
        after: the state with the clusters of now.
        few: vertices of the clusters that changed, ascending, then padding.
    """
    n, size = before.degree.shape[0], few.shape[0]
    there = few < n
    now = there & after.clustered[few]
    was = there & before.clustered[few]
    held = before.maintained[few]
    cluster, _ = _groups(after.agreement_labels[few], now)

    stays = now & was
    anchor, votes = segment_mode(held, cluster, size, mask=stays)
    leader = jnp.full(size, NONE, jnp.int32).at[cluster].min(jnp.where(now, few, NONE), mode="drop")
    common = jnp.where(votes > 0, anchor, before.maintained[leader])
    members = jnp.zeros(size, jnp.int32).at[cluster].add(1, mode="drop")
    grown = (members > 0) & (2 * members > 3 * before.origin_size[common])
    fresh = before.next_id + jnp.cumsum(grown, dtype=jnp.int32) - 1

    held = jnp.where(stays, held, common[cluster])
    held = jnp.where(grown[cluster], fresh[cluster], held)
    ids = before.origin_size.shape[0]
    origin = before.origin_size.at[jnp.where(grown, fresh, ids)].set(members, mode="drop")
    return after.replace(  # type: ignore[attr-defined]
        maintained=before.maintained.at[jnp.where(now, few, n)].set(held, mode="drop"),
        origin_size=origin,
        next_id=before.next_id + jnp.sum(grown, dtype=jnp.int32),
    )


def published(before: OnlineState, after: OnlineState, few: Array) -> OnlineState:
    """What the authors' program does: those who join take *agreement* labels, growth renews ids.

    Args:
        before: the state before, but for the newcomer's id, which is its own number.
        after: the state with the clusters of now.
        few: vertices of the clusters that changed, ascending, then padding.
    """
    n, size = before.degree.shape[0], few.shape[0]
    position = jnp.arange(size, dtype=jnp.int32)
    newcomer = before.step
    there = few < n
    now = there & after.clustered[few]
    was = there & before.clustered[few]
    held = before.maintained[few]
    cluster, first = _groups(after.heavy_labels[few], now)
    padding = jnp.full(size, -1, jnp.int32)
    members = jnp.zeros(size, jnp.int32).at[cluster].add(1, mode="drop")

    # members that were alone before
    single = now & ~was & (few != newcomer)
    singles = jnp.zeros(size, jnp.int32).at[cluster].add(single, mode="drop")
    # the label that the last member with company had
    last = padding.at[cluster].max(jnp.where(now & was, position, -1), mode="drop")
    inherited = jnp.where(last < 0, after.heavy_labels[few[first]], before.heavy_labels[few[last]])
    # the id that is the first to be met most often, if more than once
    _, sorted_ids, order = jax.lax.sort((cluster, held, position), num_keys=3)
    groups = cluster[order]
    starts = (groups[1:] != groups[:-1]) | (sorted_ids[1:] != sorted_ids[:-1])
    starts = jnp.concatenate([jnp.ones(1, bool), starts])
    met = position - jax.lax.cummax(jnp.where(starts, position, 0)) + 1
    most = jnp.zeros(size, jnp.int32).at[groups].max(met, mode="drop")
    reached = jnp.where(met == most[groups], order, NONE)
    reached = jnp.full(size, NONE, jnp.int32).at[groups].min(reached, mode="drop")
    frequent = jnp.where(most >= 2, held[jnp.minimum(reached, size - 1)], 0)

    formed = singles == members
    joined = now & ~was
    given = jnp.where(formed, frequent, inherited)[cluster]
    given = jnp.where(now & (joined | formed[cluster]), given, held)

    # ids that nobody holds begin anew; had the last arrival changed nothing, it would have seen to
    # those that were free already
    ids = before.origin_size.shape[0]
    settled = before.last_change < newcomer - 1
    origin = jnp.where(settled & (before.used == 0), 0, before.origin_size)
    held_here = jnp.where(there, held, ids)
    given_here = jnp.where(there, given, ids)
    used = before.used.at[held_here].add(-1, mode="drop").at[given_here].add(1, mode="drop")
    free = (used == 0) & (jnp.arange(ids) <= newcomer)
    origin = jnp.where(free, 0, origin)

    # clusters that have grown by more than half take the largest free ids, in order of their labels
    lowest = jnp.full(size, NONE, jnp.int32)
    lowest = lowest.at[cluster].min(jnp.where(now, position, NONE), mode="drop")
    id_of_lowest = given[jnp.minimum(lowest, size - 1)]
    grown = (members > 1) & (2 * members > 3 * origin[id_of_lowest])
    turn = jnp.cumsum(grown, dtype=jnp.int32) - 1
    from_top, count = compact(free[::-1], size)
    grown &= turn < count
    fresh = ids - 1 - from_top[jnp.maximum(turn, 0)]
    final = jnp.where(now & grown[cluster], fresh[cluster], given)
    final_here = jnp.where(there, final, ids)
    used = used.at[given_here].add(-1, mode="drop").at[final_here].add(1, mode="drop")
    origin = origin.at[jnp.where(grown, fresh, ids)].set(members, mode="drop")
    origin = origin.at[final_here].max(1, mode="drop")
    return after.replace(  # type: ignore[attr-defined]
        maintained=before.maintained.at[few].set(final, mode="drop"),
        origin_size=origin,
        used=used,
    )


def _groups(labels: Array, there: Array) -> tuple[Array, Array]:
    """Number of each entry's group, ascending by label, and an entry of every group.

    Entries that are not there get the number past the last.
    """
    size = labels.shape[0]
    position = jnp.arange(size, dtype=jnp.int32)
    missing, labels, index = jax.lax.sort(
        ((~there).astype(jnp.int32), labels, position), num_keys=2
    )
    starts = jnp.concatenate([jnp.ones(1, bool), labels[1:] != labels[:-1]])
    group = jnp.cumsum(starts, dtype=jnp.int32) - 1
    group = jnp.where(missing == 1, size, group)
    first = jnp.zeros(size, jnp.int32).at[group].max(index, mode="drop")
    return jnp.zeros(size, jnp.int32).at[index].set(group), first
