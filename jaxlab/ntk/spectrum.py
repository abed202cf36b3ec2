"""Numbers that describe a kernel: its eigenvalues, and how it lies to targets and other kernels.

Kernels are symmetric, ``[N, N, o, o, ...]``, and enter as the matrix of ``n = N·O`` rows.

Example:
    >>> import jax.numpy as jnp
    >>> kernel = jnp.diag(jnp.array([3.0, 1.0]))
    >>> condition_number(kernel).value, effective_rank(kernel)
    (Array(3., dtype=float32), Array(1.6, dtype=float32))
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Shaped

from jaxlab.checks import check_bool, require
from jaxlab.ntk._layout import as_axes
from jaxlab.ntk._rows import Rows, as_matrix, check_square, matmul

__all__ = [
    "ConditionNumber",
    "condition_number",
    "effective_rank",
    "eigenvalues",
    "entropy_rank",
    "kernel_distance",
    "target_alignment",
]


class ConditionNumber(NamedTuple):
    """What :func:`condition_number` returns.

    Attributes:
        value: ``λ_max/λ_min``; infinity where ``λ_min <= 0``, NaN where an eigenvalue is.
        reliable: whether ``λ_min`` stands out of the most that rounding may move it by,
            ``λ_min > n ε λ_max``. Without it the value may be one of many that the kernel's
            precision allows; it need not, as rounding moves most eigenvalues by a few ``ε λ_max``.
        largest: ``λ_max``, in units of the kernel.
        smallest: ``λ_min``, as computed.
    """

    value: Float[Array, ""]
    reliable: Bool[Array, ""]
    largest: Float[Array, ""]
    smallest: Float[Array, ""]


@jax.jit
def eigenvalues(kernel: Float[Array, "..."]) -> Float[Array, " n"]:
    """Eigenvalues of the kernel's matrix, largest first.

    Args:
        kernel: ``[N, N, o, o, ...]``, symmetric.

    Returns:
        ``n`` eigenvalues in units of the kernel, as computed: rounding can make the smallest
        negative.

    Raises:
        ValueError: the axes do not come in equal pairs.

    Cost:
        ``O(n³)`` time, ``O(n²)`` memory.

    Example:
        >>> eigenvalues(jnp.array([[2.0, 1.0], [1.0, 2.0]])).round(4)
        Array([3., 1.], dtype=float32)
    """
    return jnp.linalg.eigvalsh(_symmetric("kernel", kernel))[::-1]


@jax.jit
def condition_number(kernel: Float[Array, "..."]) -> ConditionNumber:
    """Condition number ``κ = λ_max/λ_min``, and whether it can be believed.

    Args:
        kernel: ``[N, N, o, o, ...]``, symmetric.

    Returns:
        The number, the flag and both eigenvalues.

    Raises:
        ValueError: the axes do not come in equal pairs, or there is no example.

    Cost:
        That of :func:`eigenvalues`.

    Source:
        Xiao, Pennington and Schoenholz 2020, *Disentangling trainability and generalization in deep
        neural networks*, for ``κ`` as a measure of trainability.

    Example:
        >>> condition_number(jnp.ones((2, 2))).reliable  # singular
        Array(False, dtype=bool)
    """
    values = eigenvalues(kernel)
    n = values.shape[0]
    require(n > 0, "kernel", kernel, "at least one example")
    largest, smallest = jnp.max(values), jnp.min(values)  # a NaN need not stand at an end
    low = smallest <= 0
    value = jnp.where(low, jnp.inf, largest / jnp.where(low, 1, smallest))
    reliable = smallest > n * jnp.finfo(values.dtype).eps * largest
    return ConditionNumber(value, reliable, largest, smallest)


@jax.jit
def effective_rank(kernel: Float[Array, "..."]) -> Float[Array, ""]:
    """Participation ratio of the spectrum, ``(Σλ)²/Σλ²``; no decomposition is needed for it.

    Args:
        kernel: ``[N, N, o, o, ...]``, symmetric.

    Returns:
        A number from 1 to ``n`` for a positive semi-definite kernel; NaN for a zero one.

    Raises:
        ValueError: the axes do not come in equal pairs.

    Cost:
        ``O(n²)``: it is ``(tr K)²/‖K‖²``.

    Example:
        >>> effective_rank(jnp.eye(3))
        Array(3., dtype=float32)
    """
    matrix = _symmetric("kernel", kernel)
    matrix = matrix / jnp.max(jnp.abs(matrix), initial=0)  # its squares might overflow
    return jnp.square(jnp.trace(matrix)) / jnp.sum(jnp.square(matrix))


@jax.jit
def entropy_rank(kernel: Float[Array, "..."]) -> Float[Array, ""]:
    """Exponential of the spectrum's entropy, ``exp(−Σ p log p)`` with ``p = λ/Σλ``.

    Args:
        kernel: ``[N, N, o, o, ...]``, symmetric. Eigenvalues below zero count as zero.

    Returns:
        A number from 1 to ``n``; NaN for a zero kernel.

    Raises:
        ValueError: the axes do not come in equal pairs.

    Cost:
        That of :func:`eigenvalues`.

    Source:
        Roy and Vetterli 2007, *The effective rank: a measure of effective dimensionality*.

    Example:
        >>> entropy_rank(jnp.eye(3)).round(4)
        Array(3., dtype=float32)
    """
    values = jnp.maximum(eigenvalues(kernel), 0)
    share = values / jnp.sum(values)
    there = share > 0
    terms = jnp.where(there, share * jnp.log(jnp.where(there, share, 1)), share)
    return jnp.exp(-jnp.sum(terms))


def target_alignment(
    kernel: Float[Array, "..."],
    y: Shaped[Array, "..."],
    *,
    trace_axes: tuple[int, ...] = (-1,),
    centered: bool = False,
) -> Float[Array, ""]:
    """How much of the kernel lies in the direction of the targets, ``⟨K, yyᵀ⟩/(‖K‖ ‖yyᵀ‖)``.

    Centred, rows and columns of both matrices have their means subtracted first, so that a constant
    in the targets or the kernel does not count.

    Args:
        kernel: ``[N, N, o, o, ...]`` without the ``trace_axes``, symmetric.
        y: targets, ``[N, ...]``; traced axes are columns of ``y`` in ``yyᵀ``.
        trace_axes: axes of ``y`` that the kernel lacks; static.
        centered: see above; static.

    Returns:
        A number in [0, 1] for a positive semi-definite kernel; NaN if either matrix is zero.

    Raises:
        ValueError: kernel and targets do not fit.

    Cost:
        ``O(n² c)``; ``c`` is the size of the traced axes.

    Source:
        Cristianini et al. 2001, *On kernel-target alignment*; centred: Cortes, Mohri and
        Rostamizadeh 2012, *Algorithms for learning kernels based on centered alignment*.

    Example:
        >>> y = jnp.array([[1.0], [-1.0]])
        >>> target_alignment(y @ y.T, y), target_alignment(jnp.ones((2, 2)), y)
        (Array(1., dtype=float32), Array(0., dtype=float32))
    """
    check_bool("centered", centered)
    return _target_alignment(kernel, y, as_axes("trace_axes", trace_axes), centered)


@functools.partial(jax.jit, static_argnames=("trace_axes", "centered"))
def _target_alignment(
    kernel: Array, y: Array, trace_axes: tuple[int, ...], centered: bool
) -> Array:
    matrix = _symmetric("kernel", kernel)
    _, targets = Rows.of("y", y, trace_axes, matrix.shape[0], matrix.dtype)
    if centered:
        targets = targets - jnp.mean(targets, axis=0)
        matrix = matrix - jnp.mean(matrix, axis=0, keepdims=True)
        matrix = matrix - jnp.mean(matrix, axis=1, keepdims=True)
    targets = targets / jnp.max(jnp.abs(targets), initial=0)
    few = targets.shape[1] < targets.shape[0]
    gram = matmul(targets.T, targets) if few else matmul(targets, targets.T)  # of equal norm
    return jnp.sum(targets * matmul(_unit(matrix), targets)) / jnp.linalg.norm(gram)


@jax.jit
def kernel_distance(kernel1: Float[Array, "..."], kernel2: Float[Array, "..."]) -> Float[Array, ""]:
    """One less the cosine between two kernels, ``1 − ⟨K, K'⟩/(‖K‖ ‖K'‖)``.

    Computed as ``½ ‖K/‖K‖ − K'/‖K'‖‖²``, which keeps small distances exact.

    Args:
        kernel1: ``[N1, N2, o, o, ...]``, floating.
        kernel2: one of the same shape.

    Returns:
        A number in [0, 2], at most 1 for positive semi-definite kernels; NaN if either is zero.

    Raises:
        ValueError: the shapes differ, the axes do not come in pairs, or a dtype is not floating.

    Cost:
        ``O(n²)``.

    Source:
        Fort et al. 2020, *Deep learning versus kernel learning* (kernel distance).

    Example:
        >>> kernel_distance(jnp.eye(2), 3 * jnp.eye(2)).round(4)
        Array(0., dtype=float32)
        >>> kernel_distance(jnp.eye(2), 1 - jnp.eye(2)).round(4)
        Array(1., dtype=float32)
    """
    first, second = as_matrix("kernel1", kernel1), as_matrix("kernel2", kernel2)
    same = jnp.shape(kernel1) == jnp.shape(kernel2)
    require(same, "kernel2", kernel2, f"shape {list(jnp.shape(kernel1))}, as kernel1 has")
    return jnp.sum(jnp.square(_unit(first) - _unit(second))) / 2


def _symmetric(argument: str, kernel: Array) -> Array:
    matrix = as_matrix(argument, kernel)
    check_square(argument, jnp.asarray(kernel))
    return matrix


def _unit(matrix: Array) -> Array:
    """The matrix over its norm; by its largest entry first, whose square might overflow."""
    scaled = matrix / jnp.max(jnp.abs(matrix), initial=0)
    return scaled / jnp.linalg.norm(scaled)
