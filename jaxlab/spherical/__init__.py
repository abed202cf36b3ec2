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

The room, file by file:

* Fourier analysis on the sphere and the rotation group: :mod:`~jaxlab.spherical.grids`,
  :mod:`~jaxlab.spherical.wigner`, :mod:`~jaxlab.spherical.tables`,
  :mod:`~jaxlab.spherical.spectra`, :mod:`~jaxlab.spherical.transforms`; turning signals:
  :mod:`~jaxlab.spherical.rotation`, :mod:`~jaxlab.spherical.spectral_rotation`,
  :mod:`~jaxlab.spherical.resampling`, :mod:`~jaxlab.spherical.correlation`;
* equivariant layers: :mod:`~jaxlab.spherical.kernel_grids`, :mod:`~jaxlab.spherical.kernels`,
  :mod:`~jaxlab.spherical.layer_tables`, :mod:`~jaxlab.spherical.convolution`,
  :mod:`~jaxlab.spherical.so3_to_s2`, :mod:`~jaxlab.spherical.shortcut`,
  :mod:`~jaxlab.spherical.zonal`, :mod:`~jaxlab.spherical.activation`,
  :mod:`~jaxlab.spherical.batch_norm`, and how equivariant something is:
  :mod:`~jaxlab.spherical.equivariance`; planar ones: :mod:`~jaxlab.spherical.planar_layers`;
* networks: :mod:`~jaxlab.spherical.s2cnn` and, planar, :mod:`~jaxlab.spherical.cnn`, each with its
  ``_config`` and its ``_architectures``; published parameters in
  :mod:`~jaxlab.spherical.official`, scores in :mod:`~jaxlab.spherical.metrics`;
* images: :mod:`~jaxlab.spherical.projection`, :mod:`~jaxlab.spherical.spherical_images`,
  :mod:`~jaxlab.spherical.canvas`, :mod:`~jaxlab.spherical.augmentation`,
  :mod:`~jaxlab.spherical.synthetic`, :mod:`~jaxlab.spherical.panorama`,
  :mod:`~jaxlab.spherical.healpix`;
* names that options may take: :mod:`~jaxlab.spherical.types`.

Example:
    A constant signal has one coefficient:

    >>> import jax.numpy as jnp
    >>> from jaxlab import spherical
    >>> tables = spherical.make_s2_tables(b=4, L=4)
    >>> F = spherical.s2_analysis(jnp.ones(tables.shape), tables)
    >>> [round(float(power), 6) + 0.0 for power in spherical.s2_power_spectrum(F)]
    [1.0, 0.0, 0.0, 0.0]
