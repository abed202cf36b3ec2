"""Fair and private k-center: groups among the centers and sizes of the clusters at once."""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Int32

from jaxlab.checks import check_choice, check_integer, check_shape, require
from jaxlab.kcenter._opening import open_prefixes
from jaxlab.kcenter._realize import assign_within, push_surplus, spread_representatives
from jaxlab.kcenter._solution import group_counts, make_solution
from jaxlab.kcenter._validate import as_integers, check_intervals, check_min_size, check_problem
from jaxlab.kcenter.bounds import bound_of
from jaxlab.kcenter.budgets import opening_budgets
from jaxlab.kcenter.candidates import candidate_lists
from jaxlab.kcenter.forests import prefix_spanning_trees
from jaxlab.kcenter.gonzalez import gonzalez
from jaxlab.kcenter.metrics import Metric, distance_matrix
from jaxlab.kcenter.private_assignment import private_assignment, private_prefixes
from jaxlab.kcenter.refine import refine_minimax
from jaxlab.kcenter.types import Opened, Solution

__all__ = ["SELECTIONS", "assignment_points", "fair_private_kcenter"]

#: how the prefix is chosen whose representatives become the centers
SELECTIONS = ("exact", "paper")


class _Chosen(NamedTuple):
    radius: Any
    prefix: Any
    centers: Any
    labels: Any


class _Radii(NamedTuple):
    prefix: Any
    forest: Any
    assignment: Any


def fair_private_kcenter(
    points: Float[Array, "n d"],
    groups: Int[Array, " n"],
    *,
    k: int,
    min_size: int | Int[Any, ""],
    lower: Any,
    upper: Any,
    first: int | Int[Any, ""] = 0,
    selection: str = "exact",
    spread: bool = False,
    refine_steps: int = 0,
    fill: bool = False,
    metric: Metric = "euclidean",
    prefixes: str | Sequence[int] = "all",
) -> Solution:
    """At most ``k`` centers with group counts in intervals and ``min_size`` points at least each.

    ``min max_p d(p, φ(p))  s.t.  |φ⁻¹(q)| ≥ L,  a_c ≤ #{centers of group c} ≤ b_c``, within 15
    times the optimum: each prefix of the Gonzalez order is made private, surplus points move along
    its spanning tree, a flow opens representatives of the groups near each preliminary center, and
    the best prefix wins.

    Args:
        points: coordinates; for "precomputed" the ``[n, n]`` distances.
        groups: group of each point, from 0 to ``m − 1``.
        k: largest number of centers; static.
        min_size: ``L``; 0 or 1 for no demand. With a traced one a sweep compiles once.
        lower: ``a_c``, ``m`` integers.
        upper: ``b_c``, ``m`` integers; ``n`` for a group that is not restricted.
        first: first point of the Gonzalez order.
        selection: "exact" assigns points to the representatives of every prefix as well as can be
            and takes the best; "paper" assigns within the pushed clusters, takes the best and
            assigns only that one anew; static.
        spread: choose the representatives of a cluster farthest first; static.
        refine_steps: rounds of :func:`~jaxlab.kcenter.refine_minimax` on the outcome; static.
        fill: open more centers, where intervals allow, as long as the radius drops; static.
        metric: as of :func:`~jaxlab.kcenter.distance_matrix`, but no squares; static.
        prefixes: which prefixes compete, by the position of their last center; static.

    Returns:
        Centers, labels, radius and the lower bound that certifies it. ``radius`` is differentiable
        in the points.

    Raises:
        ValueError: problems that cannot be met or make no sense, where their values are known.

    Cost:
        O(n k²) and more for the assignment of every prefix that could still win; phase 4 O(k⁵) at
        worst and independent of ``n``. Memory for a few tables of ``n k``.

    Source:
        Angelidakis, Kurpisz, Sering, Zenklusen 2022; "exact" and ``fill`` go beyond it.

    Example:
        >>> line = jnp.array([[0.0], [1.0], [2.0], [7.0], [8.0], [9.0]])
        >>> groups = jnp.array([0, 0, 1, 0, 0, 1])
        >>> found = fair_private_kcenter(line, groups, k=2, min_size=3, lower=[1, 1], upper=[1, 1])
        >>> found.labels.tolist(), found.counts.tolist(), float(found.radius)
        ([0, 0, 0, 1, 1, 1], [3, 3], 2.0)
    """
    check_problem(points, groups, k, first=first, metric=metric)
    check_min_size(points.shape[0], k, min_size)
    lower, upper = as_integers("lower", lower), as_integers("upper", upper)
    check_intervals(groups, k, lower, upper)
    check_choice("selection", selection, SELECTIONS)
    check_integer("refine_steps", refine_steps, minimum=0)
    for name, flag in (("spread", spread), ("fill", fill)):
        require(isinstance(flag, bool), name, flag, "True or False")
    if isinstance(prefixes, str):
        check_choice("prefixes", prefixes, ("all",))
        chosen = tuple(range(k))
    else:
        chosen = tuple(int(i) for i in prefixes)
        inside = len(chosen) > 0 and all(0 <= i < k for i in chosen)
        require(inside, "prefixes", prefixes, f"'all' or positions from 0 to {k - 1}")
    fixed = jax.lax.stop_gradient(points)
    opened, radii, labels, bound = _representatives(
        fixed,
        groups,
        min_size,
        lower,
        upper,
        first,
        k=k,
        metric=metric,
        prefixes=chosen,
        pushed=spread or selection == "paper",
        spread=spread,
    )
    if selection == "exact":
        best = _best_exactly(fixed, opened, radii, min_size, metric=metric, prefixes=chosen)
    else:
        best = _best_within(fixed, opened, labels, min_size, metric=metric, prefixes=chosen)
    if fill:
        best = _filled(fixed, groups, best, min_size, upper, metric=metric)
    solution = _finished(points, groups, best, radii, bound, m=lower.shape[0], metric=metric)
    if refine_steps:
        solution = refine_minimax(
            points, groups, solution, min_size=min_size, steps=refine_steps, metric=metric
        )
    return solution


