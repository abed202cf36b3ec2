"""The Fourier transforms over the azimuths α and γ: by XLA's FFT, or by matrix products.

Between samples and the sums over colatitudes, orders are laid out ``[m, n, 2, β, signal]``, real
and imaginary part apart, signals innermost. A product with a small DFT matrix from the left, and
then one with a table of Wigner's d, is so a plain real matrix product on contiguous memory, with no
transposition between, and only the orders that are kept are computed.
"""

from typing import get_args

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from jaxlab.checks import check_choice
from jaxlab.spherical.tables import S2Tables, SO3Tables
from jaxlab.spherical.types import Dft

__all__ = [
    "EXACT",
    "choose_dft",
    "s2_orders",
    "s2_samples",
    "so3_orders",
    "so3_samples",
]

EXACT = jax.lax.Precision.HIGHEST  # bfloat16 or TF32 products would destroy equivariance

# Up to this bandwidth DFT matrices beat the FFT on CPUs, layouts included; gradients even more so.
MATMUL_BANDWIDTH = 64


def choose_dft(fft: Dft | None, b: int) -> Dft:
    """The transform that is used for ``fft`` on a grid of bandwidth ``b``."""
    if fft is None:
        backend = jax.default_backend()
        small = backend == "cpu" and b <= MATMUL_BANDWIDTH
        return "matmul" if backend == "tpu" or small else "xla"
    check_choice("fft", fft, get_args(Dft))
    return fft


def s2_orders(
    f: Float[Array, "z k j"], tables: S2Tables, fft: Dft | None
) -> Float[Array, "m 2 k z"]:
    """``Σ_j f_j exp(−imα_j)`` for ``0 ≤ m < L``."""
    L, (k, j), z = tables.L, tables.shape, f.shape[0]
    if choose_dft(fft, tables.b) == "xla":
        bins = _resize(jnp.fft.rfft(f, axis=-1)[..., : tables.b], L)
        return jnp.stack([bins.real, bins.imag]).transpose(3, 0, 2, 1)
    orders = _matmul(_alpha_basis(L, tables.b).T, f.transpose(2, 1, 0).reshape(j, k * z))
    return orders.reshape(L, 2, k, z)


def s2_samples(
    orders: Float[Array, "m 2 k z"], tables: S2Tables, fft: Dft | None
) -> Float[Array, "z k j"]:
    """The real signals ``Σ_m X_m exp(imα_j)`` from the orders ``m ≥ 0``."""
    b, L, (k, j), z = tables.b, tables.L, tables.shape, orders.shape[-1]
    if choose_dft(fft, b) == "xla":
        parts = orders.transpose(1, 3, 2, 0)
        bins = _resize(jax.lax.complex(parts[0], parts[1])[..., :b], b + 1)
        return jnp.fft.irfft(bins, n=j, axis=-1) * j
    basis = _alpha_basis(L, b) * _both_signs(L)
    samples = _matmul(basis, orders.reshape(2 * L, k * z))
    return samples.reshape(j, k, z).transpose(2, 1, 0)


def so3_orders(
    f: Float[Array, "z k i j"], tables: SO3Tables, fft: Dft | None
) -> Float[Array, "m n 2 k z"]:
    """``Σ_{ij} f_{ij} exp(−imα_j − inγ_i)`` for ``0 ≤ m < L`` and ``|n| < n_max``."""
    L, (k, i, j), z = tables.L, tables.shape, f.shape[0]
    if choose_dft(fft, tables.b) == "xla":
        bins = _resize(jnp.fft.rfft2(f)[..., : tables.b], L)
        bins = _from_fft_order(bins, tables)
        return jnp.stack([bins.real, bins.imag]).transpose(4, 3, 0, 2, 1)
    orders = _matmul(_alpha_basis(L, tables.b).T, f.transpose(3, 2, 1, 0).reshape(j, i * k * z))
    orders = _matmul(_turns(tables).mT, orders.reshape(L, 2 * i, k * z))
    return orders.reshape(L, 2 * tables.n_max - 1, 2, k, z)


