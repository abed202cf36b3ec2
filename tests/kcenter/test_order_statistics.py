"""Order statistics by bisection against sorting."""

import jax
import numpy as np
import pytest
from jax.sharding import Mesh, PartitionSpec

from jaxlab.kcenter.order_statistics import kth_smallest

VALUES = np.concatenate(
    [np.random.default_rng(0).exponential(size=90), [0.0, -0.0, 0.0, 1e-45, 3e38, 1e-38]]
).astype(np.float32)
WEIGHTS = np.random.default_rng(1).integers(0, 4, 96).astype(np.int32)


def test_sorting():
    kth = jax.vmap(lambda rank: kth_smallest(jax.device_put(VALUES), rank))
    found = np.asarray(kth(jax.device_put(np.arange(-1, 98, dtype=np.int32))))
    np.testing.assert_array_equal(found[2:-1], np.abs(np.sort(VALUES)))
    assert found[[0, 1, -1]].tolist() == [0, 0, np.inf]


def test_weights_are_copies():
    copies = np.abs(np.sort(np.repeat(VALUES, WEIGHTS)))
    kth = jax.vmap(
        lambda rank: kth_smallest(jax.device_put(VALUES), rank, weights=jax.device_put(WEIGHTS))
    )
    ranks = np.arange(1, len(copies) + 1, dtype=np.int32)
    np.testing.assert_array_equal(kth(jax.device_put(ranks)), copies)


def test_float64(x64):
    values = np.random.default_rng(2).exponential(size=96)
    assert kth_smallest(jax.device_put(values), 17) == np.sort(values)[16]


@pytest.mark.parametrize("check_vma", [True, False])
def test_shards_are_one_device(devices, check_vma):
    found = jax.jit(
        jax.shard_map(
            lambda part: kth_smallest(part, 40, axis_name="x"),
            mesh=Mesh(np.array(devices), ("x",)),
            in_specs=PartitionSpec("x"),
            out_specs=PartitionSpec(),
            check_vma=check_vma,
        )
    )(jax.device_put(VALUES))
    assert found == np.sort(VALUES)[39]


def test_bad_input(bad_input):
    with pytest.raises(ValueError, match="values: expected dtype floating"):
        kth_smallest(np.arange(3), 1)
    with pytest.raises(ValueError, match="weights: expected shape"):
        kth_smallest(np.ones(3), 1, weights=np.ones(2, int))
    with pytest.raises(ValueError, match="weights: expected dtype integer"):
        kth_smallest(np.ones(3), 1, weights=np.full(3, 0.5))
    with pytest.raises(ValueError, match="weights: expected"):
        kth_smallest(np.ones(3), 1, weights=np.full(3, 2**32 + 1))
