"""Operations and memory of a function, read from its jaxpr.

Nothing runs and nothing is compiled. XLA's own ``cost_analysis`` cannot serve here: it counts the
body of a ``lax.scan`` once, however often it runs. Only what the results need is counted, since
XLA drops the rest.
"""

from collections.abc import Callable
from typing import Any

import jax

from jaxlab.checks import check_integer
from jaxlab.ntk._flops import tally
from jaxlab.ntk._liveness import peak

__all__ = ["breakdown", "count_flops", "peak_bytes"]


def count_flops(fn: Callable[..., Any], *args: Any, while_trips: int | None = None) -> int:
    """Number of floating-point operations of ``fn(*args)``.

    A product of matrices costs ``2 · outputs · contracted``; a convolution
    ``2 · outputs · (kernel entries of one output channel)``, taps on padding included; a reduction
    its inputs; a windowed reduction ``outputs · window``; a scatter its updates; a sort of ``n``
    numbers ``n ⌈log₂ n⌉``; moving data nothing; anything else one operation for each output
    element, matrix factorisations other than Cholesky's and LU included. A ``scan`` costs its
    length times its body, a ``cond`` its costliest branch, a ``shard_map`` the sum over devices.

    Args:
        fn: function of arrays.
        *args: its arguments; ``jax.ShapeDtypeStruct`` in place of arrays will do.
        while_trips: how often each ``while`` loop runs, whose length the shapes do not tell.

    Returns:
        The count; additions and multiplications are counted separately.

    Raises:
        ValueError: a ``while`` loop without ``while_trips``.

    Cost: one trace of ``fn``.

    Example:
        >>> import jax.numpy as jnp
        >>> x = jax.ShapeDtypeStruct((64, 64), jnp.float32)
        >>> count_flops(lambda x: jax.lax.scan(lambda c, _: (c @ c, None), x, None, 10)[0], x)
        5242880
    """
    return sum(breakdown(fn, *args, while_trips=while_trips).values())


def breakdown(fn: Callable[..., Any], *args: Any, while_trips: int | None = None) -> dict[str, int]:
    """Operations of each primitive in ``fn(*args)``, the costliest first.

    Args:
        fn: function of arrays.
        *args: its arguments; ``jax.ShapeDtypeStruct`` in place of arrays will do.
        while_trips: how often each ``while`` loop runs.

    Returns:
        Operations by name of the primitive; primitives in loops and calls appear under their own
        name, those that cost nothing do not appear. The values sum to :func:`count_flops`.

    Raises:
        ValueError: a ``while`` loop without ``while_trips``.

    Cost: one trace of ``fn``.

    Example:
        >>> import jax.numpy as jnp
        >>> breakdown(lambda x: jnp.sum(jnp.tanh(x @ x)), jnp.ones((4, 4)))
        {'dot_general': 128, 'tanh': 16, 'reduce_sum': 16}
    """
    if while_trips is not None:
        check_integer("while_trips", while_trips, minimum=0)
    return dict(tally(jax.make_jaxpr(fn)(*args), while_trips).most_common())


def peak_bytes(fn: Callable[..., Any], *args: Any) -> int:
    """Bytes that ``fn(*args)`` holds at once, in temporaries and results.

    Every value lives from the equation that makes it to the last one that reads it, in the order of
    the program or that in which results ask for operands, whichever needs less. Arguments and
    constants exist before the call and are not counted. Reshapes and broadcasts take no memory,
    elementwise operations and loop carries reuse that of operands nobody reads later, a ``scan``
    takes its stacked results, one slice of what it scans over and the peak of its body. Fusion
    beyond that, which lowers the figure, and work space of library calls, which raises it, are not
    foreseen. Under ``shard_map`` it is the sum over devices.

    Args:
        fn: function of arrays.
        *args: its arguments; ``jax.ShapeDtypeStruct`` in place of arrays will do.

    Returns:
        Bytes.

    Cost: one trace of ``fn``.

    Example:
        A product of many matrices needs two at once, whatever their number:

        >>> import jax.numpy as jnp
        >>> x = jnp.ones((64, 64))
        >>> peak_bytes(lambda x: x @ x @ x @ x @ x, x) / x.nbytes
        2.0
    """
    return peak(jax.make_jaxpr(fn)(*args))
