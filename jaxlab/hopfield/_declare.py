"""How a similarity or a separation tells ``retrieve`` what it must know about it.

Similarities and separations are plain functions. What ``retrieve`` cannot see from the outside is
written on them as attributes:

* a similarity may carry ``score_range`` (a pair: what its scores can be), ``takes_where`` (it looks
  at all scores at once, so it must be told which memories are there), ``encodes_query`` (query
  and memories need not be of one size), ``made_of`` (a pair: another similarity, and the
  function that made this one of its scores) and ``direct`` (where its scores lose small distances:
  a function of the queries, which returns one of as many memories, of each with its own query,
  that does not);
* a separation carries ``mask_value`` (what a missing memory's score must be for it not to count)
  and may carry ``nonnegative_scores`` (it is not defined on negative scores).

A function without these attributes is treated as the most general one.
"""

import functools
import inspect
import weakref
from collections.abc import Callable, MutableMapping
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxlab.checks import check_dtype, check_shape, check_uncut, concrete, require

F = TypeVar("F", bound=Callable[..., Any])

ANY = (-float("inf"), float("inf"))
NONPOSITIVE = (-float("inf"), 0.0)

# for differences of large numbers and for sums of whole ones: the short mantissa of a matrix unit
# would eat small distances and miscount
EXACT = jax.lax.Precision.HIGHEST


def similarity_function(
    score_range: tuple[float, float],
    *,
    discrete: bool = False,
    nonnegative: bool = False,
) -> Callable[[F], F]:
    """Decorator: check the patterns, jit, and write ``score_range`` on a similarity.

    Args:
        score_range: smallest and largest value that a score can have.
        discrete: integer and boolean patterns are welcome too.
        nonnegative: patterns with negative entries are refused where their values are known.
    """

    def decorate(function: F) -> F:
        jitted = jax.jit(function)

        @functools.wraps(function)
        def similarity(query: Any, memories: Any) -> Any:
            check_patterns(query, memories, discrete=discrete)
            if nonnegative:
                _refuse_negative("query", query)
                _refuse_negative("memories", memories)
            return jitted(query, memories)

        return declare(similarity, score_range=score_range)  # type: ignore[return-value]

    return decorate


def separation_function(*, mask_value: float, nonnegative_scores: bool = False) -> Callable[[F], F]:
    """Decorator: check the scores, jit, and write ``mask_value`` on a separation.

    Args:
        mask_value: the score of a missing memory.
        nonnegative_scores: negative scores have no weight (NaN, or a clamped one).
    """

    def decorate(function: F) -> F:
        jitted = jax.jit(function)

        @functools.wraps(function)
        def separation(scores: Any) -> Any:
            check_shape("scores", scores, ("...", "n"))
            require(np.shape(scores)[-1] > 0, "scores", scores, "at least one score")
            check_dtype("scores", scores, "floating")
            return jitted(scores)

        return declare(  # type: ignore[return-value]
            separation, mask_value=float(mask_value), nonnegative_scores=nonnegative_scores
        )

    return decorate


def declare(function: F, **attributes: Any) -> F:
    """Write ``attributes`` on ``function`` and return it."""
    function.__dict__.update(attributes)
    return function