def so3_samples(
    orders: Float[Array, "m n 2 k z"], tables: SO3Tables, fft: Dft | None
) -> Float[Array, "z k i j"]:
    """The real signals ``Σ_{mn} X_{mn} exp(imα_j + inγ_i)`` from the orders ``m ≥ 0``."""
    b, L, (k, i, j), z = tables.b, tables.L, tables.shape, orders.shape[-1]
    if choose_dft(fft, b) == "xla":
        parts = orders.transpose(2, 4, 3, 1, 0)
        bins = _resize(jax.lax.complex(parts[0], parts[1])[..., :b], b + 1)
        return jnp.fft.irfft2(_to_fft_order(bins, tables), s=(i, j)) * (i * j)
    turned = _matmul(_turns(tables), orders.reshape(L, 4 * tables.n_max - 2, k * z))
    basis = _alpha_basis(L, b) * _both_signs(L)
    samples = _matmul(basis, turned.reshape(2 * L, i * k * z))
    return samples.reshape(j, i, k, z).transpose(3, 2, 1, 0)


# --- DFT matrices -----------------------------------------------------------------------------


def _matmul(matrix: np.ndarray | Array, values: Float[Array, "..."]) -> Float[Array, "..."]:
    return jnp.matmul(jnp.asarray(matrix, values.dtype), values, precision=EXACT)


def _alpha_basis(L: int, b: int) -> Float[np.ndarray, "j m2"]:
    """``cos(mα_j), −sin(mα_j)``; zero for the orders from ``b`` on, which the grid cannot tell."""
    angles = _angles(np.arange(L), 2 * b).T
    basis = np.stack([np.cos(angles), -np.sin(angles)], axis=-1)
    basis[:, b:] = 0
    return basis.reshape(2 * b, 2 * L)


def _both_signs(L: int) -> Float[np.ndarray, " m2"]:
    """How many of the orders ``±m`` of a real signal there are, for both parts."""
    return np.where(np.arange(2 * L) < 2, 1.0, 2.0)


def _turns(tables: SO3Tables) -> Float[Array, "m i2 n2"]:
    """Multiplication by ``exp(inγ_i)`` as a real matrix; its transpose turns the other way."""
    n = np.arange(-tables.n_max + 1, tables.n_max)
    angles = _angles(n, tables.gamma_size)
    known = (np.abs(n) < tables.b)[:, None]
    cos, sin = np.cos(angles) * known, np.sin(angles) * known
    turn = np.array([[cos, -sin], [sin, cos]]).transpose(0, 3, 2, 1)  # [part, i, n, part]
    matrix = jnp.asarray(turn.reshape(2 * tables.gamma_size, -1), tables.d.dtype)
    return jnp.broadcast_to(matrix, (tables.L, *matrix.shape))  # m stays a batch axis, outermost


def _angles(orders: np.ndarray, size: int) -> Float[np.ndarray, "m j"]:
    """``order · angle`` reduced exactly modulo a turn before it is scaled."""
    return 2 * np.pi / size * (np.outer(orders, np.arange(size)) % size)


# --- bins of the FFT --------------------------------------------------------------------------


def _resize(bins: Complex[Array, "..."], size: int) -> Complex[Array, "..."]:
    """The last axis cut, or filled with zeros at the end."""
    bins = bins[..., :size]
    return jnp.pad(bins, [(0, 0)] * (bins.ndim - 1) + [(0, size - bins.shape[-1])])


def _from_fft_order(
    bins: Complex[Array, "... i m"], tables: SO3Tables
) -> Complex[Array, "... n m"]:
    """Orders ``n = −n_max+1 … n_max−1`` out of FFT order; orders from ``b`` on are zero."""
    known = min(tables.n_max, tables.b)
    negative = bins[..., bins.shape[-2] - (known - 1) :, :]
    bins = jnp.concatenate([negative, bins[..., :known, :]], axis=-2)
    extra = tables.n_max - known
    return jnp.pad(bins, [(0, 0)] * (bins.ndim - 2) + [(extra, extra), (0, 0)])


def _to_fft_order(bins: Complex[Array, "... n m"], tables: SO3Tables) -> Complex[Array, "... i m"]:
    """Inverse of :func:`_from_fft_order`, with zeros between."""
    known = min(tables.n_max, tables.b)
    middle = tables.n_max - 1
    gap = tables.gamma_size - (2 * known - 1)
    zeros = jnp.zeros((*bins.shape[:-2], gap, bins.shape[-1]), bins.dtype)
    positive = bins[..., middle : middle + known, :]
    negative = bins[..., middle - known + 1 : middle, :]
    return jnp.concatenate([positive, zeros, negative], axis=-2)
