"""Signals on the sphere and the rotation group from their definition, in numpy and float64."""

import fractions
import math

import numpy as np
import scipy.linalg

from jaxlab.spherical.wigner import wigner_D

__all__ = [
    "angular_momentum_d",
    "evaluate_s2",
    "evaluate_so3",
    "exact_d",
    "full_orders",
    "random_s2",
    "random_so3",
    "spherical_angles",
]


def exact_d(degree: int, m: int, n: int, p: int, q: int) -> float:
    """``d^l_{mn}(β)`` at ``tan(β/2) = p/q`` by Wigner's sum, in whole numbers."""
    total = 0
    for s in range(max(0, n - m), min(degree - m, degree + n) + 1):
        ways = math.comb(degree + m, m - n + s) * math.comb(degree - m, s)
        sines = m - n + 2 * s
        total += (-1) ** (m - n + s) * ways * p**sines * q ** (2 * degree - sines)
    square = fractions.Fraction(total * total, (p * p + q * q) ** (2 * degree))
    square *= fractions.Fraction(
        math.factorial(degree + n) * math.factorial(degree - n),
        math.factorial(degree + m) * math.factorial(degree - m),
    )
    return math.sqrt(square) if total > 0 else -math.sqrt(square)


def angular_momentum_d(degree: int, beta: float) -> np.ndarray:
    """``exp(−iβJ_y)`` of the angular momentum matrices, rows and columns ``−l … l``."""
    m = np.arange(-degree, degree)
    raising = np.diag(np.sqrt(degree * (degree + 1) - m * (m + 1)), -1)
    return scipy.linalg.expm(-beta * (raising - raising.T) / 2)


def random_s2(rng: np.random.Generator, L: int, batch: tuple[int, ...] = ()) -> np.ndarray:
    """Coefficients ``[..., l, m ≥ 0]`` of random real signals on the sphere."""
    values = rng.standard_normal((2, *batch, L, L))
    coeffs = values[0] + 1j * values[1]
    coeffs[..., 0] = coeffs[..., 0].real
    return coeffs * np.tri(L) / (1 + np.arange(L)[:, None])


def random_so3(
    rng: np.random.Generator, L: int, n_max: int | None = None, batch: tuple[int, ...] = ()
) -> np.ndarray:
    """Coefficients ``[..., l, m ≥ 0, n]`` of random real signals on the rotation group."""
    n_max = L if n_max is None else n_max
    n = np.arange(-n_max + 1, n_max)
    values = rng.standard_normal((2, *batch, L, L, 2 * n_max - 1))
    coeffs = values[0] + 1j * values[1]
    mirrored = (-1.0) ** n * coeffs[..., 0, ::-1].conj()
    coeffs[..., 0, :] = (coeffs[..., 0, :] + mirrored) / 2
    degree = np.arange(L)[:, None, None]
    return coeffs * np.tri(L)[:, :, None] * (np.abs(n) <= degree) / (1 + degree)


def full_orders(coeffs: np.ndarray, n_max: int | None = None) -> np.ndarray:
    """All orders ``m`` of the coefficients of real signals; on the sphere ``n_max`` is None."""
    if n_max is None:
        L = coeffs.shape[-1]
        signs = (-1.0) ** np.arange(L - 1, 0, -1)
        return np.concatenate([signs * coeffs[..., :0:-1].conj(), coeffs], axis=-1)
    L = coeffs.shape[-2]
    signs = (-1.0) ** (np.arange(L - 1, 0, -1)[:, None] - np.arange(-n_max + 1, n_max))
    return np.concatenate([signs * coeffs[..., :0:-1, ::-1].conj(), coeffs], axis=-2)


def evaluate_s2(coeffs: np.ndarray, beta: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """One signal at any points, ``Σ_l (2l+1) Σ_m F^l_m conj(D^l_{m0})``."""
    L = coeffs.shape[-1]
    D = wigner_D(L, alpha, beta, 0.0)[..., L - 1]
    dimensions = 2 * np.arange(L) + 1
    values = np.einsum("l,lm,...lm->...", dimensions, full_orders(coeffs), D.conj())
    np.testing.assert_allclose(values.imag, 0, atol=1e-12)
    return values.real


def evaluate_so3(
    coeffs: np.ndarray, alpha: np.ndarray, beta: np.ndarray, gamma: np.ndarray
) -> np.ndarray:
    """One signal at any rotations, ``Σ_l (2l+1) Σ_{mn} F^l_{mn} conj(D^l_{mn})``."""
    L, n_max = coeffs.shape[-2], (coeffs.shape[-1] + 1) // 2
    D = wigner_D(L, alpha, beta, gamma)[..., L - n_max : L + n_max - 1]
    dimensions = 2 * np.arange(L) + 1
    values = np.einsum("l,lmn,...lmn->...", dimensions, full_orders(coeffs, n_max), D.conj())
    np.testing.assert_allclose(values.imag, 0, atol=1e-12)
    return values.real


def spherical_angles(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Colatitude and longitude of unit vectors ``[3, ...]``."""
    return np.arccos(np.clip(points[2], -1, 1)), np.arctan2(points[1], points[0])
