"""Wigner's d and D matrices in float64, by a recurrence in the degree.

``d^l_{mn}(β) = ⟨l m| exp(−iβJ_y) |l n⟩`` with the Condon and Shortley phase, and
``D^l_{mn}(α, β, γ) = exp(−imα) d^l_{mn}(β) exp(−inγ)`` in zyz Euler angles. From the seed at
``l = J = max(|m|, |n|)``,

    d^J_{J,n} = √C(2J, J+n) cos(β/2)^{J+n} (−sin(β/2))^{J−n},

and its symmetries, a three-term recurrence in ``l`` runs for all ``(m, n, β)`` at once. These are
host functions for set-up; :mod:`jaxlab.spherical.spectral_rotation` has D for traced angles.

Source: Kostelec and Rockmore, *FFTs on the rotation group*, 2008, section 2 (recurrence);
Varshalovich, Moskalev and Khersonskii, *Quantum Theory of Angular Momentum*, chapter 4.
"""

import operator
from collections.abc import Iterator

import numpy as np
from jaxtyping import Complex, Float, Int
from scipy.special import gammaln

from jaxlab.checks import check_integer, check_number, require

__all__ = ["wigner_D", "wigner_d"]


def wigner_d(
    L: int, beta: Float[np.ndarray, " k"], n_max: int | None = None
) -> Float[np.ndarray, "l m n k"]:
    """``d^l_{mn}(β)`` for every degree below ``L``.

    Args:
        L: number of degrees.
        beta: angles in radians.
        n_max: keep the orders ``|n| < n_max`` only; None keeps all, as ``n_max = L`` does.

    Returns:
        ``[L, 2L−1, 2·n_max−1, len(beta)]`` in float64: degree ``l``, order ``m + L − 1``, order
        ``n + n_max − 1``, angle. Entries with ``l < max(|m|, |n|)`` are 0.

    Raises:
        ValueError: if ``L < 1``, ``n_max`` is outside ``1 … L``, or ``beta`` is not
            flat and finite.

    Cost:
        O(L² · n_max · len(beta)) time and memory; absolute error below 2e-13 up to ``L = 64`` and
        1e-12 up to ``L = 128``.

    Source:
        The recurrence of Kostelec and Rockmore, 2008.

    Example:
        >>> d = wigner_d(2, np.array([0.7]))
        >>> round(float(d[1, 1 + 1, 0 + 1, 0]), 7)
        -0.4555307
    """
    check_integer("L", L, minimum=1)
    n_max = L if n_max is None else n_max
    check_integer("n_max", n_max, minimum=1)
    L, n_max = operator.index(L), operator.index(n_max)
    require(n_max <= L, "n_max", n_max, f"at most L = {L}")
    beta = np.asarray(beta, np.float64)
    require(beta.ndim == 1, "beta", beta, "a flat array of angles")
    check_number("beta", beta)
    m, n = np.arange(-L + 1, L), np.arange(-n_max + 1, n_max)
    return np.stack(list(degrees(L, m, n, beta)))


def wigner_D(
    L: int,
    alpha: float | Float[np.ndarray, "..."],
    beta: float | Float[np.ndarray, "..."],
    gamma: float | Float[np.ndarray, "..."],
) -> Complex[np.ndarray, "... l m n"]:
    """``D^l_{mn}(α, β, γ) = exp(−imα) d^l_{mn}(β) exp(−inγ)`` for every degree below ``L``.

    Args:
        L: number of degrees.
        alpha: first angle of ``R = R_z(α) R_y(β) R_z(γ)``, radians; the three broadcast.
        beta: second angle.
        gamma: third angle.

    Returns:
        ``[..., L, 2L−1, 2L−1]`` in complex128, zero where ``l < max(|m|, |n|)``.

    Raises:
        ValueError: if ``L < 1`` or an angle is not finite.

    Cost:
        O(L³) a rotation, time and memory.

    Example:
        >>> D = wigner_D(3, 0.1, 0.2, 0.3)
        >>> bool(np.allclose(D[2] @ D[2].conj().T, np.eye(5)))
        True
    """
    alpha, beta, gamma = np.broadcast_arrays(alpha, beta, gamma)
    for name, angle in (("alpha", alpha), ("gamma", gamma)):
        check_number(name, angle)
    d = np.moveaxis(wigner_d(L, np.asarray(beta, np.float64).ravel()), -1, 0)
    d = d.reshape(beta.shape + d.shape[1:])
    L = operator.index(L)
    orders = np.arange(-L + 1, L)
    left = np.exp(-1j * alpha[..., None] * orders)[..., None, :, None]
    right = np.exp(-1j * gamma[..., None] * orders)[..., None, None, :]
    return left * d * right


