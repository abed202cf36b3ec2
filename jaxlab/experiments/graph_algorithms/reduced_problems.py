"""Random degree-constrained subgraphs and 0–1 flows, solved by assignment or by HiGHS.

A prediction is what is learned of the original problem: duals of left and right vertices,
``[2, n]``, or potentials ``[n]``.
"""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

from jaxlab import graph_algorithms as ga
from jaxlab.graph_algorithms.status import OVERFLOW
from jaxlab.graphs import Digraph

__all__ = [
    "Image",
    "Problem",
    "Room",
    "Solved",
    "carry",
    "incidence",
    "optimum",
    "random_flow",
    "random_subgraph",
    "room_for",
    "solve",
    "worth",
]


class Problem(NamedTuple):
    """Edges to choose from, and what the choice has to meet.

    Attributes:
        ends: left and right vertices, or tails and heads, ``[2, m]``.
        wanted: degrees of both sides ``[2, n]``, or supplies ``[n]``.
    """

    ends: np.ndarray
    wanted: np.ndarray

    @property
    def is_flow(self) -> bool:
        """Whether it is a flow, with supplies."""
        return self.wanted.ndim == 1


class Room(NamedTuple):
    """Slack edges and internal copies to make room for, so that problems share a program."""

    slack: int
    copies: int


class Solved(NamedTuple):
    """Which edges are chosen, optimal duals as a prediction, status and work."""

    chosen: Any
    duals: Any
    status: Any
    stats: ga.AssignmentStats


class Image(NamedTuple):
    """A prediction at the end of its reductions.

    Attributes:
        duals: of all rows and columns of the assignment problem.
        violation: the largest amount by which they exceed a cost; 0 if feasible.
        value: their sum.
        l1: constant of the maps together, in the sum of absolute errors.
        linf: the same in the largest error.
    """

    duals: Any
    violation: Any
    value: Any
    l1: Any
    linf: Any


def random_subgraph(side: int, edges: int, chosen: int, rng: np.random.Generator) -> Problem:
    """A random bipartite graph of this many edges, and the degrees of some of them."""
    ends = np.stack(np.divmod(rng.choice(side * side, edges, replace=False), side))
    return Problem(ends, np.stack([np.bincount(of, minlength=side) for of in ends[:, :chosen]]))


def random_flow(vertices: int, arcs: int, chosen: int, rng: np.random.Generator) -> Problem:
    """A random digraph without loops, and the supplies of a flow along some of its arcs."""
    tails = rng.integers(0, vertices, arcs)
    heads = (tails + rng.integers(1, vertices, arcs)) % vertices
    leaving, entering = (np.bincount(of[:chosen], minlength=vertices) for of in (tails, heads))
    return Problem(np.stack([tails, heads]), leaving - entering)


def room_for(problems: Sequence[Problem]) -> Room:
    """What the largest of the problems needs."""
    slack, copies = 0, 0
    for problem in problems:
        edges = problem.ends.shape[1]
        if problem.is_flow:
            n = problem.wanted.size
            degrees = [np.bincount(of, minlength=n) for of in problem.ends]
            slack = max(slack, int((np.maximum(*degrees) + np.abs(problem.wanted)).sum()))
            copies = max(copies, edges + int(np.maximum(-problem.wanted, 0).sum()))
        else:
            copies = max(copies, edges - int(problem.wanted[0].sum()))
    return Room(slack, copies)


def solve(problem: Problem, cost: Any, prediction: Any = None, *, room: Room) -> Solved:
    """The cheapest choice by the assignment problem it reduces to, cold or from a prediction."""
    cost = jnp.asarray(cost, jnp.int32)
    found = _solve(*problem, cost, prediction, room, "auto")
    if int(found.status) == OVERFLOW:  # costs too wide for packed keys
        found = _solve(*problem, cost, prediction, room, "two_pass")
    return found


