"""What the room's functions hand to each other and back."""

from typing import Literal, NamedTuple, TypeAlias

from jaxtyping import Array, Bool, Float, Int32

__all__ = [
    "SVD",
    "AngleBounds",
    "Cca",
    "Cur",
    "FrequentDirections",
    "Gcss",
    "GcssMethod",
    "Moments",
    "Selection",
    "SparseCca",
]

GcssMethod: TypeAlias = Literal[
    "leverage",
    "sampling",
    "weighted",
    "hybrid",
    "qdeim",
    "greedy",
    "local_search",
    "pivoted_qr",
]


class SVD(NamedTuple):
    """A thin singular value decomposition ``A = U Σ Vᵀ``, zero beyond the numerical rank.

    Vectors whose singular value is not above ``rtol σ₀`` are noise: they and their singular values
    are set to zero, so that whatever is summed over vectors leaves them out.

    Attributes:
        u: left singular vectors in columns, ``[m, r]``; zero columns beyond the rank.
        s: singular values in descending order, ``[r]``, in the units of the matrix.
        vt: right singular vectors in rows, ``[r, n]``; zero rows beyond the rank.
        rank: how many singular values are above ``rtol σ₀``, int32.
    """

    u: Float[Array, "*batch m r"]
    s: Float[Array, "*batch r"]
    vt: Float[Array, "*batch r n"]
    rank: Int32[Array, "*batch"]


class Selection(NamedTuple):
    """Columns in the order in which they were selected.

    Attributes:
        indices: the selected columns, ``[c]`` or ``[n]`` int32; −1 after the first ``count``.
        mask: which columns are selected, ``[n]``.
        count: how many are selected, int32.
        deficit: ``k − Σ ℓ_j`` over the selected columns, at least 0.
    """

    indices: Int32[Array, "*batch c"]
    mask: Bool[Array, "*batch n"]
    count: Int32[Array, "*batch"]  # type: ignore[assignment]  # tuple.count is not missed
    deficit: Float[Array, "*batch"]


class AngleBounds(NamedTuple):
    """How far singular vectors may lie from the span of some columns (P2 to P4).

    Attributes:
        sum_sin2: ``Σ sin² θ_i`` itself, of the angles between columns and left singular vectors.
        lower: P4, no more than ``sum_sin2``; 0 unless the matrix has full column rank.
        upper_linear: P2, ``σ_max(A_S̄)² ε / σ_{R,min}²``, no less than ``upper_refined``.
        upper_refined: P2, ``‖A_S̄ (V_R)_S̄ Σ_R⁻¹‖_F²``, no less than ``sum_sin2``.
        tan_max_bound: P3, no less than the tangent of the largest angle; inf when ``λ = 0``.
        sum_tan2_bound: P3, no less than ``Σ tan² θ_i``; inf when ``λ = 0``.
        lambda_min: ``λ(S)``, the least eigenvalue of ``(V_R)_Sᵀ (V_R)_S``, in [0, 1].
    """

    sum_sin2: Float[Array, "*batch"]
    lower: Float[Array, "*batch"]
    upper_linear: Float[Array, "*batch"]
    upper_refined: Float[Array, "*batch"]
    tan_max_bound: Float[Array, "*batch"]
    sum_tan2_bound: Float[Array, "*batch"]
    lambda_min: Float[Array, "*batch"]


class Gcss(NamedTuple):
    """Columns of ``A`` that are to span ``B``, and how well they do.

    Attributes:
        columns: the chosen columns, ``[c]`` int32, in the order of choice.
        count: how many were chosen by merit, int32; a greedy method fills up with the lowest
            unused columns when all that are left lie in the span of those chosen.
        residual: ``‖B − P_C B‖_F``, in the units of ``B``. From moments its square is off by some
            ``eps ‖B‖_F² / s²`` for the least singular value ``s`` of the columns at unit length,
            and has what lies along combinations of them with ``s ≤ √(4 c eps)``, which are lost.
        residual_fraction: ``‖B − P_C B‖_F² / ‖B‖_F²``, in [0, 1]; 0 when ``B = 0``.
        deficit: leverage deficit ``ε(S)`` of the columns for the subset of singular vectors.
        certificate: P9, an upper bound on ``residual`` from the decomposition of ``A``.
        lower_bound: no ``c`` columns of a matrix with this decomposition have a smaller residual;
            no more than ``residual``. Both bounds allow for rounding: some machine epsilons of
            ``‖B‖_F``, or from moments of ``‖B‖_F²`` and of ``σ_0²`` in the squares, which leaves
            little of the lower one where much of ``B`` lies along small singular values. Of data
            the lower one may still be too large by some ``(√m + c) eps / s`` of ``‖B‖_F`` for the
            least singular value ``s`` of any ``c`` columns at unit length that is not taken for 0,
            which matters of nearly parallel columns, or by ``eps σ_0² / σ²`` for the smallest
            singular value ``σ`` of A with a Gram decomposition. Where ``σ`` is below ``√eps σ_0``
            or taken for 0, it is that of any columns if some of A lie outside of the span of its
            singular vectors by more than some ``√m + c`` epsilons of their own length, as short
            ones may; else they are not looked at, and the bound may be too large by ``eps σ_0 / σ``
            of ``‖B‖_F``, ``√eps`` at most.
        subset: the singular vectors that the scores were of, ``[k]`` int32; those beyond the
            numerical rank count for nothing.
        converged: False where a local search was cut off before no exchange helped, or was misled
            by rounding.
    """

    columns: Int32[Array, "*batch c"]
    count: Int32[Array, "*batch"]  # type: ignore[assignment]  # tuple.count is not missed
    residual: Float[Array, "*batch"]
    residual_fraction: Float[Array, "*batch"]
    deficit: Float[Array, "*batch"]
    certificate: Float[Array, "*batch"]
    lower_bound: Float[Array, "*batch"]
    subset: Int32[Array, "*batch k"]
    converged: Bool[Array, "*batch"]


