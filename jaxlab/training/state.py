"""The whole of a training run's state, as one PyTree.

Everything a step reads besides the batch is in here, so that saving a :class:`TrainState` and
putting it back is all there is to resuming a run.
"""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import struct
from jaxtyping import Array, Key, PyTree

from jaxlab.checks import check_key, require

__all__ = ["TrainState", "create_train_state"]


class TrainState(struct.PyTreeNode):
    """What a train step takes and gives back.

    ``state.replace(params=...)`` is a copy with other parameters. Under ``jax.pmap`` every leaf has
    a leading axis, one entry per device.

    Attributes:
        step: int32 scalar, the number of optimizer updates made so far.
        params: what the optimizer changes, a PyTree of float arrays.
        opt_state: the optimizer's own state.
        model_state: what the model carries besides parameters (running statistics of batch
            normalization, say), a PyTree of float, integer or bool arrays; ``None`` if nothing.
        key: typed PRNG key of the whole run. It never changes: the randomness of a step is derived
            from it and from ``step``, see :func:`jaxlab.training.make_train_step`.
    """

    # not Array: jax's transformations rebuild PyTrees with placeholders for leaves
    step: Any
    params: PyTree
    opt_state: PyTree
    model_state: PyTree
    key: Any


def create_train_state(
    params: PyTree,
    optimizer: optax.GradientTransformation,
    *,
    key: Key[Array, ""],
    model_state: PyTree = None,
) -> TrainState:
    """The state before the first step.

    Args:
        params: PyTree of float arrays.
        optimizer: an optax gradient transformation.
        key: typed PRNG key, the source of all randomness of the run.
        model_state: PyTree of arrays that the loss function updates; ``None`` if there are none.

    Returns:
        A :class:`TrainState` with ``step`` 0. The leaves are jax arrays of their own (the arrays
        handed in are copied), so that donating the state to a step leaves the caller's alone.

    Raises:
        ValueError: if ``key`` is not one typed PRNG key, ``params`` has leaves that are no
            floats, or ``model_state`` leaves that are neither numbers nor truth values.

    Cost: one copy of ``params`` and ``model_state``, and the optimizer's initial state.

    Example:
        >>> state = create_train_state({"w": jnp.ones(3)}, optax.sgd(0.1), key=jax.random.key(0))
        >>> int(state.step), state.params["w"].shape
        (0, (3,))
    """
    check_key("key", key)
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        fits = jnp.issubdtype(jnp.result_type(leaf), jnp.floating)
        require(fits, "params" + jax.tree_util.keystr(path), leaf, "an array of floats")
    for path, leaf in jax.tree_util.tree_leaves_with_path(model_state):
        kind = jnp.result_type(leaf)
        fits = jnp.issubdtype(kind, jnp.number) or kind == jnp.bool_
        name = "model_state" + jax.tree_util.keystr(path)
        require(fits, name, leaf, "an array of numbers or truth values")
    params, model_state = jax.tree.map(_strong_copy, (params, model_state))
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        params=params,
        opt_state=jax.tree.map(_strong_copy, optimizer.init(params)),
        model_state=model_state,
        key=jnp.copy(key),
    )


def _strong_copy(leaf: Any) -> Array:
    """A copy without jax's weak type, which a checkpoint could not give back."""
    return jnp.array(leaf, dtype=jnp.asarray(leaf).dtype)