def degrees(
    L: int,
    m: Int[np.ndarray, " m"],
    n: Int[np.ndarray, " n"],
    beta: Float[np.ndarray, " k"],
) -> Iterator[Float[np.ndarray, "m n k"]]:
    """``d^l_{mn}(β)`` degree by degree, for any orders: one array ``[m, n, k]`` for each l < L."""
    m, n = m[:, None, None], n[None, :, None]
    first = np.maximum(np.abs(m), np.abs(n))
    seed = _seeds(m, n, first, beta)
    cosine = np.cos(beta)
    previous, current = np.zeros_like(seed), np.zeros_like(seed)
    for degree in range(L):
        if degree == 1:
            step = cosine * current
        elif degree > 1:
            k = degree - 1
            below = first <= k  # where the recurrence has begun; elsewhere its roots are 0 or less
            root = np.sqrt(np.where(below, (degree**2 - m**2) * (degree**2 - n**2), 1))
            back = np.sqrt(np.where(below, (k**2 - m**2) * (k**2 - n**2), 0))
            step = (cosine - m * n / (k * degree)) * current - back / (k * (2 * k + 1)) * previous
            step *= degree * (2 * k + 1) / root
        else:
            step = current
        previous, current = (
            current,
            np.where(first < degree, step, np.where(first == degree, seed, 0.0)),
        )
        yield current


def _seeds(
    m: Int[np.ndarray, "m 1 1"],
    n: Int[np.ndarray, "1 n 1"],
    first: Int[np.ndarray, "m n 1"],
    beta: Float[np.ndarray, " k"],
) -> Float[np.ndarray, "m n k"]:
    """``d^J_{mn}`` at ``J = max(|m|, |n|)``, from ``d^J_{J,k}`` by the symmetries of d."""
    cases = [m == first, n == -first, m == -first]
    k = np.select(cases, [n + 0 * m, -m + 0 * n, -n + 0 * m], default=m + 0 * n)
    turned = np.select(cases, [0 * first, 0 * first, m - n], default=m - n)
    sign = np.where((turned + first - k) % 2 == 0, 1.0, -1.0)
    binomial = gammaln(2 * first + 1) - gammaln(first + k + 1) - gammaln(first - k + 1)
    with np.errstate(divide="ignore"):
        log_cos = np.log(np.abs(np.cos(beta / 2)))
        log_sin = np.log(np.abs(np.sin(beta / 2)))
    power = 0.5 * binomial + _times(first + k, log_cos) + _times(first - k, log_sin)
    # cos(β/2) and sin(β/2) are signed: angles outside [0, π] turn some seeds round
    sign = sign * _parity(first + k, np.cos(beta / 2)) * _parity(first - k, np.sin(beta / 2))
    return sign * np.exp(power)


def _times(exponent: Int[np.ndarray, "..."], logarithm: Float[np.ndarray, " k"]) -> np.ndarray:
    """``exponent · logarithm`` with ``0 · log 0 = 0``, so that the poles work."""
    with np.errstate(invalid="ignore"):
        return np.where(exponent == 0, 0.0, exponent * logarithm)


def _parity(exponent: Int[np.ndarray, "..."], base: Float[np.ndarray, " k"]) -> np.ndarray:
    return np.where((base < 0) & (exponent % 2 != 0), -1.0, 1.0)
