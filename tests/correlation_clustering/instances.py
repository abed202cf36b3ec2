"""Small graphs for the tests, padded to one size so that a function is compiled once."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from jaxlab.correlation_clustering import make_arrival_plan, ratio
from jaxlab.correlation_clustering._arrival import add_triangles
from jaxlab.correlation_clustering._step import arrive, empty_state
from jaxlab.graphs import graph_from_edges
from tests.correlation_clustering import oracles

N, E = 24, 276
#: streams of so many arrivals, all of whose edges may be there and agree
ARRIVALS, ROOM = 48, 1128
FIFTH = ratio(0.2)


def padded(edges, n, capacity=N, edge_capacity=E):
    return graph_from_edges(edges, n, node_capacity=capacity, edge_capacity=edge_capacity)


def random_graphs(seed, count, largest=N):
    rng = np.random.default_rng(seed)
    for _ in range(count):
        n = int(rng.integers(1, largest + 1))
        if rng.random() < 0.5:
            edges = oracles.cliques_and_noise(rng, n)
        else:
            edges = np.argwhere(np.triu(rng.random((n, n)) < rng.random(), 1))
        yield rng, edges, n


def clique(vertices):
    vertices = list(vertices)
    return [(u, v) for i, u in enumerate(vertices) for v in vertices[i + 1 :]]


def stacked(trees):
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def trace_on(devices, function, parts):
    """Trace ``function`` on each device's own part, all else that it uses being shared."""

    def on_one(part):
        return jax.tree.map(lambda leaf: leaf[None], function(part[0]))

    mesh, split = Mesh(np.array(devices), ("parts",)), P("parts")
    jax.eval_shape(jax.shard_map(on_one, mesh=mesh, in_specs=split, out_specs=split), parts)


def arrivals_plan(edges, **windows):
    """Vertices of a stream in their order."""
    return make_arrival_plan(
        edges, np.arange(ARRIVALS), edge_capacity=ROOM, triangle_capacity=17_296, **windows
    )


def every_state(plan, rule, ids=None):
    """What is reported of each arrival and the state after it, of which a run gives the last.

    ``ids`` are fewer than there are otherwise.
    """
    return jax.device_get(_states(plan, rule, ids))


@functools.partial(jax.jit, static_argnames=("rule", "ids"))
def _states(plan, rule, ids):
    def step(state, newcomer):
        first, last = plan.triangle_ptr[newcomer], plan.triangle_ptr[newcomer + 1]
        state, metrics = arrive(
            state,
            plan.links,
            plan.edge_ptr[newcomer],
            plan.edge_ptr[newcomer + 1],
            lambda state: add_triangles(
                state.common, plan.triangles, first, last, plan.triangle_window
            ),
            beta=FIFTH,
            lam=FIFTH,
            rule=rule,
            strict=False,
            width=plan.edge_window,
            counted=jnp.ones((), bool),
        )
        return state, (metrics, state)

    start = empty_state(ARRIVALS, plan.links.senders.shape[0], ROOM, rule)
    if ids is not None:
        start = start.replace(origin_size=jnp.zeros(ids, jnp.int32))
    return jax.lax.scan(step, start, jnp.arange(ARRIVALS, dtype=jnp.int32))[1]