def assignment_points(solution: Solution) -> Int32[Array, " n"]:
    """The center of each point, as a point.

    Args:
        solution: centers and labels.

    Returns:
        Positions in the points; −1 where a solution is infeasible.

    Cost:
        One gather of ``n``.

    Example:
        >>> line = jnp.array([[0.0], [1.0], [7.0], [8.0]])
        >>> found = fair_private_kcenter(
        ...     line, jnp.zeros(4, jnp.int32), k=2, min_size=2, lower=[0], upper=[2]
        ... )
        >>> assignment_points(found).tolist()
        [0, 0, 3, 3]
    """
    check_shape("solution.labels", solution.labels, ("n",))
    there = solution.labels >= 0
    return jnp.where(there, solution.centers[jnp.maximum(solution.labels, 0)], -1)


@functools.partial(jax.jit, static_argnames=("k", "metric", "prefixes", "pushed", "spread"))
def _representatives(
    points: Array,
    groups: Array,
    min_size: Any,
    lower: Array,
    upper: Array,
    first: Any,
    *,
    k: int,
    metric: Metric,
    prefixes: tuple[int, ...],
    pushed: bool,
    spread: bool,
) -> tuple[Opened, _Radii, Array | None, Array]:
    """Phases 1 to 4: the representatives of every competing prefix, and its pushed clusters."""
    m = lower.shape[0]
    competing = jnp.asarray(np.array(prefixes, np.int32))
    order = gonzalez(points, k, first=first, metric=metric)
    dist = distance_matrix(points, order.indices, metric=metric)
    private = private_prefixes(dist, min_size)
    forest = prefix_spanning_trees(dist[order.indices])
    budgets = opening_budgets(private.counts, forest, min_size)
    cands = candidate_lists(dist, groups, lower, upper, k)
    opened, thresholds = open_prefixes(cands, groups, budgets, lower, upper, competing)
    nothing = jnp.full(k, jnp.inf, dist.dtype)
    radii = _Radii(
        jnp.maximum(private.private_radii, private.cover_radii),
        nothing.at[competing].set(thresholds),
        nothing.at[competing].set(opened.radius),
    )
    bound = bound_of(order.radii[-1], dist, min_size)
    if not pushed:
        return opened, radii, None, bound

    def realize(args: tuple[Opened, Array]) -> tuple[Opened, Array]:
        one, prefix = args
        tree = (forest.parent[prefix], forest.length[prefix], forest.order[prefix])
        labels = push_surplus(
            private.labels[prefix], dist, *tree, radii.forest[prefix], jnp.asarray(min_size)
        )
        if spread:
            one = spread_representatives(points, groups, labels, one, order.indices, m, metric)
        return one, labels

    opened, labels = jax.lax.map(realize, (opened, competing))
    return opened, radii, labels, bound


