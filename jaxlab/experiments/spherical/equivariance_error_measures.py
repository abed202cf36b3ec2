"""What is measured on random chains of layers: one number a draw, or a few."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from pydantic import Field

from jaxlab.experiments.interface import IN_ORDER, Count, Counts, config
from jaxlab.experiments.spherical.chain import (
    Layer,
    Scaling,
    apply_chain,
    field,
    make_chain,
    scales_of,
)
from jaxlab.spherical.equivariance import equivariance_error
from jaxlab.spherical.rotation import Rotation, random_rotations
from jaxlab.spherical.spectral_rotation import rotate_s2
from jaxlab.spherical.tables import S2Tables, make_s2_tables
from jaxlab.spherical.transforms import s2_analysis, s2_synthesis
from jaxlab.spherical.types import Activation

__all__ = [
    "ROUNDED",
    "UPSAMPLING",
    "VARIANTS",
    "Chains",
    "activation_errors",
    "grid_errors",
    "grids_of",
    "half_turn_error",
    "pictures",
    "rounding_errors",
    "sizes_of",
    "turned",
    "upsampling_errors",
    "variant_errors",
]

Function = Callable[[Array], Array]

UPSAMPLING = (12, 6, 12, 16)  # bandwidths of a chain whose bandlimit rises above its input's
VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "as above": {},
    "input whose degrees fade as (1 + l)^−1": {"slope": 1.0},
    "variance 1 in every channel": {"scaling": "channel"},
}
VARIED: tuple[tuple[Activation, float], ...] = (("relu", 2.0), ("silu", 3.0), ("softplus", 2.0))
ROUNDED = {
    "nothing": "nothing",
    "parameters": "kernels and biases",
    "input": "the input",
    "signals": "the input and all signals between layers",
    "tables": "the tables of the transforms",
}


@config
class Chains:
    """Random chains of layers and what goes into them.

    Attributes:
        signals: in each draw, each under a rotation of its own.
        channels: of all signals but the input.
        slope: how fast the degrees of the input fade, as ``(1 + l)^(−slope)``.
        bandwidth: of the sphere, at both ends.
        bandlimits: of the signals on the rotation group between.
    """

    signals: Count
    channels: Count
    slope: Annotated[float, Field(ge=0)]
    bandwidth: Annotated[int, Field(ge=4)]
    bandlimits: Annotated[Counts, IN_ORDER]


class Draw(NamedTuple):
    """Kernels, signals and rotations, and the tables of what goes in and comes out."""

    chain: tuple[Layer, ...]
    x: Float[Array, "n 1 k j"]
    rotation: Rotation
    tables: S2Tables
    out_tables: S2Tables


def sizes_of(chains: Chains, b: int) -> tuple[int, ...]:
    """Bandwidths of a chain in the proportions of ``chains``, of bandwidth ``b`` at both ends."""
    return (b, *(max(1, round(L * b / chains.bandwidth)) for L in chains.bandlimits), b)


def grids_of(activation: Activation, oversample: Sequence[float]) -> tuple[float, ...]:
    """The oversamplings at which an activation is measured; without one there is only one grid."""
    return (1.0,) if activation == "none" else tuple(oversample)


def turned(x: Array, rotation: Rotation, tables: S2Tables) -> Array:
    """Signals rotated in their spectrum."""
    return s2_synthesis(rotate_s2(s2_analysis(x, tables), rotation), tables)


def activation_errors(
    chains: Chains, b: int, activation: Activation, oversample: Sequence[float], seed: int
) -> list[float]:
    """Errors of a chain of bandwidth ``b``, one for each of :func:`grids_of`."""
    draw = _draw(chains, sizes_of(chains, b), seed)
    return [
        _error(draw, _network(draw, activation, over)) for over in grids_of(activation, oversample)
    ]


def half_turn_error(chains: Chains, seed: int) -> float:
    """Error with ReLU for half a turn about the axis, which is whole steps of every grid."""
    draw = _draw(chains, sizes_of(chains, chains.bandwidth), seed)
    draw = draw._replace(rotation=(float(np.pi), 0.0, 0.0))
    return _error(draw, _network(draw, "relu", 1.0))


def variant_errors(chains: Chains, variant: str, seed: int) -> dict[str, float]:
    """Errors of another chain, or for another input, with some activations."""
    options = dict(VARIANTS[variant])
    scaling = options.pop("scaling", "layer")
    draw = _draw(chains, sizes_of(chains, chains.bandwidth), seed, **options)
    return {
        f"{name} ×{over:g}": _error(draw, _network(draw, name, over, scaling))
        for name, over in VARIED
    }


def grid_errors(chains: Chains, b: int, seed: int) -> dict[str, float]:
    """Linear errors with the image on the network's ``"one"`` grid, and on another, ``"two"``.

    The bandlimits on the rotation group are the same for every ``b``.
    """
    sizes = (b, *chains.bandlimits, b)
    draw = _draw(chains, sizes, seed)
    other = _draw(chains, sizes, seed, grid="driscoll_healy")
    fn = functools.partial(apply_chain, draw.chain)
    return {
        "one": _error(draw, fn),
        "two": _error(draw._replace(x=other.x, tables=other.tables), fn),
    }


def upsampling_errors(chains: Chains, seed: int) -> dict[str, float]:
    """Linear errors where the bandlimit rises: new degrees zero, and computed as published."""
    found = {}
    for mode in ("zero_pad", "aliased"):
        draw = _draw(chains, UPSAMPLING, seed, upsample=mode)
        found[mode] = _error(draw, functools.partial(apply_chain, draw.chain))
    return found


def rounding_errors(chains: Chains, seed: int) -> dict[str, float]:
    """Linear errors with something rounded to bfloat16, by the keys of ``ROUNDED``."""
    draw = _draw(chains, sizes_of(chains, chains.bandwidth), seed)

    def plain(x: Array) -> Array:
        return apply_chain(draw.chain, x)

    def with_layers(change: Callable[[Layer], Layer]) -> Function:
        return functools.partial(apply_chain, [change(layer) for layer in draw.chain])

    def of_tables(layer: Layer) -> Layer:
        ends = {name: _low(getattr(layer.tables, name)) for name in ("tables_in", "tables_out")}
        return layer._replace(tables=layer.tables._replace(**ends))

    functions: dict[str, Function] = {
        "nothing": plain,
        "parameters": with_layers(lambda layer: layer._replace(params=_low(layer.params))),
        "input": lambda x: plain(_low(x)),
        "signals": lambda x: plain(x.astype(jnp.bfloat16)).astype(x.dtype),
        "tables": with_layers(of_tables),
    }
    return {what: _error(draw, fn) for what, fn in functions.items()}


def pictures(chains: Chains, oversample: Sequence[float], seed: int) -> dict[str, Any]:
    """One signal and what becomes of it with ReLU, turned before and after, at each oversampling.

    Returns:
        ``"x"`` and ``"Qx"``, samples ``[β, α]``; and by oversampling ``"f(x)"``, ``"f(Qx)"`` and
        ``"Q f(x)"``.
    """
    draw = _draw(chains, sizes_of(chains, chains.bandwidth), seed)
    turned_x = turned(draw.x, draw.rotation, draw.tables)
    found: dict[str, Any] = {"x": _samples(draw.x), "Qx": _samples(turned_x)}
    for over in oversample:
        fn = _network(draw, "relu", over)
        y = fn(draw.x)
        found[f"{over:g}"] = {
            "f(x)": _samples(y),
            "f(Qx)": _samples(fn(turned_x)),
            "Q f(x)": _samples(turned(y, draw.rotation, draw.out_tables)),
        }
    return found


@functools.lru_cache(maxsize=16)  # all activations are measured on the same draws
def _draw(
    chains: Chains,
    sizes: tuple[int, ...],
    seed: int,
    *,
    slope: float | None = None,
    grid: Any = "soft",
    **options: Any,
) -> Draw:
    """One draw; ``grid`` is that of the input, whose degrees are the same on every kind."""
    of_chain, of_field, of_turns = jax.random.split(jax.random.key(seed), 3)
    slope = chains.slope if slope is None else slope
    return Draw(
        make_chain(of_chain, sizes, chains.channels, **options),
        field(of_field, sizes[0], slope, chains.signals, grid),
        random_rotations(of_turns, chains.signals),
        make_s2_tables(sizes[0], sizes[0], grid),
        make_s2_tables(sizes[-1], sizes[-1]),
    )


def _network(
    draw: Draw, activation: Activation, oversample: float, scaling: Scaling = "layer"
) -> Function:
    scales = scales_of(draw.chain, draw.x, activation, oversample, scaling)
    return lambda x: apply_chain(draw.chain, x, scales, activation, oversample)


def _error(draw: Draw, fn: Function) -> float:
    error = equivariance_error(
        fn, draw.x, draw.rotation, tables=draw.tables, out_tables=draw.out_tables
    )
    return float(f"{float(error):.3g}")


def _low(tree: Any) -> Any:
    """Rounded to bfloat16."""
    return jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16).astype(leaf.dtype), tree)


def _samples(x: Array) -> list[list[float]]:
    """The first channel of the first signal."""
    samples: list[list[float]] = np.asarray(x[0, 0], np.float64).round(5).tolist()
    return samples
