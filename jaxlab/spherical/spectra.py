"""Fourier coefficients of real signals on the sphere and on the rotation group.

    F^l_m    = ∫ f(x) D^l_{m0}(x) dx,      f(x) = Σ_l (2l+1) Σ_m F^l_m conj(D^l_{m0}(x))
    F^l_{mn} = ∫ f(R) D^l_{mn}(R) dR,      f(R) = Σ_l (2l+1) Σ_{mn} F^l_{mn} conj(D^l_{mn}(R))

with normalised Haar measures. A real signal has ``F^l_{−m,−n} = (−1)^{m−n} conj(F^l_{mn})``, so
only ``m ≥ 0`` is stored; ``n`` runs over all of ``−l … l``. Rotating a signal acts on ``m``;
whatever touches only ``n`` or channels commutes with it.
"""

from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from jaxlab.checks import check_integer, check_shape, require

__all__ = [
    "S2Spectrum",
    "SO3Spectrum",
    "change_bandlimit",
    "s2_power_spectrum",
    "so3_power_spectrum",
]


class S2Spectrum(NamedTuple):
    """Coefficients of real signals on the sphere.

    Attributes:
        coeffs: ``F^l_m`` at ``[..., l, m]``, ``m = 0 … L−1``; zero where ``m > l``.
    """

    coeffs: Complex[Array, "*batch l m"]

    @property
    def L(self) -> int:
        """Number of degrees."""
        return self.coeffs.shape[-2]


class SO3Spectrum(NamedTuple):
    """Coefficients of real signals on the rotation group.

    Attributes:
        coeffs: ``F^l_{mn}`` at ``[..., l, m, n + n_max − 1]``, ``m = 0 … L−1``, ``|n| < n_max``;
            zero where ``m > l`` or ``|n| > l``.
    """

    coeffs: Complex[Array, "*batch l m n"]

    @property
    def L(self) -> int:
        """Number of degrees."""
        return self.coeffs.shape[-3]

    @property
    def n_max(self) -> int:
        """The azimuthal bandlimit, such that orders ``|n| < n_max`` are kept."""
        return (self.coeffs.shape[-1] + 1) // 2


Spectrum = TypeVar("Spectrum", S2Spectrum, SO3Spectrum)


def change_bandlimit(spectrum: Spectrum, L: int, n_max: int | None = None) -> Spectrum:
    """The same signal with ``L`` degrees: higher ones are dropped, missing ones are zero.

    Args:
        spectrum: of either kind, any leading axes.
        L: number of degrees of the result.
        n_max: azimuthal bandlimit of the result, on the rotation group only; None takes
            ``L`` where the spectrum has all orders, else ``min(L, spectrum.n_max)``.

    Returns:
        A spectrum of the kind that was given.

    Raises:
        ValueError: if ``L < 1``, or ``n_max`` is outside ``1 … L`` or given for the sphere.

    Cost:
        O(L²) or O(L² n_max) an entry of the batch.

    Example:
        >>> F = S2Spectrum(jnp.ones((2, 2), complex))
        >>> change_bandlimit(F, 3).coeffs.shape
        (3, 3)
    """
    check_integer("L", L, minimum=1)
    check_spectrum("spectrum", spectrum)
    if isinstance(spectrum, S2Spectrum):
        require(n_max is None, "n_max", n_max, "None for a spectrum on the sphere")
        return S2Spectrum(_resize(_resize(spectrum.coeffs, -2, L), -1, L))
    if n_max is None:
        n_max = L if spectrum.n_max == spectrum.L else min(L, spectrum.n_max)
    check_integer("n_max", n_max, minimum=1)
    require(n_max <= L, "n_max", n_max, f"at most L = {L}")
    coeffs = _resize(_resize(spectrum.coeffs, -3, L), -2, L)
    drop = spectrum.n_max - n_max
    if drop >= 0:
        coeffs = coeffs[..., drop : coeffs.shape[-1] - drop]
    else:
        coeffs = jnp.pad(coeffs, [(0, 0)] * (coeffs.ndim - 1) + [(-drop, -drop)])
    return SO3Spectrum(coeffs)


def s2_power_spectrum(spectrum: S2Spectrum) -> Float[Array, "*batch l"]:
    """Power of each degree, ``(2l+1) Σ_m |F^l_m|²``; the sum over degrees is ``∫ f²``.

    Args:
        spectrum: of signals on the sphere.

    Returns:
        Squared units of the signal; does not change when the signal is rotated.

    Raises:
        ValueError: if ``spectrum`` is not one of the sphere.

    Cost:
        O(L²) an entry of the batch.

    Example:
        >>> s2_power_spectrum(S2Spectrum(jnp.eye(1, dtype=complex))).tolist()
        [1.0]
    """
    check_spectrum("spectrum", spectrum, S2Spectrum)
    power = jnp.abs(spectrum.coeffs) ** 2
    total = power[..., 0] + 2 * power[..., 1:].sum(axis=-1)
    return total * (2 * jnp.arange(spectrum.L) + 1)


def so3_power_spectrum(spectrum: SO3Spectrum) -> Float[Array, "*batch l"]:
    """Power of each degree, ``(2l+1) Σ_{mn} |F^l_{mn}|²``; the sum over degrees is ``∫ f²``.

    Args:
        spectrum: of signals on the rotation group.

    Returns:
        Squared units of the signal; does not change when the signal is rotated.

    Raises:
        ValueError: if ``spectrum`` is not one of the rotation group.

    Cost:
        O(L² n_max) an entry of the batch.

    Example:
        >>> so3_power_spectrum(SO3Spectrum(jnp.ones((1, 1, 1), complex))).tolist()
        [1.0]
    """
    check_spectrum("spectrum", spectrum, SO3Spectrum)
    power = (jnp.abs(spectrum.coeffs) ** 2).sum(axis=-1)
    total = power[..., 0] + 2 * power[..., 1:].sum(axis=-1)
    return total * (2 * jnp.arange(spectrum.L) + 1)


def check_spectrum(argument: str, spectrum: object, kind: type | None = None) -> None:
    """Refuse what is not a well-formed spectrum (of ``kind``, when given)."""
    kinds = (S2Spectrum, SO3Spectrum) if kind is None else (kind,)
    names = " or ".join(one.__name__ for one in kinds)
    require(isinstance(spectrum, kinds), argument, spectrum, f"a spectrum: {names}")
    coeffs = spectrum.coeffs  # type: ignore[attr-defined]
    require(jnp.iscomplexobj(coeffs), argument, coeffs, "complex coefficients")
    if isinstance(spectrum, S2Spectrum):
        check_shape(argument, coeffs, ("...", "L", "L"))
        require(coeffs.shape[-1] == coeffs.shape[-2], argument, coeffs, "shape [..., L, L]")
    else:
        check_shape(argument, coeffs, ("...", "L", "L", "2 n_max - 1"))
        fits = coeffs.shape[-2] == coeffs.shape[-3] and coeffs.shape[-1] % 2 == 1
        fits = fits and coeffs.shape[-1] < 2 * coeffs.shape[-3]
        require(fits, argument, coeffs, "shape [..., L, L, 2 n_max - 1] with n_max <= L")


def _resize(array: Array, axis: int, size: int) -> Array:
    """``array`` cut, or filled with zeros at the end, along ``axis``."""
    if array.shape[axis] >= size:
        return jax.lax.slice_in_dim(array, 0, size, axis=axis)
    pad = [(0, 0)] * array.ndim
    pad[axis] = (0, size - array.shape[axis])
    return jnp.pad(array, pad)
