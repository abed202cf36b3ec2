"""Example arguments for Fourier analysis, rotations, equivariance and matching."""

import functools

import jax
import jax.numpy as jnp

from jaxlab.spherical.equivariance import equivariance_error
from jaxlab.spherical.spectra import S2Spectrum, SO3Spectrum
from jaxlab.spherical.spectral_rotation import wigner_D_jnp
from jaxlab.spherical.tables import make_s2_tables, make_so3_tables
from tests.helpers import Example

SPHERE, GROUP = make_s2_tables(3, 3), make_so3_tables(3, 3, 2)
SIGNAL, FIELD = jnp.ones((2, *SPHERE.shape)), jnp.ones((2, *GROUP.shape))
F = S2Spectrum(jnp.ones((2, 3, 3), jnp.complex64))
H = SO3Spectrum(jnp.ones((2, 3, 3, 3), jnp.complex64))
ANGLES = (jnp.array([0.1, 0.2]), jnp.array([0.3, 0.4]), jnp.array([0.5, 0.6]))
MATRICES = jnp.stack([jnp.eye(3)] * 2)

EXAMPLES = {
    "jaxlab.spherical.spectra.change_bandlimit": Example((H,), {"L": 4, "n_max": 3}),
    "jaxlab.spherical.spectra.s2_power_spectrum": Example((F,)),
    "jaxlab.spherical.spectra.so3_power_spectrum": Example((H,)),
    "jaxlab.spherical.transforms.s2_analysis": Example((SIGNAL, SPHERE)),
    "jaxlab.spherical.transforms.s2_synthesis": Example((F, SPHERE)),
    "jaxlab.spherical.transforms.so3_analysis": Example((FIELD, GROUP)),
    "jaxlab.spherical.transforms.so3_synthesis": Example((H, GROUP)),
    "jaxlab.spherical.transforms.s2_integrate": Example((SIGNAL,)),
    "jaxlab.spherical.transforms.so3_integrate": Example((FIELD,)),
    "jaxlab.spherical.rotation.random_rotations": Example((jax.random.key(0),), {"n": 3}),
    "jaxlab.spherical.rotation.arvo_rotation": Example((jnp.full((2, 3), 0.5),)),
    "jaxlab.spherical.rotation.rotation_matrix": Example(ANGLES),
    "jaxlab.spherical.rotation.euler_angles": Example((MATRICES,)),
    "jaxlab.spherical.spectral_rotation.wigner_D_jnp": Example(
        ANGLES, made=functools.partial(wigner_D_jnp, 3)
    ),
    "jaxlab.spherical.spectral_rotation.rotate_s2": Example((F, MATRICES)),
    "jaxlab.spherical.spectral_rotation.rotate_so3": Example((H, ANGLES)),
    "jaxlab.spherical.equivariance.equivariance_error": Example(
        (SIGNAL, MATRICES),
        {"tables": SPHERE},
        made=functools.partial(equivariance_error, jax.nn.relu),
    ),
    "jaxlab.spherical.correlation.correlate_s2": Example((F, F, GROUP)),
    "jaxlab.spherical.correlation.best_rotation": Example((FIELD,)),
    "jaxlab.spherical.correlation.refine_rotation": Example((F, F, MATRICES), {"steps": 2}),
}

HOST_SIDE = {
    f"jaxlab.spherical.{name}": "numpy in float64, for set-up"
    for name in (
        "grids.colatitudes",
        "grids.longitudes",
        "grids.quadrature_weights",
        "grids.sphere_points",
        "wigner.wigner_D",
        "wigner.wigner_d",
    )
} | {
    "jaxlab.spherical.tables.make_s2_tables": "makes a table on the host",
    "jaxlab.spherical.tables.make_so3_tables": "makes a table on the host",
}
