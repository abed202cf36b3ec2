"""Gram matrices and QR of tall matrices whose rows are spread over devices."""

import functools

import jax
import jax.numpy as jnp
from jax.scipy.linalg import solve_triangular
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec, reshard
from jaxtyping import Array, Float

from jaxlab.checks import check_choice, require
from jaxlab.leverage._inputs import check_matrix
from jaxlab.leverage._pairs import matmul

__all__ = ["gram", "gram_sharded", "tsqr"]


def gram(
    a: Float[Array, "m n"], b: Float[Array, "m p"] | None = None, *, axis_name: str | None = None
) -> Float[Array, "n p"]:
    """``Aᵀ A``, or ``Aᵀ B``, of rows that may be spread over devices.

    ``G = Σ_d A_dᵀ B_d``

    Args:
        a: rows of the first matrix that this device has.
        b: rows of the second; ``a`` itself by default.
        axis_name: mesh axis over which rows are spread, inside of ``jax.shard_map``; static.

    Returns:
        The products over all rows, the same on every device.

    Raises:
        ValueError: not 2-D, empty or not finite; not the same number of rows.

    Cost:
        O(m n p) over the devices, one all-reduce of n p numbers; in the highest matmul precision.

    Example:
        >>> gram(jnp.array([[1.0, 2.0], [0.0, 1.0]])).tolist()
        [[1.0, 2.0], [2.0, 5.0]]
    """
    check_matrix("a", a)
    if b is not None:
        check_matrix("b", b)
        require(a.shape[0] == b.shape[0], "b", b, f"the same number of rows as a, {a.shape[0]}")
    return _gram(a, a if b is None else b, axis_name)


def gram_sharded(
    a: Float[Array, "m n"],
    b: Float[Array, "m p"] | None = None,
    *,
    mesh: Mesh,
    axis_name: str = "data",
) -> Float[Array, "n p"]:
    """:func:`gram` of whole matrices over the devices of a mesh.

    Args:
        a: all rows; spread over ``axis_name`` if they are not yet. Rows of zeros are added when
            the devices do not divide their number.
        b: as of :func:`gram`.
        mesh: of devices; static.
        axis_name: its axis; static.

    Returns:
        The products over all rows, replicated.

    Raises:
        ValueError: as :func:`gram`; an axis that the mesh does not have.

    Cost:
        As :func:`gram`.

    Example:
        >>> mesh = jax.make_mesh((1,), ("data",))
        >>> gram_sharded(jnp.array([[1.0, 2.0], [0.0, 1.0]]), mesh=mesh).tolist()
        [[1.0, 2.0], [2.0, 5.0]]
    """
    check_choice("axis_name", axis_name, mesh.axis_names)
    check_matrix("a", a)
    if b is not None:
        check_matrix("b", b)
        require(a.shape[0] == b.shape[0], "b", b, f"the same number of rows as a, {a.shape[0]}")
    return _gram_over(a, a if b is None else b, mesh, axis_name)


def tsqr(
    a: Float[Array, "m n"], *, mesh: Mesh | None = None, axis_name: str | None = None
) -> tuple[Float[Array, "m n"], Float[Array, "n n"]]:
    """QR of a tall matrix from QR of its blocks of rows.

    ``A_d = Q_d R_d`` on each device, ``[R_1; R_2; …] = Q' R``, and ``Q = [Q_1 Q'_1; Q_2 Q'_2; …]``.
    Unlike the Gram matrix, this does not square the condition number.

    Args:
        a: all rows, when ``mesh`` is given or both are None; else the rows of this device, inside
            of ``jax.shard_map``. All in all at least as many rows as columns.
        mesh: of devices; static.
        axis_name: axis of the devices, ``"data"`` by default with ``mesh``; static.

    Returns:
        ``Q`` with orthonormal columns, rows as those of ``a``, and ``R`` upper triangular with a
        diagonal that is not negative, the same on every device.

    Raises:
        ValueError: ``a`` not 2-D, empty or not finite; fewer rows than columns; an axis that the
            mesh does not have.

    Cost:
        O(m n²) over the devices; each gathers n² numbers from every other.

    Source:
        Demmel, Grigori, Hoemmen, Langou 2012, *Communication-optimal parallel and sequential QR and
        LU factorizations*.

    Example:
        >>> q, r = tsqr(jnp.array([[3.0], [4.0]]))
        >>> print(q, r)
        [[0.6]
         [0.8]] [[5.]]
    """
    check_matrix("a", a)
    if mesh is None and axis_name is not None:
        return _tsqr(a, axis_name)
    require(a.shape[0] >= a.shape[1], "a", a, "at least as many rows as columns")
    if mesh is None:
        return _tsqr(a, None)
    axis_name = "data" if axis_name is None else axis_name
    check_choice("axis_name", axis_name, mesh.axis_names)
    return _tsqr_over(a, mesh, axis_name)


