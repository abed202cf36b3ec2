"""The networks of the energy experiment: their parts, and what is measured on a trajectory.

Energies and rates are computed in float64: near a fixed point the energy of a step changes by less
than float32 can resolve, and the question here is the dynamics, not the rounding.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from pydantic import Field

from jaxlab.checks import require
from jaxlab.experiments.hopfield.study import Data, Sigma
from jaxlab.experiments.interface import Count, Positive, config
from jaxlab.hopfield.corruption import gaussian_noise
from jaxlab.hopfield.energy import energy, energy_rate, simulate, vector_field
from jaxlab.hopfield.lagrangians import (
    Lagrangian,
    layer_norm_lagrangian,
    log_cosh_lagrangian,
    quadratic_lagrangian,
    rectified_power_lagrangian,
    softmax_lagrangian,
)
from jaxlab.hopfield.similarity import dot_product, smooth_manhattan, squared_euclidean
from jaxlab.hopfield.types import Similarity

__all__ = ["NAMES", "Config", "Network", "centred", "frame_steps", "networks", "trajectories"]

SimilarityName = Literal["dot_product", "squared_euclidean", "smooth_manhattan"]
VisibleName = Literal["quadratic", "log_cosh", "layer_norm"]

NAMES: Mapping[str, str] = {
    "dot_product": "dot product",
    "squared_euclidean": "squared Euclidean",
    "smooth_manhattan": "smooth Manhattan",
    "quadratic": "quadratic",
    "log_cosh": "log cosh",
    "layer_norm": "layer norm",
}


@config
class Config:
    """The networks and their integration.

    Memory neurons: ``softmax`` at each of ``betas`` for every similarity, and the rectified
    ``power`` for the dot product (distances are never positive: their rectified power is 0).
    ``delta`` smooths the Manhattan distance and ``epsilon`` the layer norm; ``dt`` must resolve
    both, and be at most 2.5 times the shorter time constant. ``sigma`` is the noise of the queries
    before centring; ``dt``, ``tau_v`` and ``tau_h`` are times in one unit.
    """

    seed: Annotated[int, Field(ge=0)]
    data: Data
    memories: Count
    queries: Count
    sigma: Sigma
    similarities: Annotated[tuple[SimilarityName, ...], Field(min_length=1)]
    visible: Annotated[tuple[VisibleName, ...], Field(min_length=1)]
    betas: Annotated[tuple[Positive, ...], Field(min_length=1)]
    power: Annotated[float, Field(gt=1)]
    delta: Positive
    epsilon: Positive
    dt: Positive
    steps: Count
    save_every: Count
    tau_v: Positive
    tau_h: Positive

    def __post_init__(self) -> None:
        """The last state is saved, and is not the first; steps are not too long for the leak."""
        wanted = f"a multiple of save_every = {self.save_every}"
        require(self.steps % self.save_every == 0, "steps", self.steps, wanted)
        # steps of RK4 amplify a leak, x' = -x / tau, from dt = 2.785 tau on
        longest = 2.5 * min(self.tau_v, self.tau_h)
        wanted = f"at most 2.5 times the shorter of tau_v and tau_h, {longest:g}"
        require(self.dt <= longest, "dt", self.dt, wanted)


class Network(NamedTuple):
    """One combination of similarity and Lagrangians; ``beta`` None means the rectified power."""

    similarity: SimilarityName
    beta: float | None
    visible: VisibleName

    def hidden_label(self, config: Config) -> str:
        """Name of the memory neurons' Lagrangian."""
        if self.beta is None:
            return f"rectified power {config.power:g}"
        return f"softmax β={self.beta:g}"

    def label(self, config: Config) -> str:
        """Name in keys and tables."""
        names = NAMES[self.similarity], self.hidden_label(config), NAMES[self.visible]
        return " / ".join(names)


