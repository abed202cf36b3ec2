"""Example arguments for equivariant networks and zonal convolutions."""

import jax
import jax.numpy as jnp

from jaxlab.spherical.s2cnn import init_s2cnn, make_s2cnn_tables
from jaxlab.spherical.s2cnn_config import S2CNNConfig
from jaxlab.spherical.tables import make_s2_tables
from jaxlab.spherical.zonal import s2_zonal_conv_init
from tests.helpers import Example

KEY = jax.random.key(0)
CFG = S2CNNConfig(3, (2, 2), (2, 2), 3, shortcuts=True, batch_norm=True, n_beta=1, n_alpha=2)
PARAMS, STATE = init_s2cnn(KEY, CFG)
X = jnp.ones((2, 1, 6, 6))

EXAMPLES = {
    "jaxlab.spherical.s2cnn.init_s2cnn": Example((KEY,), {"cfg": CFG}),
    "jaxlab.spherical.s2cnn.apply_s2cnn": Example(
        (PARAMS, STATE, X, make_s2cnn_tables(CFG)), {"cfg": CFG, "train": True}
    ),
    "jaxlab.spherical.zonal.s2_zonal_conv_init": Example(
        (KEY,), {"channels_in": 1, "channels_out": 2}
    ),
    "jaxlab.spherical.zonal.s2_zonal_conv_apply": Example(
        (s2_zonal_conv_init(KEY, 1, 2), X, make_s2_tables(3, 2), make_s2_tables(2, 2))
    ),
}
HOST_SIDE = {
    "jaxlab.spherical.s2cnn.make_s2cnn_tables": "tables are computed on the host",
    "jaxlab.spherical.s2cnn_config.layer_kernels": "angles of a configuration",
    "jaxlab.spherical.s2cnn_config.s2cnn_param_count": "counts without arrays",
    "jaxlab.spherical.s2cnn_architectures.sample_s2cnn_architecture": "draws a configuration",
}
