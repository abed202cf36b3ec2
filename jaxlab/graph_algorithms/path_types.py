"""What the solvers for shortest paths return."""

from typing import NamedTuple

from jaxtyping import Array, Int32, Num

__all__ = ["PotentialResult", "ShortestPaths"]


class ShortestPaths(NamedTuple):
    """Shortest paths from one source.

    Attributes:
        dist: length of a shortest path to each vertex, in the type of the lengths or that of
            32 bits; where there is none, infinity: ``inf`` for floats, 2²⁹ for int32 and 2⁶¹ for
            int64.
        parent: the vertex before each one on its path; the source is its own, −1 where there is
            no path.
        status: of :mod:`~jaxlab.graph_algorithms.status`: ``OK`` solved, ``NEGATIVE_CYCLE`` one can
            be reached, ``OVERFLOW`` of lengths, or of labels midway, ``LIMIT`` on rounds,
            ``NEGATIVE_ARC`` where none is allowed, ``NO_SOURCE`` the source is not a vertex.
        rounds: rounds over all arcs, the last one, in which nothing changed, included.
    """

    dist: Num[Array, " n"]
    parent: Int32[Array, " n"]
    status: Int32[Array, ""]
    rounds: Int32[Array, ""]


class PotentialResult(NamedTuple):
    """Potentials under which no arc has negative reduced length.

    Attributes:
        potentials: ``y`` with ``ℓ(u, v) + y_u − y_v ≥ 0`` on every arc if ``status`` is ``OK``.
        status: of :mod:`~jaxlab.graph_algorithms.status`: ``OK`` feasible, ``NEGATIVE_CYCLE`` so
            that none exist, ``OVERFLOW`` of lengths, or of labels midway.
        scales: scales of Goldberg's algorithm; 0 for Bellman–Ford.
        phases: its phases, all scales together; 0 for Bellman–Ford.
        rounds: rounds over all arcs.
    """

    potentials: Num[Array, " n"]
    status: Int32[Array, ""]
    scales: Int32[Array, ""]
    phases: Int32[Array, ""]
    rounds: Int32[Array, ""]
