"""What a kernel function is, and the options it is made with."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, TypeAlias

from jaxtyping import Array, Float, PyTree

__all__ = [
    "ApplyFn",
    "Implementation",
    "KernelFn",
    "Kernels",
    "Store",
    "StructuredOptions",
    "VmapAxes",
]

ApplyFn: TypeAlias = Callable[..., Any]
"""``(params, x) -> outputs``: a network on a batch; both sides may be PyTrees."""

KernelFn: TypeAlias = Callable[..., Any]
"""``(x1, x2, params) -> kernel``; ``x2=None`` means ``x2 = x1``. One kernel per output leaf."""

Implementation: TypeAlias = Literal["auto", "jacobian", "vector_products", "structured"]
Store: TypeAlias = Literal["device", "host"]


class VmapAxes(NamedTuple):
    """Where the examples of a network without interaction between them lie.

    Attributes:
        in_axes: axis of the examples in each leaf of ``x``: one integer for all of them, or a
            PyTree prefix of ``x`` as ``jax.vmap`` takes it; None marks a leaf without examples.
        out_axes: axis of the examples in every output.
    """

    in_axes: PyTree = 0
    out_axes: int = 0


class StructuredOptions(NamedTuple):
    """How much work and memory a kernel may take.

    Attributes:
        max_unroll: scans of at most this length are unrolled, so that parameters used in their
            bodies keep their structure; longer ones are differentiated as they are. Stacked
            parameters keep it where the scan runs over them (its ``xs``), not where the body
            indexes them with a counter, as in ``jax.lax.fori_loop``: each index is a row lookup.
        memory_limit: bytes; kernels whose estimated peak is larger are refused with the estimate
            (``implementation="auto"`` passes over implementations that exceed it).
        column_batch: columns of NTK-vector products that are computed at once, one batch of them
            after the other; None picks one example's outputs.
        output_batch: output basis vectors of the first batch that structured derivatives pull back
            at once, but not fewer than share a place on the output's longest axis; None takes all.
            Those of the second batch always are, so that about half of their memory is saved.
    """

    max_unroll: int = 32
    memory_limit: int | None = None
    column_batch: int | None = None
    output_batch: int | None = None


class Kernels(NamedTuple):
    """Both kernels of one network; a kernel that was not asked for is None.

    Attributes:
        nngp: ``f(x1) f(x2)ᵀ`` in the kernel convention.
        ntk: neural tangent kernel in the same convention.
    """

    nngp: Float[Array, "..."] | PyTree | None
    ntk: Float[Array, "..."] | PyTree | None
