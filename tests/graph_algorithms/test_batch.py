"""Batches equal their problems one by one, however they are run and on however many devices."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec

from jaxlab.graph_algorithms.assignment import linear_sum_assignment
from jaxlab.graph_algorithms.batch import linear_sum_assignment_batch
from jaxlab.graph_algorithms.types import Duals
from tests.graph_algorithms.oracle import assert_solved, random_costs
from tests.helpers import to_device

RNG = np.random.default_rng(4)
SIZE, COUNT = 20, 16


def problems():
    """Costs with predictions: some leave nothing to do, others are garbage."""
    costs = random_costs(RNG, (SIZE, SIZE), COUNT)
    costs[0] = 3 * (1 - np.eye(SIZE, dtype=np.int32))  # solved at the start
    col = RNG.integers(-50, 50, (COUNT, SIZE))
    col[:2] = 0
    return costs, Duals(jnp.zeros((COUNT, SIZE), jnp.int32), to_device(col, np.int32))


@pytest.mark.parametrize("method", ["sap", "phase", "auction"])
def test_vmap_and_map_equal_single_solves(method):
    costs, duals = problems()
    alone = [
        linear_sum_assignment(to_device(costs[k]), Duals(duals.row[k], duals.col[k]), method=method)
        for k in range(COUNT)
    ]
    assert alone[0].stats.free_rows == 0
    assert max(int(result.stats.free_rows) for result in alone) > 3
    for batching in ("vmap", "map"):
        together = linear_sum_assignment_batch(
            to_device(costs), duals, batching=batching, method=method
        )
        for k in range(COUNT):
            one = jax.tree.map(lambda x, k=k: x[k], together)
            chex.assert_trees_all_equal(one, alone[k])


def test_defaults_masks_and_one_prediction_for_all():
    costs, _ = problems()
    masks = (RNG.random(costs.shape) < 0.4) | np.eye(SIZE, dtype=bool)
    masks[3, 5] = False
    guess = Duals(jnp.zeros(SIZE, jnp.int32), to_device(RNG.integers(-9, 9, SIZE), np.int32))
    solve = functools.partial(linear_sum_assignment_batch, mask=to_device(masks))
    results = jax.tree.map(np.asarray, solve(to_device(costs), guess))
    assert assert_solved(results, costs, masks) == 1
    stats = results.stats
    assert (stats.steps > 0).any()  # on a CPU one after the other
    assert (stats.phases == 0).all()
    vmapped = jax.tree.map(np.asarray, solve(to_device(costs), guess, batching="vmap"))
    assert assert_solved(vmapped, costs, masks) == 1
    assert (vmapped.stats.phases > 0).any()
    none = linear_sum_assignment_batch(jnp.zeros((0, 2, 3), jnp.int32))
    assert none.cost.shape == (0,)


def test_what_overflows_packed_keys_is_solved_again():
    costs = RNG.integers(0, 2**26, (3, SIZE, SIZE)).astype(np.int32)
    costs[1] = 5
    results = linear_sum_assignment_batch(to_device(costs), batching="map")
    assert assert_solved(jax.tree.map(np.asarray, results), costs) == 0


@pytest.mark.parametrize(
    ("batching", "options"),
    [
        ("map", {"initial": "maximum", "row_reduction_rounds": 2}),
        ("vmap", {"initial": "maximum", "row_reduction_rounds": 2}),
        ("vmap", {"rounding": "greedy"}),
    ],
)
def test_sharded_equals_single_device(devices, batching, options):
    costs, duals = problems()
    mesh = jax.sharding.Mesh(np.array(devices), ("instances",))
    solve = functools.partial(linear_sum_assignment_batch, batching=batching, **options)
    spec = PartitionSpec("instances")
    sharded = jax.jit(jax.shard_map(solve, mesh=mesh, in_specs=(spec, spec), out_specs=spec))
    chex.assert_trees_all_equal(sharded(to_device(costs), duals), solve(to_device(costs), duals))


@pytest.mark.usefixtures("bad_input")
def test_refusals():
    costs = jnp.zeros((2, 3, 3), jnp.int32)
    row = jnp.zeros((2, 3), jnp.int32)
    for arguments, options, message in [
        ((costs[0],), {}, "cost: expected a stack of matrices"),
        ((costs,), {"batching": "pmap"}, "batching: expected one of 'auto', 'map', 'vmap'"),
        ((costs, Duals(row[:1], row)), {}, r"duals.row: expected shape \[2, 3\]"),
        ((costs, Duals(row, row[:, :2])), {}, r"duals.col: expected shape \[2, 3\]"),
        ((costs,), {"mask": jnp.ones((3, 3), bool)}, r"mask: expected shape \[2, 3, 3\]"),
        ((costs,), {"rounding": "up"}, "rounding: expected one of"),
        ((costs * jnp.nan,), {}, "cost: expected no NaN"),
    ]:
        with pytest.raises(ValueError, match=message):
            linear_sum_assignment_batch(*arguments, **options)
