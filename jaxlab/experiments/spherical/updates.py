"""The training step of any network, compiled once for all seeds, rates, lengths and training sets.

Tables, rates and scales are arguments of the step; what shapes the computation is static.
"""

import functools
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array

from jaxlab.checks import require
from jaxlab.experiments.spherical.inputs import SphereData
from jaxlab.experiments.spherical.networks import NetworkConfig, apply_network
from jaxlab.experiments.spherical.spheres import Scaling, look_at
from jaxlab.spherical.metrics import pixel_cross_entropy
from jaxlab.training import TrainState, data_parallel, make_train_step

__all__ = ["Given", "Plan", "Schedule", "make_mesh", "make_optimizer", "update"]

Schedule: TypeAlias = Literal["cosine", "constant"]
AXIS = "data"


class Plan(NamedTuple):
    """What shapes the compiled step."""

    network: NetworkConfig
    data: SphereData
    online: bool
    schedule: Schedule
    devices: int


class Given(NamedTuple):
    """Arguments of the step that do not change during a training."""

    tables: Any
    points: Any
    scaling: Scaling
    key: Any
    rotate: Any
    learning_rate: Any
    steps: Any
    weight_decay: Any


def make_optimizer(given: Given, schedule: Schedule) -> optax.GradientTransformation:
    """Adam with decoupled weight decay under a schedule; its numbers may be traced."""

    def rate(count: Any) -> Any:
        if schedule == "constant":
            return given.learning_rate
        return given.learning_rate * (1 + jnp.cos(jnp.pi * count / given.steps)) / 2

    return optax.chain(
        optax.scale_by_adam(),
        optax.add_decayed_weights(given.weight_decay),
        optax.scale_by_learning_rate(rate),
    )


@functools.partial(jax.jit, static_argnames="plan", donate_argnums=1)
def update(
    given: Given, state: TrainState, batch: Mapping[str, Array], *, plan: Plan
) -> tuple[TrainState, dict[str, Array]]:
    """One step on a batch of ``images``, ``labels`` and ``turn`` (online, of ``step`` too)."""
    axis_name = None if plan.devices == 1 else AXIS

    def loss_fn(params: Any, model_state: Any, batch: Any, key: Array) -> Any:
        step = batch["step"][0] if plan.online else 0
        seen = look_at(
            given.points,
            batch["images"],
            batch["labels"],
            batch["turn"],
            given.key,
            step,
            plan.data,
            rotate=given.rotate,
        )
        x = (seen.x - given.scaling.shift) / given.scaling.scale
        logits, model_state = apply_network(
            params, model_state, x, given.tables, plan.network, train=True, axis_name=axis_name
        )
        labels = batch["labels"] if plan.network.task == "classification" else seen.mask
        return pixel_cross_entropy(logits, labels, axis_name=axis_name), (model_state, {})

    step = make_train_step(loss_fn, make_optimizer(given, plan.schedule), axis_name=axis_name)
    mesh = make_mesh(plan.devices)
    if mesh is not None:
        step = data_parallel(step, mesh, donate_state=False)
    return step(state, batch)


def make_mesh(devices: int) -> jax.sharding.Mesh | None:
    """The devices of a training, or None where it is one."""
    if devices == 1:
        return None
    available = jax.device_count()
    require(devices <= available, "devices", devices, f"at most the {available} there are")
    return jax.make_mesh((devices,), (AXIS,), devices=jax.devices()[:devices])
