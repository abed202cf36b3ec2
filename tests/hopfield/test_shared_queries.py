"""Queries that all devices share and memories that differ: each device's own bank, and no sum."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType
from jax.sharding import PartitionSpec as Spec

from jaxlab.hopfield import energy, layer, models, recall, scale
from jaxlab.hopfield import separation as sep
from jaxlab.hopfield import similarity as sim

DEVICES, ROWS, D = 2, 4, 5
HIDDEN = energy.softmax_lagrangian(2.0)
NETWORK = {"similarity": sim.dot_product, "hidden": HIDDEN}
FULL = NETWORK | {"visible": energy.quadratic_lagrangian()}
MODERN = {"similarity": sim.dot_product, "separation": sep.softmax(2.0), "max_steps": 3}
BLOCKED = {"beta": 0.5, "block_size": 2}


def data():
    rng = np.random.default_rng(0)
    shapes = ((3, D), (DEVICES, ROWS, D), (DEVICES, 3, ROWS))
    return tuple(rng.normal(size=shape).astype(np.float32) for shape in shapes)


def state_energy(state, memories):
    return energy.modern_hopfield_energy(state, memories, beta=2.0)


def associate(q, m, h):
    return layer.Hopfield(update_steps=2, normalize=False, projections=False).apply({}, q, m)


def relaxed(q, m, h):
    return energy.simulate(q, jnp.zeros((3, ROWS)), m, dt=0.1, num_steps=3, **FULL)


def own_metric(q, m, h):
    """Queries and memories that are the same everywhere, under each device's own metric."""
    metric = sim.mahalanobis(m.T)
    bank = jnp.asarray(data()[1][0])
    blocked = scale.retrieve_blocked(q, bank, similarity=metric, **BLOCKED)
    best = scale.top_k_memories(q, bank, k=2, similarity=metric, block_size=2)
    field = energy.vector_field(q, jnp.ones((3, ROWS)), bank, **FULL | {"similarity": metric})
    return blocked, best, recall(q, bank, **MODERN | {"similarity": metric}), field


def own_temperature(q, m, h):
    hidden = energy.softmax_lagrangian(jnp.abs(m[0, 0]) + 0.5)
    return hidden.output(q), energy.adiabatic_update(q, m, **NETWORK | {"hidden": hidden})


CALLS = {
    "adiabatic_update": lambda q, m, h: energy.adiabatic_update(q, m, **NETWORK),
    "vector_field": lambda q, m, h: energy.vector_field(q, h, m, **FULL),
    "energy_rate": lambda q, m, h: energy.energy_rate(q, h, m, **FULL),
    "recall": lambda q, m, h: recall(q, m, **MODERN),
    "recall, energy": lambda q, m, h: recall(q, m, energy=state_energy, **MODERN),
    "modern_hopfield": lambda q, m, h: models.modern_hopfield(q, m, beta=2.0, steps=3),
    "layer": associate,
    "simulate": lambda q, m, h: energy.simulate(q, h, m, dt=0.1, num_steps=3, **FULL),
    "simulate from constants": relaxed,
    "own metric": own_metric,
    "own temperature": own_temperature,
}


@pytest.mark.parametrize("name", CALLS)
def test_each_device_answers_from_its_own_bank(name, devices):
    mesh = jax.make_mesh((DEVICES,), ("bank",), (AxisType.Auto,), devices=devices[:DEVICES])
    call = jax.jit(CALLS[name])

    def on_one_device(query, memories, hidden):
        return jax.tree.map(lambda x: x[None], call(query, memories[0], hidden[0]))

    over = Spec("bank")
    sharded = jax.shard_map(on_one_device, mesh=mesh, in_specs=(Spec(), over, over), out_specs=over)
    query, memories, hidden = data()
    got = jax.jit(sharded)(query, memories, hidden)
    own = [call(query, memories[i], hidden[i]) for i in range(DEVICES)]
    expected = jax.tree.map(lambda *parts: np.stack(parts), *own)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), got, expected)
