"""Products of spectra, degree by degree: what convolutions on the sphere become.

    lifting        Z^l_{mn} = Σ_i X^l_{m,i} conj(Y^l_{n,io})
    on SO(3)       Z^l_{mn} = Σ_{i,k} X^l_{mk,i} conj(Y^l_{nk,io})
    to the sphere  Z^l_m    = Σ_{i,k} X^l_{mk,i} conj(y^l_{k,io})

The sums run over all orders k. A real kernel has ``Y^l_{−n,−k} = (−1)^{n−k} conj(Y^l_{nk})``, so in
the basis of cosines ``(v_k + (−1)^k v_{−k})/√2`` and sines ``i(v_k − (−1)^k v_{−k})/√2`` its matrix
is real, and so is the product: its rows are the real and imaginary parts of the rows ``m ≥ 0`` of
X. That is half the work of the complex product, in one real matrix product for each degree.

Degrees have blocks of different size. They are multiplied one by one, or in *buckets* of
neighbouring degrees padded to the largest: fewer operations to compile, little more arithmetic.
"""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from jaxlab.checks import check_integer, check_shape, require
from jaxlab.spherical.spectra import S2Spectrum, SO3Spectrum, check_spectrum
from jaxlab.spherical.transforms import EXACT

__all__ = ["lifting_product", "so3_product", "so3_to_s2_product"]


@functools.partial(jax.jit, static_argnames=("n_max",))
def lifting_product(X: S2Spectrum, Y: S2Spectrum, *, n_max: int | None = None) -> SO3Spectrum:
    """Correlation on the sphere, a signal on the rotation group.

    ``Z^l_{mn,o} = Σ_i X^l_{m,i} conj(Y^l_{n,io})``.

    Args:
        X: spectrum of the signals, ``[..., C_in]`` before (l, m).
        Y: spectrum of the kernels, ``[C_in, C_out]`` before (l, n ≥ 0).
        n_max: azimuthal bandlimit of the result, at most ``L``; None keeps all orders.

    Returns:
        Spectrum ``[..., C_out]`` before (l, m, n).

    Raises:
        ValueError: if degrees or channels of the two differ, or ``n_max`` is outside ``1 … L``.

    Cost:
        O(C_in C_out L² n_max) an entry of the batch.

    Source:
        Cohen, Geiger, Köhler and Welling 2018, section 4.

    Example:
        >>> X = S2Spectrum(jnp.ones((1, 2, 2), complex))
        >>> lifting_product(X, S2Spectrum(jnp.ones((1, 3, 2, 2), complex))).coeffs.shape
        (3, 2, 2, 3)
    """
    check_spectrum("X", X, S2Spectrum)
    check_spectrum("Y", Y, S2Spectrum)
    n_max = X.L if n_max is None else n_max
    check_integer("n_max", n_max, minimum=1)
    require(n_max <= X.L, "n_max", n_max, f"at most L = {X.L}")
    check_shape("Y", Y.coeffs, ("C_in", "C_out", "l", "n"))
    _check_kernel(X, "Y", Y.coeffs)
    rows = _parts(X.coeffs)
    product = jnp.einsum(
        "...ilmc,ioln->...olmnc", rows, _real_row(jnp.conj(Y.coeffs), n_max), precision=EXACT
    )
    return SO3Spectrum(_from_real(product))


