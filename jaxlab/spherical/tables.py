"""Tables of Wigner's d at the colatitudes of a grid, which the transforms take as an argument.

A table is computed once on the host in float64, cast once, and handed to the transforms: closed
over, it would be compiled into the program as a constant, at a cost of tens of seconds for large
bandlimits. A table is a PyTree, so it can be replicated over devices and donated like any other.
"""

import functools
import operator
from typing import Any, get_args

import flax.struct
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jaxlab.checks import check_choice, check_integer, require
from jaxlab.spherical.grids import check_grid, colatitudes, quadrature_weights
from jaxlab.spherical.types import Grid, TableUpsampling
from jaxlab.spherical.wigner import degrees

__all__ = ["S2Tables", "SO3Tables", "make_s2_tables", "make_so3_tables"]


@flax.struct.dataclass
class S2Tables:
    """What the transform on the sphere needs.

    A PyTree. Its arrays are annotated ``Any``, because jax also puts tracers, shapes and None in
    their place.

    Attributes:
        d: ``d^l_{m0}(β)`` at ``[m, l, β]``.
        weights: quadrature weight of a sample at each colatitude.
        b: bandwidth of the grid.
        L: number of degrees.
        grid: kind of grid.
    """

    d: Any  # Float[Array, "m l k"]
    weights: Any  # Float[Array, " k"]
    b: int = flax.struct.field(pytree_node=False)
    L: int = flax.struct.field(pytree_node=False)
    grid: Grid = flax.struct.field(pytree_node=False)

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of colatitudes and longitudes of a signal."""
        return self.weights.shape[0], 2 * self.b


@flax.struct.dataclass
class SO3Tables:
    """What the transform on the rotation group needs.

    A PyTree. Its arrays are annotated ``Any``, because jax also puts tracers, shapes and None in
    their place.

    Attributes:
        d: ``d^l_{mn}(β)`` at ``[n + n_max − 1, m, l, β]``, ``m ≥ 0``.
        weights: quadrature weight of a sample at each colatitude.
        b: bandwidth of the grid.
        L: number of degrees.
        n_max: azimuthal bandlimit, ``|n| < n_max``.
        gamma_size: number of samples in γ.
        grid: kind of grid.
    """

    d: Any  # Float[Array, "n m l k"]
    weights: Any  # Float[Array, " k"]
    b: int = flax.struct.field(pytree_node=False)
    L: int = flax.struct.field(pytree_node=False)
    n_max: int = flax.struct.field(pytree_node=False)
    gamma_size: int = flax.struct.field(pytree_node=False)
    grid: Grid = flax.struct.field(pytree_node=False)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Numbers of angles β, γ, α of a signal."""
        return self.weights.shape[0], self.gamma_size, 2 * self.b


def make_s2_tables(
    b: int,
    L: int,
    grid: Grid = "soft",
    dtype: Any = jnp.float32,
    *,
    upsample: TableUpsampling = "refuse",
    max_table_bytes: int = 2 * 1024**3,
) -> S2Tables:
    """Tables of the transform on the sphere; computed once for the same arguments.

    Args:
        b: bandwidth of the grid.
        L: number of degrees, at most ``b``.
        grid: kind of grid.
        dtype: float32, or float64 where jax has it enabled.
        upsample: ``"aliased"`` lets ``L`` exceed ``b``: degrees from ``b`` on then come from a
            quadrature that is too coarse for them, as in the published code of spherical CNNs.
            It is there for parity; :func:`~jaxlab.spherical.change_bandlimit` adds degrees exactly.
        max_table_bytes: largest table that is made.

    Returns:
        The tables.

    Raises:
        ValueError: for a bad size or name, ``L > b`` without ``"aliased"``, or a table above
            ``max_table_bytes``.

    Cost:
        ``itemsize · L² · 2b`` bytes, and time proportional to it.

    Example:
        >>> make_s2_tables(4, 3).d.shape
        (3, 3, 8)
    """
    b, L, _, dtype = check_sizes(b, L, None, grid, dtype, upsample)
    size = L * L * colatitudes(b, grid).size * dtype.itemsize
    _check_bytes(L, size, max_table_bytes)
    return S2Tables(
        d=jnp.asarray(_s2_table(b, L, grid, dtype.name)),
        weights=jnp.asarray(quadrature_weights(b, grid), dtype),
        b=b,
        L=L,
        grid=grid,
    )


