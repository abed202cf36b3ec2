"""One optimizer update, and one evaluation, as pure functions.

The same function runs under ``jax.jit`` alone, under ``jax.pmap`` and inside ``jax.shard_map``:
devices and micro-batches are two ways to cut the batch, and both are averaged in the same way.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Key, PyTree

from jaxlab.checks import check_integer, require
from jaxlab.convolutions import canonical_convolutions
from jaxlab.training.batches import split_batch
from jaxlab.training.state import TrainState

__all__ = ["EvalStep", "LossFunction", "Metrics", "TrainStep", "make_eval_step", "make_train_step"]

Metrics = dict[str, Array]
LossFunction = Callable[
    [PyTree, PyTree, PyTree, Key[Array, ""]], tuple[Float[Array, ""], tuple[PyTree, Any]]
]
TrainStep = Callable[[TrainState, PyTree], tuple[TrainState, Metrics]]
EvalStep = Callable[[TrainState, PyTree], Metrics]


def make_train_step(
    loss_fn: LossFunction,
    optimizer: optax.GradientTransformation,
    *,
    axis_name: str | None = None,
    accumulate: int = 1,
) -> TrainStep:
    """A function that makes one optimizer update.

    With the batch cut into D·A equal parts ``B[d, a]``, for D devices and A = ``accumulate``
    micro-batches on each of them, the update uses the gradient

        g = 1 / (D A) Σ_d Σ_a ∇_params loss(params, model_state, B[d, a], key[d, a])

    which is the full batch's gradient when the loss is a mean over examples. Loss, metrics and the
    floating-point leaves of ``model_state`` are averaged in the same way, every part having started
    from the same ``model_state``; its integer and bool leaves are combined by maximum. So device
    count and ``accumulate`` change nothing in a model without coupling between the examples of a
    batch. Batch normalization couples them: each part is normalized by its own statistics, as is
    usual, and the running statistics are the average. Sums are taken in float32 at least, and
    averages go back to the dtype of what was averaged.

    Randomness: ``key[d, a] = fold_in(fold_in(fold_in(state.key, state.step), d), a)``, where ``d``
    is ``axis_index(axis_name)``, or 0 without an axis, and ``a`` counts the micro-batches from 0.
    Parts therefore draw independent noise; ``state.key`` itself is used for nothing else.

    Args:
        loss_fn: ``loss_fn(params, model_state, batch, key) -> (loss, (model_state, metrics))``:
            a scalar loss, averaged over the examples of ``batch``; the new model state, of the same
            structure, shapes and dtypes; a dict of metrics, averaged over the examples too.
        optimizer: an optax gradient transformation; one that asks for the loss gets it, as
            ``value``.
        axis_name: the mapped axis over which the batch is sharded and the state replicated, when
            the step is to run under ``jax.pmap`` or ``jax.shard_map``; ``None`` for one device.
        accumulate: number of micro-batches, consecutive slices of the (per-device) batch, worked
            off one after the other; must divide its size.

    Returns:
        ``step(state, batch) -> (state, metrics)``, not jitted, so that it can go under any of
        ``jax.jit(step, donate_argnums=0)``, ``jax.pmap(step, axis_name, donate_argnums=0)`` and
        :func:`jaxlab.training.data_parallel`. ``metrics`` are those of ``loss_fn`` as floats, of
        float32 at least, with ``"loss"`` and ``"grad_norm"`` (Euclidean norm of g) added. A loss
        that is not finite stays so in the metrics and the update is made all the same: seeing to it
        is the caller's part, and :func:`jaxlab.training.fit` reports it.

    Raises:
        ValueError: if ``accumulate`` is below 1; when the step is traced, if the batch does not
            divide, or ``loss_fn`` returns something else than described above.

    Cost: one forward and backward pass per part. Memory for activations shrinks by the factor
        ``accumulate``; a second gradient-sized buffer is needed once ``accumulate`` is above 1.

    Example:
        >>> def loss_fn(params, model_state, batch, key):
        ...     error = batch["x"] @ params["w"] - batch["y"]
        ...     return jnp.mean(error**2), (model_state, {"largest": jnp.max(jnp.abs(error))})
        >>> from jaxlab.training import create_train_state
        >>> optimizer = optax.sgd(0.5)
        >>> state = create_train_state({"w": jnp.zeros(2)}, optimizer, key=jax.random.key(0))
        >>> step = jax.jit(make_train_step(loss_fn, optimizer), donate_argnums=0)
        >>> state, metrics = step(state, {"x": jnp.eye(2), "y": jnp.array([1.0, 2.0])})
        >>> state.params["w"].tolist(), float(metrics["loss"])
        ([0.5, 1.0], 2.5)
    """
    check_integer("accumulate", accumulate, minimum=1)
    gradient = jax.value_and_grad(_checked(loss_fn), has_aux=True)
    optimizer = optax.with_extra_args_support(optimizer)

    def step(state: TrainState, batch: PyTree) -> tuple[TrainState, Metrics]:
        device = 0 if axis_name is None else jax.lax.axis_index(axis_name)
        key = jax.random.fold_in(jax.random.fold_in(state.key, state.step), device)
        params = _varying(state.params, axis_name)

        def part(
            micro_batch: PyTree, index: int | Array
        ) -> tuple[tuple[Array, tuple[PyTree, Any]], PyTree]:
            micro_key = jax.random.fold_in(key, index)
            return gradient(params, state.model_state, micro_batch, micro_key)

        if accumulate == 1:
            (loss, (model_state, metrics)), grads = part(batch, 0)
        else:
            parts = (split_batch(batch, accumulate), jnp.arange(accumulate))
            (loss, (model_state, metrics)), grads = _mean_over_parts(part, parts, axis_name)
        loss, model_state, metrics, grads = _combine_devices(
            (loss, model_state, metrics, grads), axis_name
        )
        updates, opt_state = optimizer.update(grads, state.opt_state, state.params, value=loss)
        new_state = state.replace(
            step=state.step + 1,
            params=optax.apply_updates(state.params, updates),
            opt_state=opt_state,
            model_state=model_state,
        )
        grad_norm = optax.tree.norm(jax.tree.map(_widened, grads))
        return new_state, {"loss": loss, "grad_norm": grad_norm, **metrics}

    return step


def make_eval_step(
    metrics_fn: Callable[[PyTree, PyTree, PyTree], Any], *, axis_name: str | None = None
) -> EvalStep:
    """A function that measures a state on a batch and changes nothing.

    Args:
        metrics_fn: ``metrics_fn(params, model_state, batch) -> metrics``, a dict of means over the
            examples of ``batch``.
        axis_name: the mapped axis over which the batch is sharded; ``None`` for one device.

    Returns:
        ``eval_step(state, batch) -> metrics``, not jitted, for ``jax.jit``, ``jax.pmap`` or
        ``data_parallel(eval_step, mesh, donate_state=False)``. The metrics are floats, averaged
        over the devices.

    Raises:
        ValueError: when the step is traced, if ``metrics_fn`` does not return a dict.

    Cost: one forward pass.

    Example:
        >>> from jaxlab.training import create_train_state
        >>> state = create_train_state(jnp.ones(2), optax.sgd(0.1), key=jax.random.key(0))
        >>> eval_step = jax.jit(make_eval_step(lambda w, _, x: {"mean": jnp.mean(x @ w)}))
        >>> float(eval_step(state, jnp.array([[1.0, 2.0], [3.0, 4.0]]))["mean"])
        5.0
    """

    def eval_step(state: TrainState, batch: PyTree) -> Metrics:
        metrics = metrics_fn(state.params, state.model_state, batch)
        require(isinstance(metrics, dict), "metrics_fn", metrics, "a dict of metrics")
        return _combine_devices(jax.tree.map(_widened, metrics), axis_name)

    return eval_step


def _checked(loss_fn: LossFunction) -> Callable[..., tuple[Array, tuple[PyTree, Metrics]]]:
    """``loss_fn`` with what it returns held against what it promises."""

    def checked(
        params: PyTree, model_state: PyTree, batch: PyTree, key: Key[Array, ""]
    ) -> tuple[Array, tuple[PyTree, Metrics]]:
        result = loss_fn(params, model_state, batch, key)
        expected = "to return (loss, (model_state, metrics)) with a dict of metrics"
        pairs = isinstance(result, tuple) and len(result) == 2
        pairs = pairs and isinstance(result[1], tuple) and len(result[1]) == 2
        require(pairs and isinstance(result[1][1], dict), "loss_fn", result, expected)
        loss, (new_state, metrics) = result
        floating = jnp.issubdtype(jnp.result_type(loss), jnp.floating)
        require(jnp.shape(loss) == () and floating, "loss_fn", loss, "a real scalar loss")
        before, after = _signature(model_state), _signature(new_state)
        require(before == after, "loss_fn", after, f"a model_state like the one it got, {before}")
        for name in ("loss", "grad_norm", "step"):  # fit records the step number
            require(
                name not in metrics, "loss_fn", name, "no metric of this name, step or fit adds it"
            )
        new_state = jax.tree.map(jnp.asarray, new_state)
        return _widened(loss), (new_state, jax.tree.map(_widened, metrics))

    return checked


def _signature(tree: PyTree) -> Any:
    leaves, structure = jax.tree.flatten(tree)
    return structure, [(jnp.shape(leaf), jnp.result_type(leaf)) for leaf in leaves]


def _widened(leaf: Any) -> Array:
    """As a float, of float32 at least."""
    return jnp.asarray(leaf).astype(jnp.promote_types(jnp.result_type(leaf), jnp.float32))


def _varying(tree: PyTree, axis_name: str | None) -> PyTree:
    """The replicated ``tree`` as something that may differ between devices.

    Inside ``shard_map``, jax differentiates a replicated argument into the *sum* of the devices'
    gradients, under ``pmap`` into each device's own. Marking the parameters as varying makes it
    each device's own in both, and the mean is then taken in one place.
    """
    if axis_name is None:
        return tree
    return jax.tree.map(lambda leaf: jax.lax.pcast(leaf, axis_name, to="varying"), tree)


def _mean_over_parts(
    part: Callable[[PyTree, Array], PyTree], parts: tuple[PyTree, Array], axis_name: str | None
) -> PyTree:
    """The average of ``part`` over the micro-batches, by a scan that keeps only running sums."""
    count = parts[1].shape[0]
    first = jax.tree.map(lambda leaf: leaf[0], parts)
    shapes = jax.eval_shape(part, *first)

    def add(sums: PyTree, inputs: tuple[PyTree, Array]) -> tuple[PyTree, None]:
        return jax.tree.map(_accumulated, sums, part(*inputs)), None

    start = _varying(jax.tree.map(_start, shapes), axis_name)
    loop = functools.partial(jax.lax.scan, add)
    sums, _ = canonical_convolutions(loop)(start, parts)
    return jax.tree.map(
        lambda total, like: (total / count).astype(like.dtype) if _averaged(like) else total,
        sums,
        shapes,
    )


def _start(like: jax.ShapeDtypeStruct) -> Array:
    """Neutral element of the running sum or maximum; sums are kept in float32 at least."""
    if _averaged(like):
        return _widened(jnp.zeros(like.shape, like.dtype, out_sharding=like.sharding))
    lowest = False if like.dtype == jnp.bool_ else jnp.iinfo(like.dtype).min
    return jnp.full(like.shape, lowest, like.dtype, out_sharding=like.sharding)


def _accumulated(total: Array, new: Array) -> Array:
    return total + new if _averaged(new) else jnp.maximum(total, new)


def _averaged(leaf: Any) -> bool:
    return jnp.issubdtype(leaf.dtype, jnp.inexact)


def _combine_devices(tree: PyTree, axis_name: str | None) -> PyTree:
    """Mean over the devices of what is inexact, maximum of what is integer or bool."""
    if axis_name is None:
        return tree

    def combine(leaf: Array) -> Array:
        if not _averaged(leaf):
            return jax.lax.pmax(leaf, axis_name)
        return jax.lax.pmean(_widened(leaf), axis_name).astype(leaf.dtype)

    return jax.tree.map(combine, tree)