@functools.partial(jax.jit, static_argnames=("metric", "prefixes"))
def _best_exactly(
    points: Array,
    opened: Opened,
    radii: _Radii,
    min_size: Any,
    *,
    metric: Metric,
    prefixes: tuple[int, ...],
) -> _Chosen:
    """The prefix whose representatives have the best private assignment.

    Those of the best bound come first. One whose cover, or whose distance to the ``min_size``-th
    nearest point, is no better than what was found is passed over.
    """
    competing = jnp.asarray(np.array(prefixes, np.int32))
    bound = (radii.prefix + radii.forest + radii.assignment)[competing]

    def attempt(best: _Chosen, position: Array) -> tuple[_Chosen, None]:
        centers, mask = opened.centers[position], opened.mask[position]
        table = distance_matrix(points, centers, metric=metric)

        def solve() -> _Chosen:
            found = private_assignment(table, min_size, center_mask=mask)
            better = found.feasible & (found.radius < best.radius)
            new = _Chosen(found.radius, competing[position], centers, found.labels)
            return _either(better, new, best)

        nearer = table < best.radius
        covers = jnp.all(jnp.any(nearer, axis=1))
        fills = jnp.all(~mask | (jnp.sum(nearer, axis=0, dtype=jnp.int32) >= min_size))
        promising = opened.feasible[position] & covers & fills
        return jax.lax.cond(promising, solve, lambda: best), None

    return jax.lax.scan(attempt, _no_choice(points, opened), jnp.argsort(bound))[0]


@functools.partial(jax.jit, static_argnames=("metric", "prefixes"))
def _best_within(
    points: Array,
    opened: Opened,
    pushed: Array,
    min_size: Any,
    *,
    metric: Metric,
    prefixes: tuple[int, ...],
) -> _Chosen:
    """The prefix that is best with points assigned within pushed clusters, then assigned anew."""
    n, k = points.shape[0], opened.centers.shape[-1]
    batch = jnp.maximum(min_size, n // (10 * k))

    def attempt(best: _Chosen, args: tuple[Opened, Array, Array]) -> tuple[_Chosen, None]:
        one, clusters, prefix = args
        table = distance_matrix(points, one.centers, metric=metric)
        labels, radius = assign_within(table, clusters, one, jnp.asarray(min_size), batch)
        better = one.feasible & (radius < best.radius)
        return _either(better, _Chosen(radius, prefix, one.centers, labels), best), None

    competing = jnp.asarray(np.array(prefixes, np.int32))
    best, _ = jax.lax.scan(attempt, _no_choice(points, opened), (opened, pushed, competing))
    return _assigned(points, best, min_size, metric)


@functools.partial(jax.jit, static_argnames=("metric",))
def _filled(
    points: Array, groups: Array, best: _Chosen, min_size: Any, upper: Array, *, metric: Metric
) -> _Chosen:
    """More centers, each the farthest point of a group with room, as long as the radius drops."""
    n, m = points.shape[0], upper.shape[0]

    def attempt(state: tuple[_Chosen, Array]) -> tuple[_Chosen, Array]:
        best, _ = state
        table = distance_matrix(points, best.centers, metric=metric)
        room = group_counts(groups, best.centers, m) < upper
        taken = jnp.where(best.centers >= 0, best.centers, n)
        distance = jnp.where(room[groups], jnp.min(table, axis=1), -1)
        distance = distance.at[taken].set(-1, mode="drop")
        p = jnp.argmax(distance).astype(jnp.int32)
        centers = best.centers.at[jnp.argmin(best.centers >= 0)].set(p)
        new = _assigned(points, best._replace(centers=centers), min_size, metric)
        better = (distance[p] >= 0) & (new.radius < best.radius)
        return _either(better, new, best), better

    def more(state: tuple[_Chosen, Array]) -> Array:
        return state[1] & jnp.any(state[0].centers < 0)

    return jax.lax.while_loop(more, attempt, (best, best.prefix >= 0))[0]


def _no_choice(points: Array, opened: Opened) -> _Chosen:
    infinity = jnp.asarray(jnp.inf, points.dtype)
    centers = jnp.full(opened.centers.shape[-1], -1, jnp.int32)
    return _Chosen(infinity, jnp.int32(-1), centers, jnp.full(points.shape[0], -1, jnp.int32))


def _assigned(points: Array, best: _Chosen, min_size: Any, metric: Metric) -> _Chosen:
    """The best private assignment to the same centers."""
    table = distance_matrix(points, best.centers, metric=metric)
    found = private_assignment(table, min_size, center_mask=best.centers >= 0)
    radius = jnp.where(found.feasible, found.radius, jnp.inf)
    return best._replace(radius=radius, labels=jnp.where(best.prefix >= 0, found.labels, -1))


def _either(condition: Array, yes: _Chosen, no: _Chosen) -> _Chosen:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), yes, no)


@functools.partial(jax.jit, static_argnames=("m", "metric"))
def _finished(
    points: Array,
    groups: Array,
    best: _Chosen,
    radii: _Radii,
    bound: Array,
    *,
    m: int,
    metric: Metric,
) -> Solution:
    return make_solution(
        points,
        groups,
        best.centers,
        best.labels,
        m=m,
        feasible=(best.prefix >= 0) & (best.radius < jnp.inf),
        lower_bound=bound,
        metric=metric,
        prefix=best.prefix,
        radii=radii,
    )
