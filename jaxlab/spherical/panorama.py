"""Equirectangular panoramas: ``H × W`` pixels, equally spaced in colatitude and longitude.

Pixel ``(i, j)`` is centred at ``β = π(i + ½)/H, α = 2π(j + ½)/W``: rows run from the north pole to
the south pole, columns once round the sphere. The rows are the colatitudes of a ``"soft"`` grid of
bandwidth ``H/2``, so that the transform of that grid is exact for panoramas.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Shaped

from jaxlab.checks import check_dtype, check_shape, require
from jaxlab.spherical._azimuths import EXACT
from jaxlab.spherical.grids import colatitudes, longitudes
from jaxlab.spherical.projection import check_image, float_dtype
from jaxlab.spherical.spectra import S2Spectrum
from jaxlab.spherical.tables import S2Tables, check_precision
from jaxlab.spherical.types import Grid

__all__ = ["erp_analysis", "resample_erp"]


def resample_erp(
    image: Shaped[Array | np.ndarray, "h w ..."], b: int, grid: Grid = "soft"
) -> Float[Array, "k j ..."]:
    """A panorama on a grid of the sphere, without aliasing when it is shrunk.

    Bilinear between the centres of pixels where the grid is finer than the panorama. Where it is
    coarser by a factor ``s`` along one axis, each point is the average of the pixels within one
    step of the grid, weighted by a tent ``2s`` pixels wide, which suppresses what the grid cannot
    hold. Columns go round; rows go on beyond a pole on the opposite meridian.

    Args:
        image: ``[h, w]`` or ``[h, w, channels]``; integers are read as float32.
        b: bandwidth of the grid.
        grid: kind of grid.

    Returns:
        ``[β, α]`` or ``[β, α, channels]`` in units of the image; float16 and bfloat16 are
        interpolated in float32.

    Raises:
        ValueError: for a bad shape or dtype, bandwidth or grid.

    Cost:
        O(h w channels) when it is shrunk; O(b² channels) when it is enlarged.

    Example:
        >>> resample_erp(jnp.ones((16, 32, 3)), b=4).shape
        (8, 8, 3)
    """
    check_image("image", image)
    rows, columns = colatitudes(b, grid), longitudes(b)
    image = jnp.asarray(image)
    height, width = image.shape[:2]
    row, row_weight = _tent(rows / np.pi * height - 0.5, height / rows.size)
    column, column_weight = _tent(columns / (2 * np.pi) * width - 0.5, width / columns.size)
    return _resample(image, row, row_weight, column % width, column_weight)


@jax.jit
def _resample(
    image: Array, row: Array, row_weight: Array, column: Array, column_weight: Array
) -> Array:
    height = image.shape[0]
    wide = image.astype(jnp.promote_types(float_dtype(image), jnp.float32))
    wide = wide.reshape(*image.shape[:2], -1)
    # half way round; half a pixel short and half a pixel beyond where the width is odd
    half, rest = divmod(image.shape[1], 2)
    opposite = (jnp.roll(wide, half, axis=1) + jnp.roll(wide, half + rest, axis=1)) / 2
    beyond = (row < 0) | (row >= height)
    row = jnp.where(row < 0, -1 - row, row)
    row = jnp.where(row >= height, 2 * height - 1 - row, row)
    row_weight, column_weight = row_weight.astype(wide.dtype), column_weight.astype(wide.dtype)
    pixels = jnp.where(beyond[..., None, None], opposite[row], wide[row])
    rows = jnp.einsum("kt,ktjc->kjc", row_weight, pixels, precision=EXACT)
    result = jnp.einsum("jt,kjtc->kjc", column_weight, rows[:, column], precision=EXACT)
    return result.reshape(*result.shape[:2], *image.shape[2:]).astype(float_dtype(image))


def _tent(
    position: Float[np.ndarray, " k"], pixels: float
) -> tuple[np.ndarray, Float[np.ndarray, "k t"]]:
    """Pixels that a position is averaged over, and weights that fall linearly to the next step."""
    reach = max(pixels, 1.0)
    first = np.floor(position - reach).astype(int) + 1
    taps = first[:, None] + np.arange(math.ceil(2 * reach))
    weight = np.maximum(1 - np.abs(taps - position[:, None]) / reach, 0)
    return taps, weight / weight.sum(axis=1, keepdims=True)


@jax.jit
def erp_analysis(image: Float[Array, "*batch h w"], tables: S2Tables) -> S2Spectrum:
    """Spectrum of a panorama, by the quadrature of its rows.

    ``F^l_m = Σ_{ij} w_i f_ij d^l_{m0}(β_i) exp(−imα_j)``: exact for a panorama of a bandlimited
    field, and a panorama with more detail loses what is beyond the degrees kept. Synthesis on any
    grid then resamples it spectrally.

    Args:
        image: ``[..., h, w]`` with ``h`` even, channels among the leading axes; float16 and
            bfloat16 are transformed in float32.
        tables: ``make_s2_tables(b=h // 2, L=L)``, with ``2L ≤ w + 1``.

    Returns:
        The spectrum, complex in the precision of ``tables``.

    Raises:
        ValueError: for a panorama of another height than ``tables``, narrower than its degrees
            need, not floating, or more precise than ``tables``; tables of another grid than
            ``"soft"``.

    Cost:
        O(h w log w + h L²) a panorama.

    Example:
        >>> from jaxlab.spherical import make_s2_tables
        >>> F = erp_analysis(jnp.ones((16, 32)), make_s2_tables(b=8, L=4))
        >>> bool(jnp.allclose(F.coeffs[0, 0], 1.0, atol=1e-6))
        True
    """
    require(isinstance(tables, S2Tables), "tables", type(tables), "S2Tables")
    require(tables.grid == "soft", "tables", tables.grid, "a soft grid")
    check_dtype("image", image, "floating")
    check_shape("image", image, ("...", tables.shape[0], "w"))
    width, dtype = image.shape[-1], tables.d.dtype
    require(width >= 2 * tables.L - 1, "image", image, f"a width of 2L - 1 = {2 * tables.L - 1}")
    check_precision("image", image, dtype)
    # pixels begin half a step from the first meridian, and there are w of them, not 2b
    turn = np.exp(-1j * np.pi / width * np.arange(tables.L)) * (2 * tables.b / width)
    bins = jnp.fft.rfft(image.astype(dtype), axis=-1)[..., : tables.L]
    bins = bins * jnp.asarray(turn, bins.dtype)
    parts = jnp.stack([bins.real, bins.imag], axis=-1) * tables.weights[:, None, None]
    coeffs = jnp.einsum("mlk,...kmc->...lmc", tables.d, parts, precision=EXACT)
    return S2Spectrum(jax.lax.complex(coeffs[..., 0], coeffs[..., 1]))
