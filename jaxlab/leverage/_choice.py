"""The ways to choose columns for a target, and what is certified of a choice.

They need the decomposition of ``A``, the coordinates ``Z = UᵀB`` of the target, and products with
some columns: data and moments both provide these, so that each way is written once.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int32

from jaxlab.leverage._pairs import matmul, resolution, top, unit_columns
from jaxlab.leverage.greedy import GreedySelection, greedy_on_gram
from jaxlab.leverage.local_search import Search
from jaxlab.leverage.pivoted_qr import pivoted_qr
from jaxlab.leverage.selection import sample_columns
from jaxlab.leverage.types import SVD, Gcss
from jaxlab.varying import vary_like

__all__ = [
    "ROUNDING",
    "Fit",
    "Spectrum",
    "View",
    "choose",
    "combined",
    "error_norm",
    "largest_beyond",
    "largest_sine",
    "length",
    "mask_of",
    "missed_shares",
    "outcome",
    "reachable_limit",
    "rows_of",
    "smaller_gram",
    "spectral_limit",
    "sum_limit",
    "target_weights",
]

#: what norms and squares of whole matrices may be off by, in units of the machine epsilon
ROUNDING = 16


class View(NamedTuple):
    """A matrix with a target, as far as a choice of columns needs to know them.

    Attributes:
        s: singular values of ``A``, 0 beyond the rank.
        vt: right singular vectors in rows, 0 beyond the rank.
        z: ``UᵀB``.
        energy: ``‖B‖_F²``.
        root: ``A`` up to an orthogonal map from the left.
        gram: ``I ↦ A_Iᵀ A_I``.
        cross: ``I ↦ A_Iᵀ B``.
        greedy: ``c ↦`` greedy choice among all columns.
        search: ``S, rounds ↦`` local search from the columns ``S``.
    """

    s: Float[Array, " r"]
    vt: Float[Array, "r n"]
    z: Float[Array, "r p"]
    energy: Float[Array, ""]
    root: Float[Array, "*rows n"]
    gram: Callable[[Array], Array]
    cross: Callable[[Array], Array]
    greedy: Callable[[int], GreedySelection]
    search: Callable[[Array, int], Search]


class Spectrum(NamedTuple):
    """A decomposition, as far as bounds on angles need to know it.

    Attributes:
        s: singular values of ``A``, 0 beyond the rank.
        vt: right singular vectors in rows, 0 beyond the rank.
        root: ``A`` up to an orthogonal map from the left, or what makes no vector shorter than
            ``A`` does.
        beyond: no singular value that is not in ``s`` is above this.
        doubt: no ``‖A x‖²`` for ``‖x‖ = 1`` is off by more, where ``AᵀA`` was decomposed. 0 where
            A was: ``‖A x‖`` is then off by some ``eps σ_0``, which bounds allow for anyway.
    """

    s: Float[Array, " r"]
    vt: Float[Array, "r n"]
    root: Float[Array, "*rows n"]
    beyond: Any = 0.0
    doubt: Any = 0.0


class Fit(NamedTuple):
    """How a target is fitted by some ``X``, each no less than it is.

    Attributes:
        outside: ``‖B − A X‖_F``.
        inside: ``‖A X‖_F``, and ``‖Z‖_F`` for the ``Z`` that X was made of.
        left_out: ``‖A_S̄ X_S̄‖_F``, of the columns that are not chosen.
    """

    outside: Float[Array, ""]
    inside: Float[Array, ""]
    left_out: Float[Array, ""]


def target_weights(view: View, lam: Any) -> Float[Array, " n"]:
    """``‖a_j‖² ‖x_j‖²`` with ``x`` the ridge regression of the target on the columns."""
    damped = view.s**2 + lam * view.s[0] ** 2
    x = matmul(view.vt.T * (view.s / jnp.where(damped > 0, damped, 1)), view.z)
    return jnp.sum(view.root**2, axis=0) * jnp.sum(x * x, axis=1)


def choose(
    view: View,
    subset: Int32[Array, " k"],
    key: Any,
    *,
    c: int,
    method: str,
    lam: Any,
    factor: int,
    rounds: int,
    replace: bool,
) -> tuple[Int32[Array, " c"], Array, Array]:
    """Columns, how many of them were chosen by merit, and whether a search for them ended."""
    n = view.vt.shape[1]
    directions = rows_of(view.vt, subset)
    scores = jnp.sum(directions**2, axis=0)
    count, converged = jnp.int32(c), jnp.bool_(True)
    if method == "leverage":
        columns = top(scores, c)
    elif method == "weighted":
        columns = top(target_weights(view, lam), c)
    elif method == "sampling":
        columns, _ = sample_columns(key, scores, c, replace=replace)
    elif method == "qdeim":
        pivots = pivoted_qr(directions, min(c, *directions.shape))[2]
        columns = _filled(pivots, scores, c)
    elif method == "pivoted_qr":
        pivots = pivoted_qr(view.root, min(c, *view.root.shape))[2]
        columns = _filled(pivots, jnp.zeros(n, scores.dtype), c)
    elif method == "hybrid":
        candidates = jnp.sort(top(target_weights(view, lam), min(n, factor * c)))
        chosen = greedy_on_gram(view.gram(candidates), view.cross(candidates), c=c)
        columns, count = candidates[chosen.columns], chosen.count
    else:
        columns, count, _ = view.greedy(c)
        if method == "local_search":
            columns, _, converged = view.search(columns, rounds)
    return columns.astype(jnp.int32), count, converged


def rows_of(matrix: Array, subset: Int32[Array, " k"]) -> Array:
    """What belongs to the singular vectors of a subset: 0 for those that there are not."""
    return matrix.at[subset].get(mode="fill", fill_value=0, wrap_negative_indices=False)


def mask_of(columns: Int32[Array, " c"], n: int) -> Array:
    """Which of ``n`` columns are chosen."""
    return jnp.zeros(n, bool).at[columns].set(True)


def largest_sine(
    spectrum: Spectrum,
    subset: Int32[Array, " k"],
    there: Bool[Array, " k"],
    chosen: Bool[Array, " n"],
) -> Float[Array, ""]:
    """P2 and P3: no singular vector of the subset is further from the span of the columns."""
    s, vt, root, beyond, doubt = spectrum
    directions = jnp.where(there[:, None], rows_of(vt, subset), 0)
    values = jnp.where(there, rows_of(s, subset), jnp.inf)
    # rounding must not make a bound too small: so far is the decomposition from the matrix
    slack = 4 * directions.shape[0] * jnp.finfo(s.dtype).eps
    rounding = slack * s[0] / jnp.min(values)
    squares = doubt / jnp.min(values) ** 2
    linear = error_norm(root, (directions / values[:, None]).T, chosen, doubt)
    counted = (subset[:, None] == jnp.arange(s.shape[0])) & there[:, None]
    others = jnp.where(jnp.any(counted, axis=0), 0, s)
    largest = jnp.maximum(jnp.max(others), beyond)
    inside = jnp.where(chosen, directions, 0)
    absent = jnp.diag(jnp.where(there, 0, jnp.ones_like(values)))
    smallest = jnp.linalg.eigvalsh(matmul(inside, inside.T) + absent)[0]
    smallest = jnp.minimum(smallest, 1) - slack
    ratio = largest / jnp.min(values)
    inverse = 1 / jnp.where(smallest > 0, smallest, 1)
    tangent2 = ratio**2 * (inverse - 1)
    refined = jnp.sqrt(tangent2 / (1 + tangent2) + squares * inverse)
    refined += rounding * jnp.sqrt(inverse)
    refined = jnp.where(smallest > 0, refined, 1)
    least = jnp.minimum(linear + rounding, refined)
    return jnp.where(jnp.any(there), jnp.minimum(least, 1), 0)


def error_norm(
    root: Float[Array, "*rows n"],
    x: Float[Array, "n k"],
    chosen: Bool[Array, " n"],
    doubt: Any = 0.0,
) -> Float[Array, ""]:
    """``‖A_S̄ X_S̄‖_2``: the sine of the angle from ``A X``, if orthonormal, to the columns."""
    x = jnp.where(chosen[:, None], 0, x)
    error = matmul(root, x)
    squares = matmul(error.T, error) + doubt * matmul(x.T, x)
    return jnp.sqrt(jnp.maximum(jnp.linalg.eigvalsh(squares)[-1], 0))


def missed_shares(decomposition: SVD, a: Float[Array, "m n"]) -> Float[Array, " n"]:
    """``‖a_j − U Uᵀ a_j‖² / ‖a_j‖²`` where singular values are lost or near to it.

    Else 0, not looked at; 0 of columns of zeros.
    """
    u, s, _, rank = decomposition
    none = vary_like(jnp.zeros(a.shape[1], jnp.result_type(a, s)), a, decomposition)

    def looked_at() -> Array:
        missed = unit_columns(a)
        for _ in range(2):  # once leaves what U lacks of orthonormal columns
            missed = missed - matmul(u, matmul(u.T, missed))
        return vary_like(jnp.sum(missed * missed, axis=0), none)

    lost = (rank < min(a.shape)) | (s[-1] <= jnp.sqrt(jnp.finfo(s.dtype).eps) * s[0])
    return jax.lax.cond(lost, looked_at, lambda: none)


def largest_beyond(
    decomposition: SVD, a: Float[Array, "m n"], missed: Float[Array, " n"]
) -> Float[Array, ""]:
    """What no singular value is above that the decomposition leaves out, or takes for 0.

    Directions below the numerical rank are lost, not absent: columns may lie along them.
    ``missed`` is :func:`missed_shares`.
    """
    s = decomposition.s
    least = jnp.min(jnp.where(s > 0, s, jnp.inf))
    left_out = jnp.minimum(least, jnp.sqrt(jnp.sum(missed * jnp.sum(a * a, axis=0))))
    return jnp.where(decomposition.rank < min(a.shape), left_out, 0)


def combined(
    spectrum: Spectrum, z: Float[Array, "k p"], subset: Int32[Array, " k"]
) -> Float[Array, "n p"]:
    """``X = V_R Σ_R⁻¹ Z``, with which ``A X = U_R Z``."""
    values = rows_of(spectrum.s, subset)
    values = jnp.where(values > 0, values, 1)
    return matmul((rows_of(spectrum.vt, subset) / values[:, None]).T, z)


def certified(
    spectrum: Spectrum,
    fit: Fit,
    energy: Float[Array, ""],
    subset: Int32[Array, " k"],
    chosen: Bool[Array, " n"],
) -> Float[Array, ""]:
    """P9: an upper bound on ``‖B − P_C B‖_F``, the least of those known.

    ``fit`` is that by ``X`` of :func:`combined`, for any Z.
    """
    there = rows_of(spectrum.s, subset) > 0
    by_angle = largest_sine(spectrum, subset, there, chosen) * fit.inside
    total = jnp.sqrt(energy)
    found = jnp.minimum(fit.outside + jnp.minimum(fit.left_out, by_angle), total)
    return found + ROUNDING * jnp.finfo(total.dtype).eps * total


def sum_limit(
    z: Float[Array, "r p"], energy: Float[Array, ""], outside: Float[Array, ""], c: int
) -> Float[Array, ""]:
    """The least ``‖B − P_C B‖_F`` for any ``c`` columns: ``‖P_C B‖_F² ≤ Σ_{i≤c} σ_i(Z)²``.

    ``z`` is ``UᵀB`` of all vectors and ``outside`` is ``‖B − U Z‖_F``.
    """
    beyond = jnp.linalg.svd(z, full_matrices=False, compute_uv=False)[c:]
    rounding = ROUNDING * jnp.finfo(z.dtype).eps * jnp.sqrt(energy)
    return jnp.maximum(jnp.sqrt(outside * outside + jnp.sum(beyond * beyond)) - rounding, 0)


def reachable_limit(
    decomposition: SVD,
    b: Float[Array, "m p"],
    z: Float[Array, "r p"],
    c: int,
    missed: Float[Array, " n"],
) -> Float[Array, ""]:
    """:func:`sum_limit` of a complete decomposition, if its left vectors reach all columns.

    They are known to ``eps σ_0 / σ`` only, and short or nearly parallel columns may lie elsewhere.
    The limit is that of any columns where one does by so much that ``c`` of them may have a
    direction of their own, as :func:`whiten` tells it from rounding: together, at unit length, they
    reach ``√c`` times as far as each of them. ``missed`` is :func:`missed_shares`.
    """
    energy = jnp.sum(b * b)
    rounding = resolution(b.shape[0], c, z.dtype) ** 2 / c

    def of_vectors() -> Array:
        return sum_limit(z, energy, length(b - matmul(decomposition.u, z)), c)

    def of_any() -> Array:
        return spectral_limit(smaller_gram(b), energy, c)

    return jax.lax.cond(jnp.all(missed <= rounding), of_vectors, of_any)


def spectral_limit(gram: Float[Array, "q q"], energy: Float[Array, ""], c: int) -> Float[Array, ""]:
    """:func:`sum_limit` from ``ZᵀZ`` or ``BᵀB``, the latter where ``Z`` is not known in full.

    Squares are cheaper, and blind below ``√eps ‖B‖_F``.
    """
    captured = jnp.sum(jnp.maximum(jnp.linalg.eigvalsh(gram)[::-1][:c], 0))
    rounding = ROUNDING * jnp.finfo(gram.dtype).eps * energy
    return jnp.sqrt(jnp.maximum(energy - captured - rounding, 0))


def smaller_gram(z: Float[Array, "r p"]) -> Array:
    """``ZᵀZ`` or ``ZZᵀ``, which have the same eigenvalues but for zeros."""
    return matmul(z, z.T) if z.shape[0] <= z.shape[1] else matmul(z.T, z)


def length(matrix: Float[Array, "m p"]) -> Float[Array, ""]:
    """Frobenius norm."""
    return jnp.sqrt(jnp.sum(matrix * matrix))


def outcome(
    spectrum: Spectrum,
    fit: Fit,
    energy: Float[Array, ""],
    subset: Int32[Array, " k"],
    columns: Int32[Array, " c"],
    count: Int32[Array, ""],
    converged: Bool[Array, ""],
    left: Float[Array, ""],
    lower_bound: Float[Array, ""],
) -> Gcss:
    """What there is to say of the columns, with ``left = ‖B − P_C B‖_F²``."""
    chosen = mask_of(columns, spectrum.vt.shape[1])
    scores = jnp.sum(rows_of(spectrum.vt, subset) ** 2, axis=0)
    nothing = energy == 0
    return Gcss(
        columns,
        count,
        jnp.sqrt(left),
        jnp.where(nothing, 0, jnp.minimum(left / jnp.where(nothing, 1, energy), 1)),
        jnp.sum(jnp.where(chosen, 0, scores)),
        certified(spectrum, fit, energy, subset, chosen),
        jnp.minimum(lower_bound, jnp.sqrt(left)),  # the best columns leave no more than these
        subset,
        converged,
    )


def _filled(pivots: Array, scores: Array, c: int) -> Array:
    """Pivots first, then the columns of the largest scores."""
    rest = scores.at[pivots].set(-1)
    return jnp.concatenate([pivots, top(rest, c - pivots.shape[0])])
