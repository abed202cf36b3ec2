"""The guarantee of Frequent Directions, in a stream, merged, and its scores."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.leverage import fd_init, fd_merge, fd_scores, fd_update

L, N = 10, 20


def rows(seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(500, N)) @ (rng.normal(size=(N, N)) * 0.7 ** np.arange(N))


def holds(state, a):
    sketch = np.asarray(state.sketch)
    gap = np.linalg.eigvalsh(a.T @ a - sketch.T @ sketch)
    scale = np.sum(a**2)
    s2 = np.linalg.svd(a, compute_uv=False) ** 2
    assert gap[0] >= -1e-12 * scale
    assert gap[-1] <= float(state.shrinkage) + 1e-12 * scale
    for k in range(L):
        assert float(state.shrinkage) <= s2[k:].sum() / (L - k) + 1e-12 * scale
    assert float(state.total_energy) == pytest.approx(scale)
    assert not sketch[int(state.filled) :].any()
    assert int(state.filled) <= 2 * L
    return gap[-1]


def test_guarantee_in_a_stream_and_merged(x64):
    a = rows()
    start = fd_init(L, N, dtype=jnp.float64)
    assert holds(fd_update(start, jnp.asarray(a)), a) > 0
    # batches of 33 with rows among them that do not count
    first = second = start
    mask = np.arange(33) % 4 != 1
    kept = []
    for index in range(15):
        batch = a[index * 33 : (index + 1) * 33]
        if index % 2:
            first = fd_update(first, *jax.device_put((batch, mask)))
        else:
            second = fd_update(second, *jax.device_put((batch, mask)))
        kept.append(batch[mask])
    holds(first, np.concatenate(kept[1::2]))
    holds(second, np.concatenate(kept[::2]))
    holds(fd_merge(first, second), np.concatenate(kept))
    few = fd_update(start, jnp.asarray(a[:33]), jnp.arange(33) < 2 * L)
    assert (int(few.filled), float(few.shrinkage)) == (2 * L, 0)
    np.testing.assert_array_equal(few.sketch, a[: 2 * L])  # nothing is lost while there is room


def test_scores_of_leading_vectors(x64):
    rng = np.random.default_rng(1)
    left, right = (
        np.linalg.qr(rng.normal(size=(500, N)))[0],
        np.linalg.qr(rng.normal(size=(N, N)))[0],
    )
    a = left * np.where(np.arange(N) < 4, 10.0, 0.1) @ right.T
    state = fd_update(fd_init(L, N, dtype=jnp.float64), jnp.asarray(a))
    expected = np.sum(right[:, :4] ** 2, axis=1)
    np.testing.assert_allclose(fd_scores(state, range(4)), expected, atol=1e-3)


def test_bad_input(bad_input):
    state = fd_init(2, 3)
    with pytest.raises(ValueError, match=r"rows: expected shape \[m, 3\]"):
        fd_update(state, jnp.ones((4, 2)))
    with pytest.raises(ValueError, match=r"mask: expected shape \[4\]"):
        fd_update(state, jnp.ones((4, 3)), jnp.ones(3, bool))
    with pytest.raises(ValueError, match="finite"):
        fd_update(state, jnp.full((4, 3), jnp.nan))
    with pytest.raises(ValueError, match=r"other\.sketch"):
        fd_merge(state, fd_init(3, 3))
    with pytest.raises(ValueError, match="exceeds numerical rank"):
        fd_scores(state, (0,))
    with pytest.raises(ValueError, match="l: expected an integer >= 1"):
        fd_init(0, 3)
    for dtype in (jnp.int32, jnp.bfloat16):
        with pytest.raises(ValueError, match="dtype: expected float32 or float64"):
            fd_init(1, 1, dtype=dtype)
