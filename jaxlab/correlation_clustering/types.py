"""What the online algorithms are told, what they hold, and what they report."""

from typing import Any, NamedTuple

import flax.struct
import jax.numpy as jnp
from jaxtyping import Array, Int, Int32

from jaxlab.checks import require
from jaxlab.correlation_clustering._windows import PADDING

__all__ = ["RULES", "ArrivalPlan", "Links", "OnlineState", "StepMetrics", "StreamState"]

#: how maintained ids follow the agreement clusters
RULES = ("consistent", "published", "off")


@flax.struct.dataclass
class Links:
    """Edges in order of arrival, and where to find those at a vertex.

    A PyTree. Its arrays are annotated ``Any``, because jax also puts tracers, shapes and None in
    their place.

    Attributes:
        senders: earlier end of each edge, ``[edges]`` int32; the number of vertices for padding.
        receivers: later end of each edge.
        incident: edges at the vertices, each vertex's in order of arrival.
        rows: where a vertex's edges start in ``incident``, ``[n]`` int32.
    """

    senders: Any  # Int32[Array, " edges"]
    receivers: Any  # Int32[Array, " edges"]
    incident: Any  # Int32[Array, " ends"]
    rows: Any  # Int32[Array, " n"]


@flax.struct.dataclass
class ArrivalPlan:
    """Who arrives when, with which edges to those before, and which triangles that closes.

    A PyTree: plans of equal capacities can be stacked and go through ``jax.vmap``. Arrays end with
    a window of padding.

    Attributes:
        links: edges by the arrival of their later end.
        edge_ptr: edges of arrival ``v`` are those from ``edge_ptr[v]`` to ``edge_ptr[v + 1]``.
        triangles: edges of every triangle, ``[triangles, 3]``, by the arrival of its last vertex.
        triangle_ptr: as ``edge_ptr``, for triangles.
        edge_window: an arrival's edges are taken so many at a time.
        triangle_window: an arrival's triangles are taken so many at a time.
    """

    links: Any  # Links
    edge_ptr: Any  # Int32[Array, " n+1"]
    triangles: Any  # Int32[Array, "t 3"]
    triangle_ptr: Any  # Int32[Array, " n+1"]
    edge_window: int = flax.struct.field(pytree_node=False)
    triangle_window: int = flax.struct.field(pytree_node=False)

    @property
    def num_nodes(self) -> int:
        """Number of arrivals."""
        return self.edge_ptr.shape[-1] - 1


def check_plan(plan: ArrivalPlan) -> None:
    """Refuse a stack of plans, which functions of one plan take under ``jax.vmap``."""
    one = jnp.ndim(plan.edge_ptr) == 1
    require(one, "plan", plan.edge_ptr, "one plan; for a stack use jax.vmap")


@flax.struct.dataclass
class OnlineState:
    """Everything known after an arrival.

    A PyTree. Its arrays are annotated ``Any``, because jax also puts tracers, shapes and None in
    their place.

    Attributes:
        common: common neighbours of each edge's ends, ``[edges]`` int32; 2 for edges to come.
        agree: which edges are in agreement, ``[edges]`` bool.
        degree: ``d(v)``, the vertex itself counted, ``[n]`` int32.
        agreeing: number of neighbours in agreement, ``[n]`` int32.
        stamp: the last arrival among each vertex's neighbours, ``[n]`` int32.
        active: the edges in agreement, in no order, ``[active_capacity]`` int32.
        num_active: how many there are.
        agreement_labels: least vertex of each agreement cluster, ``[n]`` int32.
        heavy_labels: its least heavy vertex; kept for the rule "published", else the least vertex.
        clustered: who is not alone in its agreement cluster, ``[n]`` bool.
        maintained: the ids that users hold, ``[n]`` int32. At an arrival all of them may be
            renumbered, in their order, when no fresh ones are left.
        origin_size: size of the cluster for which each id was issued, by id.
        used: how many vertices hold each id; only kept for the rule "published".
        next_id: the next fresh id.
        last_change: the last arrival at which clusters changed.
        per_vertex_recourse: changes of each vertex under the maintained ids, ``[n]`` int32.
        per_vertex_recourse_off: changes under the agreement labels.
        cost_on: disagreements of the maintained ids when last counted.
        cost_off: disagreements of the agreement labels when last counted.
        counted_edges: edges there were when costs were last counted.
        stale: whether clusters have changed since.
        num_edges: edges that have arrived.
        step: number of arrivals.
        overflow: whether a capacity was exceeded; everything else is then worthless.
    """

    common: Any
    agree: Any
    degree: Any
    agreeing: Any
    stamp: Any
    active: Any
    num_active: Any
    agreement_labels: Any
    heavy_labels: Any
    clustered: Any
    maintained: Any
    origin_size: Any
    used: Any
    next_id: Any
    last_change: Any
    per_vertex_recourse: Any
    per_vertex_recourse_off: Any
    cost_on: Any
    cost_off: Any
    counted_edges: Any
    stale: Any
    num_edges: Any
    step: Any
    overflow: Any


@flax.struct.dataclass
class StreamState:
    """An :class:`OnlineState` with the edges that have arrived, for streams without a plan.

    Attributes:
        links: edges so far; row ``v`` of ``incident`` has room for ``degree_capacity`` edges.
        online: all else.
        degree_capacity: largest number of neighbours of a vertex.
        rule: how ids are maintained.
    """

    links: Any  # Links
    online: Any  # OnlineState
    degree_capacity: int = flax.struct.field(pytree_node=False)
    rule: str = flax.struct.field(pytree_node=False)

    @property
    def node_capacity(self) -> int:
        """Number of vertices there is room for."""
        return self.online.degree.shape[-1]

    @property
    def edge_capacity(self) -> int:
        """Number of edges there is room for."""
        return self.links.senders.shape[-1] - PADDING


class StepMetrics(NamedTuple):
    """What is reported of an arrival; of a run, one entry for each.

    Attributes:
        cost_off: disagreements of the agreement clusters.
        cost_on: disagreements of the maintained ids.
        recourse_off: vertices that changed their agreement cluster at this arrival.
        recourse_on: vertices that changed their maintained cluster at this arrival.
        num_edges: edges that have arrived, the cost of singletons.
        active_edges: edges in agreement.
    """

    cost_off: Int[Array, "*t"]
    cost_on: Int[Array, "*t"]
    recourse_off: Int32[Array, "*t"]
    recourse_on: Int32[Array, "*t"]
    num_edges: Int32[Array, "*t"]
    active_edges: Int32[Array, "*t"]
