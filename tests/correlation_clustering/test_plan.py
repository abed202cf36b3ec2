"""Plans: every edge with its later end, every triangle with its last vertex."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.correlation_clustering import make_arrival_plan
from tests.correlation_clustering.instances import random_graphs


def test_what_arrives_with_whom():
    for rng, edges, n in random_graphs(50, 20):
        order = rng.permutation(n)
        plan = make_arrival_plan(edges, order, edge_capacity=300, triangle_capacity=2100)
        assert plan.num_nodes == n
        plan = jax.device_get(plan)
        when = {int(v): t for t, v in enumerate(order)}
        expected = {tuple(sorted((when[u], when[v]))) for u, v in edges.tolist()}
        senders, receivers = np.asarray(plan.links.senders), np.asarray(plan.links.receivers)
        found = set()
        triangles = 0
        for t in range(n):
            own = range(plan.edge_ptr[t], plan.edge_ptr[t + 1])
            found |= {(int(senders[e]), int(receivers[e])) for e in own}
            assert all(receivers[e] == t for e in own)
            closed = plan.triangles[plan.triangle_ptr[t] : plan.triangle_ptr[t + 1]].tolist()
            triangles += len(closed)
            for three in closed:
                ends = [{int(senders[e]), int(receivers[e])} for e in three]
                assert len(set.union(*ends)) == 3
                assert max(set.union(*ends)) == t
        assert found == expected
        joined = np.zeros((n, n), int)
        for u, v in expected:
            joined[u, v] = joined[v, u] = 1
        assert triangles == np.trace(joined @ joined @ joined) // 6
        start = np.asarray(plan.links.rows)
        for v in range(n):
            stop = start[v + 1] if v + 1 < n else 2 * len(edges)
            listed = np.asarray(plan.links.incident)[start[v] : stop]
            assert (np.diff(receivers[listed]) >= 0).all()  # by arrival
            assert {*senders[listed], *receivers[listed]} - {v} == set(np.flatnonzero(joined[v]))


def test_bad_input(bad_input):
    edges = [[0, 1], [1, 2]]
    for order in ([0, 1, 1], [1, 2, 3], [0.0, 1.0, 2.0]):
        with pytest.raises(ValueError, match="order: expected a permutation of 0 to 2"):
            make_arrival_plan(edges, order)
    with pytest.raises(ValueError, match="edges: expected vertices from 0 to"):
        make_arrival_plan(edges, [0, 1])
    with pytest.raises(ValueError, match="edges: expected each edge once"):
        make_arrival_plan([[0, 1], [1, 0]], [0, 1])
    with pytest.raises(ValueError, match="edge_capacity: expected an integer >= 2"):
        make_arrival_plan(edges, jnp.arange(3), edge_capacity=1)
    with pytest.raises(ValueError, match="edge_window: expected at most 1024"):
        make_arrival_plan(edges, jnp.arange(3), edge_window=2000)
    with pytest.raises(ValueError, match=r"edges: expected shape \[m, 2\], got int64\[2, 4\]"):
        make_arrival_plan([[0, 1, 2, 3], [1, 2, 3, 0]], jnp.arange(4))
