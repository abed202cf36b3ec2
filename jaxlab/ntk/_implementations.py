"""The ways to compute a kernel, by name: one signature, ``(problem, options) -> kernel``."""

from collections.abc import Callable

from jaxtyping import Array

from jaxlab.ntk._jacobian import jacobian_contraction
from jaxlab.ntk._problem import Problem
from jaxlab.ntk.structured import structured_derivatives
from jaxlab.ntk.types import StructuredOptions
from jaxlab.ntk.vector_products import ntk_vector_products

__all__ = ["IMPLEMENTATIONS"]


def _jacobian(problem: Problem, options: StructuredOptions) -> Array:
    return jacobian_contraction(problem)


def _vector_products(problem: Problem, options: StructuredOptions) -> Array:
    return ntk_vector_products(problem, column_batch=options.column_batch)


IMPLEMENTATIONS: dict[str, Callable[[Problem, StructuredOptions], Array]] = {
    "structured": structured_derivatives,
    "vector_products": _vector_products,
    "jacobian": _jacobian,
}
