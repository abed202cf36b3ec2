"""Lists of what is marked, and loops that may not run."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxlab.correlation_clustering._windows import at_most_once, compact, for_windows


def test_compact_lists_what_is_set():
    rng = np.random.default_rng(0)
    listed = jax.jit(compact, static_argnums=1)
    for n in (1, 31, 32, 33, 400):
        for share in (0, 0.02, 0.5, 1):
            mask = rng.random(n) < share
            where = np.flatnonzero(mask)
            for size in (1, 40):
                found, total = listed(jnp.asarray(mask), size)
                assert total == len(where)
                padded = np.concatenate([where, np.full(size, n)])[:size]
                np.testing.assert_array_equal(found, padded)


def test_loops():
    def visit(position, seen):
        return seen.at[position].add(1)

    seen = jax.vmap(
        lambda stop: for_windows(jnp.int32(2), stop, 3, visit, jnp.zeros(12, jnp.int32))
    )
    assert seen(jnp.array([2, 3, 9])).tolist() == [
        [0] * 12,
        [0, 0, 1, *[0] * 9],
        [0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 0],
    ]
    once = jax.vmap(lambda needed: at_most_once(needed, lambda x: x + 1, jnp.int32(5)))
    assert once(jnp.array([True, False])).tolist() == [6, 5]