@functools.partial(jax.jit, static_argnames=("n_max", "num_buckets"))
def so3_product(
    X: SO3Spectrum,
    Y: Complex[Array, "i o l n k"],
    *,
    n_max: int | None = None,
    num_buckets: int | None = None,
) -> SO3Spectrum:
    """Correlation on the rotation group.

    ``Z^l_{mn,o} = Σ_{i,k} X^l_{mk,i} conj(Y^l_{nk,io})``.

    Args:
        X: spectrum of the signals, ``[..., C_in]`` before (l, m, k).
        Y: coefficients of the kernels, ``[C_in, C_out, l, n ≥ 0, k]``: those of
            :func:`~jaxlab.spherical.so3_kernel_spectrum`, or its first rows ``n < n_max`` only.
        n_max: azimuthal bandlimit of the result, at most ``L``; None keeps the rows of ``Y``.
        num_buckets: how many groups of degrees are multiplied at once. ``L`` multiplies blocks of
            their exact size, 1 pads all to the largest; None takes L up to L = 16 and L/4 above.

    Returns:
        Spectrum ``[..., C_out]`` before (l, m, n).

    Raises:
        ValueError: if degrees, orders or channels of the two differ, or a number is out of range.

    Cost:
        ``2·Σ_l (2l+2)(2l+1)²`` ≈ O(L⁴) real operations for each pair of channels and entry of the
        batch; up to 4 times that with one bucket.

    Source:
        Cohen, Geiger, Köhler and Welling 2018, section 4.

    Example:
        >>> X = SO3Spectrum(jnp.ones((1, 1, 1, 1), complex))
        >>> so3_product(X, jnp.full((1, 2, 1, 1, 1), 3.0 + 0j)).coeffs.real.ravel().tolist()
        [3.0, 3.0]
    """
    check_spectrum("X", X, SO3Spectrum)
    check_shape("Y", Y, ("C_in", "C_out", "l", "n", X.coeffs.shape[-1]))
    _check_kernel(X, "Y", Y)
    n_max = Y.shape[3] if n_max is None else n_max
    check_integer("n_max", n_max, minimum=1)
    require(n_max <= Y.shape[3], "n_max", n_max, f"at most the {Y.shape[3]} rows of Y")
    rows, matrix = _parts(_to_real(X.coeffs)), _real_matrix(Y[..., :n_max, :])
    buckets = _buckets(X.L, num_buckets)
    sizes = [end - start for start, end in buckets]
    products = []
    for (_, end), x, y in zip(
        buckets,
        jax.lax.split(rows, sizes, axis=rows.ndim - 4),  # its gradient is one concatenation,
        jax.lax.split(matrix, sizes, axis=2),  # that of slices a padded sum for each
        strict=True,
    ):
        x = _crop(x[..., :end, :, :], -2, end)
        y = _crop(_crop(y, -1, end), -2, end)
        z = jnp.einsum("...ilmkc,iolnk->...olmnc", x, y, precision=EXACT)
        extra = n_max - min(end, n_max)
        pad = [(0, 0)] * (z.ndim - 3) + [(0, X.L - end), (extra, extra), (0, 0)]
        products.append(jnp.pad(z, pad))
    return SO3Spectrum(_from_real(jnp.concatenate(products, axis=-4)))


@functools.partial(jax.jit, static_argnames=("num_buckets",))
def so3_to_s2_product(
    X: SO3Spectrum, y: S2Spectrum, *, num_buckets: int | None = None
) -> S2Spectrum:
    """Correlation on the rotation group with kernels that make the result one on the sphere.

    ``Z^l_{m,o} = Σ_{i,k} X^l_{mk,i} conj(y^l_{k,io})`` with ``y^l_k = Σ_n w_{ln} Y^l_{nk}``.

    Args:
        X: spectrum of the signals, ``[..., C_in]`` before (l, m, k).
        y: spectrum of the kernels, ``[C_in, C_out]`` before (l, k ≥ 0); orders beyond those of
            ``X`` do not count.
        num_buckets: as in :func:`so3_product`.

    Returns:
        Spectrum ``[..., C_out]`` before (l, m).

    Raises:
        ValueError: if degrees or channels of the two differ.

    Cost:
        O(L³) real operations for each pair of channels and entry of the batch.

    Example:
        >>> X = SO3Spectrum(jnp.ones((1, 1, 1, 1), complex))
        >>> so3_to_s2_product(X, S2Spectrum(jnp.ones((1, 2, 1, 1), complex))).coeffs.shape
        (2, 1, 1)
    """
    check_spectrum("X", X, SO3Spectrum)
    check_spectrum("y", y, S2Spectrum)
    check_shape("y", y.coeffs, ("C_in", "C_out", "l", "k"))
    _check_kernel(X, "y", y.coeffs)
    rows, row = _parts(_to_real(X.coeffs)), _real_row(y.coeffs, X.n_max)
    buckets = _buckets(X.L, num_buckets)
    sizes = [end - start for start, end in buckets]
    products = []
    for (_, end), x, v in zip(
        buckets,
        jax.lax.split(rows, sizes, axis=rows.ndim - 4),
        jax.lax.split(row, sizes, axis=2),
        strict=True,
    ):
        x = _crop(x[..., :end, :, :], -2, end)
        z = jnp.einsum("...ilmkc,iolk->...olmc", x, _crop(v, -1, end), precision=EXACT)
        products.append(jnp.pad(z, [(0, 0)] * (z.ndim - 2) + [(0, X.L - end), (0, 0)]))
    product = jnp.concatenate(products, axis=-3)
    return S2Spectrum(jax.lax.complex(product[..., 0], product[..., 1]))


