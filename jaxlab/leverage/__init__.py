r"""Generalized leverage scores, principal angles, column selection and sparse CCA.

B. Ordozgoiti, A. Matakos, A. Gionis. *Generalized Leverage Scores: Geometric Interpretation and
Applications.* ICML 2022, PMLR 162:17056-17070, arXiv:2206.08054.

Leverage scores tell which columns of ``A`` carry its leading singular vectors, and so which columns
to keep to approximate ``A``. To approximate another matrix ``B``, or to correlate with it, other
singular vectors may matter: scores are then taken of any subset ``R`` of them, and they bound the
principal angles ``θ_i`` between the kept columns ``S`` and these vectors::

    ℓ_j  =  Σ_{r ∈ R} V_{jr}²                    A = U Σ Vᵀ,  k = |R|
    ε(S) =  k − Σ_{j ∈ S} ℓ_j                    leverage deficit
    Σ_i sin² θ_i  ≤  σ_max(A_S̄)² ε(S) / min_{r ∈ R} σ_r²

Matrices are float32 or float64, and nothing less precise.

Statements that the docstrings call P1 to P10 are this library's own, each with a short proof and
tested as a property; they are not theorems of the paper, whose constants may differ:

* P1: scores are in [0, 1], sum to ``k``, add up over disjoint subsets and do not depend on bases
  within equal singular values; P2, P3, P4: upper bounds, linear and by tangents, and a lower bound
  on angles (:func:`angle_bounds`); P5: ``Σ cos² θ_i = Σ_S ℓ_j`` when all singular values are equal;
* P6: ``‖A − P_C A‖² ≤ ‖A − A_k‖² / (1 − ε)`` for leading vectors, of Papailiopoulos, Kyrillidis and
  Boutsidis 2014; P7: how many columns do (:func:`columns_needed`); P8: how many random ones do
  (:func:`sample_columns`);
* P9: a bound on ``‖B − P_C B‖_F``; P10: a bound on canonical angles between columns of two views.

Example:
    >>> import jax.numpy as jnp
    >>> from jaxlab import leverage
    >>> a = jnp.diag(jnp.array([3.0, 2.0, 1.0]))
    >>> b = jnp.array([[0.1], [0.0], [1.0]])
    >>> decomposition = leverage.svd(a)
    >>> subset, _ = leverage.select_singular_subset(decomposition, b, 1)
    >>> scores = leverage.generalized_leverage_scores(decomposition, subset)
    >>> leverage.select_columns(scores, c=1).indices.tolist()
    [2]
"""

from jaxlab.leverage.angles import principal_angles
from jaxlab.leverage.bounds import angle_bounds, columns_needed, leverage_deficit
from jaxlab.leverage.cca import cca
from jaxlab.leverage.cur import cur
from jaxlab.leverage.decomposition import (
    orthonormal_basis,
    randomized_svd,
    relative_gap,
    svd,
)
from jaxlab.leverage.frequent_directions import fd_init, fd_merge, fd_scores, fd_update
from jaxlab.leverage.from_moments import gcss_from_moments, sparse_cca_from_moments
from jaxlab.leverage.gcss import cssp, gcss
from jaxlab.leverage.gram import gram, gram_sharded, tsqr
from jaxlab.leverage.greedy import GreedySelection, greedy_gcss
from jaxlab.leverage.interpolative import Interpolative, interpolative
from jaxlab.leverage.local_search import LocalSearch, local_search_gcss
from jaxlab.leverage.moments import (
    moments_init,
    moments_merge,
    moments_psum,
    moments_update,
)
from jaxlab.leverage.pivoted_qr import pivoted_qr
from jaxlab.leverage.pmd import PmdCca, pmd_sparse_cca
from jaxlab.leverage.row_scores import row_leverage_scores
from jaxlab.leverage.scores import (
    generalized_leverage_scores,
    leverage_scores,
    ridge_leverage_scores,
    subspace_leverage_scores,
)
from jaxlab.leverage.selection import sample_columns, select_columns, select_singular_subset
from jaxlab.leverage.sparse_cca import sparse_cca
from jaxlab.leverage.types import (
    SVD,
    AngleBounds,
    Cca,
    Cur,
    FrequentDirections,
    Gcss,
    Moments,
    Selection,
    SparseCca,
)

__all__ = [
    "SVD",
    "AngleBounds",
    "Cca",
    "Cur",
    "FrequentDirections",
    "Gcss",
    "GreedySelection",
    "Interpolative",
    "LocalSearch",
    "Moments",
    "PmdCca",
    "Selection",
    "SparseCca",
    "angle_bounds",
    "cca",
    "columns_needed",
    "cssp",
    "cur",
    "fd_init",
    "fd_merge",
    "fd_scores",
    "fd_update",
    "gcss",
    "gcss_from_moments",
    "generalized_leverage_scores",
    "gram",
    "gram_sharded",
    "greedy_gcss",
    "interpolative",
    "leverage_deficit",
    "leverage_scores",
    "local_search_gcss",
    "moments_init",
    "moments_merge",
    "moments_psum",
    "moments_update",
    "orthonormal_basis",
    "pivoted_qr",
    "pmd_sparse_cca",
    "principal_angles",
    "randomized_svd",
    "relative_gap",
    "ridge_leverage_scores",
    "row_leverage_scores",
    "sample_columns",
    "select_columns",
    "select_singular_subset",
    "sparse_cca",
    "sparse_cca_from_moments",
    "subspace_leverage_scores",
    "svd",
    "tsqr",
]
