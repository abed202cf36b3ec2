"""What the algorithms of k-center clustering return, and what a stream holds."""

from typing import NamedTuple

from jaxtyping import Array, Bool, Float, Int, Int32

__all__ = [
    "Budgets",
    "Candidates",
    "Coreset",
    "Forest",
    "Gonzalez",
    "Opened",
    "PrivateAssignment",
    "PrivatePrefixes",
    "Report",
    "Solution",
    "StreamState",
]


class Gonzalez(NamedTuple):
    """Farthest-first order of points.

    Attributes:
        indices: the picks, in order; −1 where a cloud has fewer points than picks.
        radii: covering radius of the first ``i + 1`` picks, ``max_p min_{j≤i} d(p, s_j)``,
            never rising; differentiable in the points.
        distances: distance of each point to its nearest pick; 0 for points that are masked away.
        labels: position in ``indices`` of each point's nearest pick, the earliest of equals;
            −1 for points that are masked away.
    """

    indices: Int32[Array, "*b k"]
    radii: Float[Array, "*b k"]
    distances: Float[Array, "*b n"]
    labels: Int32[Array, "*b n"]


class PrivateAssignment(NamedTuple):
    """Points assigned to given centers, at least ``min_size`` to each, within the least radius.

    Attributes:
        labels: center of each point, a column of the table of distances; −1 for points that are
            masked away. With weights, the center that holds most of the point.
        radius: ``max(private_radius, cover_radius)``, the largest distance of a point to a center
            that it is assigned to; the least possible one. Differentiable in the distances.
        private_radius: the least radius within which every center has ``min_size`` points of its
            own; infinite if there is none. Differentiable in the distances.
        cover_radius: largest distance of a point to its nearest center. Differentiable.
        counts: points (with weights: units of weight) of each center.
        feasible: whether every center has ``min_size`` points.
        flow: units of each point's weight that each center holds, ``[n, k]``; None without weights.
    """

    labels: Int32[Array, "*b n"]
    radius: Float[Array, "*b"]
    private_radius: Float[Array, "*b"]
    cover_radius: Float[Array, "*b"]
    counts: Int32[Array, "*b k"]
    feasible: Bool[Array, "*b"]
    flow: Int32[Array, "*b n k"] | None = None


class PrivatePrefixes(NamedTuple):
    """A :class:`PrivateAssignment` for the first ``i + 1`` centers, for every ``i``.

    Attributes:
        private_radii: least radius within which each of the first ``i + 1`` centers has
            ``min_size`` points of its own, never falling; infinite where there is none.
            Differentiable in the distances.
        cover_radii: covering radius of the first ``i + 1`` centers, never rising. Differentiable.
        labels: row ``i`` assigns every point to one of the first ``i + 1`` centers.
        counts: row ``i`` has the points of each center in that assignment, 0 from ``i + 1`` on.
    """

    private_radii: Float[Array, "*b k"]
    cover_radii: Float[Array, "*b k"]
    labels: Int32[Array, "*b k n"]
    counts: Int32[Array, "*b k k"]


class Forest(NamedTuple):
    """Minimum spanning trees of the first ``i + 1`` centers, one for every ``i``, in row ``i``.

    Attributes:
        parent: center at the other end of each center's edge towards center 0, the root; the root
            and centers that are not in the prefix are their own parents.
        length: length of that edge; 0 where there is none.
        order: the centers as Prim's algorithm adds them, so that parents come before children;
            those that are not in the prefix come last.
    """

    parent: Int32[Array, "*b k k"]
    length: Float[Array, "*b k k"]
    order: Int32[Array, "*b k k"]


class Budgets(NamedTuple):
    """How many centers each preliminary cluster can pay for, by prefix and threshold.

    Attributes:
        thresholds: for each prefix 0 and the lengths of the edges of its spanning tree, increasing;
            infinite where there is none.
        eta: clusters of ``min_size`` points at each center, once what is over has been passed on
            towards the root along edges no longer than the threshold, ``[prefix, threshold,
            center]``; 0 for centers that are not in the prefix.
    """

    thresholds: Float[Array, "*b k k"]
    eta: Int32[Array, "*b k k k"]


