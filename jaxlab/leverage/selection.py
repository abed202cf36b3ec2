"""Which columns to keep by their scores, and which singular vectors carry a target."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int32, Key

from jaxlab.checks import (
    check_bool,
    check_dtype,
    check_finite,
    check_integer,
    check_key,
    check_scalar,
    check_shape,
    concrete,
    require,
)
from jaxlab.leverage._inputs import check_columns, check_matrix
from jaxlab.leverage._pairs import matmul, scaled, top
from jaxlab.leverage.types import SVD, Selection
from jaxlab.varying import vary_like

__all__ = ["sample_columns", "select_columns", "select_singular_subset"]


def select_columns(
    scores: Float[Array, " n"],
    *,
    c: int | None = None,
    epsilon: Any = None,
    k: Any = None,
) -> Selection:
    """Columns of the largest scores: ``c`` of them, or as few as leave a deficit of ``ε``.

    ``count = 1 + #{t : Σ_{i ≤ t} ℓ_(i) < k − ε}``; of equal scores the lowest index comes first.

    Args:
        scores: one for each column.
        c: number of columns; static. Fewer than ``k`` leave some angles at π/2.
        epsilon: ``ε`` in (0, k), the largest ``k − Σ ℓ_j`` over the columns.
        k: what all scores sum to; their sum by default, which for scores of singular vectors is
            their number.

    Returns:
        The columns in order, ``c`` or with ``epsilon`` ``n`` of them, −1 after the first
        ``count``.

    Raises:
        ValueError: scores that are not floating; not exactly one of ``c`` and ``epsilon``; a
            number of columns outside of 1 to ``n``; ``epsilon`` outside of (0, k); a negative
            ``k``.

    Cost:
        O(n log n).

    Source:
        Papailiopoulos, Kyrillidis, Boutsidis 2014, *Provable deterministic leverage score
        sampling*, algorithm 1.

    Example:
        >>> scores = jnp.array([0.2, 0.9, 0.2, 0.7])
        >>> select_columns(scores, c=3).indices.tolist()
        [1, 3, 0]
        >>> select_columns(scores, epsilon=0.5).indices.tolist()
        [1, 3, -1, -1]
    """
    check_shape("scores", scores, ("n",))
    check_dtype("scores", scores, "floating")
    check_finite("scores", scores)
    if k is not None:
        check_scalar("k", k, minimum=0)
    given = (c is not None) + (epsilon is not None)
    require(given == 1, "c, epsilon", (c, epsilon), "exactly one of c and epsilon")
    if c is not None:
        check_columns("c", c, scores.shape[0])
    else:
        check_shape("epsilon", epsilon, ())
        known, total = concrete(epsilon), concrete(scores if k is None else k)
        if known is not None and total is not None:
            fits = bool(0 < known < total.sum())
            require(fits, "epsilon", epsilon, f"epsilon above 0 and below k = {total.sum():g}")
    return _select(scores, epsilon, k, c)


def sample_columns(
    key: Key[Array, ""], scores: Float[Array, " n"], c: int, *, replace: bool = True
) -> tuple[Int32[Array, " c"], Float[Array, " c"]]:
    """Random columns with probabilities in proportion to their scores, and how to rescale them.

    With replacement ``p_j = ℓ_j / Σ ℓ`` and the scale is ``1 / √(c p_j)``. Without, the columns are
    those of the ``c`` largest ``log ℓ_j + Gumbel``, and the scale is ``1 / √q_j``, where ``q_j`` is
    the probability that ``j`` is above the ``c + 1``-st. Either way ``Σ scale² v_j v_jᵀ`` over the
    columns has the expectation ``Σ_j v_j v_jᵀ``.

    With replacement a column is found by halves of all of them, and shares of halves are right to
    ``eps / 2``, not relative to their size: a score that is smaller by ``eps`` than those beside it
    is not drawn as often as it should be.

    Args:
        key: PRNG key; the same key gives the same columns.
        scores: one for each column, not negative.
        c: number of columns; static.
        replace: whether a column may be drawn repeatedly; static.

    Returns:
        The columns, and the scale of each. A column of score 0 is only drawn, without replacement,
        when there are too few others; its scale is 0.

    Raises:
        ValueError: scores that are not floating, negative or sum to 0; a number of columns below
            1 or, without replacement, above ``n``.

    Cost:
        O(n + c log n); without replacement O(n log n).

    Source:
        P8 with replacement; Kool, van Hoof, Welling 2019, *Stochastic beams and where to find
        them*, for weights without.

    Example:
        >>> columns, scale = sample_columns(jax.random.key(0), jnp.array([0.0, 1.0, 0.0]), 4)
        >>> print(columns, scale.round(4))
        [1 1 1 1] [0.5 0.5 0.5 0.5]
    """
    check_key("key", key)
    check_shape("scores", scores, ("n",))
    check_dtype("scores", scores, "floating")
    check_bool("replace", replace)
    if replace:
        check_integer("c", c, minimum=1)
    else:
        check_columns("c", c, scores.shape[0])
    known = concrete(scores)
    if known is not None:
        fits = bool(np.isfinite(known).all() and (known >= 0).all() and known.any())
        require(fits, "scores", scores, "scores that are finite, not negative and not all 0")
    return _sample(key, scores, c, replace)


def select_singular_subset(
    decomposition: SVD, b: Float[Array, "m p"], k: int, *, rtol: Any = None
) -> tuple[Int32[Array, " k"], Float[Array, " r"]]:
    """The singular vectors that carry most of a target.

    The ``k`` largest ``energy_r = ‖u_rᵀ B‖²`` among ``σ_r > rtol σ₀``. Of all spans of ``k`` left
    singular vectors, theirs leaves the smallest ``‖B − P_R B‖_F``.

    Args:
        decomposition: of ``A``.
        b: the target ``B``.
        k: number of singular vectors; static.
        rtol: which singular values are too small to be considered; all above the rank by default.

    Returns:
        The vectors by descending energy, of equal ones the lowest index first, and all energies in
        squared units of ``B``, 0 or inf where the dtype has no such numbers. Where fewer than ``k``
        are to be considered, the others follow by index; those beyond the rank have no energy and
        add nothing to scores.

    Raises:
        ValueError: ``b`` not 2-D, empty or not finite, or not of the same number of rows; ``k``
            outside of 1 to the number of vectors.

    Cost:
        O(m p r).

    Source:
        Ordozgoiti, Matakos, Gionis 2022, generalized column subset selection.

    Example:
        >>> from jaxlab.leverage import svd
        >>> a = jnp.diag(jnp.array([3.0, 2.0, 1.0]))
        >>> subset, energies = select_singular_subset(svd(a), jnp.array([[0.0], [1.0], [2.0]]), 2)
        >>> subset.tolist(), energies.tolist()
        ([2, 1], [0.0, 1.0, 4.0])
    """
    check_matrix("b", b)
    rows = decomposition.u.shape[-2]
    require(b.shape[0] == rows, "b", b, f"the same number of rows as the matrix, {rows}")
    check_integer("k", k, minimum=1)
    size = decomposition.s.shape[-1]
    require(k <= size, "k", k, f"at most {size}, the number of singular vectors")
    if rtol is not None:
        check_scalar("rtol", rtol, minimum=0)
    return _singular_subset(decomposition, b, rtol, k)


@functools.partial(jax.jit, static_argnames=("c",))
def _select(scores: Array, epsilon: Any, k: Any, c: int | None) -> Selection:
    n = scores.shape[0]
    order = jnp.argsort(-scores, stable=True).astype(jnp.int32)
    k = jnp.sum(scores) if k is None else k
    if c is None:
        reached = jnp.cumsum(scores[order])
        count = jnp.minimum(1 + jnp.sum(reached < k - epsilon, dtype=jnp.int32), n)
    else:
        count = jnp.int32(c)
    taken = jnp.arange(n) < count
    mask = jnp.zeros(n, bool).at[order].set(taken)
    deficit = jnp.maximum(k - jnp.sum(jnp.where(mask, scores, 0)), 0).astype(scores.dtype)
    return Selection(jnp.where(taken, order, -1)[:c], mask, count, deficit)


@functools.partial(jax.jit, static_argnames=("c", "replace"))
def _sample(key: Array, scores: Array, c: int, replace: bool) -> tuple[Array, Array]:
    n = scores.shape[0]
    if replace:
        columns, chance = _drawn(key, scores, c)
    else:
        logits = jnp.log(scores)
        perturbed = logits + jax.random.gumbel(key, (n,), scores.dtype)
        largest, order = jax.lax.top_k(perturbed, min(c + 1, n))
        columns = order[:c].astype(jnp.int32)
        threshold = largest[c] if c < n else -jnp.inf
        above = jnp.where(scores[columns] > 0, logits[columns], 0) - threshold
        chance = -jnp.expm1(-jnp.exp(above))
    drawable = scores[columns] > 0
    scale = jnp.where(drawable, jax.lax.rsqrt(jnp.where(drawable, chance, 1)), 0)
    return columns, scale.astype(scores.dtype)


def _drawn(key: Array, scores: Array, c: int) -> tuple[Array, Array]:
    """Columns drawn with replacement, and how often each is expected.

    By halves: of all columns, then of those in the half that was drawn, and so on. Each time a
    random number tells two sums apart; a single one would not tell apart the columns of a long row.
    """
    scores, _ = scaled(scores.astype(jnp.promote_types(scores.dtype, jnp.float32)))
    depth = (scores.shape[0] - 1).bit_length()
    sums = [jnp.pad(scores, (0, 2**depth - scores.shape[0]))]
    for _ in range(depth):
        sums.append(sums[-1].reshape(-1, 2).sum(axis=1))
    # the total is number 1, and the halves of number i are 2 i and 2 i + 1
    tree = jnp.concatenate([jnp.zeros_like(sums[-1]), *sums[::-1]])
    middle = jnp.finfo(tree.dtype).eps / 2  # of the numbers that a random one stands for

    def halve(level: Array, node: Array) -> Array:
        left, right = tree[2 * node], tree[2 * node + 1]
        number = middle + jax.random.uniform(jax.random.fold_in(key, level), (c,), tree.dtype)
        return 2 * node + ((left == 0) & (right > 0) | (number * (left + right) > left))

    node = vary_like(jnp.ones(c, jnp.int32), key, scores)
    columns = jax.lax.fori_loop(0, depth, halve, node) - 2**depth
    return columns, c * scores[columns] / tree[1]


@functools.partial(jax.jit, static_argnames=("k",))
def _singular_subset(decomposition: SVD, b: Array, rtol: Any, k: int) -> tuple[Array, Array]:
    b, scale = scaled(b)  # the order is that of numbers whose squares are finite
    z = matmul(decomposition.u.T, b)
    subset, energies = target_subset(decomposition.s, z, k, 0 if rtol is None else rtol)
    return subset, scale * (scale * energies)


def target_subset(
    s: Float[Array, " r"], z: Float[Array, "r p"], k: int, rtol: Any = 0
) -> tuple[Int32[Array, " k"], Float[Array, " r"]]:
    """The ``k`` singular vectors that carry most of ``Z = UᵀB``, and what each carries."""
    energies = jnp.sum(z * z, axis=1)
    return top(jnp.where(s > rtol * s[0], energies, -1), k), energies