class Cca(NamedTuple):
    """Canonical correlations and the combinations of columns that have them.

    Attributes:
        correlations: ``[q]``, descending, in [0, 1].
        loadings_a: weights of the columns of the first view, ``[n, q]``.
        loadings_b: weights of the columns of the second view, ``[p, q]``.
    """

    correlations: Float[Array, "*batch q"]
    loadings_a: Float[Array, "*batch n q"]
    loadings_b: Float[Array, "*batch p q"]


class SparseCca(NamedTuple):
    """Canonical correlations between few columns of each view.

    Attributes:
        columns_a: chosen columns of the first view, ``[ca]`` int32.
        columns_b: chosen columns of the second view, ``[cb]`` int32.
        correlations: ``[q]``, descending, in [0, 1].
        loadings_a: weights of the chosen columns of the first view, ``[ca, q]``.
        loadings_b: weights of the chosen columns of the second view, ``[cb, q]``.
        subset_a: mask of the singular vectors of the first view that count, ``[min(m, n)]``.
        subset_b: mask of those of the second view, ``[min(m, p)]``.
        bound: P10, upper bound on the canonical angles ``arccos(correlations)`` in radians. From
            moments it allows for some ``eps σ_0² / σ²`` of each view in squared sines and cosines,
            for the smallest of the singular values that count.
    """

    columns_a: Int32[Array, "*batch ca"]
    columns_b: Int32[Array, "*batch cb"]
    correlations: Float[Array, "*batch q"]
    loadings_a: Float[Array, "*batch ca q"]
    loadings_b: Float[Array, "*batch cb q"]
    subset_a: Bool[Array, "*batch ra"]
    subset_b: Bool[Array, "*batch rb"]
    bound: Float[Array, "*batch q"]


class Cur(NamedTuple):
    """A matrix as ``C U R`` with some of its own columns and rows.

    Attributes:
        c: the columns, ``[m, c]``.
        u: what joins them, ``[c, r]``.
        r: the rows, ``[r, n]``.
        columns: which columns, ``[c]`` int32.
        rows: which rows, ``[r]`` int32.
    """

    c: Float[Array, "*batch m c"]
    u: Float[Array, "*batch c r"]
    r: Float[Array, "*batch r n"]
    columns: Int32[Array, "*batch c"]
    rows: Int32[Array, "*batch r"]


class Moments(NamedTuple):
    """First and centred second moments of rows of two views, summed over the rows.

    Attributes:
        count: number of rows, int32.
        mean_a: mean row of the first view, ``[n]``.
        mean_b: mean row of the second view, ``[p]``.
        caa: ``Σ (a − ā)(a − ā)ᵀ``, ``[n, n]``: a sum, not divided by the number of rows.
        cbb: the same of the second view, ``[p, p]``.
        cab: ``Σ (a − ā)(b − b̄)ᵀ``, ``[n, p]``.
    """

    count: Int32[Array, "*batch"]  # type: ignore[assignment]  # tuple.count is not missed
    mean_a: Float[Array, "*batch n"]
    mean_b: Float[Array, "*batch p"]
    caa: Float[Array, "*batch n n"]
    cbb: Float[Array, "*batch p p"]
    cab: Float[Array, "*batch n p"]


class FrequentDirections(NamedTuple):
    """A sketch ``S`` of rows with ``0 ⪯ AᵀA − SᵀS ⪯ shrinkage · I``.

    Attributes:
        sketch: ``[2 l, n]``; the rows from ``filled`` on are zero.
        filled: how many rows are in use, int32.
        total_energy: ``‖A‖_F²`` of all rows so far.
        shrinkage: what was taken off the squared singular values, summed; at most
            ``‖A − A_k‖_F² / (l − k)`` for every ``k < l``.
    """

    sketch: Float[Array, "*batch rows n"]
    filled: Int32[Array, "*batch"]
    total_energy: Float[Array, "*batch"]
    shrinkage: Float[Array, "*batch"]
