"""The kernel of a whole data set as a linear operator that is never formed.

With the data cut into micro-batches ``b``, a product takes two passes over them::

    u  =  Σ_b J_bᵀ v_b            (reverse mode, one set of parameters)
    (Θ v)_b  =  J_b u             (its transpose, at the cost of forward mode)

Nothing of the size of the kernel exists at any moment, and no activations are kept between passes.
"""

import abc
import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxlab.checks import check_dtype, check_integer, check_shape, require
from jaxlab.convolutions import canonical_convolutions
from jaxlab.ntk._layout import Layout
from jaxlab.ntk._precision import at_precision, check_precision
from jaxlab.ntk._problem import Problem, prepare
from jaxlab.ntk._push import push_forward
from jaxlab.ntk.types import ApplyFn
from jaxlab.varying import vary_arrays, vary_like

__all__ = [
    "DatasetOperator",
    "DenseOperator",
    "NTKOperator",
    "dataset_operator",
    "dense_operator",
]

AxisName = str | tuple[str, ...]


class NTKOperator(abc.ABC):
    """A symmetric linear operator on arrays of one shape: what the solvers of this room work on.

    A subclass is a PyTree, so that operators are arguments of jitted functions, and has:

    Attributes:
        shape: shape ``(n, o₁, …)`` of the vectors it takes and returns: outputs of the network on
            this device's examples.
        dtype: dtype of the products, float32 or wider.
        axis_name: mesh axis over which the examples are sharded, or None.
    """

    shape: tuple[int, ...]
    dtype: Any
    axis_name: AxisName | None

    @abc.abstractmethod
    def matvec(self, vector: Array) -> Array:
        """The product ``Θ v``, of the vector's shape."""

    @abc.abstractmethod
    def diagonal(self) -> Array:
        """The diagonal ``Θ_ii``, in the shape of a vector."""

    @property
    def size(self) -> int:
        """Number of rows of the kernel, those on other devices included."""
        devices = 1 if self.axis_name is None else jax.lax.axis_size(self.axis_name)
        return math.prod(self.shape) * devices

    def dot(self, left: Array, right: Array) -> Array:
        """Inner product of two vectors, over all devices."""
        total = jnp.sum(left * right)
        return total if self.axis_name is None else jax.lax.psum(total, self.axis_name)

    def magnitude(self, vector: Array) -> Array:
        """The vector's largest entry without its sign, over all devices, to divide by.

        1 where that is 0 or not finite; a constant to derivatives.
        """
        largest = jax.lax.stop_gradient(jnp.max(jnp.abs(vector), initial=0))
        if self.axis_name is not None:
            largest = jax.lax.pmax(largest, self.axis_name)
        return jnp.where((largest > 0) & (largest < jnp.inf), largest, 1)

    def norm(self, vector: Array) -> Array:
        """Euclidean norm, over all devices, of vectors whose squares over- or underflow too."""
        magnitude = self.magnitude(vector)
        vector = vector / magnitude
        square = self.dot(vector, vector)
        nothing = square == 0  # where the derivative is 0
        return magnitude * jnp.where(nothing, 0, jnp.sqrt(jnp.where(nothing, 1, square)))


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class DatasetOperator(NTKOperator):
    """The neural tangent kernel of a data set; made by :func:`dataset_operator`."""

    params: Any
    x: Any
    apply_fn: ApplyFn = dataclasses.field(metadata={"static": True})
    micro_batch: int = dataclasses.field(metadata={"static": True})
    axis_name: AxisName | None = dataclasses.field(metadata={"static": True})
    precision: str | None = dataclasses.field(metadata={"static": True})
    shape: tuple[int, ...] = dataclasses.field(metadata={"static": True})
    dtype: Any = dataclasses.field(metadata={"static": True})

    def matvec(self, vector: Array) -> Array:
        """The product ``Θ v``; see :func:`dataset_operator`."""
        check_shape("vector", vector, self.shape)
        check_dtype("vector", vector, "floating")
        n = self.shape[0]
        if n == 0:
            return jnp.zeros_like(vector, dtype=self.dtype)
        # parameters that are the same on all devices would make every cotangent a sum over them
        params, x, vector = vary_arrays((self.params, self.x, vector))
        problem = _problem(self.apply_fn, params, x)
        size = min(self.micro_batch, n)
        starts = size * jnp.arange(math.ceil(n / size))

        def network(start: Array) -> tuple[Callable[[list[Array]], Array], Array]:
            # the last micro-batch starts early rather than have padding, which the network sees
            first = jnp.minimum(start, n - size)
            batch = jax.tree.map(lambda leaf: _rows(leaf, first, size), x)
            return lambda leaves: problem.apply(leaves, batch), first

        def accumulate(total: list[Array], start: Array) -> tuple[list[Array], None]:
            function, first = network(start)
            outputs, pull = jax.vjp(function, problem.leaves)
            fresh = (first + jnp.arange(size) >= start).reshape(-1, *[1] * (len(self.shape) - 1))
            part = jnp.where(fresh, _rows(vector, first, size), 0)
            (cotangents,) = pull(part.astype(outputs.dtype))
            return [t + c.astype(t.dtype) for t, c in zip(total, cotangents, strict=True)], None

        def push(rows: Array, start: Array) -> tuple[Array, None]:
            function, first = network(start)
            (part,) = push_forward(function, problem.leaves)((direction,))
            part = part.astype(rows.dtype)
            return jax.lax.dynamic_update_slice_in_dim(rows, part, first, 0), None

        with at_precision(self.precision):
            total = [jnp.zeros_like(leaf, dtype=self.dtype) for leaf in problem.leaves]
            loop = canonical_convolutions(lambda total: jax.lax.scan(accumulate, total, starts)[0])
            total = loop(total)
            if self.axis_name is not None:
                total = jax.lax.psum(total, self.axis_name)
            total, _ = vary_like((total, vector))
            direction = [
                t.astype(leaf.dtype) for t, leaf in zip(total, problem.leaves, strict=True)
            ]
            loop = canonical_convolutions(lambda rows: jax.lax.scan(push, rows, starts)[0])
            return loop(jnp.zeros_like(vector, dtype=self.dtype))

    def diagonal(self) -> Array:
        """Squared norms of the gradients ``∂f_i/∂θ``, ``micro_batch`` of them at a time.

        ``nO`` gradients of one example each; memory for ``micro_batch`` sets of parameters.
        """
        if self.shape[0] == 0:
            return jnp.zeros(self.shape, self.dtype)
        params, x = vary_arrays((self.params, self.x))
        problem = _problem(self.apply_fn, params, x)
        outputs = math.prod(self.shape[1:])

        def entry(position: Array) -> Array:
            batch = jax.tree.map(lambda leaf: _rows(leaf, position // outputs, 1), x)
            gradient = jax.grad(
                lambda leaves: problem.apply(leaves, batch).reshape(-1)[position % outputs]
            )(problem.leaves)
            return sum(
                (jnp.sum(jnp.square(g.astype(self.dtype))) for g in gradient),
                start=jnp.zeros((), self.dtype),
            )

        with at_precision(self.precision):
            loop = functools.partial(jax.lax.map, entry, batch_size=self.micro_batch)
            entries = canonical_convolutions(loop)(jnp.arange(math.prod(self.shape)))
        return entries.reshape(self.shape)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class DenseOperator(NTKOperator):
    """A kernel that stands in memory; made by :func:`dense_operator`."""

    kernel: Any

    @property
    def shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """Shape of the vectors."""
        return tuple(self.kernel.shape[::2])

    @property
    def dtype(self) -> Any:
        """Dtype of the products."""
        return jnp.promote_types(self.kernel.dtype, jnp.float32)

    @property
    def axis_name(self) -> None:  # type: ignore[override]
        """The kernel is not sharded by hand."""
        return None

    def matvec(self, vector: Array) -> Array:
        """The product ``Θ v``."""
        check_shape("vector", vector, self.shape)
        layout = Layout(len(self.shape))
        return jnp.einsum(
            f"{layout.result},{layout.right}->{layout.left}",
            self.kernel.astype(self.dtype),
            vector.astype(self.dtype),
            precision="highest",
        )

    def diagonal(self) -> Array:
        """The diagonal, in the shape of a vector."""
        left = Layout(len(self.shape)).left
        return jnp.einsum(f"{''.join(2 * a for a in left)}->{left}", self.kernel).astype(self.dtype)


def dataset_operator(
    apply_fn: ApplyFn,
    params: Any,
    x: Any,
    *,
    micro_batch: int,
    axis_name: AxisName | None = None,
    precision: str | None = "highest",
) -> DatasetOperator:
    """The neural tangent kernel of a data set as an operator, ``v ↦ J (Jᵀ v)``.

    ``matvec`` and ``diagonal`` of the result run under ``jit``, ``vmap`` (over vectors, or over
    the operator: ensembles of parameters) and differentiation. Every product is one linear map of
    all examples, so that one example whose derivative is NaN makes every entry NaN.

    Examples sharded over devices: call it inside ``jax.shard_map`` or ``jax.pmap`` with one
    device's rows of ``x`` and the ``axis_name``; vectors are then that device's rows too, and one
    ``psum`` of a set of parameters makes the product that of the whole data set.

    Args:
        apply_fn: ``(params, x) -> outputs [n, o₁, …]``, one array in which no example influences
            another's output.
        params: PyTree of parameters; its leaves of floating dtype are differentiated. Solvers
            trace all leaves: what the network branches on belongs in a closure.
        x: examples: a PyTree whose leaves have ``n`` rows each.
        micro_batch: most examples looked at at once; static. Sizes that do not divide ``n`` are
            allowed: the last micro-batch then overlaps the one before, and counts no row twice.
        axis_name: mesh axis, or axes, over which the examples are sharded; static.
        precision: of matrix products, as :func:`jaxlab.ntk.kernel.ntk_fn` takes it; static.

    Returns:
        The operator, on vectors of shape ``[n, o₁, …]``; a PyTree. Products accumulate in float32,
        or in float64 for float64 parameters.

    Raises:
        ValueError: ``micro_batch < 1``; an unknown ``precision``; leaves of ``x`` or outputs
            without ``n`` rows; more than one output; parameters without a leaf of floating dtype
            or with complex ones; in ``matvec``, a vector of another shape.

    Cost:
        A product: two forward passes, one backward and the transpose of one, ``O(n[FP])``;
        temporary memory for two sets of parameters and the activations of one micro-batch. The
        diagonal: ``nO`` gradients. Outside of ``jit`` their loops are compiled anew in every call.

    Source:
        Novak et al. 2022, section 3.2 (NTK-vector products).

    Example:
        >>> x = jnp.array([[1.0, 2.0], [0.0, 3.0], [1.0, 1.0]])
        >>> operator = dataset_operator(lambda w, x: x @ w, jnp.ones(2), x, micro_batch=2)
        >>> operator.matvec(jnp.array([1.0, 0.0, 0.0])).tolist()  # first column of x xᵀ
        [5.0, 6.0, 3.0]
        >>> operator.diagonal().tolist()
        [5.0, 9.0, 2.0]
    """
    check_integer("micro_batch", micro_batch, minimum=1)
    check_precision(precision)
    problem = _problem(apply_fn, params, x)
    dtype = jnp.promote_types(problem.dtype, _output(problem).dtype)
    return DatasetOperator(
        params, x, apply_fn, micro_batch, axis_name, precision, problem.shape1, dtype
    )


def dense_operator(kernel: Float[Array, "..."]) -> DenseOperator:
    """An explicit kernel as an operator, for the solvers of this room.

    Args:
        kernel: symmetric kernel of one batch with itself, ``[n, n, o₁, o₁, …]`` (axes zipped).

    Returns:
        The operator, on vectors of shape ``[n, o₁, …]``.

    Raises:
        ValueError: an odd number of axes, or axes that do not pair.

    Cost:
        A product takes ``2 (nO)²`` operations.

    Source:
        The kernel convention of Novak et al. 2022 (library neural-tangents).

    Example:
        >>> operator = dense_operator(jnp.array([[2.0, 1.0], [1.0, 3.0]]))
        >>> operator.matvec(jnp.array([1.0, 1.0])).tolist()
        [3.0, 4.0]
    """
    shape = jnp.shape(kernel)
    require(
        len(shape) > 0 and len(shape) % 2 == 0 and shape[::2] == shape[1::2],
        "kernel",
        kernel,
        "pairs of axes of equal size, as in [n, n, o, o]",
    )
    check_dtype("kernel", kernel, "floating")
    return DenseOperator(kernel)


def _problem(apply_fn: ApplyFn, params: Any, x: Any) -> Problem:
    problems, structure = prepare(
        apply_fn, x, None, params, trace_axes=(), diagonal_axes=(), vmap_axes=0
    )
    require(len(problems) == 1, "apply_fn", structure, "a function that returns one array")
    return problems[0]


def _output(problem: Problem) -> Any:
    return jax.eval_shape(problem.apply, problem.leaves, problem.x1)


def _rows(leaf: Array, first: Array, size: int) -> Array:
    return jax.lax.dynamic_slice_in_dim(leaf, first, size)
