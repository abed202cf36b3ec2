"""Tables that the transforms take: their entries, sizes, precision and limits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.spherical import grids
from jaxlab.spherical.tables import make_s2_tables, make_so3_tables
from jaxlab.spherical.wigner import wigner_d


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("grid", grids.GRIDS)
def test_entries_are_wigners_d_and_the_weights(grid):
    b, L = 5, 4
    d = wigner_d(L, grids.colatitudes(b, grid))[:, L - 1 :]  # [l, m >= 0, n, β]
    sphere = make_s2_tables(b, L, grid, jnp.float64)
    np.testing.assert_allclose(sphere.d, d[:, :, L - 1].transpose(1, 0, 2), atol=1e-15)
    np.testing.assert_array_equal(sphere.weights, grids.quadrature_weights(b, grid))
    assert sphere.shape == grids.sphere_points(b, grid).shape[1:]
    for n_max, gamma_size in ((None, 10), (4, 8), (2, 4)):
        group = make_so3_tables(b, L, n_max, grid, jnp.float64)
        orders = slice(L - (n_max or L), L + (n_max or L) - 1)
        np.testing.assert_allclose(group.d, d[:, :, orders].transpose(2, 1, 0, 3), atol=1e-15)
        assert (group.n_max, group.gamma_size) == (n_max or L, gamma_size)
        assert group.shape == (sphere.shape[0], gamma_size, 10)
        assert group.d.dtype == group.weights.dtype == jnp.float64
        np.testing.assert_allclose(group.weights.sum() * gamma_size * 10, 1, rtol=1e-14)


def test_they_are_pytrees_with_static_sizes_in_float32():
    for tables in (make_s2_tables(3, 2), make_so3_tables(3, 2, 1)):
        assert [leaf.dtype for leaf in jax.tree.leaves(tables)] == [jnp.float32] * 2
        halved = jax.tree.map(lambda leaf: leaf / 2, tables)
        assert (halved.b, halved.L, halved.grid) == (3, 2, "soft")
        assert hash(jax.tree.structure(tables)) == hash(jax.tree.structure(halved))


@pytest.mark.usefixtures("bad_input")  # not of the annotated type
def test_sizes_of_any_integer_type():
    for integer in (np.int8, jnp.asarray):
        tables = make_so3_tables(integer(40), integer(3), integer(2))
        assert (tables.shape, tables.d.shape) == ((80, 4, 80), (3, 3, 3, 80))
        tables = make_s2_tables(integer(40), integer(3))
        assert type(tables.b) is type(tables.L) is int
    with pytest.raises(ValueError, match="this one has 128000: take"):
        make_so3_tables(np.int8(40), np.int8(20), 1, max_table_bytes=0)
    assert make_so3_tables(np.int8(100), np.int8(2), np.int8(1)).weights.shape == (200,)


def test_aliased_orders_are_left_out():
    tables = make_so3_tables(3, 5, upsample="aliased")
    assert tables.L == tables.n_max == 5
    m, n = np.arange(5), np.arange(-4, 5)
    known = (m < 3) & (np.abs(n) < 3)[:, None]
    filled = jnp.abs(tables.d).max(axis=(2, 3)) > 0
    np.testing.assert_array_equal(filled, known)
    assert jnp.abs(tables.d[:, :, 3:]).max() > 0.1  # degrees from b on are there
    assert not make_s2_tables(2, 3, upsample="aliased").d[2].any()


@pytest.mark.usefixtures("bad_input")
def test_refusals():
    for make in (make_s2_tables, make_so3_tables):
        with pytest.raises(ValueError, match="L: expected an integer >= 1, got 0"):
            make(2, 0)
        with pytest.raises(ValueError, match="b: expected an integer >= 1, got 0"):
            make(0, 1)
        with pytest.raises(ValueError, match=r"L: expected at most the bandwidth b = 2.*, got 3"):
            make(2, 3)
        with pytest.raises(ValueError, match="upsample: expected one of 'refuse', 'aliased'"):
            make(2, 2, upsample="exact")
        with pytest.raises(ValueError, match="grid: expected one of 'soft'"):
            make(2, 2, grid="healpix")
        with pytest.raises(ValueError, match="dtype: expected one of 'float32', 'float64'"):
            make(2, 2, dtype=jnp.bfloat16)
        with pytest.raises(ValueError, match="dtype: expected x64 to be enabled, got 'float64'"):
            make(2, 2, dtype=jnp.float64)
        with pytest.raises(ValueError, match=r"dtype: expected one of .*, got unknown dtype 'foo'"):
            make(2, 2, dtype="foo")
        with pytest.raises(ValueError, match="max_table_bytes: expected an integer"):
            make(2, 2, max_table_bytes="2GB")
        with pytest.raises(ValueError, match=r"at most max_table_bytes = 99 bytes, this one has"):
            make(4, 4, max_table_bytes=99)
    with pytest.raises(ValueError, match=r"n_max: expected at most L = 2 and b = 4, got 3"):
        make_so3_tables(4, 2, 3)
    with pytest.raises(ValueError, match=r"2147483648 bytes, this one has .*azimuthal bandlimit"):
        make_so3_tables(256, 256)
