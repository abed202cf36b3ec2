"""Labels that fall to a fixpoint, and the pointers to where they came from.

Parents are arcs: ``arcs`` (their number) stands for none. The invariant is that a label is at least
that of its parent's tail plus the parent's length. It makes the walk along parents no longer than
the label, and a cycle among parents the proof of a negative cycle; for floats, only if its lengths
sum to less than their rounding errors.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxlab.checks import check_dtype, check_shape, concrete, require
from jaxlab.graph_algorithms._incoming import Incoming, absent, infinity, parent_lengths, relax
from jaxlab.graph_algorithms.path_types import ShortestPaths
from jaxlab.graph_algorithms.status import LIMIT, NEGATIVE_CYCLE, NO_SOURCE, OK, OVERFLOW
from jaxlab.graphs.containers import check_directed
from jaxlab.graphs.segments import take_or_fill

__all__ = [
    "Fixpoint",
    "ancestors",
    "as_potentials",
    "as_prediction",
    "bounded",
    "check_lengths",
    "check_source",
    "fits",
    "lengths_of",
    "lengths_type",
    "negative",
    "on_cycle",
    "paths",
    "reduced_lengths",
    "settle",
    "walk_lengths",
]

BETWEEN_TESTS = 64  # rounds; a test for cycles costs about log2 n rounds
ROUNDING = 4  # units in the last place that a sum of floats may be off by


class Fixpoint(NamedTuple):
    """Labels, parent arcs (``arcs`` for none), status and number of rounds."""

    labels: Array
    parents: Array
    status: Array
    rounds: Array


def settle(
    arcs: Incoming,
    laid: Array,
    labels: Array,
    parents: Array,
    *,
    go: Array,
    n_node: Array,
    max_rounds: int | None = None,
    unreduced: Array | None = None,
) -> Fixpoint:
    """Relax all arcs until no label falls, or until the parents prove a negative cycle.

    Without a negative cycle ``n_node`` rounds do, the last of which changes nothing: after that
    many, the parents of labels that still fall contain a cycle. With ``go`` False nothing is done.

    Rounding errors of floats can close a cycle whose length is not negative. All is then done again
    with labels that have to fall by more than such errors, eight times as much each time until no
    cycle is left, and without the labels that came with a parent, which may have closed it.
    ``OVERFLOW`` where the labels have no room for such errors. Where all sums are exact the labels
    are the distances, exactly. ``unreduced`` are the lengths, laid out, that ``laid`` was made of
    by potentials: cycles are as long, without the rounding errors of the potentials.
    """
    m = arcs.senders.shape[0]
    go = go & (n_node > 0)  # without vertices there is no round in which to find labels settled
    limit = n_node if max_rounds is None else jnp.minimum(n_node, max_rounds)
    if not jnp.issubdtype(labels.dtype, jnp.floating):
        return _settle(arcs, laid, labels, parents, go, n_node, limit, None)

    def attempt(state: tuple[Fixpoint, Array, Array]) -> tuple[Fixpoint, Array, Array]:
        before, slack, _ = state
        left = limit if max_rounds is None else jnp.minimum(n_node, max_rounds - before.rounds)
        anew = (slack > 0) & (parents < m)
        first = jnp.where(anew, jnp.inf, labels), jnp.where(anew, m, parents)
        found = _settle(arcs, laid, *first, go, n_node, left, slack)
        steps = parent_lengths(arcs, laid if unreduced is None else unreduced, found.parents)
        far = ancestors(arcs.senders, found.parents, go)
        proven = jnp.any(negative(arcs.senders, steps, found.parents, far, go))
        closed = jnp.any(far < arcs.nodes)
        doubtful = go & ~proven & (closed | (found.status == NEGATIVE_CYCLE))
        largest = jnp.max(jnp.where(found.labels < jnp.inf, jnp.abs(found.labels), 0), initial=0)
        kind = jnp.finfo(slack.dtype)
        slack = jnp.maximum(8 * slack, jnp.maximum(ROUNDING * kind.eps * largest, kind.tiny))
        hopeless = doubtful & jnp.isinf(slack)
        status = jnp.where(proven, NEGATIVE_CYCLE, jnp.where(hopeless, OVERFLOW, found.status))
        status, rounds = status.astype(jnp.int32), before.rounds + found.rounds
        return found._replace(status=status, rounds=rounds), slack, doubtful & ~hopeless

    nothing = jnp.zeros_like(n_node)
    start = Fixpoint(labels, parents, nothing.astype(jnp.int32), nothing)
    state = (start, jnp.zeros_like(labels, shape=()), go)
    return jax.lax.while_loop(lambda state: state[2], attempt, state)[0]


def _settle(
    arcs: Incoming,
    laid: Array,
    labels: Array,
    parents: Array,
    go: Array,
    n_node: Array,
    limit: Array,
    slack: Array | None,
) -> Fixpoint:
    """What :func:`settle` does once, with labels that have to fall by more than ``slack``."""

    def round_(state: tuple[Array, ...]) -> tuple[Array, ...]:
        labels, parents, _, rounds, batch = state
        lower, parents = relax(arcs, laid, labels, parents, slack=slack)
        return lower, parents, jnp.any(lower < labels), rounds + 1, batch + 1

    def unsettled(state: tuple[Array, ...]) -> Array:
        _, _, falling, rounds, batch = state
        return falling & (rounds < limit) & (batch < BETWEEN_TESTS)

    def batch_of_rounds(state: tuple[Array, ...]) -> tuple[Array, ...]:
        labels, parents, falling, rounds, _ = state
        start: tuple[Array, ...] = (labels, parents, falling, rounds, jnp.zeros_like(rounds))
        labels, parents, falling, rounds, _ = jax.lax.while_loop(unsettled, round_, start)
        cyclic = falling & jnp.any(on_cycle(arcs.senders, parents, active=falling))
        return labels, parents, falling, rounds, cyclic

    def open_(state: tuple[Array, ...]) -> Array:
        _, _, falling, rounds, cyclic = state
        return falling & (rounds < limit) & ~cyclic

    start: tuple[Array, ...] = (labels, parents, go, jnp.zeros_like(n_node), ~go & go)
    labels, parents, falling, rounds, cyclic = jax.lax.while_loop(open_, batch_of_rounds, start)
    unfinished = jnp.where(go & (rounds >= n_node), NEGATIVE_CYCLE, LIMIT)
    status = jnp.where(cyclic, NEGATIVE_CYCLE, jnp.where(falling, unfinished, OK))
    return Fixpoint(labels, parents, status.astype(jnp.int32), rounds)


def ancestors(senders: Array, parents: Array, active: Array) -> Array:
    """The vertex at least ``n`` steps up from each one; ``n`` where the walk ends before.

    What is not ``n`` lies on a cycle of parents.
    """
    n, m = parents.shape[0], senders.shape[0]
    above = take_or_fill(senders, parents, n)
    above = jnp.append(jnp.where(parents < m, above, n), jnp.int32(n))

    def double(state: tuple[Array, Array]) -> tuple[Array, Array]:
        above, steps = state
        return above[above], 2 * steps

    def unfinished(state: tuple[Array, Array]) -> Array:
        above, steps = state
        return active & (steps < n) & jnp.any(above < n)

    return jax.lax.while_loop(unfinished, double, (above, jnp.int32(1)))[0][:-1]


def on_cycle(senders: Array, parents: Array, active: Array) -> Array:
    """Which vertices' walk along parents ends in a cycle; anything where not ``active``."""
    return ancestors(senders, parents, active) < parents.shape[0]