class Candidates(NamedTuple):
    """Points that may be opened in place of each preliminary center, nearest first.

    Attributes:
        index: the points, row ``j`` those of center ``j``; −1 for padding.
        distance: their distances to it; infinite for padding.
        mask: which entries are there.
    """

    index: Int32[Array, "*b k k"]  # type: ignore[assignment]  # hides tuple.index, as the paper names it
    distance: Float[Array, "*b k k"]
    mask: Bool[Array, "*b k k"]


class Opened(NamedTuple):
    """Centers opened from the lists of candidates.

    Attributes:
        centers: the points opened; −1 for slots that are not used.
        origin: preliminary center in whose place each was opened; −1 for slots that are not used.
        mask: which slots are used.
        radius: largest distance of an opened point to its origin; infinite if infeasible.
        feasible: whether the bounds on groups can be met within the budgets.
    """

    centers: Int32[Array, "*b k"]
    origin: Int32[Array, "*b k"]
    mask: Bool[Array, "*b k"]
    radius: Float[Array, "*b"]
    feasible: Bool[Array, "*b"]


class Solution(NamedTuple):
    """Centers and assignment of a k-center problem.

    Attributes:
        centers: the points that are centers; −1 for slots that are not used.
        mask: which slots are used.
        labels: slot of each point's center, from 0 to ``k − 1``.
        counts: points of each center; 0 for slots that are not used.
        group_counts: centers of each group.
        radius: largest distance of a point to its center. Differentiable in the points.
        lower_bound: no feasible solution has a smaller radius; ``radius / lower_bound`` bounds the
            ratio to the optimum. A constant to differentiation.
        prefix: number of preliminary centers that the solution was made from, less one.
        prefix_radii: radius of the private assignment to each prefix of the preliminary centers.
        forest_radii: threshold of the spanning forest chosen for each prefix.
        assignment_radii: largest distance of a center opened for each prefix to its preliminary
            center.
        feasible: whether sizes and groups are as required.
    """

    centers: Int32[Array, "*b k"]
    mask: Bool[Array, "*b k"]
    labels: Int32[Array, "*b n"]
    counts: Int32[Array, "*b k"]
    group_counts: Int32[Array, "*b m"]
    radius: Float[Array, "*b"]
    lower_bound: Float[Array, "*b"]
    prefix: Int32[Array, "*b"]
    prefix_radii: Float[Array, "*b k"]
    forest_radii: Float[Array, "*b k"]
    assignment_radii: Float[Array, "*b k"]
    feasible: Bool[Array, "*b"]


class Report(NamedTuple):
    """What a solution is found to be when it is counted anew, on the host.

    Attributes:
        feasible: whether nothing is violated.
        radius: largest distance of a point to its center.
        counts: points of each slot.
        group_counts: centers of each group.
        violations: what is wrong, one sentence each.
    """

    feasible: bool
    radius: float
    counts: tuple[int, ...]
    group_counts: tuple[int, ...]
    violations: tuple[str, ...]


class Coreset(NamedTuple):
    """A few weighted points that stand for many.

    Attributes:
        points: the representatives.
        groups: their groups.
        weights: how many points each stands for; 0 for padding.
        radius: no point is farther than this from the representative that stands for it.
        source_index: position of each among the points it was chosen from; −1 for padding.
    """

    points: Float[Array, "*b q d"]
    groups: Int32[Array, "*b q"]
    weights: Int32[Array, "*b q"]
    radius: Float[Array, "*b"]
    source_index: Int32[Array, "*b q"]


class StreamState(NamedTuple):
    """Representatives of the points of a stream so far, for each group apart.

    Attributes:
        representatives: ``[groups, q + 1, d]``; one more than is kept between points.
        mask: which of them are there.
        weights: points that each stands for.
        source_index: when each arrived, counted from 0; −1 for padding.
        delta: representatives of a group are more than ``delta`` apart, and none of its points is
            farther than ``2 delta`` from one, ``[groups]``.
        seen: number of points so far.
    """

    representatives: Float[Array, "*b m s d"]
    mask: Bool[Array, "*b m s"]
    weights: Int32[Array, "*b m s"]
    source_index: Int32[Array, "*b m s"]
    delta: Float[Array, "*b m"]
    seen: Int[Array, "*b"]
