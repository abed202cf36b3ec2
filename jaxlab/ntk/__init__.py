"""Fast finite-width neural tangent kernels.

R. Novak, J. Sohl-Dickstein, S. S. Schoenholz. *Fast Finite Width Neural Tangent Kernel.* ICML
2022, PMLR 162:17018-17044, arXiv 2206.08720.

The neural tangent kernel (NTK) of a network says how training it on one example moves its output on
another. Computed from Jacobians it costs ``N² O² P`` operations and the memory of ``N O`` copies of
the parameters; NTK-vector products and structured derivatives compute the same numbers for far
less::

    Θ(x₁, x₂)  =  ∂f(θ, x₁)/∂θ · (∂f(θ, x₂)/∂θ)ᵀ

    f(θ, x) [N, O]   outputs of a network     Θ [N₁, N₂, O, O]   its kernel between two batches

Example:
    >>> import jax, jax.numpy as jnp
    >>> from jaxlab import ntk
    >>> def network(params, x):
    ...     return jax.nn.relu(x @ params["w"] + params["b"]) @ params["v"]
    >>> keys = jax.random.split(jax.random.key(0), 4)
    >>> params = {
    ...     "w": jax.random.normal(keys[0], (3, 64)) / 3**0.5,
    ...     "b": jnp.zeros(64),
    ...     "v": jax.random.normal(keys[1], (64, 2)) / 8,
    ... }
    >>> x = jax.random.normal(keys[2], (20, 3))
    >>> kernel = jax.jit(ntk.ntk_fn(network, vmap_axes=0))  # examples do not interact
    >>> kernel(x, None, params).shape
    (20, 20, 2, 2)

    What every parameter costs, and why:

    >>> for leaf in ntk.explain(network, params, x, vmap_axes=0):
    ...     print(leaf.path, leaf.strategy)
    params['b'] materialised
    params['v'] structured
    params['w'] structured
"""

from jaxlab.ntk import (
    analytic,
    approximate,
    cost,
    linearization,
    predict,
    products,
    spectrum,
    status,
    structured,
)
from jaxlab.ntk.batching import batched
from jaxlab.ntk.explain import LeafReport, explain, format_reports
from jaxlab.ntk.flattening import flatten_kernel, unflatten_kernel
from jaxlab.ntk.independence import Independence, check_independence
from jaxlab.ntk.kernel import kernel_fn, nngp_fn, ntk_fn
from jaxlab.ntk.linearization import linearize, taylor_expand
from jaxlab.ntk.structured import register_site_rule
from jaxlab.ntk.types import KernelFn, Kernels, StructuredOptions, VmapAxes
from jaxlab.ntk.vector_products import ntk_vp

__all__ = [
    "Independence",
    "KernelFn",
    "Kernels",
    "LeafReport",
    "StructuredOptions",
    "VmapAxes",
    "analytic",
    "approximate",
    "batched",
    "check_independence",
    "cost",
    "explain",
    "flatten_kernel",
    "format_reports",
    "kernel_fn",
    "linearization",
    "linearize",
    "nngp_fn",
    "ntk_fn",
    "ntk_vp",
    "predict",
    "products",
    "register_site_rule",
    "spectrum",
    "status",
    "structured",
    "taylor_expand",
    "unflatten_kernel",
]
