"""Fair and private k-center: groups among the centers and sizes of the clusters at once."""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Int32

from jaxlab.checks import check_bool, check_choice, check_integer, check_shape, require
from jaxlab.kcenter._checks import (
    as_integers,
    check_enough_points,
    check_intervals,
    check_problem,
)
from jaxlab.kcenter._opening import open_prefixes
from jaxlab.kcenter._realize import assign_within, push_surplus, spread_representatives
from jaxlab.kcenter._solution import Radii, finished
from jaxlab.kcenter._trials import best_of, no_choice, when
from jaxlab.kcenter.bounds import bound_of
from jaxlab.kcenter.budgets import opening_budgets
from jaxlab.kcenter.candidates import candidate_lists
from jaxlab.kcenter.forests import prefix_spanning_trees
from jaxlab.kcenter.gonzalez import gonzalez
from jaxlab.kcenter.metrics import Metric, distance_matrix
from jaxlab.kcenter.private_assignment import private_prefixes
from jaxlab.kcenter.types import Forest, Opened, Solution
from jaxlab.varying import vary_like

__all__ = ["SELECTIONS", "assignment_points", "fair_private_kcenter"]

#: how the prefix is chosen whose representatives become the centers
SELECTIONS = ("exact", "paper")


class _Phases(NamedTuple):
    """What phase 5 needs of those before."""

    order: Any
    dist: Any
    labels: Any
    forest: Any


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
        refine_steps: rounds of :func:`~jaxlab.kcenter.refine_minimax` on the outcome, and as many
            on the first prefix that was tried, which often leads further; static.
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
        >>> line, groups = jnp.array([[0.0], [1.0], [7.0], [8.0]]), jnp.array([0, 1, 1, 0])
        >>> found = fair_private_kcenter(line, groups, k=2, min_size=2, lower=[1, 1], upper=[1, 1])
        >>> found.labels.tolist(), found.counts.tolist(), float(found.radius)
        ([0, 0, 1, 1], [2, 2], 1.0)
    """
    check_bool("spread", spread)
    check_bool("fill", fill)
    check_problem(points, groups, k, first=first, metric=metric)
    check_enough_points(points.shape[0], k, min_size)
    lower, upper = as_integers("lower", lower), as_integers("upper", upper)
    check_intervals(groups, k, lower, upper)
    check_choice("selection", selection, SELECTIONS)
    check_integer("refine_steps", refine_steps, minimum=0)
    if isinstance(prefixes, str):
        check_choice("prefixes", prefixes, ("all",))
        chosen = tuple(range(k))
    else:
        expected = f"'all' or positions from 0 to {k - 1}"
        require(np.ndim(prefixes) == 1, "prefixes", prefixes, expected)
        for i in prefixes:
            check_integer("prefixes", i)
        chosen = tuple(int(i) for i in prefixes)
        inside = len(chosen) > 0 and all(0 <= i < k for i in chosen)
        require(inside, "prefixes", prefixes, expected)
    fixed, m = jax.lax.stop_gradient(points), lower.shape[0]
    competing = np.isin(np.arange(k), chosen)
    pushed = spread or selection == "paper"
    opened, radii, bound, phases = _representatives(
        fixed, groups, min_size, lower, upper, first, competing, k=k, metric=metric, pushed=pushed
    )
    rank, tries = radii.prefix + radii.forest + radii.assignment, jnp.sum(opened.feasible)
    if phases is not None:
        opened, within = _realized(
            fixed, groups, opened, radii, phases, min_size, spread, m=m, metric=metric
        )
        if selection == "paper":
            rank, tries = within, jnp.minimum(tries, 1)
    best = best_of(
        fixed,
        groups,
        no_choice(fixed, k),
        opened.centers,
        rank,
        tries,
        min_size,
        upper,
        fill,
        refine_steps,
        metric=metric,
    )
    feasible = best.radius < jnp.inf
    return finished(points, groups, best, feasible, bound, radii, m=m, metric=metric)


def assignment_points(solution: Solution) -> Int32[Array, " n"]:
    """The center of each point, as a point.

    Args:
        solution: centers and labels.

    Returns:
        Positions in the points; −1 where a solution is infeasible.

    Cost:
        One gather of ``n``.

    Example:
        >>> line, groups = jnp.array([[0.0], [1.0], [7.0], [8.0]]), jnp.array([0, 1, 1, 0])
        >>> found = fair_private_kcenter(line, groups, k=2, min_size=2, lower=[1, 1], upper=[1, 1])
        >>> assignment_points(found).tolist()
        [1, 1, 3, 3]
    """
    check_shape("solution.labels", solution.labels, ("n",))
    there = solution.labels >= 0
    centers = jnp.asarray(solution.centers)  # NumPy's take no traced labels
    return jnp.where(there, centers[jnp.maximum(solution.labels, 0)], -1)


@functools.partial(jax.jit, static_argnames=("k", "metric", "pushed"))
def _representatives(
    points: Array,
    groups: Array,
    min_size: Any,
    lower: Array,
    upper: Array,
    first: Any,
    competing: Array,
    *,
    k: int,
    metric: Metric,
    pushed: bool,
) -> tuple[Opened, Radii, Array, _Phases | None]:
    """Phases 1 to 4: the representatives of every competing prefix, and the lower bound."""
    order = gonzalez(points, k, first=first, metric=metric)
    dist = distance_matrix(points, order.indices, metric=metric)
    private = private_prefixes(dist, min_size)
    forest = prefix_spanning_trees(dist[order.indices])
    budgets = opening_budgets(private.counts, forest, min_size)
    cands = candidate_lists(dist, groups, lower, upper, k)
    opened, thresholds = open_prefixes(cands, groups, budgets, lower, upper, competing)
    radii = Radii(
        jnp.maximum(private.private_radii, private.cover_radii), thresholds, opened.radius
    )
    bound = bound_of(order.radii[-1], dist, min_size)
    phases = _Phases(order.indices, dist, private.labels, forest) if pushed else None
    return opened, radii, bound, phases


@functools.partial(jax.jit, static_argnames=("m", "metric"))
def _realized(
    points: Array,
    groups: Array,
    opened: Opened,
    radii: Radii,
    phases: _Phases,
    min_size: Any,
    spread: Any,
    *,
    m: int,
    metric: Metric,
) -> tuple[Opened, Array]:
    """Phase 5: representatives, and the radii when points are assigned within pushed clusters."""
    groups, min_size = groups.astype(jnp.int32), jnp.asarray(min_size, jnp.int32)
    points, groups, opened, radii, phases, min_size, spread = vary_like(
        (points, groups, opened, radii, phases, min_size, spread)
    )
    n, k = phases.dist.shape
    batch = jnp.maximum(min_size, n // (10 * k))

    def realize(args: tuple[Opened, Array, Array, Forest]) -> tuple[Opened, Array]:
        one, threshold, private, tree = args
        labels = push_surplus(private, phases.dist, *tree, threshold, min_size)
        one = when(
            jnp.asarray(spread),
            lambda: spread_representatives(points, groups, labels, one, phases.order, m, metric),
            one,
        )
        table = distance_matrix(points, one.centers, metric=metric)
        _, radius = assign_within(table, labels, one, min_size, batch)
        return one, jnp.where(one.feasible, radius, jnp.inf)

    return jax.lax.map(realize, (opened, radii.forest, phases.labels, phases.forest))
