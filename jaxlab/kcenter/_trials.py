"""One set of centers after another is given its private assignment, and the best is kept.

All that looks for centers ends in the same question, whether points can be assigned within less
than the least radius so far. One loop asks it of the representatives of the prefixes, of sets with
one center more, and of centers moved to the middle of their clusters.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxlab.kcenter._recenter import recenter
from jaxlab.kcenter._solution import group_counts
from jaxlab.kcenter.metrics import Metric, distance_matrix
from jaxlab.kcenter.private_assignment import private_assignment
from jaxlab.varying import vary_like

__all__ = ["EXTREMES", "SHORTLIST", "Chosen", "best_of", "no_choice", "when"]

#: of :func:`~jaxlab.kcenter.refine_minimax`
EXTREMES, SHORTLIST = 40, 50

PROPOSED, FILLED, RECENTERED, EXCHANGED, DONE = range(5)


class Chosen(NamedTuple):
    """Centers and their assignment.

    Attributes:
        radius: the largest distance of a point to its center; infinite where there is none.
        prefix: which proposal it was; −1 for none.
        centers: points; −1 for unused slots.
        labels: slot of each point.
    """

    radius: Any
    prefix: Any
    centers: Any
    labels: Any


class _State(NamedTuple):
    best: Chosen
    first: Chosen  # the first proposal that was possible, from which centers are moved as well
    other: Chosen  # what moving the centers of the best proposal led to, meanwhile
    stage: Any  # what is tried next
    turn: Any  # which proposal, in PROPOSED
    rounds: Any  # how many more may lower the radius, from RECENTERED on


def no_choice(points: Array, k: int) -> Chosen:
    """No centers yet."""
    infinity = jnp.asarray(jnp.inf, points.dtype)
    centers = jnp.full(k, -1, jnp.int32)
    return Chosen(infinity, jnp.int32(-1), centers, jnp.full(points.shape[0], -1, jnp.int32))


@functools.partial(jax.jit, static_argnames=("extremes", "shortlist", "metric"))
def best_of(
    points: Array,
    groups: Array,
    start: Chosen,
    proposals: Array,
    rank: Array,
    tries: Any,
    min_size: Any,
    upper: Array,
    fill: Any,
    rounds: Any,
    *,
    extremes: int = EXTREMES,
    shortlist: int = SHORTLIST,
    metric: Metric,
) -> Chosen:
    """The best of ``start`` and what is proposed, filled and refined.

    Args:
        points: coordinates or distances.
        groups: group of each point.
        start: what has to be improved upon.
        proposals: sets of centers, ``[proposals, k]``; −1 for unused slots.
        rank: those of the least number are tried first.
        tries: how many proposals are tried.
        min_size: least number of points of a cluster.
        upper: largest number of centers of each group, when filled.
        fill: whether centers are added while the radius drops.
        rounds: how often centers may be moved, of the best proposal and of the first.
        extremes: of :func:`~jaxlab.kcenter._recenter.recenter`.
        shortlist: likewise.
        metric: a metric.
    """
    fill, rounds = jnp.asarray(fill), jnp.asarray(rounds, jnp.int32)
    groups = groups.astype(jnp.int32)
    points, groups, start, proposals, rank, tries, min_size, upper, fill, rounds = vary_like(
        (points, groups, start, proposals, rank, tries, min_size, upper, fill, rounds)
    )
    n, m = points.shape[0], upper.shape[0]
    order = jnp.argsort(rank)

    def with_one_more(best: Chosen) -> Array:
        """The farthest point of a group with room joins."""
        table = distance_matrix(points, best.centers, metric=metric)
        room = group_counts(groups, best.centers, m) < upper
        taken = jnp.where(best.centers >= 0, best.centers, n)
        distance = jnp.where(room[groups], jnp.min(table, axis=1), -1)
        distance = distance.at[taken].set(-1, mode="drop")
        p = jnp.argmax(distance).astype(jnp.int32)
        p = jnp.where(distance[p] >= 0, p, -1)
        return best.centers.at[jnp.argmin(best.centers >= 0)].set(p)

    def moved(state: _State) -> Array:
        exchange = state.stage == EXCHANGED
        best = state.best
        return recenter(
            points, groups, best.centers, best.labels, exchange, m, extremes, shortlist, metric
        )

    def attempt(state: _State) -> _State:
        best, stage = state.best, state.stage
        number = order[jnp.minimum(state.turn, order.size - 1)]
        centers = jnp.where(stage == PROPOSED, proposals[number], best.centers)
        centers = when(stage == FILLED, lambda: with_one_more(best), centers)
        centers = when(stage >= RECENTERED, lambda: moved(state), centers)

        # what is not nearer than the least radius so far is no use: the search for a flow ends
        # as soon as it would need that, and where a center or a point is left alone it is spared
        mask = centers >= 0
        table = distance_matrix(points, centers, metric=metric)
        nearer = table < best.radius
        table = jnp.where(nearer, table, jnp.inf)
        covers = jnp.any(mask) & jnp.all(jnp.any(nearer, axis=1))
        fills = jnp.all(~mask | (jnp.sum(nearer, axis=0, dtype=jnp.int32) >= min_size))

        def assigned() -> tuple[Array, Array]:
            found = private_assignment(table, min_size, center_mask=mask)
            return jnp.where(found.feasible, found.radius, jnp.inf), found.labels

        unassigned = jnp.full_like(best.radius, jnp.inf), best.labels
        radius, labels = when(covers & fills, assigned, unassigned)
        better = radius < best.radius
        prefix = jnp.where(stage == PROPOSED, number, best.prefix).astype(jnp.int32)
        new = Chosen(radius, prefix, centers, labels)
        earliest = better & (stage == PROPOSED) & ~(state.first.radius < jnp.inf)
        first = _either(earliest, new, state.first)
        best = _either(better, new, best)

        after = jnp.where(
            better,
            jnp.where(stage == EXCHANGED, RECENTERED, stage),
            jnp.where(stage == PROPOSED, stage, stage + 1),
        )
        used = (better & (stage >= RECENTERED)).astype(jnp.int32)
        return forward(_State(best, first, state.other, after, state.turn + 1, state.rounds - used))

    def forward(state: _State) -> _State:
        """Past the stages where there is nothing to try."""
        best, first, stage = state.best, state.first, state.stage
        there = jnp.any(best.centers >= 0)
        stage = jnp.where((stage == PROPOSED) & (state.turn >= tries), FILLED, stage)
        room = fill & there & jnp.any(best.centers < 0)
        stage = jnp.where((stage == FILLED) & ~room, RECENTERED, stage)
        over = (stage >= RECENTERED) & ((state.rounds <= 0) | ~there)
        stage = jnp.where(over, DONE, stage)
        again = (stage == DONE) & (rounds > 0) & (first.radius < jnp.inf)
        again &= first.prefix != best.prefix
        return _State(
            _either(again, first, best),
            _either(again, nothing, first),
            _either(again, best, state.other),
            jnp.where(again, RECENTERED, stage).astype(jnp.int32),
            state.turn,
            jnp.where(again, rounds, state.rounds),
        )

    nothing = no_choice(points, start.centers.size)
    state = _State(start, nothing, nothing, jnp.int32(PROPOSED), jnp.int32(0), rounds)
    last = jax.lax.while_loop(lambda state: state.stage < DONE, attempt, forward(vary_like(state)))
    return _either(last.other.radius < last.best.radius, last.other, last.best)


def _either(condition: Array, yes: Chosen, no: Chosen) -> Chosen:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), yes, no)


def when(condition: Array, compute: Callable[[], Any], otherwise: Any) -> Any:
    """What is computed where the condition holds; under ``vmap`` only if it does somewhere.

    What is computed may differ between devices only where the condition or the other value does.
    """
    start = vary_like((condition, otherwise))

    def once(_: tuple[Array, Any]) -> tuple[Array, Any]:
        return vary_like((jnp.zeros_like(condition), compute()), start)

    return jax.lax.while_loop(lambda state: state[0], once, start)[1]
