"""The transforms in real arithmetic, with the signals on the innermost axes.

Spectra are real and imaginary parts, ``[m, 2, l, ...]`` on the sphere and ``[m, n, 2, l, ...]`` on
the rotation group, where ``...`` are the leading axes of the signals. In this layout every stage of
a transform, and of the products between spectra, is a small matrix times a long one. The public
transforms and the layers both stand on it; the layers never form a complex number.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxlab.spherical._azimuths import (
    EXACT,
    s2_orders,
    s2_samples,
    so3_orders,
    so3_samples,
)
from jaxlab.spherical.spectra import S2Spectrum, SO3Spectrum, Spectrum
from jaxlab.spherical.tables import S2Tables, SO3Tables
from jaxlab.spherical.types import Dft

__all__ = [
    "from_parts",
    "s2_forward",
    "s2_inverse",
    "so3_forward",
    "so3_inverse",
    "to_parts",
]


def s2_forward(
    f: Float[Array, "*z k j"], tables: S2Tables, fft: Dft | None
) -> Float[Array, "m 2 l *z"]:
    """``F^l_m = Σ_k w_k d^l_{m0}(β_k) Σ_j f_{kj} exp(−imα_j)``."""
    batch = f.shape[:-2]
    f = f.astype(tables.d.dtype).reshape(math.prod(batch), *tables.shape)
    d = _for_each_part(tables.d * tables.weights)
    parts = jnp.matmul(d, s2_orders(f, tables, fft), precision=EXACT)
    return parts.reshape(*parts.shape[:-1], *batch)


def s2_inverse(
    parts: Float[Array, "m 2 l *z"], tables: S2Tables, fft: Dft | None
) -> Float[Array, "*z k j"]:
    """``f_{kj} = Σ_m exp(imα_j) Σ_l (2l+1) d^l_{m0}(β_k) F^l_m``."""
    batch = parts.shape[3:]
    parts = parts.reshape(*parts.shape[:3], math.prod(batch))
    d = _for_each_part((tables.d * _dimensions(tables.L)).mT)
    orders = jnp.matmul(d, parts, precision=EXACT)
    return s2_samples(orders, tables, fft).reshape(*batch, *tables.shape)


def so3_forward(
    f: Float[Array, "*z k i j"], tables: SO3Tables, fft: Dft | None
) -> Float[Array, "m n 2 l *z"]:
    """``F^l_{mn} = Σ_k w_k d^l_{mn}(β_k) Σ_{ij} f_{kij} exp(−imα_j − inγ_i)``."""
    batch = f.shape[:-3]
    f = f.astype(tables.d.dtype).reshape(math.prod(batch), *tables.shape)
    d = _for_each_part((tables.d * tables.weights).swapaxes(0, 1))
    parts = jnp.matmul(d, so3_orders(f, tables, fft), precision=EXACT)
    return parts.reshape(*parts.shape[:-1], *batch)


def so3_inverse(
    parts: Float[Array, "m n 2 l *z"], tables: SO3Tables, fft: Dft | None
) -> Float[Array, "*z k i j"]:
    """``f_{kij} = Σ_{mn} exp(imα_j + inγ_i) Σ_l (2l+1) d^l_{mn}(β_k) F^l_{mn}``."""
    batch = parts.shape[4:]
    parts = parts.reshape(*parts.shape[:4], math.prod(batch))
    d = _for_each_part((tables.d * _dimensions(tables.L)).swapaxes(0, 1).mT)
    orders = jnp.matmul(d, parts, precision=EXACT)
    return so3_samples(orders, tables, fft).reshape(*batch, *tables.shape)


def to_parts(F: S2Spectrum | SO3Spectrum) -> Float[Array, "..."]:
    """The layout of this module, of a spectrum."""
    parts = jnp.stack([F.coeffs.real, F.coeffs.imag])
    if isinstance(F, S2Spectrum):
        return jnp.moveaxis(parts, (-1, 0, -2), (0, 1, 2))
    return jnp.moveaxis(parts, (-2, -1, 0, -3), (0, 1, 2, 3))


def from_parts(parts: Float[Array, "..."], kind: type[Spectrum]) -> Spectrum:
    """The spectrum of the given kind out of this module's layout."""
    if kind is S2Spectrum:
        parts = jnp.moveaxis(parts, (1, 2, 0), (0, -2, -1))
    else:
        parts = jnp.moveaxis(parts, (2, 3, 0, 1), (0, -3, -2, -1))
    return kind(jax.lax.complex(parts[0], parts[1]))


def _dimensions(L: int) -> Float[np.ndarray, "l 1"]:
    return (2 * np.arange(L) + 1)[:, None].astype(np.float32)


def _for_each_part(d: Float[Array, "... p q"]) -> Float[Array, "... 2 p q"]:
    """The same matrix for real and imaginary part, which makes them axes of a batch."""
    return jnp.broadcast_to(d[..., None, :, :], (*d.shape[:-2], 2, *d.shape[-2:]))
