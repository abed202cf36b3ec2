"""The two-layer network's equations, without checks: what energy and dynamics are both made of."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxlab.checks import check_dtype, check_shape, require
from jaxlab.hopfield._declare import check_bank, check_broadcasts
from jaxlab.hopfield.lagrangians import Lagrangian
from jaxlab.hopfield.types import Similarity
from jaxlab.varying import vary_like


class Network(NamedTuple):
    """The three functions that make a network; hashable, so that it can be a static argument."""

    similarity: Similarity
    hidden: Lagrangian
    visible: Lagrangian


def network_energy(
    network: Network, v: Array, h: Array, memories: Array, bias: Array | None
) -> Float[Array, "*b"]:
    """``E(v, h)``, see :mod:`jaxlab.hopfield.energy`."""
    g, f = network.visible.output(v), network.hidden.output(h)
    scores = network.similarity(g, memories)
    drive = v if bias is None else v - bias
    visible = jnp.sum(drive * g, axis=-1) - network.visible.value(v)
    hidden = jnp.sum(h * f, axis=-1) - network.hidden.value(h)
    return visible + hidden - jnp.sum(f * scores, axis=-1)


def network_forces(
    network: Network, v: Array, h: Array, memories: Array, bias: Array | None
) -> tuple[Float[Array, "*b d"], Float[Array, "*b n"]]:
    """``(τ_v dv/dt, τ_h dh/dt)``: the time derivatives for time constants 1."""
    f = network.hidden.output(h)
    scores, feedback = score_feedback(network.similarity, network.visible.output(v), memories, f)
    force = feedback - v
    return force if bias is None else force + bias, scores - h


def score_feedback(
    similarity: Similarity, g: Array, memories: Array, f: Array
) -> tuple[Float[Array, "*b n"], Float[Array, "*b d"]]:
    """Scores ``S(g)``, and what the memory neurons send back through them, ``J_S(g)ᵀ f``."""
    # a derivative in what all devices share would be summed over them
    g, memories, f = vary_like((g, memories, f), jax.eval_shape(similarity, g, memories))
    scores, pull_back = jax.vjp(lambda g: similarity(g, memories), g)
    (feedback,) = pull_back(f.astype(scores.dtype))
    return scores, feedback


def check_network(network: Network) -> None:
    """Refuse layers that are not Lagrangians."""
    for name, layer in (("hidden", network.hidden), ("visible", network.visible)):
        require(isinstance(layer, Lagrangian), name, layer, "a Lagrangian")


def check_state(v: Any, h: Any, memories: Any, bias: Any, names: tuple[str, str]) -> None:
    """Refuse neurons that do not fit the memories."""
    check_bank(memories)
    num_memories, dim = memories.shape
    check_dtype(names[0], v, "floating")
    check_dtype(names[1], h, "floating")
    check_shape(names[0], v, ("...", dim))
    check_shape(names[1], h, (*v.shape[:-1], num_memories))
    if bias is not None:
        check_bias(bias, v)


def check_bias(bias: Any, v: Any) -> None:
    """Refuse an input that does not broadcast to the visible neurons."""
    check_dtype("bias", bias, "floating")
    check_shape("bias", bias, ("...", v.shape[-1]))
    check_broadcasts("bias", bias, v.shape)