def cached(factory: F) -> F:
    """Decorator: equal hashable arguments give the identical function.

    So ``softmax(beta=8.0)`` can be a static argument of a jitted function without a compilation per
    call. Arrays and traced values do not hash: each call then gives a new function. What is made of
    a function, which may close over arrays, is remembered only as long as it is in use.
    """
    signature = inspect.signature(factory)
    # not lru_cache: it tells one argument 8 from 8.0
    remembered: dict[Any, Any] = {}
    in_use: MutableMapping[Any, Any] = weakref.WeakValueDictionary()

    @functools.wraps(factory)
    def make(*args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        made = factory(*bound.args, **bound.kwargs)  # each time, for its checks: True is equal to 1
        given = tuple(bound.arguments.values())
        try:
            hash(given)
        except TypeError:
            return made
        kept = in_use if any(callable(argument) for argument in given) else remembered
        return kept.setdefault(given, made)

    return make  # type: ignore[return-value]


def check_patterns(query: Any, memories: Any, *, discrete: bool = True) -> None:
    """Refuse a query and a memory bank that do not fit each other."""
    check_bank(memories)
    check_shape("query", query, ("...", np.shape(memories)[1]))
    if discrete:
        check_uncut("query", query)
        check_uncut("memories", memories)
    else:
        check_dtype("query", query, "floating")
        check_dtype("memories", memories, "floating")


def check_bank(memories: Any) -> None:
    """Refuse memories that are not a matrix with at least one row and one column."""
    check_shape("memories", memories, ("n", "d"))
    require(
        min(np.shape(memories)) > 0, "memories", memories, "at least one memory of size at least 1"
    )


def check_broadcasts(argument: str, array: Any, shape: tuple[int, ...]) -> None:
    """Refuse ``array`` unless it broadcasts to ``shape``."""
    sizes = np.shape(array)
    fits = len(sizes) <= len(shape) and all(
        size in (1, wanted) for size, wanted in zip(sizes[::-1], shape[::-1], strict=False)
    )
    require(fits, argument, array, f"a shape that broadcasts to {list(shape)}")


def check_comparable(similarity: Any, query: Any, memories: Any) -> None:
    """Refuse a query and a memory bank that ``similarity`` cannot compare."""
    check_bank(memories)
    if not getattr(similarity, "encodes_query", False):
        check_patterns(query, memories)


def check_mask(mask: Any, shape: tuple[int, ...]) -> None:
    """Refuse a mask that is not boolean, or not one flag per memory; None is no mask."""
    if mask is not None:
        check_dtype("mask", mask, "bool")
        check_shape("mask", mask, shape)


def per_query(argument: str, number: Any, scores: Array) -> Array:
    """A parameter of the scores' queries, in their dtype, with an axis for the memories."""
    check_broadcasts(argument, number, scores.shape[:-1])
    return jnp.asarray(number, scores.dtype)[..., None]


def present_rows(rows: Array, mask: Array | None) -> Array:
    """Zeros for the rows that are not there: whatever they hold, 0 · NaN among it, adds nothing."""
    return rows if mask is None else jnp.where(mask[:, None], rows, jnp.zeros((), rows.dtype))


def as_bipolar(argument: str, patterns: Array) -> Array:
    """Bipolar patterns in a floating dtype; integers are welcome."""
    check_bipolar(argument, patterns)
    if jnp.issubdtype(patterns.dtype, jnp.floating):
        return patterns
    return patterns.astype(float_dtype(patterns))


def check_bipolar(argument: str, patterns: Any) -> None:
    """Refuse booleans, which mean something else than entries ±1."""
    boolean = patterns.dtype == jnp.bool_
    require(not boolean, argument, patterns, "entries −1 and +1, not booleans")


def output_dtype(query: Any, projection: Any) -> Any:
    """The floating dtype common to both; float32 if neither is floating."""
    dtype = jnp.result_type(query, projection)
    return dtype if jnp.issubdtype(dtype, jnp.floating) else jnp.dtype(jnp.float32)


def float_dtype(*arrays: Any) -> Any:
    """The dtype in which scores of these patterns accumulate: float32 or wider."""
    return jnp.promote_types(jnp.result_type(*arrays), jnp.float32)


def inner(left: Array, right: Array, *, precision: Any = None) -> Array:
    """``left @ right.T`` over the last axes, accumulated in float32 or wider."""
    return jnp.einsum(
        "...d,nd->...n",
        left,
        right,
        precision=precision,
        preferred_element_type=float_dtype(left, right),
    )


def power_of_two(numbers: Array) -> Array:
    """The largest power of two not above each number >= 0, ½ for 0; a constant to derivatives.

    A division by it brings a number into [1, 2) and changes none of its digits.
    """
    _, exponent = jnp.frexp(jax.lax.stop_gradient(numbers))
    return jnp.ldexp(jnp.ones_like(numbers), exponent - 1)


def root(squares: Array) -> Array:
    """``√x`` of numbers >= 0, with derivative 0 at 0."""
    zero = squares <= 0  # not "> 0": NaN stays NaN
    return jnp.where(zero, 0, jnp.sqrt(jnp.where(zero, 1, squares)))


def nan_first(scores: Array) -> Array:
    """The scores with every NaN a positive one, for ``top_k``, which puts negative ones last."""
    return jnp.where(jnp.isnan(scores), jnp.nan, scores)


def _refuse_negative(argument: str, patterns: Any) -> None:
    values = concrete(patterns)
    if values is not None and values.size:
        smallest = values.min()
        require(not smallest < 0, argument, float(smallest), "no negative entry")
