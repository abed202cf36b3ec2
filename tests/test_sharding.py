"""Every public function of a method runs on each device's own data inside of ``jax.shard_map``.

All of its arguments may differ between the devices, or one of them, or one of its arrays, while
they share the others, such as seeds or thresholds on one problem. Traced only: a loop is refused
there unless it declares that what it carries differs as soon as anything does that it meets
(``jaxlab/varying.py``), and nothing else would notice.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from jaxlab import ntk
from jaxlab.varying import vary
from tests.entry_points import examples
from tests.helpers import is_array

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
    for name, function, example in examples():
        if name not in NOT_INSIDE:
            yield pytest.param(function, example, id=name)


def holds_arrays(argument):
    return any(map(is_array, jax.tree.leaves(argument)))


def trace(function, args, sharded, devices):
    """Trace a function of whose leaves those that are ``sharded`` differ between devices."""
    leaves, structure = jax.tree.flatten(args)
    arrays, specs = [], []
    for leaf, apart in zip(leaves, sharded, strict=True):
        if is_array(leaf):
            shape = (len(devices), *leaf.shape) if apart else leaf.shape
            arrays.append(jax.ShapeDtypeStruct(shape, leaf.dtype))
            specs.append(PartitionSpec("devices") if apart else PartitionSpec())

    def on_one_device(*shards):
        own = iter(shards)
        mine = [
            (next(own)[0] if apart else next(own)) if is_array(leaf) else leaf
            for leaf, apart in zip(leaves, sharded, strict=True)
        ]
        result = function(*jax.tree.unflatten(structure, mine))
        # what does not depend on the data that differ is the same on all devices, and may be
        everywhere = vary(jax.tree.map(jnp.asarray, result), frozenset({"devices"}))
        return jax.tree.map(lambda leaf: leaf[None], everywhere)

    mesh = jax.make_mesh(
        (len(devices),), ("devices",), axis_types=(AxisType.Auto,), devices=devices
    )
    over = PartitionSpec("devices")
    jax.eval_shape(
        jax.shard_map(on_one_device, mesh=mesh, in_specs=tuple(specs), out_specs=over), *arrays
    )


def with_arrays_by_position(function, example):
    """The call of an example as a function of those of its arguments that hold arrays, and them."""
    named = [name for name, value in example.kwargs.items() if holds_arrays(value)]
    static = {name: value for name, value in example.kwargs.items() if name not in named}
    args = (*example.args, *(example.kwargs[name] for name in named))

    def call(*args):
        split = len(args) - len(named)
        given = dict(zip(named, args[split:], strict=True))
        return (example.made or function)(*args[:split], **given, **static)

    return call, args


@pytest.mark.parametrize("alone", ["argument", pytest.param("array", marks=pytest.mark.slow)])
@pytest.mark.parametrize(("function", "example"), list(cases()))
def test_traces_on_sharded_data(function, example, alone, devices):
    call, args = with_arrays_by_position(function, example)
    leaves = jax.tree.leaves(args)
    if alone == "array":
        parts = list(range(len(leaves)))
    else:
        parts = [at for at, arg in enumerate(args) for _ in jax.tree.leaves(arg)]
    holding = sorted({part for part, leaf in zip(parts, leaves, strict=True) if is_array(leaf)})
    trace(call, args, [True] * len(leaves), devices)
    for one in holding if len(holding) > 1 else ():
        trace(call, args, [part == one for part in parts], devices)


@pytest.mark.slow
@pytest.mark.parametrize(("function", "example"), list(cases()))
def test_traces_under_vmap_on_sharded_data(function, example, devices):
    call, args = with_arrays_by_position(function, example)
    leaves, structure = jax.tree.flatten(args)

    def one(*arrays):
        own = iter(arrays)
        mine = [next(own) if is_array(leaf) else leaf for leaf in leaves]
        return jax.tree.map(jnp.asarray, call(*jax.tree.unflatten(structure, mine)))

    arrays = [leaf for leaf in leaves if is_array(leaf)]
    pairs = [jax.ShapeDtypeStruct((2, *leaf.shape), leaf.dtype) for leaf in arrays]
    if pairs:
        trace(jax.vmap(one), pairs, [True] * len(pairs), devices)


def test_data_along_explicit_axes(devices):
    """What README says: XLA places what is inside of ``auto_axes``, with and without a mesh set."""
    mesh = jax.make_mesh((4,), ("rows",), devices=devices[:4])
    split, whole = NamedSharding(mesh, PartitionSpec("rows")), NamedSharding(mesh, PartitionSpec())
    x = jax.random.normal(jax.random.key(0), (8, 3))
    w = jax.random.normal(jax.random.key(1), (3, 2))

    def largest(x):
        operator = ntk.operators.dataset_operator(lambda w, x: jnp.tanh(x @ w), w, x, micro_batch=8)
        return ntk.lanczos.top_eigenpairs(jax.random.key(2), operator, 2).values

    function = jax.sharding.auto_axes(largest, axes="rows", out_sharding=whole)
    assert mesh.axis_types == (AxisType.Explicit,)
    alone = function(jax.device_put(x, split))
    with jax.set_mesh(mesh):
        within = jax.jit(function)(jax.device_put(x, split))
    for values in (alone, within):
        np.testing.assert_allclose(values, largest(x), rtol=1e-5)
