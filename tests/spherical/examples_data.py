"""Example arguments for projection, rotated sets, synthetic signals, panoramas and HEALPix."""

import functools

import jax
import jax.numpy as jnp

from jaxlab.spherical import augmentation, canvas, synthetic
from jaxlab.spherical.healpix import make_healpix_tables
from jaxlab.spherical.spectra import S2Spectrum
from jaxlab.spherical.tables import make_s2_tables
from tests.helpers import Example

KEY = jax.random.key(0)
IMAGES = jnp.ones((2, 4, 4))
LABELS = jnp.arange(2)
R = jnp.eye(3)
ROTATIONS = jnp.stack([R, R])
POINTS = jnp.full((3, 4, 4), 3**-0.5)
SIGNALS = jnp.ones((2, 3, 4, 4))
SHAPES = synthetic.Shapes(LABELS, ROTATIONS, jnp.ones(2), jnp.ones(2))
HEALPIX = make_healpix_tables(2, 3)


def network(x):
    return 2 * x


EXAMPLES = {
    "jaxlab.spherical.projection.project_image": Example((IMAGES[0], R, POINTS)),
    "jaxlab.spherical.projection.project_labels": Example((jnp.ones((4, 4), int), R, POINTS)),
    "jaxlab.spherical.spherical_images.rescale_intensity": Example((IMAGES[0],)),
    "jaxlab.spherical.spherical_images.make_spherical_batch": Example(
        (IMAGES, LABELS, ROTATIONS, POINTS), {"interpolation": "official"}
    ),
    "jaxlab.spherical.canvas.compose_canvas": Example(
        (KEY, IMAGES, LABELS),
        made=functools.partial(canvas.compose_canvas, num_items=2, canvas_size=9, max_tries=5),
    ),
    "jaxlab.spherical.augmentation.rotated_dataset": Example(
        (KEY, IMAGES, LABELS, POINTS), {"n": 3, "images_per_rotation": 2}
    ),
    "jaxlab.spherical.augmentation.augment_batch": Example(
        (KEY, jnp.int32(5), IMAGES, LABELS, LABELS, POINTS)
    ),
    "jaxlab.spherical.augmentation.average_over_rotations": Example(
        (SIGNALS, ROTATIONS),
        made=functools.partial(augmentation.average_over_rotations, network, task="segmentation"),
    ),
    "jaxlab.spherical.resampling.rotate_grid": Example((SIGNALS, R)),
    "jaxlab.spherical.resampling.resample_grid": Example((SIGNALS, POINTS)),
    "jaxlab.spherical.synthetic.bandlimited_field": Example((KEY,), {"b": 3}),
    "jaxlab.spherical.synthetic.spherical_shapes": Example((KEY,), {"n": 2, "b": 2}),
    "jaxlab.spherical.synthetic.rotate_shapes": Example((SHAPES, R)),
    "jaxlab.spherical.synthetic.sample_shapes": Example((SHAPES, POINTS)),
    "jaxlab.spherical.panorama.resample_erp": Example((jnp.ones((8, 16, 3)),), {"b": 2}),
    "jaxlab.spherical.panorama.erp_analysis": Example((jnp.ones((8, 16)), make_s2_tables(4, 3))),
    "jaxlab.spherical.healpix.healpix_analysis": Example((jnp.ones(48), HEALPIX)),
    "jaxlab.spherical.healpix.healpix_synthesis": Example(
        (S2Spectrum(jnp.ones((3, 3), complex)), HEALPIX)
    ),
}

HOST_SIDE = {
    "jaxlab.spherical.healpix.healpix_points": "set-up in numpy",
    "jaxlab.spherical.healpix.make_healpix_tables": "tables made once on the host",
}
