"""Rotation of signals in the spectrum, and Wigner's D for traced angles.

``(Qf)(x) = f(Q⁻¹x)`` acts on the first index of the coefficients, degree by degree,

    F^l_m → Σ_k D^l_{mk}(Q) F^l_k,        F^l_{mn} → Σ_k D^l_{mk}(Q) F^l_{kn},

exactly: no sample is interpolated. A turn about the y axis is one about the z axis seen from the
side. With the constant ``Δ^l = d^l(π/2)``,

    d^l_{mk}(β) = i^{m−k} Σ_u Δ^l_{um} Δ^l_{uk} exp(−iuβ),

so that a rotation is three sets of phases with two real matrix products between them. The angles
enter through phases alone, and derivatives by them are exact.

Source: Risbo, *Fourier transform summation of Legendre series and D-functions*, 1996; Varshalovich,
Moskalev and Khersonskii, *Quantum Theory of Angular Momentum*, section 4.5.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from jaxlab.checks import check_integer, require
from jaxlab.spherical.rotation import Angle, Rotation, as_angles
from jaxlab.spherical.spectra import S2Spectrum, SO3Spectrum, check_spectrum
from jaxlab.spherical.transforms import EXACT
from jaxlab.spherical.wigner import wigner_d

__all__ = ["rotate_s2", "rotate_so3", "wigner_D_jnp"]


def wigner_D_jnp(L: int, alpha: Angle, beta: Angle, gamma: Angle) -> Complex[Array, "*batch l m n"]:
    """``D^l_{mn}(α, β, γ) = exp(−imα) d^l_{mn}(β) exp(−inγ)`` of angles that may be traced.

    Args:
        L: number of degrees.
        alpha: first angle of ``R = R_z(α) R_y(β) R_z(γ)``, radians; the three broadcast.
        beta: second angle.
        gamma: third angle.

    Returns:
        ``[..., L, 2L−1, 2L−1]``, zero where ``l < max(|m|, |n|)``; complex in the precision of the
        angles, at least complex64.

    Raises:
        ValueError: if ``L < 1``, or an angle is concrete and not finite.

    Cost:
        O(L⁴) time and O(L³) memory a rotation. To rotate a signal, :func:`rotate_s2` takes O(L³).

    Example:
        >>> D = wigner_D_jnp(3, 0.1, 0.2, 0.3)
        >>> bool(jnp.allclose(D[2] @ D[2].conj().T, jnp.eye(5), atol=1e-5))
        True
    """
    check_integer("L", L, minimum=1)
    return _matrices(L, *as_angles("alpha, beta, gamma", (alpha, beta, gamma)))


def rotate_s2(F: S2Spectrum, rotation: Rotation) -> S2Spectrum:
    """Spectra of the rotated signals ``(Qf)(x) = f(Q⁻¹x)`` on the sphere.

    The axes of the rotations and the batch axes of ``F`` are matched from the first and broadcast;
    where one side has fewer, it serves along the other's remaining axes. Rotations ``[batch]`` thus
    turn spectra ``[batch, channels]`` sample by sample, and ``[rotations]`` one signal many ways.

    Args:
        F: spectra of signals.
        rotation: ``Q`` as matrices ``[..., 3, 3]``, as :class:`~jaxlab.spherical.EulerAngles` or a
            tuple of the three angles in radians.

    Returns:
        Spectra with the broadcast batch axes, in the precision of ``F``.

    Raises:
        ValueError: if ``F`` is no spectrum of the sphere, the axes do not broadcast, a concrete
            angle is not finite or a concrete matrix is no rotation: ``|det Q − 1|`` or
            ``‖QQᵀ − 1‖`` above 10⁻³.

    Cost:
        O(L³) time and O(L²) memory a signal. Angles are differentiable anywhere; a matrix through
        :func:`~jaxlab.spherical.euler_angles`, whose limits its gradient has.

    Example:
        >>> F = S2Spectrum(jnp.zeros((2, 2), complex).at[1, 0].set(1.0))  # cos β
        >>> rotate_s2(F, (0.0, jnp.pi, 0.0)).coeffs[1, 0].round(3)
        Array(-1.+0.j, dtype=complex64)
    """
    check_spectrum("F", F, S2Spectrum)
    coeffs, angles = _aligned(F.coeffs[..., None], rotation)
    return S2Spectrum(_rotate_s2(coeffs[..., 0], *angles))


def rotate_so3(F: SO3Spectrum, rotation: Rotation) -> SO3Spectrum:
    """Spectra of the rotated signals ``(Qf)(R) = f(Q⁻¹R)`` on the rotation group.

    Args:
        F: spectra of signals, of any azimuthal bandlimit.
        rotation: ``Q``, matched with the batch axes of ``F`` as in :func:`rotate_s2`.

    Returns:
        Spectra with the broadcast batch axes, in the precision of ``F``.

    Raises:
        ValueError: as :func:`rotate_s2` does.

    Cost:
        O(L³ n_max) time and O(L² n_max) memory a signal.

    Example:
        >>> F = SO3Spectrum(jnp.ones((1, 1, 1), complex))  # a constant
        >>> rotate_so3(F, (0.1, 0.2, 0.3)).coeffs
        Array([[[1.+0.j]]], dtype=complex64)
    """
    check_spectrum("F", F, SO3Spectrum)
    coeffs, angles = _aligned(F.coeffs, rotation)
    return SO3Spectrum(_rotate_so3(coeffs, *angles))


def all_orders(F: S2Spectrum | SO3Spectrum) -> Complex[Array, "..."]:
    """Coefficients of ``m = −L+1 … L−1``: a spectrum keeps ``m ≥ 0`` of a real signal."""
    m = np.arange(F.L - 1, 0, -1)
    if isinstance(F, S2Spectrum):
        negative, axis = F.coeffs[..., :0:-1], -1
    else:
        negative, axis = F.coeffs[..., :0:-1, ::-1], -2
        m = m[:, None] - np.arange(-F.n_max + 1, F.n_max)
    signs = jnp.asarray(np.where(m % 2 == 0, 1, -1), F.coeffs.real.dtype)
    return jnp.concatenate([signs * negative.conj(), F.coeffs], axis=axis)


@functools.partial(jax.jit, static_argnames="L")
def _matrices(L: int, alpha: Array, beta: Array, gamma: Array) -> Complex[Array, "*batch l m n"]:
    known = np.abs(np.arange(-L + 1, L)) <= np.arange(L)[:, None]
    columns = np.eye(2 * L - 1) * known[:, None, :]
    return _turn(jnp.asarray(columns, jnp.result_type(beta, 1j)), alpha, beta, gamma)


@jax.jit
def _rotate_s2(
    coeffs: Complex[Array, "*#batch l m"], alpha: Array, beta: Array, gamma: Array
) -> Complex[Array, "*batch l m"]:
    full = all_orders(S2Spectrum(coeffs))[..., None]
    return _turn(full, alpha, beta, gamma)[..., coeffs.shape[-2] - 1 :, 0]


@jax.jit
def _rotate_so3(
    coeffs: Complex[Array, "*#batch l m n"], alpha: Array, beta: Array, gamma: Array
) -> Complex[Array, "*batch l m n"]:
    full = all_orders(SO3Spectrum(coeffs))
    return _turn(full, alpha, beta, gamma)[..., coeffs.shape[-3] - 1 :, :]


def _turn(
    coeffs: Complex[Array, "*#batch l m n"], alpha: Array, beta: Array, gamma: Array
) -> Complex[Array, "*batch l m n"]:
    """``Σ_k D^l_{mk} F^l_{kn}`` for all orders ``m`` and ``k``; the batch axes broadcast."""
    L = coeffs.shape[-3]
    m = np.arange(-L + 1, L)
    quarter = jnp.asarray(_quarter_turn(L), coeffs.real.dtype)
    powers = jnp.asarray(np.array([1, 1j, -1, -1j])[m % 4], coeffs.dtype)[:, None]  # i^m
    coeffs = coeffs * (_phases(gamma, m) * powers.conj())
    coeffs = _real_product("luk,...lknc->...lunc", quarter, coeffs)
    coeffs = coeffs * _phases(beta, m)
    coeffs = _real_product("lum,...lunc->...lmnc", quarter, coeffs)
    return coeffs * (_phases(alpha, m) * powers)


def _phases(angle: Float[Array, "*batch"], m: np.ndarray) -> Complex[Array, "*batch 1 m 1"]:
    """``exp(−imθ)`` along the axis of the orders."""
    phases = angle[..., None] * jnp.asarray(m, angle.dtype)
    return jax.lax.complex(jnp.cos(phases), -jnp.sin(phases))[..., None, :, None]


def _real_product(
    spec: str, table: Float[Array, "..."], coeffs: Complex[Array, "..."]
) -> Complex[Array, "..."]:
    """A product with a real table, as one real matrix product for both parts."""
    parts = jnp.stack([coeffs.real, coeffs.imag], axis=-1)
    parts = jnp.einsum(spec, table, parts, precision=EXACT)
    return jax.lax.complex(parts[..., 0], parts[..., 1])


def _aligned(
    coeffs: Complex[Array, "*batch l m n"], rotation: Rotation
) -> tuple[Complex[Array, "..."], tuple[Array, ...]]:
    """Coefficients and angles with batch axes of one number, matched from the first."""
    angles = as_angles("rotation", rotation, coeffs.real.dtype)
    batch, shape = coeffs.shape[:-3], angles[0].shape
    rank = max(len(batch), len(shape))
    batch, shape = batch + (1,) * (rank - len(batch)), shape + (1,) * (rank - len(shape))
    fits = all(one == other or 1 in (one, other) for one, other in zip(batch, shape, strict=True))
    expected = f"axes that broadcast, from the first, with F's {list(batch)}"
    require(fits, "rotation", list(shape), expected)
    return coeffs.reshape(batch + coeffs.shape[-3:]), tuple(x.reshape(shape) for x in angles)


@functools.lru_cache(maxsize=16)
def _quarter_turn(L: int) -> Float[np.ndarray, "l u m"]:
    """``Δ^l_{um} = d^l_{um}(π/2)``."""
    table = wigner_d(L, np.array([np.pi / 2]))[..., 0]
    table.flags.writeable = False
    return table
