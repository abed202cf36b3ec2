"""Where a parameter enters a network through a structured primitive: the site rules.

At a site ``y = contract(x, θ)`` the derivative with respect to the parameter needs no Jacobian: the
cotangent ``C = ∂f/∂y`` and the other operand ``x`` say it all. A rule brings both into one form::

    x [B, X, I]        C [outputs…, B, X, J]        ∂f/∂θ [outputs…, B, I, J] = Σ_X x ⊗ C

``B`` are batch axes of the parameter (groups of a convolution), ``I`` axes it contracts, ``J`` axes
it hands on, ``X`` everything that shares it (examples, pixels, tokens). A row lookup (embedding)
has indices instead of ``x``: there ``x xᵀ`` is the matrix of equal indices.
"""

import math
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax.extend import core
from jaxtyping import Array

from jaxlab.checks import require
from jaxlab.ntk._patches import patches_of

__all__ = ["Call", "Site", "register_site_rule", "site_of"]


class Call(NamedTuple):
    """An equation with one parameter among its inputs, shapes only.

    Attributes:
        params: the primitive's static parameters.
        position: which input is the parameter.
        inputs: shape and dtype of every input.
        output: shape and dtype of the output.
    """

    params: dict[str, Any]
    position: int
    inputs: tuple[Any, ...]
    output: Any

    @property
    def parameter(self) -> Any:
        """Shape and dtype of the parameter."""
        return self.inputs[self.position]


class Site(NamedTuple):
    """How one equation uses its parameter.

    Attributes:
        kind: ``"dense"`` (``x`` is an array) or ``"lookup"`` (``x`` is a pair: row index and
            whether it is valid, ``[X]`` each).
        blocks: size of ``B``.
        shared: size of ``X``.
        contracted: size of ``I``; for a lookup, the number of rows.
        kept: size of ``J``.
        signature: equal for two uses iff they index the parameter's ``B``, ``I`` and ``J`` alike;
            built from the parameter's own axes.
        operand: ``(other inputs) -> x [B, X, I]``, or the pair of a lookup.
        cotangent: ``C [k, output shape] -> [k, B, X, J]`` (lookup: ``[k, X, J]``).
        copies: how often an entry of the other operand stands in ``x``, as with the taps of a
            convolution.
    """

    kind: Literal["dense", "lookup"]
    blocks: int
    shared: int
    contracted: int
    kept: int
    signature: Hashable
    operand: Callable[[Sequence[Array]], Any]
    cotangent: Callable[[Array], Array]
    copies: int = 1


SiteRule = Callable[[Call], Site | None]
_RULES: dict[str, SiteRule] = {}


def register_site_rule(primitive: core.Primitive, rule: SiteRule) -> None:
    """Teach structured derivatives a primitive.

    Args:
        primitive: a primitive with one output that is linear in its parameter.
        rule: ``(Call) -> Site``, or None for a use that has no such structure, whose parameter is
            then treated in weight space.

    Raises:
        ValueError: the primitive has several outputs or ``rule`` is not callable.

    Example:
        A primitive of a library's own, which is a plain function of its parameter:

        >>> from jax.extend.core import Primitive
        >>> register_site_rule(Primitive("library_scale"), lambda call: None)
    """
    require(
        isinstance(primitive, core.Primitive) and not primitive.multiple_results,
        "primitive",
        primitive,
        "a jax primitive with a single output",
    )
    require(callable(rule), "rule", rule, "a function of a Call")
    _RULES[primitive.name] = rule


def site_of(name: str, call: Call) -> Site | None:
    """The site that primitive ``name`` makes of ``call``, if a rule knows one."""
    rule = _RULES.get(name)
    return None if rule is None else rule(call)


def _sizes(shape: Sequence[int], axes: Sequence[int]) -> int:
    return math.prod(shape[axis] for axis in axes)


def _dot_general(call: Call) -> Site:
    (left, right), (left_batch, right_batch) = call.params["dimension_numbers"]
    of_parameter = (left, left_batch) if call.position == 0 else (right, right_batch)
    of_other = (right, right_batch) if call.position == 0 else (left, left_batch)
    shape = call.parameter.shape
    other = call.inputs[1 - call.position].shape
    # axes in the parameter's own order, so that different uses agree
    contracting = sorted(range(len(of_parameter[0])), key=lambda i: of_parameter[0][i])
    batching = sorted(range(len(of_parameter[1])), key=lambda i: of_parameter[1][i])
    contracted = tuple(of_parameter[0][i] for i in contracting)
    blocks = tuple(of_parameter[1][i] for i in batching)
    other_contracted = [of_other[0][i] for i in contracting]
    other_blocks = [of_other[1][i] for i in batching]
    kept = tuple(axis for axis in range(len(shape)) if axis not in contracted + blocks)
    free = [a for a in range(len(other)) if a not in {*other_contracted, *other_blocks}]
    b, i, j = _sizes(shape, blocks), _sizes(shape, contracted), _sizes(shape, kept)
    x = _sizes(other, free)

    def operand(known: Sequence[Array]) -> Array:
        return known[0].transpose(other_blocks + free + other_contracted).reshape(b, x, i)

    def cotangent(c: Array) -> Array:
        # the output has batch axes as given, then free axes of the left, of the right operand
        k, nb = c.shape[0], len(batching)
        c = c.transpose([0, *(1 + a for a in batching), *range(1 + nb, c.ndim)])
        if call.position == 1:
            return c.reshape(k, b, x, j)
        return c.reshape(k, b, j, x).swapaxes(2, 3)

    return Site("dense", b, x, i, j, ("dot", contracted, blocks), operand, cotangent)


