"""What the solvers for shortest paths return.

What their status means is in :mod:`jaxlab.graph_algorithms.status`, whose constants can be had from
here too.
"""

from typing import NamedTuple

from jaxtyping import Array, Int32, Num

from jaxlab.graph_algorithms.status import (
    INFEASIBLE,
    LIMIT,
    NEGATIVE_ARC,
    NEGATIVE_CYCLE,
    OK,
    OVERFLOW,
)

__all__ = [
    "INFEASIBLE",
    "LIMIT",
    "NEGATIVE_ARC",
    "NEGATIVE_CYCLE",
    "OK",
    "OVERFLOW",
    "PotentialResult",
    "ShortestPaths",
]


class ShortestPaths(NamedTuple):
    """Shortest paths from one source.

    Attributes:
        dist: length of a shortest path to each vertex, in the type of the lengths; where there is
            none, infinity: ``inf`` for floats, 2²⁹ for int32 and 2⁶¹ for int64.
        parent: the vertex before each one on its path; the source is its own, −1 where there is
            no path.
        status: 0 solved, 1 a negative cycle can be reached, 2 lengths overflow, 3 round limit,
            4 a negative length where none is allowed.
        rounds: rounds over all arcs, the last one, in which nothing changed, included.
    """

    dist: Num[Array, " n"]
    parent: Int32[Array, " n"]
    status: Int32[Array, ""]
    rounds: Int32[Array, ""]


class PotentialResult(NamedTuple):
    """Potentials under which no arc has negative reduced length.

    Attributes:
        potentials: ``y`` with ``ℓ(u, v) + y_u − y_v ≥ 0`` on every arc if ``status`` is 0.
        status: 0 feasible, 1 a negative cycle, so that none exist, 2 lengths overflow,
            3 round limit.
        scales: scales of Goldberg's algorithm; 0 for Bellman–Ford.
        phases: its phases, all scales together; 0 for Bellman–Ford.
        rounds: rounds over all arcs.
    """

    potentials: Num[Array, " n"]
    status: Int32[Array, ""]
    scales: Int32[Array, ""]
    phases: Int32[Array, ""]
    rounds: Int32[Array, ""]