def negative(senders: Array, steps: Array, parents: Array, far: Array, active: Array) -> Array:
    """Which vertices lie on a cycle of parents that is negative; anything where not ``active``.

    ``steps`` are the lengths of the parents, ``far`` the :func:`ancestors`. Lengths that are floats
    have to sum to less than the rounding errors of the sum.
    """
    n = parents.shape[0]
    vertices = jnp.arange(n, dtype=jnp.int32)
    on = jnp.zeros_like(parents, bool).at[far].set(True, mode="drop")
    above = jnp.where(on, take_or_fill(senders, parents, 0), vertices)

    def double(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        least, above, count = state
        return jnp.minimum(least, least[above]), above[above], 2 * count

    def unfinished(state: tuple[Array, Array, Array]) -> Array:
        return active & (state[2] < n) & jnp.any(on)

    # the least vertex of a cycle stands for it
    first = vertices + jnp.zeros_like(parents)
    least, _, _ = jax.lax.while_loop(unfinished, double, (first, above, jnp.int32(1)))
    cycle, steps = jnp.where(on, least, n), jnp.where(on, steps, 0)
    length = jnp.zeros_like(steps).at[cycle].add(steps, mode="drop")
    bound = jnp.zeros_like(steps)
    if jnp.issubdtype(steps.dtype, jnp.floating):
        size = bound.at[cycle].add(jnp.abs(steps), mode="drop")
        bound = -ROUNDING * jnp.finfo(steps.dtype).eps * size
    return on & take_or_fill(length < bound, cycle, False)


def walk_lengths(
    senders: Array, lengths: Array, parents: Array, roots: Array, active: Array
) -> Array:
    """Length of the walk along parents from a root to each vertex; infinity where there is none.

    ``w ← w + w[p]``, ``p ← p[p]``, until every pointer has arrived or ⌈log2 n⌉ times: what does not
    arrive then runs into a cycle. Infinity everywhere if not ``active``.
    """
    n, infinite = parents.shape[0], infinity(lengths.dtype)
    vertices = jnp.arange(n, dtype=jnp.int32)
    stays = roots | (parents >= senders.shape[0])
    above = jnp.where(stays, vertices, take_or_fill(senders, parents, 0))
    length = jnp.where(stays, 0, take_or_fill(lengths, parents, 0))

    def double(state: tuple[Array, Array, Array, Array]) -> tuple[Array, Array, Array, Array]:
        above, length, steps, _ = state
        further = above[above]
        length = jnp.clip(length + length[above], -infinite, infinite)
        return further, length, 2 * steps, jnp.any(further != above)

    def unfinished(state: tuple[Array, Array, Array, Array]) -> Array:
        return state[3] & (state[2] < n)

    start = (above, length, jnp.int32(1), active)
    above, length, _, _ = jax.lax.while_loop(unfinished, double, start)
    return jnp.where(active & roots[above], length, infinite)


def lengths_of(graph: Any) -> Array:
    """Lengths of the arcs ``[arcs]``: ones where the graph has none, absent where masked."""
    dtype = lengths_type(graph.weights)
    weights = 1 if graph.weights is None else graph.weights.astype(dtype)
    return jnp.where(graph.mask, weights, jnp.asarray(absent(dtype), dtype))


def reduced_lengths(graph: Any, potentials: Array) -> Array:
    """``ℓ(u, v) + y_u − y_v``, absent for masked arcs."""
    lengths = lengths_of(graph)
    potentials = jnp.asarray(potentials)
    if potentials.dtype.itemsize < 4:  # differences of narrow ones would wrap
        potentials = potentials.astype(lengths_type(potentials))
    tail = potentials.at[graph.senders].get(mode="fill", fill_value=0)
    head = potentials.at[graph.receivers].get(mode="fill", fill_value=0)
    return jnp.where(graph.mask, lengths + (tail - head), absent(lengths.dtype))


def as_potentials(graph: Any, potentials: Any) -> Array:
    """Predicted potentials in the type of the labels, so small that sums with them stay there."""
    dtype = lengths_type(graph.weights)
    zeros = jnp.zeros_like(graph.senders, dtype, shape=(graph.node_capacity,))
    if potentials is None:
        return zeros
    check_shape("potentials", potentials, (graph.node_capacity,))
    # under shard_map the sum varies over the graph's mesh axes, even if the prediction does not
    return zeros + as_prediction("potentials", potentials, dtype)


def bounded(graph: Any, potentials: Array) -> Array:
    """Potentials of floats within ``±n·max|ℓ|``, in the rounding errors of which no length drowns.

    Feasible ones need no more. If any is beyond, the first finite one is moved to 0, and the others
    with it, before they are clipped.
    """
    if graph.node_capacity == 0:
        return potentials
    lengths = lengths_of(graph)
    sizes = jnp.where(graph.mask & jnp.isfinite(lengths), jnp.abs(lengths), 0)
    most = graph.n_node * jnp.max(sizes, initial=0)
    # as_prediction makes the largest float of infinity
    finite = jnp.abs(potentials) < jnp.finfo(potentials.dtype).max
    moved = potentials - potentials[jnp.argmax(finite)]
    near = jnp.all(jnp.abs(potentials) <= most)
    return jnp.where(near, potentials, jnp.clip(moved, -most, most).astype(potentials.dtype))


def lengths_type(weights: Any) -> Any:
    """Type of the labels, of 32 bits at least, for such lengths or costs; None stands for ones."""
    if weights is None:
        return jnp.dtype(jnp.int32)
    floating = jnp.issubdtype(weights.dtype, jnp.floating)
    return jnp.promote_types(weights.dtype, jnp.float32 if floating else jnp.int32)


def clipped(values: Any) -> Array:
    """As an array of jax; integers of NumPy that it has no room for become the last that it has."""
    if isinstance(values, np.ndarray) and jnp.issubdtype(values.dtype, jnp.integer):
        held = jnp.iinfo(jax.dtypes.canonicalize_dtype(values.dtype))
        values = np.clip(values, held.min, held.max)
    return jnp.asarray(values)


def as_prediction(name: str, values: Any, dtype: Any) -> Array:
    """Any numbers as ``dtype``, integers clipped to a quarter of infinity.

    NaN is refused where concrete and counts as 0 where not.
    """
    numbers = concrete(values)
    if numbers is not None and jnp.issubdtype(numbers.dtype, jnp.floating):
        require(not np.isnan(numbers).any(), name, values, "numbers that are not NaN")
    values = clipped(values)
    if jnp.issubdtype(dtype, jnp.floating):
        return jnp.nan_to_num(values.astype(dtype), nan=0.0)
    most = infinity(dtype) // 4
    if jnp.issubdtype(values.dtype, jnp.floating):
        values = jnp.round(jnp.nan_to_num(values, nan=0.0))
        # the largest float below the bound, which float32 may not hold
        with np.errstate(over="ignore"):  # float16 ends below it
            most = int(np.nextafter(np.asarray(most).astype(values.dtype), 0))
    elif jnp.iinfo(values.dtype).max < most:
        values = values.astype(dtype)
    elif jnp.issubdtype(values.dtype, jnp.unsignedinteger):
        values = jnp.minimum(values, most).astype(dtype)
    return jnp.clip(values, -most, most).astype(dtype)


def fits(lengths: Array, mask: Array, n_node: Array) -> Array:
    """Whether no walk without repetition leaves the type of the labels.

    Of floats, whether no length is NaN or −inf.
    """
    if jnp.issubdtype(lengths.dtype, jnp.floating):
        return ~jnp.any(mask & (jnp.isnan(lengths) | (lengths == -jnp.inf)))
    largest = jnp.max(jnp.where(mask, jnp.abs(lengths), 0), initial=0)
    lowest = jnp.min(jnp.where(mask, lengths, 0), initial=0)  # |−2³¹| is negative
    room = (infinity(lengths.dtype) - 1) // jnp.maximum(n_node, 1).astype(lengths.dtype)
    return (largest <= room) & (lowest >= -room)


def check_lengths(graph: Any) -> None:
    """Refuse what is not one digraph with lengths that are numbers, and cannot overflow labels."""
    check_directed(graph)
    if graph.weights is None:
        return
    check_shape("graph.weights", graph.weights, ("arcs",))
    dtype = graph.weights.dtype
    real = jnp.issubdtype(dtype, jnp.integer) or jnp.issubdtype(dtype, jnp.floating)
    real = real and dtype not in (jnp.uint32, jnp.uint64)
    require(real, "graph.weights", graph.weights, "signed integers, or narrower ones, or floats")
    weights, mask, n_node = (concrete(x) for x in (graph.weights, graph.mask, graph.n_node))
    if weights is None or mask is None or n_node is None:
        return
    weights = weights[mask]
    if jnp.issubdtype(weights.dtype, jnp.floating):
        bad = np.isnan(weights) | (weights == -np.inf)
        require(not bad.any(), "graph.weights", weights[bad][:1], "numbers above -inf")
        return
    dtype = lengths_type(weights)
    room = (infinity(dtype) - 1) // max(int(n_node), 1)
    # numpy's abs of the smallest integer is itself
    large = weights[(weights > room) | (weights < -room)][:1]
    expected = f"lengths of at most {room}, since longer ones can overflow {dtype} labels"
    require(large.size == 0, "graph.weights", large, expected)


def check_source(graph: Any, source: Any) -> Array:
    """The source as int32, refused where it is concrete and not a vertex."""
    check_shape("source", source, ())
    check_dtype("source", source, "integer")
    vertex, n_node = concrete(source), concrete(graph.n_node)
    if vertex is not None:
        most = graph.node_capacity if n_node is None else int(n_node)
        there = 0 <= int(vertex) < most
        require(there, "source", source, f"a vertex, from 0 to n_node - 1 = {most - 1}")
    return jnp.asarray(source, jnp.int32)


def paths(
    graph: Any, arcs: Incoming, found: Fixpoint, source: Array, fitting: Array
) -> ShortestPaths:
    """Labels and parent arcs as the result of a solver."""
    m = arcs.senders.shape[0]
    parent = take_or_fill(arcs.senders, found.parents, -1)
    vertices = jnp.arange(parent.shape[0], dtype=jnp.int32)
    root = (vertices == source) & (found.parents >= m)
    status = jnp.where(fitting, found.status, OVERFLOW)
    there = (source >= 0) & (source < graph.n_node)
    status = jnp.where(there, status, NO_SOURCE).astype(jnp.int32)
    return ShortestPaths(found.labels, jnp.where(root, source, parent), status, found.rounds)
