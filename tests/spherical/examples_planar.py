"""Example arguments of the planar networks, batch-norm, activations and scores."""

import jax
import jax.numpy as jnp

from jaxlab.spherical.activation import make_activation_tables
from jaxlab.spherical.batch_norm import batch_norm_init
from jaxlab.spherical.cnn import init_cnn
from jaxlab.spherical.cnn_config import CNNConfig
from jaxlab.spherical.grids import quadrature_weights
from tests.helpers import Example

IMAGES = jnp.ones((2, 4, 6, 3))
KERNEL = jnp.ones((3, 3, 3, 2))
NETWORK = CNNConfig((6, 8), (2, 3), (3, 2), (2, 1), num_classes=3, batch_norm=True, padding="erp")
LABELS = jnp.array([[0, 1, 2], [2, -1, 1]])
CONFUSION = jnp.array([[5, 1, 0], [1, 2, 0], [0, 1, 4]])
FINE = make_activation_tables(2, 2, 1.5)
WEIGHTS = quadrature_weights(2)

EXAMPLES = {
    "jaxlab.spherical.activation.spectral_activation": Example(
        (jnp.ones((2, *FINE.signal.shape)),), {"fn": jax.nn.relu, "tables": FINE}
    ),
    "jaxlab.spherical.batch_norm.batch_norm_apply": Example(
        (*batch_norm_init(2), jnp.ones((3, 2, 4, 4))), {"train": True, "weights": WEIGHTS}
    ),
    "jaxlab.spherical.cnn.apply_cnn": Example(
        (*init_cnn(jax.random.key(0), NETWORK), jnp.ones((2, 6, 8, 1))),
        {"cfg": NETWORK, "train": True},
    ),
    "jaxlab.spherical.cnn.init_cnn": Example((jax.random.key(0),), {"cfg": NETWORK}),
    "jaxlab.spherical.metrics.confusion_matrix": Example((LABELS, LABELS), {"num_classes": 3}),
    "jaxlab.spherical.metrics.iou_per_class": Example((CONFUSION,)),
    "jaxlab.spherical.metrics.mean_iou": Example((CONFUSION,)),
    "jaxlab.spherical.metrics.non_background_accuracy": Example((CONFUSION,)),
    "jaxlab.spherical.metrics.non_background_miou": Example((CONFUSION,)),
    "jaxlab.spherical.metrics.pixel_accuracy": Example((CONFUSION,)),
    "jaxlab.spherical.metrics.pixel_cross_entropy": Example((jnp.ones((2, 3, 4)), LABELS)),
    "jaxlab.spherical.planar_layers.erp_pad": Example((IMAGES,), {"before": 1, "after": 2}),
    "jaxlab.spherical.planar_layers.max_pool": Example((IMAGES,), {"window": 2, "stride": 2}),
    "jaxlab.spherical.planar_layers.nearest_upsample": Example((IMAGES,), {"size": (7, 8)}),
    "jaxlab.spherical.planar_layers.planar_conv": Example((IMAGES, KERNEL), {"stride": 1}),
    "jaxlab.spherical.planar_layers.planar_transposed_conv": Example(
        (IMAGES, KERNEL), {"stride": 2, "size": (9, 14)}
    ),
}

HOST_SIDE = {
    "jaxlab.spherical.activation.make_activation_tables": "makes tables on the host",
    "jaxlab.spherical.batch_norm.batch_norm_init": "takes sizes only",
    "jaxlab.spherical.cnn.count_params": "reads shapes only",
    "jaxlab.spherical.cnn_architectures.sample_cnn_architecture": "draws an architecture",
    "jaxlab.spherical.cnn_config.cnn_feature_sizes": "reads an architecture",
    "jaxlab.spherical.cnn_config.cnn_param_count": "reads an architecture",
}
