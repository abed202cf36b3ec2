"""Batches that are addressed by the step that uses them.

A run resumed at step ``n`` must see the batch that the interrupted run would have seen. So a
stream of batches is a function from the step's index to the batch, without a position of its own.
"""

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec
from jaxtyping import PyTree

from jaxlab.checks import check_integer, require

__all__ = ["check_batch", "epoch_batches", "split_batch"]


def epoch_batches(
    arrays: Mapping[str, np.ndarray], batch_size: int, *, seed: int
) -> Callable[[int], dict[str, np.ndarray]]:
    """Shuffled epochs over arrays in memory, as a function of the step.

    An epoch has ``n // batch_size`` steps. Epoch ``e`` visits the examples in the order of
    ``np.random.default_rng((seed, e)).permutation(n)``; the ``n % batch_size`` examples at the end
    of that order are left out of that epoch, and as every epoch has another order, they are others
    each time.

    Args:
        arrays: named arrays whose leading axis, of one length ``n``, counts the examples.
        batch_size: examples per batch, at most ``n``.
        seed: non-negative seed of the shuffling.

    Returns:
        A function from the index of a step, starting at 0, to that step's batch: a dict of arrays
        with leading axis ``batch_size``. The same index always gives the same batch.

    Raises:
        ValueError: if the leading axes differ, or ``batch_size`` is below 1 or above ``n``.

    Cost: one permutation of ``n`` integers per epoch; a batch is a copy.

    Example:
        >>> batches = epoch_batches({"x": np.arange(5)}, 2, seed=0)
        >>> [batches(step)["x"].tolist() for step in range(4)]
        [[2, 4], [3, 0], [1, 4], [3, 0]]
    """
    size = check_batch(arrays, 1, "arrays")
    check_integer("batch_size", batch_size, minimum=1)
    require(batch_size <= size, "batch_size", batch_size, f"at most the {size} examples there are")
    check_integer("seed", seed, minimum=0)
    steps_per_epoch = size // batch_size

    @functools.lru_cache(maxsize=1)
    def order(epoch: int) -> np.ndarray:
        return np.random.default_rng((seed, epoch)).permutation(size)

    def batch_of(step: int) -> dict[str, np.ndarray]:
        epoch, position = divmod(step, steps_per_epoch)
        chosen = order(epoch)[position * batch_size : (position + 1) * batch_size]
        return {name: np.asarray(array)[chosen] for name, array in arrays.items()}

    return batch_of


def check_batch(batch: PyTree, parts: int, argument: str = "batch") -> int:
    """The common length of the leading axes of ``batch``, which ``parts`` must divide.

    Raises:
        ValueError: if ``parts`` is below 1; naming the leaf that has no leading axis, another
            length than the first leaf, or a length that cannot be cut into ``parts`` equal parts.

    Example:
        >>> check_batch({"x": np.zeros((6, 2)), "y": np.zeros(6)}, 3)
        6
    """
    check_integer("parts", parts, minimum=1)
    leaves = jax.tree_util.tree_leaves_with_path(batch)
    require(bool(leaves), argument, batch, "at least one array")
    length: Any = None
    for path, leaf in leaves:
        name = argument + jax.tree_util.keystr(path)
        shape = np.shape(leaf)
        require(len(shape) >= 1, name, leaf, "a leading axis that counts the examples")
        length = shape[0] if length is None else length
        require(shape[0] == length, name, leaf, f"leading axis {length}, as the first array has")
        require(
            shape[0] > 0 and shape[0] % parts == 0,
            name,
            leaf,
            f"a leading axis that divides into {parts} equal parts",
        )
    return int(length)


def split_batch(batch: PyTree, parts: int) -> PyTree:
    """Consecutive equal parts of ``batch``: leaves [b, ...] become [parts, b / parts, ...].

    Arrays whose examples are split along explicit axes of a mesh are so in every part, or, where
    the examples of a part do not divide, whole on every device.

    Raises:
        ValueError: as :func:`check_batch`.

    Example:
        >>> split_batch({"x": np.arange(6)}, 3)["x"].tolist()
        [[0, 1], [2, 3], [4, 5]]
    """
    size = check_batch(batch, parts) // parts

    def cut(leaf: Any) -> Any:
        shape = (parts, size, *leaf.shape[1:])
        sharding = jax.typeof(leaf).sharding
        if all(axes is None for axes in sharding.spec):
            return leaf.reshape(shape)
        examples, *rest = sharding.spec
        if size % math.prod(sharding.mesh.shape[name] for name in jax.tree.leaves(examples)):
            examples = None
        spec = PartitionSpec(None, examples, *rest)
        return jax.lax.reshape(leaf, shape, out_sharding=NamedSharding(sharding.mesh, spec))

    return jax.tree.map(cut, batch)
