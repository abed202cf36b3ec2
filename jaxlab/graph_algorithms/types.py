"""What the assignment solvers take and return."""

from typing import Any, NamedTuple

__all__ = ["AssignmentResult", "AssignmentStats", "Duals"]


class Duals(NamedTuple):
    """Prices of rows and columns; feasible when ``row_i + col_j <= cost_ij`` for every edge.

    As a prediction any numbers will do. Arrays of both may have leading axes: a stack of samples.

    Attributes:
        row: ``u``, one number a row, in units of the cost.
        col: ``v``, one number a column.
    """

    row: Any  # Num[Array, "*s n"]
    col: Any  # Num[Array, "*s m"]


class AssignmentStats(NamedTuple):
    """Work that a solver did, in int32 counts; 0 for what it does not do.

    Attributes:
        free_rows: rows that the start left without a column.
        augmentations: augmenting paths along which the matching grew afterwards.
        steps: columns that Dijkstra's searches closed.
        phases: rounds of searches from all free rows (of dual changes, for the Hungarian method).
        rounds: relaxations of all edges within the phases, or rounds of bids of an auction.
    """

    free_rows: Any  # Int32[Array, ""]
    augmentations: Any  # Int32[Array, ""]
    steps: Any  # Int32[Array, ""]
    phases: Any  # Int32[Array, ""]
    rounds: Any  # Int32[Array, ""]


class AssignmentResult(NamedTuple):
    """An assignment, and the duals that prove it optimal.

    Attributes:
        col_for_row: column of each row, ``[n]`` int32; −1 for a row without one.
        row_for_col: row of each column, ``[m]`` int32; −1 for a column without one.
        cost: sum of the chosen entries, in the dtype the solver works in.
        duals: optimal duals of the problem that was posed.
        status: of :mod:`~jaxlab.graph_algorithms.status`: ``OK`` optimal, and proved so by the
            duals; ``INFEASIBLE``, since every assignment needs an edge that is not there;
            ``OVERFLOW``, the numbers overflow the keys or the dtype, or are NaN; ``LIMIT``, that on
            steps was met. Unless it is ``OK`` the matching may be partial.
        stats: work that was done.
    """

    col_for_row: Any  # Int32[Array, " n"]
    row_for_col: Any  # Int32[Array, " m"]
    cost: Any  # Num[Array, ""]
    duals: Duals
    status: Any  # Int32[Array, ""]
    stats: AssignmentStats