def make_so3_tables(
    b: int,
    L: int,
    n_max: int | None = None,
    grid: Grid = "soft",
    dtype: Any = jnp.float32,
    *,
    upsample: TableUpsampling = "refuse",
    max_table_bytes: int = 2 * 1024**3,
) -> SO3Tables:
    """Tables of the transform on the rotation group; computed once for the same arguments.

    Args:
        b: bandwidth of the grid.
        L: number of degrees, at most ``b``.
        n_max: azimuthal bandlimit: keep the orders ``|n| < n_max``, and sample γ at ``2·n_max``
            angles only; cost and memory shrink by ``n_max/L``. None keeps all orders and ``2b``
            angles. Linear layers stay equivariant under rotations, which act on ``m``.
        grid: kind of grid.
        dtype: float32, or float64 where jax has it enabled.
        upsample: as in :func:`make_s2_tables`.
        max_table_bytes: largest table that is made.

    Returns:
        The tables.

    Raises:
        ValueError: for a bad size or name, ``L > b`` without ``"aliased"``, ``n_max`` outside
            ``1 … L``, or a table above ``max_table_bytes``.

    Cost:
        ``itemsize · L² · (2·n_max − 1) · 2b`` bytes, and time proportional to it.

    Example:
        >>> make_so3_tables(4, 3).d.shape
        (5, 3, 3, 8)
    """
    b, L, n_max, dtype = check_sizes(b, L, n_max, grid, dtype, upsample)
    gamma_size = 2 * (b if n_max is None else n_max)
    n_max = L if n_max is None else n_max
    size = (2 * n_max - 1) * L * L * colatitudes(b, grid).size * dtype.itemsize
    _check_bytes(L, size, max_table_bytes)
    weights = quadrature_weights(b, grid, "so3") * (2 * b / gamma_size)
    return SO3Tables(
        d=jnp.asarray(_so3_table(b, L, n_max, grid, dtype.name)),
        weights=jnp.asarray(weights, dtype),
        b=b,
        L=L,
        n_max=n_max,
        gamma_size=gamma_size,
        grid=grid,
    )


@functools.lru_cache(maxsize=64)
def _s2_table(b: int, L: int, grid: Grid, dtype: str) -> Float[np.ndarray, "m l k"]:
    return _table(b, L, np.arange(1), grid, dtype)[0]


@functools.lru_cache(maxsize=32)
def _so3_table(b: int, L: int, n_max: int, grid: Grid, dtype: str) -> Float[np.ndarray, "n m l k"]:
    return _table(b, L, np.arange(-n_max + 1, n_max), grid, dtype)


def _table(b: int, L: int, n: np.ndarray, grid: Grid, dtype: str) -> Float[np.ndarray, "n m l k"]:
    """``d^l_{mn}``, zero for the orders that the grid cannot tell from others."""
    beta = colatitudes(b, grid)
    m = np.arange(L)
    table = np.empty((n.size, L, L, beta.size), dtype)
    for degree, d in enumerate(degrees(L, m, n, beta)):
        table[:, :, degree] = d.transpose(1, 0, 2)
    table[:, b:] = 0  # reached by L > b only
    table[np.abs(n) >= b] = 0
    table.flags.writeable = False
    return table


def check_sizes(
    b: int, L: int, n_max: int | None, grid: str, dtype: Any, upsample: str = "refuse"
) -> tuple[int, int, int | None, np.dtype]:
    """Sizes as Python's integers, and the dtype as numpy's, of tables that there can be."""
    check_integer("L", L, minimum=1)
    check_choice("upsample", upsample, get_args(TableUpsampling))
    b, L = check_grid(b, grid), operator.index(L)
    if upsample == "refuse":
        require(b >= L, "L", L, f"at most the bandwidth b = {b}, unless upsample='aliased'")
    if n_max is not None:
        check_integer("n_max", n_max, minimum=1)
        n_max = operator.index(n_max)
        require(n_max <= min(L, b), "n_max", n_max, f"at most L = {L} and b = {b}")
    return b, L, n_max, check_table_dtype(dtype)


def check_table_dtype(dtype: Any) -> np.dtype:
    """``dtype`` as numpy's, refused unless it is one that jax computes tables in."""
    try:
        name = np.dtype(dtype).name
    except TypeError:
        name = dtype
    check_choice("dtype", name, ("float32", "float64"))
    dtype = np.dtype(dtype)
    if dtype == np.float64:
        enabled = jnp.result_type(float) == np.float64
        require(enabled, "dtype", dtype.name, "x64 to be enabled")
    return dtype


def check_precision(argument: str, signal: Any, dtype: Any) -> None:
    """Refuse a floating ``signal`` that tables of ``dtype`` would round."""
    fits = jnp.promote_types(signal.dtype, dtype) == dtype
    require(fits, argument, signal, f"at most the precision of tables, {dtype}")


def _check_bytes(L: int, size: int, most: int) -> None:
    check_integer("max_table_bytes", most, minimum=0)
    limit = (
        f"a table of at most max_table_bytes = {most} bytes, this one has {size}: "
        "take fewer degrees, or a smaller azimuthal bandlimit n_max"
    )
    require(size <= most, "L", L, limit)
