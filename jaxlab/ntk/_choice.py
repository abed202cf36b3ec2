"""For every leaf: contract at its sites, or materialise its Jacobian.

Contraction at the sites is priced with the cheapest order of its einsum, weight space with forming
the Jacobian, once for each batch, and contracting it; both with what they write to memory and read
again. Sites are taken where they are cheaper so, and in operations alone. Structured derivatives
therefore never count more operations than Jacobian contraction, and a saving of operations does not
buy arrays that take longer to write. The Jacobian of a leaf that enters products only is formed
from the factors of its sites, in one matrix product. Kernels of many taps are left whole: their
factors hold what every tap sees, which is many times what the network computes.
"""

import math
from collections.abc import Hashable
from typing import Literal, NamedTuple

from jaxlab.ntk._contraction import Order, best_order, price, subscripts
from jaxlab.ntk._layout import Layout
from jaxlab.ntk._patches import WRITTEN_OUT
from jaxlab.ntk._plan import Box, Survey, Use

__all__ = ["Choice", "Group", "choose"]


class Group(NamedTuple):
    """All uses of one part of a leaf; they are contracted together, side by side along ``X``.

    Attributes:
        leaf: which leaf.
        box: which part of it.
        kind: dense or lookup.
        formed: whether the Jacobian is formed from the factors.
    """

    leaf: int
    box: Box
    kind: Literal["dense", "lookup"]
    formed: bool = False


class Choice(NamedTuple):
    """What happens to one leaf.

    Attributes:
        strategy: ``"structured"``, ``"materialised"``, or ``"unused"``.
        reason: why, in words.
        sites: number of sites on each side.
        groups: its uses, where it is cut at them.
        structured_flops: operations of contracting it at its sites, in the order that is cheapest
            with what it writes; None where that is impossible.
        weight_flops: operations of materialising its Jacobian; None where its sites are not known.
        orders: order of the contraction of each group.
    """

    strategy: Literal["structured", "materialised", "unused"]
    reason: str
    sites: tuple[int, int]
    groups: tuple[Group, ...] = ()
    structured_flops: int | None = None
    weight_flops: int | None = None
    orders: tuple[Order, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether the leaf is not cut at its sites: jax differentiates all that it enters."""
        return self.strategy == "materialised" and not self.groups


def choose(
    one: Survey,
    two: Survey,
    layout: Layout,
    shape1: tuple[int, ...],
    shape2: tuple[int, ...],
    *,
    symmetric: bool,
    limit: int | None = None,
) -> list[Choice]:
    """A choice for every leaf, the same for both sides.

    Args:
        one: the first side's program.
        two: the second side's.
        layout: how output axes pair.
        shape1: output of the first side, with its examples.
        shape2: output of the second side.
        symmetric: both sides are one batch, whose Jacobians are formed once.
        limit: largest intermediate of a contraction, entries.
    """
    return [
        _choose(leaf, one, two, layout, shape1, shape2, symmetric, limit)
        for leaf in range(len(one.shapes))
    ]


def _choose(
    leaf: int,
    one: Survey,
    two: Survey,
    layout: Layout,
    shape1: tuple[int, ...],
    shape2: tuple[int, ...],
    symmetric: bool,
    limit: int | None,
) -> Choice:
    parts1 = {box: uses for (of, box), uses in one.uses.items() if of == leaf}
    parts2 = {box: uses for (of, box), uses in two.uses.items() if of == leaf}
    sites = (sum(map(len, parts1.values())), sum(map(len, parts2.values())))
    obstacle = one.obstacles.get(leaf) or two.obstacles.get(leaf)
    if obstacle:
        return Choice("materialised", obstacle, sites)
    if not parts1 and not parts2:
        return Choice("unused", "enters no output", sites)
    if _signatures(parts1) != _signatures(parts2):
        return Choice("materialised", "is used differently by the two batches", sites)
    kinds = {box: uses[0].site.kind for box, uses in parts1.items()}
    orders = []
    size = math.prod(one.shapes[leaf])
    jacobians = math.prod(shape1) * size + (0 if symmetric else math.prod(shape2) * size)
    weight = best_order(
        subscripts(layout, "weights"),
        ((*_leading(layout, shape1), size), (*_leading(layout, shape2), size)),
    ).flops
    for box, kind in kinds.items():
        orders.append(_order(kind, parts1[box], parts2[box], layout, shape1, shape2, limit))
        weight += math.prod(shape1) * _formed(parts1[box])
        weight += 0 if symmetric else math.prod(shape2) * _formed(parts2[box])
    structured = sum(order.flops for order in orders)
    entries = sum(order.entries for order in orders)
    better = structured < weight and price(structured, entries) < price(weight, jacobians)
    copies = max(use.site.copies for uses in parts1.values() for use in uses)
    if better:
        reason = "contracted at its sites"
    elif structured < weight:
        reason = "writes less in weight space"
    else:
        reason = "cheaper in weight space"
    cut = better or (set(kinds.values()) == {"dense"} and copies <= WRITTEN_OUT)
    return Choice(
        "structured" if better else "materialised",
        reason,
        sites,
        tuple(Group(leaf, box, kind, not better) for box, kind in kinds.items()) if cut else (),
        structured,
        weight,
        tuple(orders),
    )


def _signatures(parts: dict[Box, list[Use]]) -> dict[Box, Hashable]:
    return {box: uses[0].signature for box, uses in parts.items()}


def _leading(layout: Layout, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Leading axes of a cotangent: examples first, when they are independent."""
    if layout.batch is None:
        return shape
    return (shape[layout.batch], *shape[: layout.batch], *shape[layout.batch + 1 :])


def _examples(layout: Layout, shape: tuple[int, ...]) -> tuple[int, ...]:
    return () if layout.batch is None else (shape[layout.batch],)


def _order(
    kind: Literal["dense", "lookup"],
    uses1: list[Use],
    uses2: list[Use],
    layout: Layout,
    shape1: tuple[int, ...],
    shape2: tuple[int, ...],
    limit: int | None,
) -> Order:
    site = uses1[0].site
    x, y = (sum(use.site.shared for use in uses) for uses in (uses1, uses2))
    lead1, lead2 = _leading(layout, shape1), _leading(layout, shape2)
    n, m = _examples(layout, shape1), _examples(layout, shape2)
    if kind == "lookup":
        shared = (
            layout.batch is not None and layout.left[layout.batch] == layout.right[layout.batch]
        )
        pair = n if shared else (*n, *m)
        shapes = [(*lead1, x, site.kept), (*pair, x, y), (*lead2, y, site.kept)]
    else:
        b, i, j = site.blocks, site.contracted, site.kept
        shapes = [(*lead1, b, x, j), (*n, b, x, i), (*m, b, y, i), (*lead2, b, y, j)]
    return best_order(subscripts(layout, kind), tuple(shapes), limit)


def _formed(uses: list[Use]) -> int:
    """Operations per output of forming the Jacobian of a part from its uses."""
    total = 0
    for use in uses:
        site = use.site
        if site.kind == "lookup":
            total += site.shared * site.kept
        else:
            total += 2 * site.blocks * site.shared * site.contracted * site.kept
    return total
