"""Kanerva's sparse distributed memory: many fixed random locations, each remembering a sum.

Every hard location has a fixed random address ``A_k ∈ {±1}^d`` and counters ``C_k ∈ Z^p``. Those
within Hamming distance ``radius`` of an address are active for it. Writing adds the value to the
counters of all active locations, reading takes the sign of their sum. An address near a written one
shares many of its active locations, and so reads its value.

In the terms of :func:`~jaxlab.hopfield.retrieval.retrieve`, reading is Hamming similarity to ``A``,
threshold separation at ``−radius``, and projection by ``C``.
"""

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int, Key, Real

from jaxlab.checks import check_dtype, check_integer, check_key, check_scalar, check_shape, require
from jaxlab.hopfield._declare import EXACT, check_bipolar
from jaxlab.hopfield.bipolar import bipolar_sign
from jaxlab.hopfield.similarity import bipolar_hamming
from jaxlab.hopfield.types import Number
from jaxlab.varying import vary_like

__all__ = [
    "SDMReading",
    "SDMRecall",
    "SDMState",
    "sdm_init",
    "sdm_read",
    "sdm_recall",
    "sdm_write",
]


class SDMState(NamedTuple):
    """A sparse distributed memory.

    Attributes:
        addresses: fixed addresses ``A`` of the hard locations, ±1, ``[r, d]`` int8.
        counters: sums ``C`` of what was written there, ``[r, p]`` int32.
    """

    addresses: Int[Array, "r d"]
    counters: Int[Array, "r p"]


class SDMReading(NamedTuple):
    """Result of :func:`sdm_read`.

    Attributes:
        output: read values, ±1, ``[*b, p]`` float32; +1 everywhere if no location was active.
        field: sums of the active counters, ``[*b, p]`` float32, whole numbers.
        active: number of active locations, ``[*b]`` int32; 0 means that nothing was read.
    """

    output: Float[Array, "*b p"]
    field: Float[Array, "*b p"]
    active: Int[Array, "*b"]


class SDMRecall(NamedTuple):
    """Result of :func:`sdm_recall`.

    Attributes:
        output: final values, ±1, ``[*b, d]`` float32.
        active: active locations of the last address that was read from, ``[*b]`` int32.
        steps: reads made, ``[*b]`` int32.
        converged: whether the last read gave back its own address, ``[*b]``.
    """

    output: Float[Array, "*b d"]
    active: Int[Array, "*b"]
    steps: Int[Array, "*b"]
    converged: Bool[Array, "*b"]


@functools.partial(jax.jit, static_argnames=("num_locations", "dim", "value_dim"))
def sdm_init(
    key: Key[Array, ""], num_locations: int, dim: int, value_dim: int | None = None
) -> SDMState:
    """An empty memory with uniformly random hard locations.

    Args:
        key: typed PRNG key.
        num_locations: number ``r`` of hard locations, static.
        dim: bits ``d`` of an address, static.
        value_dim: bits ``p`` of a value, static; default ``dim``, for auto-association.

    Returns:
        An :class:`SDMState` with zero counters.

    Raises:
        ValueError: a size below 1.

    Cost: O(r (d + p)).

    Source: Kanerva 1988.

    Example:
        >>> state = sdm_init(jax.random.key(0), 100, 16, value_dim=4)
        >>> state.addresses.shape, state.counters.shape
        ((100, 16), (100, 4))
    """
    check_key("key", key)
    value_dim = dim if value_dim is None else value_dim
    for name, size in (("num_locations", num_locations), ("dim", dim), ("value_dim", value_dim)):
        check_integer(name, size, minimum=1)
    addresses = jax.random.rademacher(key, (num_locations, dim), dtype=jnp.int8)
    return SDMState(addresses, jnp.zeros((num_locations, value_dim), jnp.int32))


def sdm_write(
    state: SDMState,
    address: Real[Array, "*b d"],
    value: Real[Array, "*b p"],
    *,
    radius: Number,
) -> SDMState:
    """Add each value to the counters of all locations within ``radius`` of its address.

    ``C ← C + Σ_b act(address_b) ⊗ value_b``: the order of writes does not matter.

    Args:
        state: the memory.
        address: bipolar addresses, ``[*b, d]``.
        value: bipolar values, ``[*b, p]``.
        radius: largest Hamming distance at which a location is active, >= 0; may be traced.

    Returns:
        The memory with the values added.

    Raises:
        ValueError: shapes that do not fit; boolean patterns; ``radius`` known and negative.

    Cost: ``2 B r (d + p)`` for ``B`` writes, O(B r) memory.

    Source: Kanerva 1988.

    Example:
        >>> state = sdm_init(jax.random.key(0), 100, 16)
        >>> state = sdm_write(state, jnp.ones(16), jnp.ones(16), radius=16)
        >>> bool((state.counters == 1).all())
        True
    """
    check_scalar("radius", radius, minimum=0)
    return _write(state, address, value, radius)


