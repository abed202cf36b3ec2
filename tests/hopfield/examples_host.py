"""What computes nothing with arrays."""

_LAGRANGIAN = "makes a Lagrangian, lowered as part of energy and vector_field"
HOST_SIDE = {
    "jaxlab.hopfield.capacity_theory.one_step_error_rate": "a formula of Python numbers",
    "jaxlab.hopfield.capacity_theory.sdm_overlap_probability": "a formula in exact integers",
    "jaxlab.hopfield.metrics.scaled_threshold": "a formula of Python numbers",
} | {
    f"jaxlab.hopfield.lagrangians.{name}_lagrangian": _LAGRANGIAN
    for name in (
        "exponential",
        "identity",
        "layer_norm",
        "log_cosh",
        "max",
        "quadratic",
        "rectified_power",
        "softmax",
        "spherical",
    )
}
