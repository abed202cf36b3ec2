"""What differs between the devices that points are split over, and what they all agree on.

Inside of ``jax.shard_map`` jax tells the one from the other (:mod:`jaxlab.varying`). Loops over
points carry both: distances, which are a device's own, and the picks or the radius, which all
devices find together.
"""

from typing import Any

import jax

from jaxlab.varying import vary, vary_like, varying

__all__ = ["alike", "gathered"]


def alike(own: Any, common: Any, axis_name: str | None) -> tuple[Any, Any]:
    """Arguments, all of which differ between the same devices; ``common`` not along ``axis_name``.

    Args:
        own: what the devices along the axis have each its own part of.
        common: what is the same for all of them.
        axis_name: that axis, if there is one.
    """
    if axis_name is None:
        return vary_like((own, common))
    own = vary_like(own, common, jax.lax.axis_index(axis_name))
    return own, vary(common, varying(own) - {axis_name})


def gathered(tree: Any, axis_name: str) -> Any:
    """What all devices along the axis have, in their order; the same on all of them."""
    here = jax.lax.axis_index(axis_name)
    # jax.vmap, which may name an axis too, does not tell what differs, nor take what says so
    kind = "invarying" if varying(here) else "varying"
    return jax.lax.all_gather(vary_like(tree, here), axis_name, to=kind)