def _conv_general_dilated(call: Call) -> Site | None:
    params = call.params
    if call.position != 1 or params["batch_group_count"] != 1:
        return None
    image_spec, kernel_spec, out_spec = params["dimension_numbers"]
    groups = params["feature_group_count"]
    kernel = [call.parameter.shape[axis] for axis in kernel_spec]
    taps = kernel[2:]
    channels = kernel[1]
    kept = kernel[0] // groups
    out = [call.output.shape[axis] for axis in out_spec]
    shared = out[0] * math.prod(out[2:])
    contracted = channels * math.prod(taps)

    def operand(known: Sequence[Array]) -> Array:
        image = known[0].transpose(image_spec)  # batch, channels, pixels
        patches = patches_of(
            image,
            taps,
            out[2:],
            params["window_strides"],
            params["padding"],
            params["lhs_dilation"],
            params["rhs_dilation"],
        )
        patches = patches.reshape(out[0], groups, channels, *out[2:], math.prod(taps))
        patches = jnp.moveaxis(patches, (1, 2), (0, -2))  # groups, batch, pixels, channels, taps
        return patches.reshape(groups, shared, contracted)

    def cotangent(c: Array) -> Array:
        c = c.transpose([0, *(1 + axis for axis in out_spec)])
        c = c.reshape(c.shape[0], out[0], groups, kept, *out[2:])
        c = jnp.moveaxis(c, (2, 3), (1, -1))
        return c.reshape(c.shape[0], groups, shared, kept)

    return Site(
        "dense",
        groups,
        shared,
        contracted,
        kept,
        ("conv", tuple(kernel_spec), groups),
        operand,
        cotangent,
        copies=math.prod(taps),
    )


def _last_row(index: Array, rows: int) -> int:
    """The last row that an index can name: eight bits know no 256, and would take it for 0."""
    return min(rows - 1, int(jnp.iinfo(index.dtype).max))


def _gather(call: Call) -> Site | None:
    """Rows of a table: ``table[indices]``."""
    numbers, table = call.params["dimension_numbers"], call.parameter.shape
    is_lookup = (
        call.position == 0
        and tuple(numbers.collapsed_slice_dims) == (0,)
        and tuple(numbers.start_index_map) == (0,)
        and not numbers.operand_batching_dims
        and not numbers.start_indices_batching_dims
        and tuple(call.params["slice_sizes"]) == (1, *table[1:])
    )
    if not is_lookup:
        return None
    rows, kept = table[0], math.prod(table[1:])
    shared = math.prod(call.inputs[1].shape[:-1])
    offsets = tuple(numbers.offset_dims)
    places = [axis for axis in range(len(call.output.shape)) if axis not in offsets]
    mode = jax.lax.GatherScatterMode.from_any(call.params["mode"])

    def operand(known: Sequence[Array]) -> tuple[Array, Array]:
        index = known[0].reshape(shared)
        last = _last_row(index, rows)
        if mode == jax.lax.GatherScatterMode.CLIP:
            index = jnp.clip(index, 0, last)
        return index, (index >= 0) & (index <= last)

    def cotangent(c: Array) -> Array:
        c = c.transpose([0, *(1 + axis for axis in places), *(1 + axis for axis in offsets)])
        return c.reshape(c.shape[0], shared, kept)

    return Site("lookup", 1, shared, rows, kept, ("lookup",), operand, cotangent)


def _dynamic_slice(call: Call) -> Site | None:
    """One row of a table, at an index that is not static."""
    table = call.parameter.shape
    if call.position != 0 or tuple(call.params["slice_sizes"]) != (1, *table[1:]):
        return None
    kept = math.prod(table[1:])

    def operand(known: Sequence[Array]) -> tuple[Array, Array]:
        index = jnp.clip(known[0], 0, _last_row(known[0], table[0])).reshape(1)
        return index, jnp.ones_like(index, dtype=bool)

    def cotangent(c: Array) -> Array:
        return c.reshape(c.shape[0], 1, kept)

    return Site("lookup", 1, 1, table[0], kept, ("lookup",), operand, cotangent)


for _name, _rule in (
    ("dot_general", _dot_general),
    ("conv_general_dilated", _conv_general_dilated),
    ("gather", _gather),
    ("dynamic_slice", _dynamic_slice),
):
    _RULES[_name] = _rule
del _name, _rule