def carry(problem: Problem, cost: Any, prediction: Any, *, room: Room) -> Image:
    """A prediction carried through the reduction, or through both."""
    return _carry(*problem, jnp.asarray(cost, jnp.int32), jnp.asarray(prediction), room)


@functools.partial(jax.jit, static_argnames=("room", "key"))
def _solve(ends: Any, wanted: Any, cost: Any, prediction: Any, room: Room, key: str) -> Solved:
    reduction, subgraph = _to_subgraph(ends, wanted, cost, room)
    duals = None if prediction is None else _as_duals(reduction, prediction)
    found = ga.degree_constrained_subgraph(
        *subgraph[:5], duals=duals, mask=subgraph.mask, size=room.copies, method="sap", key=key
    )
    if reduction is None:
        return Solved(found.chosen, jnp.stack(found.duals), found.status, found.stats)
    potentials = reduction.map_duals(found.duals)
    status = jnp.where(reduction.feasible, found.status, 1)
    return Solved(reduction.map_solution(found), potentials, status, found.stats)


@functools.partial(jax.jit, static_argnames=("room",))
def _carry(ends: Any, wanted: Any, cost: Any, prediction: Any, room: Room) -> Image:
    first, subgraph = _to_subgraph(ends, wanted, cost, room)
    last = ga.dcs_reduction(*subgraph[:5], mask=subgraph.mask, size=room.copies)
    duals = last.map_prediction(_as_duals(first, prediction))
    l1, linf = last.lipschitz
    if first is not None:
        l1, linf = l1 * first.lipschitz.l1, linf * first.lipschitz.linf
    target = last.instance
    violation = ga.feasibility_violation(target.cost, duals, mask=target.mask)
    return Image(jnp.concatenate(duals), violation, ga.dual_objective(duals), l1, linf)


def _to_subgraph(ends: Any, wanted: Any, cost: Any, room: Room) -> tuple[Any, Any]:
    """The reduction of a flow to a subgraph problem, None for a subgraph, and that problem."""
    ends, wanted = jnp.asarray(ends, jnp.int32), jnp.asarray(wanted, jnp.int32)
    there = jnp.ones(cost.shape, bool)
    if wanted.ndim == 2:
        left, right = wanted
        return None, ga.SubgraphProblem(ends[0], ends[1], cost, left, right, there)
    n = wanted.shape[0]
    graph = Digraph(ends[0], ends[1], there, cost, jnp.int32(n), n)
    reduction = ga.flow_reduction(graph, wanted, slack_capacity=room.slack)
    return reduction, reduction.instance


def _as_duals(reduction: Any, prediction: Any) -> ga.Duals:
    if reduction is None:
        return ga.Duals(*prediction)
    return reduction.map_prediction(prediction)


def incidence(problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """Matrix and right side of the equations that a choice meets."""
    edges = np.arange(problem.ends.shape[1])
    shape = problem.wanted.shape[-1], len(edges)
    first, second = np.zeros(shape, int), np.zeros(shape, int)
    first[problem.ends[0], edges] = second[problem.ends[1], edges] = 1
    matrix = first - second if problem.is_flow else np.concatenate([first, second])
    return matrix, problem.wanted.ravel()


def optimum(problem: Problem, cost: np.ndarray) -> int:
    """Least cost, by HiGHS."""
    matrix, wanted = incidence(problem)
    solved = milp(
        cost,
        constraints=LinearConstraint(matrix, wanted, wanted),
        integrality=np.ones(len(cost)),
        bounds=Bounds(0, 1),
    )
    return round(solved.fun)


def worth(problem: Problem, cost: np.ndarray, prediction: np.ndarray) -> int:
    """Dual value of a prediction for the original problem."""
    matrix, wanted = incidence(problem)
    # potentials of a flow reduce costs by c + π_u − π_v
    y = -prediction if problem.is_flow else prediction.ravel()
    return int(wanted @ y + np.minimum(0, cost - matrix.T @ y).sum())