def _buckets(L: int, number: int | None) -> list[tuple[int, int]]:
    """First degree and end of each group of neighbouring degrees."""
    if number is None:
        number = L if L <= 16 else math.ceil(L / 4)
    check_integer("num_buckets", number, minimum=1)
    width = math.ceil(L / number)
    return [(start, min(start + width, L)) for start in range(0, L, width)]


def _crop(array: Array, axis: int, count: int) -> Array:
    """The orders below ``count`` in absolute value, of those that are there."""
    middle = array.shape[axis] // 2
    count = min(count - 1, middle)
    return jax.lax.slice_in_dim(array, middle - count, middle + count + 1, axis=axis)


# --- the real basis over the orders k ---------------------------------------------------------


def _basis(n_max: int, dtype: np.dtype) -> tuple[np.ndarray, np.ndarray]:
    """``a, b`` of ``v'_k = a_k v_k + b_k v_{−k}``: cosines at ``k > 0``, sines at ``k < 0``."""
    k = np.arange(-n_max + 1, n_max)
    sign, root = np.where(k % 2 == 0, 1.0, -1.0), np.sqrt(0.5)
    a = np.where(k > 0, root, np.where(k < 0, -1j * root * sign, 1.0))
    b = np.where(k > 0, root * sign, np.where(k < 0, 1j * root, 0.0))
    return a.astype(dtype), b.astype(dtype)


def _to_real(F: Complex[Array, "... k"]) -> Complex[Array, "... k"]:
    a, b = _basis((F.shape[-1] + 1) // 2, F.dtype)
    return a * F + b * jnp.flip(F, axis=-1)


def _from_real(parts: Float[Array, "... n 2"]) -> Complex[Array, "... n"]:
    """Inverse of :func:`_to_real`, from real and imaginary part."""
    F = jax.lax.complex(parts[..., 0], parts[..., 1])
    a, b = _basis((F.shape[-1] + 1) // 2, F.dtype)
    return np.conj(a) * F + np.conj(b[::-1]) * jnp.flip(F, axis=-1)


def _real_row(y: Complex[Array, "i o l k"], n_max: int) -> Float[Array, "i o l n"]:
    """``conj(y)`` of kernels in the real basis, where it is real, from the orders ``k ≥ 0``."""
    coeffs = y[..., :n_max]
    coeffs = jnp.pad(coeffs, [(0, 0)] * (coeffs.ndim - 1) + [(0, n_max - coeffs.shape[-1])])
    root = math.sqrt(2)
    sines = -root * jnp.flip(coeffs[..., 1:].imag, axis=-1)
    return jnp.concatenate([sines, coeffs[..., :1].real, root * coeffs[..., 1:].real], axis=-1)


def _real_matrix(Y: Complex[Array, "i o l n k"]) -> Float[Array, "i o l a k"]:
    """The real matrix of kernels, rows and columns in the real basis."""
    Y = _to_real(Y)
    root = math.sqrt(2)
    sines = root * jnp.flip(Y[..., 1:, :].imag, axis=-2)
    return jnp.concatenate([sines, Y[..., :1, :].real, root * Y[..., 1:, :].real], axis=-2)


def _parts(values: Complex[Array, "..."]) -> Float[Array, "... 2"]:
    return jnp.stack([values.real, values.imag], axis=-1)


def _check_kernel(X: S2Spectrum | SO3Spectrum, argument: str, kernel: Array) -> None:
    orders = 1 if isinstance(X, S2Spectrum) else 2
    require(X.coeffs.ndim > orders + 1, "X", X.coeffs, "channels before degrees and orders")
    channels = X.coeffs.shape[-orders - 2]
    fits = kernel.shape[0] == channels and kernel.shape[2] == X.L
    require(fits, argument, kernel, f"{channels} input channels and {X.L} degrees, as X")