def networks(config: Config) -> list[Network]:
    """Every network of ``config``."""
    found = []
    for similarity in config.similarities:
        betas: list[float | None] = list(config.betas)
        betas += [None] if similarity == "dot_product" else []
        found += [Network(similarity, b, visible) for b in betas for visible in config.visible]
    return found


def centred(images: Float[Array, "n d"]) -> Float[Array, "n d"]:
    """Images less their mean, at unit length: the dot product of two is their correlation."""
    images = images - jnp.mean(images, axis=-1, keepdims=True)
    return images / jnp.linalg.norm(images, axis=-1, keepdims=True)


def _parts(config: Config, network: Network) -> tuple[Similarity, Lagrangian, Lagrangian]:
    """Similarity, hidden and visible Lagrangian."""
    similarity = {
        "dot_product": dot_product,
        "squared_euclidean": squared_euclidean,
        "smooth_manhattan": smooth_manhattan(config.delta),
    }[network.similarity]
    visible = {
        "quadratic": quadratic_lagrangian(),
        "log_cosh": log_cosh_lagrangian(1.0),
        "layer_norm": layer_norm_lagrangian(config.epsilon),
    }[network.visible]
    if network.beta is None:
        return similarity, rectified_power_lagrangian(config.power), visible
    return similarity, softmax_lagrangian(network.beta), visible


def trajectories(config: Config, network: Network, images: np.ndarray) -> dict[str, Any]:
    """Energies, the two checks, and what is recalled, of every query's trajectory."""
    similarity, hidden, visible = _parts(config, network)
    parts: dict[str, Any] = {"similarity": similarity, "hidden": hidden, "visible": visible}
    constants: dict[str, Any] = {"tau_v": config.tau_v, "tau_h": config.tau_h}
    with jax.enable_x64(True):
        originals = jnp.asarray(images, jnp.float64)
        memories = centred(originals)
        noisy = gaussian_noise(
            jax.random.key(config.seed), originals[: config.queries], config.sigma
        )
        start = centred(noisy)
        path = simulate(
            start,
            similarity(visible.output(start), memories),
            memories,
            dt=config.dt,
            num_steps=config.steps,
            save_every=config.save_every,
            **parts,
            **constants,
        )

        @jax.jit
        def rates(v: Array, h: Array) -> tuple[Array, Array]:
            flow = vector_field(v, h, memories, **parts, **constants)
            along = jax.jvp(lambda v, h: energy(v, h, memories, **parts), (v, h), flow)[1]
            return along, energy_rate(v, h, memories, **parts, **constants)

        along, form = (np.asarray(rate) for rate in rates(path.v, path.h))
        output = np.asarray(visible.output(path.v))
        energies, status = np.asarray(path.energy), np.asarray(path.status)
        targets = np.asarray(memories)

    # rates of a diverging trajectory overflow before its energy does
    rate = np.where(np.isfinite(form), np.abs(form), 0)
    moving = rate > 1e-9 * rate.max(axis=0)
    error = np.abs(along[moving] - form[moving]) / rate[moving]
    rise = np.diff(energies, axis=0).max(axis=0) / np.abs(energies[0])
    length = np.linalg.norm(output[-1], axis=-1, keepdims=True)
    final = output[-1] / np.where(length > 0, length, 1) @ targets.T
    own = np.arange(config.queries)
    frames = output[frame_steps(config), 0]
    return {
        "energies": [[float(f"{value:.8g}") for value in row] for row in energies.T],
        "status": status.tolist(),
        "rise": float(f"{rise.max():.4g}"),
        "identity": float(f"{error.max(initial=0.0):.4g}"),
        "correlation": round(float(final[own, own].mean()), 6),
        "recalled": float((final.argmax(axis=1) == own).mean()),
        "frames": [[float(f"{value:.4g}") for value in frame] for frame in frames],
    }


def frame_steps(config: Config) -> list[int]:
    """Saved states that are shown as pictures: the start, then evenly in the logarithm of time."""
    saves = config.steps // config.save_every
    return [0, *np.unique(np.geomspace(1, saves, 7).round().astype(int)).tolist()]
