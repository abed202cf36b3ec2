"""What structured derivatives do with every parameter of a network, and why."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
from jaxtyping import PyTree

from jaxlab.ntk._options import check_options
from jaxlab.ntk._problem import Problem, prepare, traced
from jaxlab.ntk.structured import choices_of
from jaxlab.ntk.types import ApplyFn, StructuredOptions, VmapAxes

__all__ = ["LeafReport", "explain", "format_reports"]


class LeafReport(NamedTuple):
    """One parameter leaf in the kernel of one output.

    Attributes:
        output: path of the output; empty when the network returns one array.
        path: path of the leaf in ``params``.
        shape: its shape.
        strategy: ``"structured"`` (contracted at its sites), ``"materialised"`` (its Jacobian is
            formed and contracted) or ``"unused"``.
        reason: why; where more operations are chosen, because they write so much less to memory.
        sites: how often it enters a primitive with a site rule, on the first side.
        structured_flops: operations of contracting it at its sites, without the cotangents, in the
            order that is cheapest with what it writes to memory; None where it cannot be.
        weight_flops: operations of forming and contracting its Jacobian, without the cotangents;
            None where its uses are not all sites.
        order: pairs of operands in the order in which the einsum contracts them, one tuple for each
            separately used part of the leaf; of the operands ``C₁, x₁, x₂, C₂`` of a product,
            ``C₁, 1[i₁=i₂], C₂`` of a lookup.
    """

    output: str
    path: str
    shape: tuple[int, ...]
    strategy: str
    reason: str
    sites: int
    structured_flops: int | None
    weight_flops: int | None
    order: tuple[tuple[tuple[int, ...], ...], ...]


def explain(
    apply_fn: ApplyFn,
    params: PyTree,
    x1: PyTree,
    x2: PyTree | None = None,
    *,
    trace_axes: tuple[int, ...] = (),
    diagonal_axes: tuple[int, ...] = (),
    vmap_axes: int | VmapAxes | None = None,
    options: StructuredOptions = StructuredOptions(),  # noqa: B008 (immutable)
) -> tuple[LeafReport, ...]:
    """A report on every leaf of ``params``; nothing is computed.

    Args:
        apply_fn: ``(params, x) -> outputs``.
        params: PyTree of parameters; shapes (``jax.ShapeDtypeStruct``) suffice.
        x1: first batch; shapes suffice.
        x2: second batch; None for the kernel of ``x1`` with itself.
        trace_axes: output axes that are averaged over.
        diagonal_axes: output axes that appear once.
        vmap_axes: axis of the examples, where they do not interact.
        options: see :class:`StructuredOptions`.

    Returns:
        One report per output array and parameter leaf of floating dtype.

    Raises:
        ValueError: as :func:`jaxlab.ntk.ntk_fn`.

    Cost: a trace of the network.

    Example:
        >>> import jax.numpy as jnp
        >>> def network(params, x):
        ...     return jnp.tanh(x @ params["w"] + params["b"]) @ params["v"]
        >>> params = {"w": jnp.ones((3, 20)), "b": jnp.ones(20), "v": jnp.ones((20, 4))}
        >>> for leaf in explain(network, params, jnp.ones((5, 3)), vmap_axes=0):
        ...     print(leaf.path, leaf.strategy, leaf.reason, sep=": ")
        params['b']: materialised: enters add, which is not a site
        params['v']: structured: contracted at its sites
        params['w']: structured: contracted at its sites
    """
    check_options(options)
    reports: list[LeafReport] = []

    leaves, merge = traced(params)

    def look(leaves: list[Any], x1: PyTree, x2: PyTree | None) -> None:
        problems, structure = prepare(
            apply_fn,
            x1,
            x2,
            merge(leaves),
            trace_axes=trace_axes,
            diagonal_axes=diagonal_axes,
            vmap_axes=vmap_axes,
        )
        outputs = jax.tree.unflatten(structure, range(len(problems)))
        for (output, _), problem in zip(jax.tree.leaves_with_path(outputs), problems, strict=True):
            reports.extend(_reports(jax.tree_util.keystr(output), problem, options))

    jax.eval_shape(look, leaves, x1, x2)
    return tuple(reports)


def _reports(output: str, problem: Problem, options: StructuredOptions) -> list[LeafReport]:
    choices = choices_of(problem, options)
    return [
        LeafReport(
            output=output,
            path=path,
            shape=tuple(leaf.shape),
            strategy=choice.strategy,
            reason=choice.reason,
            sites=choice.sites[0],
            structured_flops=choice.structured_flops,
            weight_flops=choice.weight_flops,
            order=tuple(order.path for order in choice.orders),
        )
        for path, leaf, choice in zip(problem.paths, problem.leaves, choices, strict=True)
    ]


def format_reports(reports: Sequence[LeafReport]) -> str:
    """The reports as a table in plain text, one line per leaf.

    Args:
        reports: what :func:`explain` returned.

    Returns:
        The lines, a heading first, without a newline at the end.

    Example:
        >>> import jax.numpy as jnp
        >>> w, x = jnp.ones((30, 20)), jnp.ones((4, 30))
        >>> reports = explain(lambda w, x: x @ w, w, x, vmap_axes=0)
        >>> print(format_reports(reports))
        leaf    shape  sites  strategy    reason                   structured  weight space
        params  30×20      1  structured  contracted at its sites         ...           ...
    """
    header = ("leaf", "shape", "sites", "strategy", "reason", "structured", "weight space")
    rows = [
        (
            f"{report.output} {report.path}".strip(),
            "×".join(map(str, report.shape)) or "scalar",
            str(report.sites),
            report.strategy,
            report.reason,
            _operations(report.structured_flops),
            _operations(report.weight_flops),
        )
        for report in reports
    ]
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    right = (False, False, True, False, False, True, True)
    return "\n".join(
        "  ".join(
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in (header, *rows)
    )


def _operations(count: int | None) -> str:
    return "–" if count is None else f"{count:.3g}" if count >= 1000 else str(count)
