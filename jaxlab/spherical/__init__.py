"""Rotation-equivariant networks for spherical images, and the planar networks to compare with.

Source:
    Jan E. Gerken, Oscar Carlsson, Hampus Linander, Fredrik Ohlsson, Christoffer Petersson and
    Daniel Persson, *Equivariance versus Augmentation for Spherical Images*, ICML 2022, PMLR
    162:7404-7421, arXiv:2202.03990. The layers are those of Taco S. Cohen, Mario Geiger, Jonas
    Köhler and Max Welling, *Spherical CNNs*, ICLR 2018.

Problem:
    Data on a sphere come in every orientation. Is it better to build the symmetry under rotations
    into the network, or to train an ordinary one on rotated copies?

Mathematics::

    F^l_m    = ∫ f(x) D^l_{m0}(x) dx        F^l_{mn} = ∫ f(R) D^l_{mn}(R) dR
    (Qf)(x)  = f(Q⁻¹x)                      F^l_m → Σ_k D^l_{mk}(Q) F^l_k
    lifting:  Z^l_{mn} = Σ_i X^l_{m,i} conj(Y^l_{n,io})

The room, file by file: :mod:`~jaxlab.spherical.grids`, :mod:`~jaxlab.spherical.wigner`,
:mod:`~jaxlab.spherical.tables`, :mod:`~jaxlab.spherical.spectra` and
:mod:`~jaxlab.spherical.transforms` are Fourier analysis on the sphere and the rotation group.

Example:
    A constant signal has one coefficient:

    >>> import jax.numpy as jnp
    >>> from jaxlab import spherical
    >>> tables = spherical.make_s2_tables(b=4, L=4)
    >>> F = spherical.s2_analysis(jnp.ones(tables.shape), tables)
    >>> [round(float(power), 6) + 0.0 for power in spherical.s2_power_spectrum(F)]
    [1.0, 0.0, 0.0, 0.0]
"""

from jaxlab.spherical.grids import (
    GRIDS,
    Grid,
    colatitudes,
    longitudes,
    quadrature_weights,
    sphere_points,
)
from jaxlab.spherical.spectra import (
    S2Spectrum,
    SO3Spectrum,
    change_bandlimit,
    s2_power_spectrum,
    so3_power_spectrum,
)
from jaxlab.spherical.tables import S2Tables, SO3Tables, make_s2_tables, make_so3_tables
from jaxlab.spherical.transforms import (
    s2_analysis,
    s2_integrate,
    s2_synthesis,
    so3_analysis,
    so3_integrate,
    so3_synthesis,
)
from jaxlab.spherical.wigner import wigner_D, wigner_d

__all__ = [
    "GRIDS",
    "Grid",
    "S2Spectrum",
    "S2Tables",
    "SO3Spectrum",
    "SO3Tables",
    "change_bandlimit",
    "colatitudes",
    "longitudes",
    "make_s2_tables",
    "make_so3_tables",
    "quadrature_weights",
    "s2_analysis",
    "s2_integrate",
    "s2_power_spectrum",
    "s2_synthesis",
    "so3_analysis",
    "so3_integrate",
    "so3_power_spectrum",
    "so3_synthesis",
    "sphere_points",
    "wigner_D",
    "wigner_d",
]
