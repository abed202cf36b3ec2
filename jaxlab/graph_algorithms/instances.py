"""Random assignment problems that resemble each other: the models of the papers' experiments."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, Int32, Key, Num

from jaxlab.checks import (
    check_dtype,
    check_integer,
    check_key,
    check_number,
    check_scalar,
    check_shape,
    check_uncut,
    concrete,
    require,
)

__all__ = ["block_means", "geometric_instances", "planted_matching", "type_model"]


def block_means(
    key: Key[Array, ""], *, groups: int, mean: int | float | Num[Array, ""] = 250
) -> Int32[Array, "groups groups"]:
    """Mean cost between each group of rows and each of columns, geometric.

    Args:
        key: PRNG key.
        groups: number of groups on each side.
        mean: of the means; they are at least 1.

    Returns:
        Independent draws from the geometric distribution with success probability ``1/mean``.

    Raises:
        ValueError: ``groups`` is not positive, or ``mean`` below 1.

    Cost:
        O(groups²).

    Source:
        Dinitz et al. 2021, section on experiments (type model).

    Example:
        >>> block_means(jax.random.key(0), groups=3).shape
        (3, 3)
    """
    check_key("key", key)
    check_integer("groups", groups, minimum=1)
    check_scalar("mean", mean, minimum=1)
    return jax.random.geometric(key, 1 / mean, (groups, groups), dtype=jnp.int32)


def type_model(
    key: Key[Array, ""],
    means: Num[Array, "groups groups"],
    *,
    n: int,
    variance: int | float | Num[Array, ""],
) -> Int32[Array, "n n"]:
    """One problem of a model in which costs depend on the types of row and column, and on chance.

    ``c_ij ~ Binomial(N, p) − variance`` with ``p = 1 − variance/(μ + variance)`` and
    ``N = ⌊(μ + variance)/p⌋`` for the mean ``μ`` of the pair of groups: mean about ``μ``, variance
    about ``variance``. Costs can be negative.

    Args:
        key: PRNG key; one for each problem of a model.
        means: of the pairs of groups, positive, see :func:`block_means`.
        n: rows and columns, split into groups of consecutive ones.
        variance: of each cost about its mean.

    Returns:
        Costs.

    Raises:
        ValueError: ``n`` is not an integer >= 0; ``variance`` is negative; ``means`` is not square,
            or has entries that are not positive.

    Cost:
        ``n²`` binomial draws.

    Source:
        Dinitz et al. 2021, section on experiments (type model), and the parameters of its code.

    Example:
        >>> means = block_means(jax.random.key(0), groups=2)
        >>> type_model(jax.random.key(1), means, n=6, variance=10).shape
        (6, 6)
    """
    check_key("key", key)
    check_integer("n", n, minimum=0)
    check_scalar("variance", variance, minimum=0)
    groups = means.shape[0]
    check_shape("means", means, (groups, groups))
    check_number("means", means, above=0)
    group = jnp.arange(n) * groups // max(n, 1)
    mean = jnp.asarray(means)[group[:, None], group].astype(jnp.float32)
    center = mean + variance
    chance = mean / center
    trials = jnp.floor(center / chance)
    drawn = jax.random.binomial(key, trials, chance)
    return jnp.round(drawn - variance).astype(jnp.int32)


def geometric_instances(
    key: Key[Array, ""],
    points: Num[Array, "points d"],
    labels: Int[Array, " points"],
    left: Int[Array, " k"],
    right: Int[Array, " k"],
) -> Int32[Array, "k k"]:
    """One problem between points drawn at random, one from each cluster.

    ``c_ij = ⌊‖x_i − y_j‖₂⌋`` for a point ``x_i`` of the ``i``-th cluster on the left and ``y_j`` of
    the ``j``-th on the right.

    Args:
        key: PRNG key; one for each problem.
        points: data.
        labels: cluster of each point.
        left: clusters of the rows, none empty.
        right: clusters of the columns, none empty.

    Returns:
        Costs, in the unit of the points.

    Raises:
        ValueError: another number of labels than points; clusters that are no integers, or, of
            NumPy, do not fit the type jax gives them; one without points.

    Cost:
        A sort of the labels, and ``O(k² d)``.

    Source:
        Dinitz et al. 2021, section on experiments (real data).

    Example:
        >>> points = jnp.array([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]])
        >>> labels, one, other = jnp.array([0, 1, 0]), jnp.array([0]), jnp.array([1])
        >>> int(geometric_instances(jax.random.key(0), points, labels, one, other)[0, 0]) in (4, 5)
        True
    """
    check_key("key", key)
    check_shape("points", points, ("points", "d"))
    check_shape("labels", labels, (points.shape[0],))
    for name, clusters in (("labels", labels), ("left", left), ("right", right)):
        check_dtype(name, clusters, "integer")
        check_uncut(name, clusters)
    points, labels, left, right = map(jnp.asarray, (points, labels, left, right))
    order = jnp.argsort(labels)
    ordered = labels[order]
    clusters = jnp.concatenate([left, right])
    first = jnp.searchsorted(ordered, clusters, side="left")
    size = jnp.searchsorted(ordered, clusters, side="right") - first
    if (sizes := concrete(size)) is not None:
        require(bool((sizes > 0).all()), "labels", labels, "a point in each cluster")
    # integers, since float32 cannot number the points of the largest clusters evenly
    place = jax.random.randint(key, clusters.shape, 0, jnp.maximum(size, 1))
    chosen = points[order[first + place]].astype(jnp.float32)
    rows, columns = chosen[: left.shape[0]], chosen[left.shape[0] :]
    distance = jnp.linalg.norm(rows[:, None] - columns, axis=-1)
    return jnp.floor(distance).astype(jnp.int32)


def planted_matching(
    key: Key[Array, ""],
    *,
    n: int,
    match: int = 0,
    non_match: int = 20,
    chance: int | float | Num[Array, ""] = 0.5,
) -> tuple[Int32[Array, "n n"], Int32[Array, " n"]]:
    """A random permutation hidden in costs: cheap edges of it among dearer ones, both with noise.

    ``c_ij = match + Geometric(chance)`` on the permutation, ``non_match − Geometric(chance)`` off
    it.

    Args:
        key: PRNG key.
        n: rows and columns.
        match: what the permutation's edges cost, but for the noise.
        non_match: what the others cost.
        chance: success probability of the noise, which has mean ``1/chance``.

    Returns:
        Costs, and the column of each row in the permutation.

    Raises:
        ValueError: ``n`` is not an integer >= 0, or ``chance`` not in (0, 1].

    Cost:
        O(n²).

    Example:
        >>> cost, planted = planted_matching(jax.random.key(0), n=4)
        >>> cost.shape, sorted(planted.tolist())
        ((4, 4), [0, 1, 2, 3])
    """
    check_key("key", key)
    check_integer("n", n, minimum=0)
    check_scalar("chance", chance, above=0, maximum=1)
    for_order, for_noise = jax.random.split(key)
    planted = jax.random.permutation(for_order, n).astype(jnp.int32)
    noise = jax.random.geometric(for_noise, chance, (n, n), dtype=jnp.int32)
    on = jnp.arange(n) == planted[:, None]
    return jnp.where(on, match + noise, non_match - noise).astype(jnp.int32), planted