"""

from jaxlab.spherical.activation import (
    ActivationTables,
    make_activation_tables,
    spectral_activation,
)
from jaxlab.spherical.augmentation import (
    RotatedDataset,
    augment_batch,
    average_over_rotations,
    rotated_dataset,
)
from jaxlab.spherical.batch_norm import (
    BatchNormParams,
    BatchNormState,
    batch_norm_apply,
    batch_norm_init,
)
from jaxlab.spherical.canvas import (
    Canvas,
    compose_canvas,
)
from jaxlab.spherical.cnn import (
    Affine,
    Block,
    CNNParams,
    CNNState,
    apply_cnn,
    count_params,
    init_cnn,
)
from jaxlab.spherical.cnn_architectures import (
    CNN_PRESETS,
    sample_cnn_architecture,
)
from jaxlab.spherical.cnn_config import (
    CNNConfig,
    cnn_feature_sizes,
    cnn_param_count,
)
from jaxlab.spherical.convolution import (
    ConvParams,
    s2_conv_apply,
    s2_conv_init,
    so3_conv_apply,
    so3_conv_init,
)
from jaxlab.spherical.correlation import (
    Alignment,
    Refinement,
    best_rotation,
    correlate_s2,
    refine_rotation,
)
from jaxlab.spherical.equivariance import (
    equivariance_error,
)
from jaxlab.spherical.grids import (
    GRIDS,
    colatitudes,
    longitudes,
    quadrature_weights,
    sphere_points,
)
from jaxlab.spherical.healpix import (
    HealpixTables,
    healpix_analysis,
    healpix_points,
    healpix_synthesis,
    make_healpix_tables,
)
from jaxlab.spherical.kernel_grids import (
    KernelGrid,
    equatorial_s2,
    equatorial_so3,
    kernel_points,
    near_identity_s2,
    near_identity_so3,
)
from jaxlab.spherical.kernels import (
    KernelTables,
    make_kernel_tables,
    s2_kernel_spectrum,
    so3_kernel_spectrum,
)
from jaxlab.spherical.layer_tables import (
    LayerTables,
    make_layer_tables,
)
from jaxlab.spherical.metrics import (
    confusion_matrix,
    iou_per_class,
    mean_iou,
    non_background_accuracy,
    non_background_miou,
    pixel_accuracy,
    pixel_cross_entropy,
)
from jaxlab.spherical.official import (
    from_official_layout,
    load_official_state_dict,
    to_official_layout,
)
from jaxlab.spherical.panorama import (
    erp_analysis,
    resample_erp,
)
from jaxlab.spherical.projection import (
    project_image,
    project_labels,
)
from jaxlab.spherical.resampling import (
    resample_grid,
    rotate_grid,
)
from jaxlab.spherical.rotation import (
    EulerAngles,
    Rotation,
    arvo_rotation,
    euler_angles,
    random_rotations,
    rotation_matrix,
)
from jaxlab.spherical.s2cnn import (
    GroupLayer,
    Readout,
    S2CNNParams,
    S2CNNState,
    S2CNNTables,
    apply_s2cnn,
    init_s2cnn,
    make_s2cnn_tables,
)
from jaxlab.spherical.s2cnn_architectures import (
    S2CNN_PRESETS,
    sample_s2cnn_architecture,
)
from jaxlab.spherical.s2cnn_config import (
    ACTIVATIONS,
    S2CNNConfig,
    layer_kernels,
    s2cnn_param_count,
)
from jaxlab.spherical.shortcut import (
    so3_shortcut_apply,
    so3_shortcut_init,
)
from jaxlab.spherical.so3_to_s2 import (
    SO3ToS2Params,
    so3_to_s2_apply,
    so3_to_s2_init,
)
from jaxlab.spherical.spectra import (
    S2Spectrum,
    SO3Spectrum,
    change_bandlimit,
    s2_power_spectrum,
    so3_power_spectrum,
)
from jaxlab.spherical.spectral_rotation import (
    rotate_s2,
    rotate_so3,
    wigner_D_jnp,
)
from jaxlab.spherical.spherical_images import (
    SphericalBatch,
    make_spherical_batch,
    rescale_intensity,
)
from jaxlab.spherical.synthetic import (
    SHAPE_NAMES,
    Shapes,
    SphericalShapes,
    bandlimited_field,
    rotate_shapes,
    sample_shapes,
    spherical_shapes,
)
from jaxlab.spherical.tables import (
    S2Tables,
    SO3Tables,
    make_s2_tables,
    make_so3_tables,
)
from jaxlab.spherical.transforms import (
    s2_analysis,
    s2_integrate,
    s2_synthesis,
    so3_analysis,
    so3_integrate,
    so3_synthesis,
)
from jaxlab.spherical.wigner import (
    wigner_D,
    wigner_d,
)
from jaxlab.spherical.zonal import (
    ZonalParams,
    s2_zonal_conv_apply,
    s2_zonal_conv_init,
)

__all__ = [
    "ACTIVATIONS",
    "CNN_PRESETS",
    "GRIDS",
    "S2CNN_PRESETS",
    "SHAPE_NAMES",
    "ActivationTables",
    "Affine",
    "Alignment",
    "BatchNormParams",
    "BatchNormState",
    "Block",
    "CNNConfig",
    "CNNParams",
    "CNNState",
    "Canvas",
    "ConvParams",
    "EulerAngles",
    "GroupLayer",
    "HealpixTables",
    "KernelGrid",
    "KernelTables",
    "LayerTables",
    "Readout",
    "Refinement",
    "RotatedDataset",
    "Rotation",
    "S2CNNConfig",
    "S2CNNParams",
    "S2CNNState",
    "S2CNNTables",
    "S2Spectrum",
    "S2Tables",
    "SO3Spectrum",
    "SO3Tables",
    "SO3ToS2Params",
    "Shapes",
    "SphericalBatch",
    "SphericalShapes",
    "ZonalParams",
    "apply_cnn",
    "apply_s2cnn",
    "arvo_rotation",
    "augment_batch",
    "average_over_rotations",
    "bandlimited_field",
    "batch_norm_apply",
    "batch_norm_init",
    "best_rotation",
    "change_bandlimit",
    "cnn_feature_sizes",
    "cnn_param_count",
    "colatitudes",
    "compose_canvas",
    "confusion_matrix",
    "correlate_s2",
    "count_params",
    "equatorial_s2",
    "equatorial_so3",
    "equivariance_error",
    "erp_analysis",
    "euler_angles",
    "from_official_layout",
    "healpix_analysis",
    "healpix_points",
    "healpix_synthesis",
    "init_cnn",
    "init_s2cnn",
    "iou_per_class",
    "kernel_points",
    "layer_kernels",
    "load_official_state_dict",
    "longitudes",
    "make_activation_tables",
    "make_healpix_tables",
    "make_kernel_tables",
    "make_layer_tables",
    "make_s2_tables",
    "make_s2cnn_tables",
    "make_so3_tables",
    "make_spherical_batch",
    "mean_iou",
    "near_identity_s2",
    "near_identity_so3",
    "non_background_accuracy",
    "non_background_miou",
    "pixel_accuracy",
    "pixel_cross_entropy",
    "project_image",
    "project_labels",
    "quadrature_weights",
    "random_rotations",
    "refine_rotation",
    "resample_erp",
    "resample_grid",
    "rescale_intensity",
    "rotate_grid",
    "rotate_s2",
    "rotate_shapes",
    "rotate_so3",
    "rotated_dataset",
    "rotation_matrix",
    "s2_analysis",
    "s2_conv_apply",
    "s2_conv_init",
    "s2_integrate",
    "s2_kernel_spectrum",
    "s2_power_spectrum",
    "s2_synthesis",
    "s2_zonal_conv_apply",
    "s2_zonal_conv_init",
    "s2cnn_param_count",
    "sample_cnn_architecture",
    "sample_s2cnn_architecture",
    "sample_shapes",
    "so3_analysis",
    "so3_conv_apply",
    "so3_conv_init",
    "so3_integrate",
    "so3_kernel_spectrum",
    "so3_power_spectrum",
    "so3_shortcut_apply",
    "so3_shortcut_init",
    "so3_synthesis",
    "so3_to_s2_apply",
    "so3_to_s2_init",
    "spectral_activation",
    "sphere_points",
    "spherical_shapes",
    "to_official_layout",
    "wigner_D",
    "wigner_D_jnp",
    "wigner_d",
]
