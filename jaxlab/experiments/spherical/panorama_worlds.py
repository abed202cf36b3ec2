"""Worlds whose panoramas can be turned exactly, and the ways from a panorama to a network's grid.

A world is a bandlimited signal of three channels. Turned in its spectrum and sampled again, it
gives the panorama that a turned camera would have taken, with nothing interpolated.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxlab.checks import require
from jaxlab.data.photographs import photograph
from jaxlab.spherical.healpix import healpix_analysis, healpix_synthesis, make_healpix_tables
from jaxlab.spherical.panorama import erp_analysis, resample_erp
from jaxlab.spherical.resampling import rotate_grid
from jaxlab.spherical.spectra import S2Spectrum, change_bandlimit, s2_power_spectrum
from jaxlab.spherical.spectral_rotation import rotate_s2
from jaxlab.spherical.synthetic import bandlimited_field
from jaxlab.spherical.tables import make_s2_tables
from jaxlab.spherical.transforms import s2_analysis, s2_synthesis

__all__ = [
    "FRONTS",
    "PHOTOGRAPH_ROWS",
    "WORLDS",
    "Front",
    "Sizes",
    "World",
    "about_worlds",
    "gains",
    "load_world",
    "panoramas",
    "signals",
]

World: TypeAlias = Literal["field", "photograph"]
Front: TypeAlias = Literal["analysis", "resampling", "healpix_0", "healpix_3", "turned_on_grid"]

WORLDS: Mapping[World, str] = {
    "field": "random field",
    "photograph": "photograph wrapped round",
}
FRONTS: Mapping[Front, str] = {
    "analysis": "panorama, spectrum",
    "resampling": "panorama, pixels resampled",
    "healpix_3": "HEALPix, 3 corrections",
    "healpix_0": "HEALPix, no correction",
    "turned_on_grid": "turned on the network's grid",
}
CHANNELS = 3
PHOTOGRAPH_ROWS = 320  # of china.jpg, 427 × 640: the middle of it is twice as wide as high


class Sizes(NamedTuple):
    """Resolutions on the way.

    Attributes:
        degrees: of the world.
        height: of panoramas, in pixels.
        nside: of HEALPix maps.
        bandwidth: of the network's grid.
    """

    degrees: int
    height: int
    nside: int
    bandwidth: int


def about_worlds(worlds: Sequence[World]) -> str:
    """What a reader has to know of the photograph, where it is among them."""
    if "photograph" not in worlds:
        return ""
    return (
        " The photograph is the middle of scikit-learn's china.jpg, laid once round the sphere: a "
        "natural image with its edges and textures, but with a seam at the first meridian and "
        "poles that no camera saw."
    )


def load_world(name: World, degrees: int, slope: float, seed: int) -> S2Spectrum:
    """Three channels, each of mean 0 and variance 1 over the sphere: ``[3, degrees, degrees]``.

    ``"field"`` has random coefficients that fall as ``(1 + l)^(−slope)``. ``"photograph"`` is the
    middle of scikit-learn's ``china.jpg``, laid once round the sphere like a panorama: it has a
    seam, and poles that no camera saw.
    """
    if name == "field":
        keys = jax.random.split(jax.random.key(seed), CHANNELS)
        F = jax.vmap(functools.partial(bandlimited_field, b=degrees, slope=slope))(keys)
    else:
        pixels = _photograph()
        rows = pixels.shape[1]
        require(2 * degrees <= rows, "degrees", degrees, f"at most {rows // 2} of a photograph")
        F = erp_analysis(jnp.asarray(pixels), make_s2_tables(rows // 2, degrees))
    F = S2Spectrum(F.coeffs.at[:, 0, 0].set(0))
    variance = s2_power_spectrum(F).sum(axis=-1)
    return S2Spectrum(F.coeffs / jnp.sqrt(variance)[:, None, None])


def panoramas(F: S2Spectrum, height: int) -> Float[Array, "*batch height width"]:
    """``height × 2·height`` pixels of signals of at most ``height / 2`` degrees."""
    tables = make_s2_tables(height // 2, F.L)
    half = []
    for start in (0.5, 1.5):  # columns of a grid, begun half a pixel and one and a half further on
        turn = np.exp(1j * np.pi * start / height * np.arange(F.L)).astype(np.complex64)
        half.append(s2_synthesis(S2Spectrum(F.coeffs * turn), tables))
    both = jnp.stack(half, axis=-1)
    return both.reshape(*both.shape[:-2], -1)


def signals(
    front: Front, F: S2Spectrum, rotations: Float[Array, "r 3 3"], sizes: Sizes
) -> Float[Array, "r channels k j"]:
    """A world as the network gets it, under each rotation.

    Args:
        front: the way from the world to the grid.
        F: spectrum of the world.
        rotations: of the world.
        sizes: resolutions.
    """
    b = sizes.bandwidth
    grid = make_s2_tables(b, b)
    if front == "turned_on_grid":  # the world is not asked again: its samples are interpolated
        x = s2_synthesis(change_bandlimit(F, b), grid)
        return jnp.stack([rotate_grid(x, R) for R in rotations])
    turned = rotate_s2(S2Spectrum(F.coeffs[None]), rotations)
    if front == "resampling":
        pixels = jnp.moveaxis(panoramas(turned, sizes.height), 1, -1)
        return jnp.stack([jnp.moveaxis(resample_erp(one, b), -1, 0) for one in pixels])
    if front == "analysis":
        tables = make_s2_tables(sizes.height // 2, b)
        return s2_synthesis(erp_analysis(panoramas(turned, sizes.height), tables), grid)
    tables_of_map = make_healpix_tables(sizes.nside, sizes.degrees)
    maps = healpix_synthesis(turned, tables_of_map)
    found = healpix_analysis(maps, tables_of_map, 3 if front == "healpix_3" else 0)
    return s2_synthesis(change_bandlimit(found, b), grid)


def gains(F: S2Spectrum, x: Float[Array, "channels k j"], L: int) -> tuple[np.ndarray, np.ndarray]:
    """What of each degree of a world a signal on the grid still has, and what else it has there.

    With ``F̂`` the spectrum of the signal, ``g_l = Re⟨F̂_l, F_l⟩ / ⟨F_l, F_l⟩`` is 1 if nothing is
    lost, and ``‖F̂_l − g_l F_l‖ / ‖F_l‖`` is 0 if nothing was added.

    Args:
        F: spectrum of the world.
        x: its signal on the network's grid.
        L: number of degrees to look at.
    """
    b = x.shape[-1] // 2
    found = np.asarray(s2_analysis(x, make_s2_tables(b, L)).coeffs, np.complex128)
    true = np.asarray(change_bandlimit(F, L).coeffs, np.complex128)
    twice = np.where(np.arange(L) == 0, 1, 2)
    overlap = ((found * true.conj()).real * twice).sum(axis=(0, 2))
    power = (np.abs(true) ** 2 * twice).sum(axis=(0, 2))
    gain = overlap / np.where(power > 0, power, np.nan)
    rest = found - gain[:, None] * true
    return gain, np.sqrt((np.abs(rest) ** 2 * twice).sum(axis=(0, 2)) / power)


def _photograph() -> Float[np.ndarray, "3 height width"]:
    pixels = photograph("china")
    start = (pixels.shape[0] - PHOTOGRAPH_ROWS) // 2
    middle = pixels[start : start + PHOTOGRAPH_ROWS, : 2 * PHOTOGRAPH_ROWS]
    return np.moveaxis(middle.astype(np.float32) / 255, -1, 0)
