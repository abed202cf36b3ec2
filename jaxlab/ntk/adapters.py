"""Operators of this room for the solvers of other libraries: scipy and lineax."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxlab.checks import check_scalar, require
from jaxlab.ntk.operators import NTKOperator

__all__ = ["to_lineax", "to_scipy"]


def to_scipy(operator: NTKOperator) -> Any:
    """The operator for ``scipy.sparse.linalg``, on flat numpy vectors; host side.

    Args:
        operator: on the devices of this process, not sharded by ``axis_name``.

    Returns:
        ``scipy.sparse.linalg.LinearOperator`` of shape ``(nO, nO)``, example-major; each product
        is one call of a jitted function.

    Raises:
        ValueError: an operator with ``axis_name``.

    Example:
        >>> from scipy.sparse.linalg import eigsh
        >>> from jaxlab.ntk.operators import dense_operator
        >>> operator = dense_operator(jnp.diag(jnp.array([1.0, 4.0, 2.0])))
        >>> eigsh(to_scipy(operator), k=1, return_eigenvectors=False).round(3).tolist()
        [4.0]
    """
    from scipy.sparse.linalg import LinearOperator

    require(operator.axis_name is None, "operator", operator.axis_name, "one without axis_name")
    product = jax.jit(lambda operator, vector: operator.matvec(vector))

    def matvec(vector: np.ndarray) -> np.ndarray:
        if np.iscomplexobj(vector):
            return matvec(vector.real) + 1j * matvec(vector.imag)
        shaped = jnp.asarray(np.reshape(vector, operator.shape), operator.dtype)
        return np.array(product(operator, shaped)).reshape(-1)  # gmres writes into it

    size, dtype = operator.size, np.dtype(operator.dtype)
    return LinearOperator((size, size), matvec=matvec, rmatvec=matvec, dtype=dtype)


def to_lineax(operator: NTKOperator, *, ridge: int | float | Array = 0.0) -> Any:
    """The operator for ``lineax``, with ``ridge`` added to its diagonal.

    Args:
        operator: not sharded by ``axis_name``: lineax's inner products know no devices.
        ridge: ``>= 0``, added to the diagonal, in units of the kernel; may be traced.

    Returns:
        ``lineax.FunctionLinearOperator`` on arrays of ``operator.shape``, tagged positive
        semi-definite, as ``lineax.CG`` wants it.

    Raises:
        ImportError: lineax is not installed.
        ValueError: an operator with ``axis_name``; a known ``ridge`` negative or not finite.

    Example:
        >>> import pytest
        >>> lineax = pytest.importorskip("lineax")
        >>> from jaxlab.ntk.operators import dense_operator
        >>> operator = dense_operator(jnp.diag(jnp.array([1.0, 4.0])))
        >>> solver = lineax.CG(rtol=1e-6, atol=1e-6)
        >>> lineax.linear_solve(to_lineax(operator), jnp.ones(2), solver).value.tolist()
        [1.0, 0.25]
    """
    try:
        import lineax
    except ImportError as error:
        raise ImportError("to_lineax needs the package lineax: pip install lineax") from error
    require(operator.axis_name is None, "operator", operator.axis_name, "one without axis_name")
    check_scalar("ridge", ridge, minimum=0)
    ridge = jnp.asarray(ridge, operator.dtype)
    return lineax.FunctionLinearOperator(
        lambda vector: operator.matvec(vector) + ridge * vector,
        jax.ShapeDtypeStruct(operator.shape, operator.dtype),
        lineax.positive_semidefinite_tag,
    )
