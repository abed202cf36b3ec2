"""A kernel to be computed, in the one form that every implementation takes.

``prepare`` turns ``(apply_fn, x1, x2, params, axes)`` into a :class:`Problem` per output leaf: a
function of the differentiable leaves alone, and a :class:`Layout` that says how output axes pair.
"""

from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxlab.checks import check_integer, require
from jaxlab.ntk._layout import Layout
from jaxlab.ntk.types import VmapAxes
from jaxlab.varying import vary_arrays, vary_like

__all__ = [
    "Problem",
    "axes_of_leaves",
    "check_example_axis",
    "check_outputs",
    "differentiable",
    "output_shapes",
    "prepare",
    "traced",
]


class Problem(NamedTuple):
    """One array-valued output, its differentiable leaves and two batches.

    Attributes:
        apply: ``(leaves, x) -> output`` on a whole batch.
        leaves: the parameters of floating dtype, flattened.
        paths: name of each leaf.
        constants: name, shape and dtype of every other parameter; of a number its value too.
        x1: first batch.
        x2: second batch; the same object as ``x1`` when the kernel is symmetric.
        symmetric: whether the kernel is that of one batch with itself.
        in_axes: axis of the examples in each leaf of ``x`` (a PyTree prefix); None when examples
            may interact.
        layout: how the output axes pair.
        shape1: shape of ``apply(leaves, x1)``.
        shape2: shape of ``apply(leaves, x2)``.
    """

    apply: Callable[[list[Array], Any], Array]
    leaves: list[Array]
    paths: list[str]
    constants: tuple[Hashable, ...]
    x1: Any
    x2: Any
    symmetric: bool
    in_axes: Any
    layout: Layout
    shape1: tuple[int, ...]
    shape2: tuple[int, ...]

    @property
    def kernel_shape(self) -> tuple[int, ...]:
        """Shape of the kernel."""
        return self.layout.kernel_shape(self.shape1, self.shape2)

    def one_example(self, leaves: list[Array], example: Any) -> Array:
        """The network on one example: no example axis in ``example`` nor in the output."""
        axes = axes_of_leaves(self.in_axes, example)
        values, structure = jax.tree.flatten(example)
        batch = jax.tree.unflatten(
            structure,
            [
                value if axis is None else jnp.expand_dims(value, axis)
                for value, axis in zip(values, axes, strict=True)
            ],
        )
        return jnp.squeeze(self.apply(leaves, batch), self.layout.batch)

    def example(self, x: Any, index: int | Array) -> Any:
        """Example number ``index`` of ``x``, as :meth:`one_example` takes it; or several."""
        values, structure = jax.tree.flatten(x)
        axes = axes_of_leaves(self.in_axes, x)
        return jax.tree.unflatten(
            structure,
            [
                value if axis is None else jnp.take(value, index, axis, mode="clip")
                for value, axis in zip(values, axes, strict=True)
            ],
        )

    def over_examples(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """``function(leaves, example)`` mapped over a batch; results lead with the example axis."""
        return jax.vmap(function, in_axes=(None, self.in_axes))

    @property
    def dtype(self) -> Any:
        """In what the kernel accumulates: float32, or float64 for float64 parameters."""
        return jnp.promote_types(jnp.result_type(*self.leaves), jnp.float32)


def prepare(
    apply_fn: Callable[..., Any],
    x1: Any,
    x2: Any,
    params: Any,
    *,
    trace_axes: tuple[int, ...],
    diagonal_axes: tuple[int, ...],
    vmap_axes: int | VmapAxes | None,
) -> tuple[list[Problem], Any]:
    """One :class:`Problem` per leaf of the output, and the structure of the output.

    Raises:
        ValueError: parameters without a leaf of floating dtype or with complex ones, outputs that
            are not real arrays, axes out of range, in both tuples or of unequal sizes, example
            axes that do not fit ``x`` or the output.
    """
    symmetric = x2 is None
    params, x1, x2 = vary_arrays((params, x1, x2))
    x2 = x1 if symmetric else x2
    leaves, paths, merge = differentiable(params)
    constants = _constants(params, paths)
    leaves = vary_like(leaves, params, x1, x2)  # numbers among them are arrays now

    def on_leaves(leaves: list[Array], x: Any) -> Any:
        return apply_fn(merge(leaves), x)

    axes = _vmap_axes(vmap_axes)
    out1 = output_shapes(on_leaves, leaves, x1)
    out2 = out1 if symmetric else output_shapes(on_leaves, leaves, x2)
    shapes1, tree = jax.tree.flatten(out1)
    shapes2, tree2 = jax.tree.flatten(out2)
    same = bool(tree == tree2)  # type: ignore[operator]
    require(same, "x2", tree2, f"a batch on which the network returns the structure {tree}")
    problems = []
    for index, (one, two) in enumerate(zip(shapes1, shapes2, strict=True)):
        layout = _layout(one.shape, two.shape, trace_axes, diagonal_axes, axes)
        if axes is not None:
            _check_examples(axes, x1, one.shape, layout, "x1")
            _check_examples(axes, x2, two.shape, layout, "x2")

        def apply(leaves: list[Array], x: Any, index: int = index) -> Array:
            return jax.tree.leaves(on_leaves(leaves, x))[index]

        problems.append(
            Problem(
                apply=apply,
                leaves=leaves,
                paths=paths,
                constants=constants,
                x1=x1,
                x2=x2,
                symmetric=symmetric,
                in_axes=None if axes is None else axes.in_axes,
                layout=layout,
                shape1=one.shape,
                shape2=two.shape,
            )
        )
    return problems, tree


def differentiable(
    params: Any,
) -> tuple[list[Array], list[str], Callable[[list[Array]], Any]]:
    """The leaves of floating dtype, their names, and how to put new values in their place.

    Raises:
        ValueError: no leaf of floating dtype, or a complex one.
    """
    with_paths, structure = jax.tree_util.tree_flatten_with_path(params)
    values = [value for _, value in with_paths]
    names = ["params" + jax.tree_util.keystr(path) for path, _ in with_paths]
    dtypes = [jnp.result_type(value) for value in values]
    for name, value, dtype in zip(names, values, dtypes, strict=True):
        real = not jnp.issubdtype(dtype, jnp.complexfloating)
        require(real, name, value, "real parameters: complex ones are not supported")
    chosen = [i for i, dtype in enumerate(dtypes) if jnp.issubdtype(dtype, jnp.floating)]
    require(bool(chosen), "params", params, "at least one leaf of floating dtype")

    merge = _merge_into(values, structure, chosen)
    return [jnp.asarray(values[i]) for i in chosen], [names[i] for i in chosen], merge


def _constants(params: Any, paths: list[str]) -> tuple[Hashable, ...]:
    found: list[Hashable] = []
    for path, value in jax.tree_util.tree_leaves_with_path(params):
        name = "params" + jax.tree_util.keystr(path)
        if name not in paths:
            number = value if isinstance(value, bool | int | np.generic) else None
            found.append((name, jnp.shape(value), jnp.result_type(value), number))
    return tuple(found)


def traced(params: Any) -> tuple[list[Any], Callable[[list[Any]], Any]]:
    """The leaves of which only shapes count in an estimate, and how to put others in their place.

    Those of floating dtype and those without values; the rest are constants of the network.
    """
    values, structure = jax.tree.flatten(params)
    chosen = [
        i
        for i, value in enumerate(values)
        if isinstance(value, jax.ShapeDtypeStruct)
        or jnp.issubdtype(jnp.result_type(value), jnp.floating)
    ]
    return [values[i] for i in chosen], _merge_into(values, structure, chosen)


def _merge_into(values: list[Any], structure: Any, chosen: list[int]) -> Callable[[list[Any]], Any]:
    def merge(leaves: list[Any]) -> Any:
        merged = list(values)
        for i, leaf in zip(chosen, leaves, strict=True):
            merged[i] = leaf
        return jax.tree.unflatten(structure, merged)

    return merge


def _vmap_axes(vmap_axes: int | VmapAxes | None) -> VmapAxes | None:
    if vmap_axes is None:
        return None
    if isinstance(vmap_axes, VmapAxes):
        for axis in jax.tree.leaves(vmap_axes.in_axes):
            check_integer("vmap_axes.in_axes", axis)
        check_integer("vmap_axes.out_axes", vmap_axes.out_axes)
        return vmap_axes
    check_integer("vmap_axes", vmap_axes)
    return VmapAxes(vmap_axes, vmap_axes)


def output_shapes(apply: Callable[..., Any], leaves: list[Array], x: Any) -> Any:
    """Shapes and dtypes of the outputs, which must be real arrays of floating dtype."""

    def checked(leaves: list[Array], x: Any) -> Any:
        outputs = apply(leaves, x)
        check_outputs(outputs)
        return outputs

    return jax.eval_shape(checked, leaves, x)


def check_outputs(outputs: Any) -> None:
    """Refuse outputs that are not real arrays of floating dtype, or none at all."""
    found = jax.tree.leaves(outputs)
    require(bool(found), "apply_fn", outputs, "a function that returns at least one array")
    for output in found:
        require(
            jnp.issubdtype(getattr(output, "dtype", bool), jnp.floating),
            "apply_fn",
            output,
            "a function whose outputs are real floating-point arrays",
        )


def _layout(
    shape1: tuple[int, ...],
    shape2: tuple[int, ...],
    trace_axes: tuple[int, ...],
    diagonal_axes: tuple[int, ...],
    axes: VmapAxes | None,
) -> Layout:
    require(
        len(shape1) == len(shape2),
        "x2",
        shape2,
        f"a batch on which the output has {len(shape1)} axes, as on x1",
    )
    ndim = len(shape1)
    layout = Layout.of(ndim, trace_axes, diagonal_axes)
    for name, chosen in (("trace_axes", layout.trace), ("diagonal_axes", layout.diagonal)):
        for axis in chosen:
            require(
                shape1[axis] == shape2[axis],
                name,
                (shape1, shape2),
                f"outputs of equal size along axis {axis}",
            )
    if axes is None:
        return layout
    check_example_axis(axes.out_axes, ndim)
    return layout._replace(batch=axes.out_axes % ndim)


def check_example_axis(axis: int, ndim: int) -> None:
    """Refuse what is no axis of an output."""
    check_integer("vmap_axes", axis)
    expected = f"an axis of the examples in an output with {ndim} axes"
    require(-ndim <= axis < ndim, "vmap_axes", axis, expected)


def axes_of_leaves(in_axes: Any, x: Any) -> list[int | None]:
    """Axis of the examples in each leaf of ``x``, from a prefix as ``jax.vmap`` takes it."""
    found: list[int | None] = []

    def spread(axis: int | None, part: Any) -> None:
        found.extend([axis] * len(jax.tree.leaves(part)))

    jax.tree.map(spread, in_axes, x, is_leaf=lambda axis: axis is None)
    return found


def _check_examples(
    axes: VmapAxes, x: Any, shape: tuple[int, ...], layout: Layout, argument: str
) -> None:
    assert layout.batch is not None
    size = shape[layout.batch]
    try:
        found = axes_of_leaves(axes.in_axes, x)
    except ValueError as error:
        raise ValueError(
            f"vmap_axes: expected a prefix of {argument}, got {axes.in_axes!r}: {error}"
        ) from error
    require(
        any(axis is not None for axis in found),
        "vmap_axes",
        axes.in_axes,
        f"an axis of the examples in at least one leaf of {argument}",
    )
    for value, axis in zip(jax.tree.leaves(x), found, strict=True):
        if axis is None:
            continue
        ndim = jnp.ndim(value)
        require(
            -ndim <= axis < ndim,
            "vmap_axes",
            axis,
            f"an axis of the examples in a leaf of {argument} with {ndim} axes",
        )
        require(
            jnp.shape(value)[axis] == size,
            "vmap_axes",
            jnp.shape(value)[axis],
            f"{size} examples in every leaf of {argument} along axis {axis}, as in the output "
            f"along axis {layout.batch}",
        )