@jax.jit
def _write(state: SDMState, address: Array, value: Array, radius: Number) -> SDMState:
    _check_address("address", address, state)
    check_shape("value", value, (*address.shape[:-1], state.counters.shape[1]))
    check_bipolar("value", value)
    count = math.prod(address.shape[:-1])
    active = _active(state, address, radius).reshape(count, len(state.addresses))
    values = value.reshape(count, value.shape[-1]).astype(jnp.float32)
    # 0/1 times ±1, accumulated in float32: exact, and far faster than a product of integers
    change = jnp.matmul(active.T.astype(jnp.float32), values, precision=EXACT)
    return SDMState(state.addresses, state.counters + change.astype(jnp.int32))


def sdm_read(state: SDMState, query: Real[Array, "*b d"], *, radius: Number) -> SDMReading:
    """Sign of the summed counters of all locations within ``radius`` of the query.

    Args:
        state: the memory.
        query: bipolar addresses to read from, ``[*b, d]``.
        radius: largest Hamming distance at which a location is active, >= 0; may be traced.

    Returns:
        An :class:`SDMReading`. A zero field reads as +1.

    Raises:
        ValueError: shapes that do not fit; boolean patterns; ``radius`` known and negative.

    Cost: ``2 B r (d + p)`` for ``B`` reads, O(B r) memory.

    Source: Kanerva 1988; Millidge et al. 2022, section 3.2.

    Example:
        >>> state = sdm_init(jax.random.key(0), 1000, 64)
        >>> pattern = jnp.ones(64).at[::3].set(-1.0)
        >>> state = sdm_write(state, pattern, pattern, radius=28)
        >>> bool(
        ...     (sdm_read(state, pattern.at[:8].multiply(-1.0), radius=28).output == pattern).all()
        ... )
        True
    """
    check_scalar("radius", radius, minimum=0)
    return _read(state, query, radius)


@jax.jit
def _read(state: SDMState, query: Array, radius: Number) -> SDMReading:
    _check_address("query", query, state)
    active = _active(state, query, radius)
    counters = state.counters.astype(jnp.float32)
    field = jnp.matmul(active.astype(jnp.float32), counters, precision=EXACT)
    return SDMReading(bipolar_sign(field), field, jnp.sum(active, axis=-1, dtype=jnp.int32))


def sdm_recall(
    state: SDMState, query: Real[Array, "*b d"], *, radius: Number, max_steps: int
) -> SDMRecall:
    """Read again from what was read, until it reads itself (auto-association).

    A query that activates no location stops at once, unchanged, and has not converged.

    Args:
        state: the memory, with values as long as addresses.
        query: bipolar addresses to start from, ``[*b, d]``.
        radius: largest Hamming distance at which a location is active, >= 0; may be traced.
        max_steps: most reads, >= 1, static.

    Returns:
        An :class:`SDMRecall`.

    Raises:
        ValueError: shapes that do not fit; boolean patterns; values not as long as addresses;
            ``radius`` known and negative; ``max_steps`` below 1.

    Cost: ``max_steps`` times that of :func:`sdm_read`.

    Source: Kanerva 1988.

    Example:
        >>> state = sdm_init(jax.random.key(0), 1000, 64)
        >>> pattern = jnp.ones(64).at[::3].set(-1.0)
        >>> state = sdm_write(state, pattern, pattern, radius=28)
        >>> result = sdm_recall(state, pattern.at[:8].multiply(-1.0), radius=28, max_steps=5)
        >>> bool((result.output == pattern).all()), int(result.steps), bool(result.converged)
        (True, 2, True)
    """
    check_scalar("radius", radius, minimum=0)
    check_integer("max_steps", max_steps, minimum=1)
    return _recall(state, query, radius, max_steps)


@functools.partial(jax.jit, static_argnames=("max_steps",))
def _recall(state: SDMState, query: Array, radius: Number, max_steps: int) -> SDMRecall:
    _check_address("query", query, state)
    dim, value_dim = state.addresses.shape[1], state.counters.shape[1]
    require(dim == value_dim, "state", state.counters, f"values of {dim} bits, as addresses have")

    def step(_: Int[ArrayLike, ""], carry: tuple[SDMRecall, Array]) -> tuple[SDMRecall, Array]:
        (address, active, steps, converged), stopped = carry
        reading = _read(state, address, radius)
        found = reading.active > 0
        output = jnp.where((stopped | ~found)[..., None], address, reading.output)
        converged = converged | (~stopped & found & jnp.all(output == address, axis=-1))
        active = jnp.where(stopped, active, reading.active)
        return SDMRecall(output, active, steps + ~stopped, converged), stopped | converged | ~found

    none = jnp.zeros(query.shape[:-1], jnp.int32)
    start = SDMRecall(query.astype(jnp.float32), none, none, none > 0)
    carry = vary_like((start, none > 0), state, radius)
    return jax.lax.fori_loop(0, max_steps, step, carry)[0]


def _active(state: SDMState, address: Array, radius: Number) -> Bool[Array, "*b r"]:
    # as a float: an unsigned radius would wrap around
    return bipolar_hamming(address, state.addresses) >= -1.0 * radius


def _check_address(argument: str, address: Array, state: SDMState) -> None:
    check_shape("state.addresses", state.addresses, ("r", "d"))
    check_shape("state.counters", state.counters, (state.addresses.shape[0], "p"))
    check_dtype("state.counters", state.counters, "integer")
    check_shape(argument, address, ("...", state.addresses.shape[1]))
    check_bipolar(argument, address)