def _spread(a: Array, mesh: Mesh, axis_name: str) -> Array:
    """Rows over the devices, with rows of zeros up to a multiple of their number."""
    padded = jnp.pad(a, ((0, -a.shape[0] % mesh.shape[axis_name]), (0, 0)))
    return _place(padded, mesh, axis_name, PartitionSpec(axis_name))


def _place(a: Array, mesh: Mesh, axis_name: str, spec: PartitionSpec) -> Array:
    """``a`` on the devices as ``spec`` says, and its cotangent again where ``a`` was."""
    kinds = dict(zip(mesh.axis_names, mesh.axis_types, strict=True))
    # over an explicit axis, device_put would leave the cotangent as spec says
    place = reshard if kinds[axis_name] == AxisType.Explicit else jax.device_put
    return place(a, NamedSharding(mesh, spec))


@functools.partial(jax.jit, static_argnames=("axis_name",))
def _gram(a: Array, b: Array, axis_name: str | None) -> Array:
    product = matmul(a.T, b)
    return product if axis_name is None else jax.lax.psum(product, axis_name)


@functools.partial(jax.jit, static_argnames=("mesh", "axis_name"))
def _gram_over(a: Array, b: Array, mesh: Mesh, axis_name: str) -> Array:
    rows = PartitionSpec(axis_name)
    local = functools.partial(_gram, axis_name=axis_name)
    over = jax.shard_map(local, mesh=mesh, in_specs=(rows, rows), out_specs=PartitionSpec())
    return over(_spread(a, mesh, axis_name), _spread(b, mesh, axis_name))


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
@functools.partial(jax.jit, static_argnums=(1,))
def _tsqr(a: Array, axis_name: str | None) -> tuple[Array, Array]:
    q, r = jnp.linalg.qr(a)
    if axis_name is not None:
        height = r.shape[0]
        # summed zeros in place of a gather: the sum is known to be the same everywhere
        mine = jax.lax.axis_index(axis_name)
        stacked = jnp.zeros((jax.lax.axis_size(axis_name), *r.shape), r.dtype)
        stacked = jax.lax.psum(stacked.at[mine].set(r), axis_name)
        joined, r = jnp.linalg.qr(stacked.reshape(-1, r.shape[1]))
        block = jax.lax.dynamic_slice_in_dim(joined, mine * height, height)
        q = matmul(q, block)
    signs = jnp.where(jnp.diagonal(r) < 0, -1, 1).astype(r.dtype)
    return q * signs, r * signs[:, None]


@_tsqr.defjvp
def _tsqr_jvp(
    axis_name: str | None, primals: tuple[Array], tangents: tuple[Array]
) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """That of the whole matrix: a device's rows alone need not have independent columns."""
    q, r = _tsqr(*primals, axis_name)
    change = solve_triangular(r, tangents[0].T, trans="T").T  # Ȧ R⁻¹
    inside = _gram(q, change, axis_name)
    below = jnp.tril(inside, -1)
    upper = inside - below + below.T  # Ṙ R⁻¹
    return (q, r), (change - matmul(q, upper), matmul(upper, r))


@functools.partial(jax.jit, static_argnames=("mesh", "axis_name"))
def _tsqr_over(a: Array, mesh: Mesh, axis_name: str) -> tuple[Array, Array]:
    rows = PartitionSpec(axis_name)
    local = functools.partial(_tsqr, axis_name=axis_name)
    over = jax.shard_map(local, mesh=mesh, in_specs=rows, out_specs=(rows, PartitionSpec()))
    q, r = over(_spread(a, mesh, axis_name))
    if a.shape[0] % mesh.shape[axis_name]:  # rows that the devices do not divide cannot stay spread
        q = _place(q, mesh, axis_name, PartitionSpec())[: a.shape[0]]
    return q, r
