"""Example arguments for kernels and equivariant layers."""

import jax
import jax.numpy as jnp

from jaxlab.spherical.convolution import s2_conv_init, so3_conv_init
from jaxlab.spherical.kernel_grids import near_identity_s2, near_identity_so3
from jaxlab.spherical.kernels import make_kernel_tables
from jaxlab.spherical.layer_tables import make_layer_tables
from jaxlab.spherical.shortcut import so3_shortcut_init
from jaxlab.spherical.so3_to_s2 import so3_to_s2_init
from tests.helpers import Example

KEY = jax.random.key(0)
S2_KERNEL = near_identity_s2(n_alpha=2, n_beta=1)
SO3_KERNEL = near_identity_so3(n_alpha=2, n_beta=1)
LIFT = make_layer_tables("s2_to_so3", 3, 2, S2_KERNEL)
GROUP = make_layer_tables("so3_to_so3", 3, 2, SO3_KERNEL)
SPHERE = make_layer_tables("so3_to_s2", 3, 2, SO3_KERNEL)
ON_SPHERE, ON_GROUP = jnp.ones((2, 1, 6, 6)), jnp.ones((2, 1, 6, 6, 6))
SIZES = {"channels_in": 1, "channels_out": 2}

EXAMPLES = {
    "jaxlab.spherical.kernels.s2_kernel_spectrum": Example(
        (jnp.ones((1, 2, 2)), make_kernel_tables(S2_KERNEL, 3))
    ),
    "jaxlab.spherical.kernels.so3_kernel_spectrum": Example(
        (jnp.ones((1, 2, 4)), make_kernel_tables(SO3_KERNEL, 3))
    ),
    "jaxlab.spherical.official.to_official_layout": Example((ON_GROUP,)),
    "jaxlab.spherical.official.from_official_layout": Example((ON_GROUP,)),
    "jaxlab.spherical.convolution.s2_conv_init": Example((KEY,), {**SIZES, "kgrid": S2_KERNEL}),
    "jaxlab.spherical.convolution.s2_conv_apply": Example(
        (s2_conv_init(KEY, 1, 2, S2_KERNEL), ON_SPHERE, *LIFT)
    ),
    "jaxlab.spherical.convolution.so3_conv_init": Example((KEY,), {**SIZES, "kgrid": SO3_KERNEL}),
    "jaxlab.spherical.convolution.so3_conv_apply": Example(
        (so3_conv_init(KEY, 1, 2, SO3_KERNEL), ON_GROUP, *GROUP)
    ),
    "jaxlab.spherical.so3_to_s2.so3_to_s2_init": Example((KEY,), {**SIZES, "kgrid": SO3_KERNEL}),
    "jaxlab.spherical.so3_to_s2.so3_to_s2_apply": Example(
        (so3_to_s2_init(KEY, 1, 2, SO3_KERNEL), ON_GROUP, *SPHERE)
    ),
    "jaxlab.spherical.shortcut.so3_shortcut_init": Example(
        (KEY,), {**SIZES, "b_in": 3, "b_out": 2}
    ),
    "jaxlab.spherical.shortcut.so3_shortcut_apply": Example(
        (so3_shortcut_init(KEY, 1, 2, 3, 2), ON_GROUP, *GROUP[:2])
    ),
}
HOST_SIDE = {
    "jaxlab.spherical.official.load_official_state_dict": "sorts arrays by their names",
    "jaxlab.spherical.kernel_grids.near_identity_s2": "angles",
    "jaxlab.spherical.kernel_grids.near_identity_so3": "angles",
    "jaxlab.spherical.kernel_grids.equatorial_s2": "angles",
    "jaxlab.spherical.kernel_grids.equatorial_so3": "angles",
    "jaxlab.spherical.kernel_grids.kernel_points": "angles",
    "jaxlab.spherical.kernels.make_kernel_tables": "tables are computed on the host",
    "jaxlab.spherical.layer_tables.make_layer_tables": "tables are computed on the host",
}
