"""What the ``status`` of a result means, the same in the whole room.

* 0, ``OK``: the result is what was asked for, within the tolerance where there is one.
* 1, ``SINGULAR``: the kernel has no inverse to working precision.
* 2, ``INDEFINITE``: the kernel has an eigenvalue below zero by more than rounding, which a factor
  takes for zero; an iteration meets a direction of no positive curvature and ends before it, be it
  the operator's or the preconditioner's.
* 3, ``NOT_CONVERGED``: the steps ran out, or grew too short to get on, before that.
* 4, ``NOT_FINITE``: NaN or infinity among the inputs, in a product or in the result.
* 5, ``STALLED``: by rounding, the residual that conjugate gradients carry along met the tolerance,
  but the true one does not.
* 6, ``EXHAUSTED``: the Krylov space ended early; the operator has fewer distinct eigenvalues than
  were asked for.
* 7, ``DEPENDENT``: examples of the batch influence one another, where 0 says that none does.
* 8, ``UNTESTED``: whether they do cannot be told, as no example differs from its successor.
"""

__all__ = [
    "DEPENDENT",
    "EXHAUSTED",
    "INDEFINITE",
    "NOT_CONVERGED",
    "NOT_FINITE",
    "OK",
    "SINGULAR",
    "STALLED",
    "UNTESTED",
]

OK = 0
SINGULAR = 1
INDEFINITE = 2
NOT_CONVERGED = 3
NOT_FINITE = 4
STALLED = 5
EXHAUSTED = 6
DEPENDENT = 7
UNTESTED = 8
