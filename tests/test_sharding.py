"""Every public function of a method runs on each device's own data inside of ``jax.shard_map``.

Traced only: loops that start from constants are refused there unless they declare that what they
carry differs between devices (``jaxlab/varying.py``), and nothing else would notice.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, PartitionSpec

from tests.entry_points import entry_points, registry, rooms, traceable

NOT_INSIDE = dict.fromkeys(
    (
        "jaxlab.correlation_clustering.sharded.sharded_agreement_clustering",
        "jaxlab.kcenter.coreset.distributed_summary",
        "jaxlab.kcenter.sharded.gonzalez_sharded",
        "jaxlab.leverage.gram.gram_sharded",
        "jaxlab.leverage.gram.tsqr",
        "jaxlab.leverage.moments.moments_psum",
    ),
    "enters shard_map itself, or sums over an axis by a name of its own",
) | {"jaxlab.graph_algorithms.instances.type_model": "jax.random.binomial loops from constants"}


def cases():
    for room in rooms():
        for name, function in sorted(entry_points(room).items()):
            if name not in registry(room).host_side and name not in NOT_INSIDE:
                yield pytest.param(function, registry(room).examples[name], id=name)


def is_array(leaf):
    return isinstance(leaf, jax.Array | np.ndarray)


@pytest.mark.parametrize(("function", "example"), list(cases()))
def test_traces_on_sharded_data(function, example, devices):
    function, args, kwargs = traceable(function, example)
    leaves, structure = jax.tree.flatten(args)
    arrays = [jnp.stack([leaf] * len(devices)) for leaf in leaves if is_array(leaf)]

    def on_one_device(*shards):
        own = iter(shards)
        mine = [next(own)[0] if is_array(leaf) else leaf for leaf in leaves]
        result = function(*jax.tree.unflatten(structure, mine), **kwargs)
        return jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], result)

    mesh = jax.make_mesh((len(devices),), ("devices",), axis_types=(AxisType.Auto,))
    over = PartitionSpec("devices")
    sharded = jax.shard_map(on_one_device, mesh=mesh, in_specs=over, out_specs=over)
    jax.eval_shape(sharded, *arrays)
