"""Condition numbers of kernels against depth and weight variance, at finite and infinite width.

Gradient descent needs about ``κ = λ_max/λ_min`` steps to fit every direction, so κ says which
networks can be trained (Xiao, Pennington and Schoenholz 2020). What decides it is
``χ₁ = σ_w² E[φ'(z)²]`` at the variance where the layers come to rest: in the ordered phase,
``χ₁ < 1``, all inputs become one; in the chaotic phase, ``χ₁ > 1``, which networks of ReLU do not
have, they become orthogonal.

Kernels are float64: float32 ends at κ of about 10⁵.
"""

import functools
from pathlib import Path
from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from pydantic import Field

from jaxlab.experiments.interface import Count, Positive, Reporter, config
from jaxlab.experiments.ntk.condition_number_claims import CLAIMS, CLOSED, Results, judge
from jaxlab.experiments.ntk.condition_number_report import (
    draw_convergence,
    draw_depth,
    draw_phase,
    report,
)
from jaxlab.experiments.ntk.inputs import DataName, load_images, title_of
from jaxlab.experiments.ntk.networks import mlp
from jaxlab.ntk.analytic import fully_connected
from jaxlab.ntk.kernel import ntk_fn
from jaxlab.ntk.spectrum import condition_number

__all__ = ["CLAIMS", "Config", "finite_kernels", "mean_field_slope", "normalised", "run"]

Activation = Literal["erf", "relu", "tanh"]

_ACTIVATIONS: dict[str, Any] = {
    "erf": jax.scipy.special.erf,
    "relu": jax.nn.relu,
    "tanh": jnp.tanh,
}
_GRID = 65  # closed forms drawn against σ_w²


@config
class Convergence:
    """How the finite kernel approaches the closed form: at one depth and variance, by width."""

    depth: Count
    sigma_w2: Positive
    widths: Annotated[tuple[Count, ...], Field(min_length=2)]
    seeds: Annotated[int, Field(ge=2)]


@config
class Config:
    """Sizes.

    Networks of one output with ``depths`` hidden layers of ``width`` units, for every ``sigma_w2``;
    the closed forms are also evaluated at ``infinite_depths``. Images are centred and scaled to one
    norm.
    """

    seed: Annotated[int, Field(ge=0)]
    data: DataName
    examples: Annotated[int, Field(ge=2)]
    sigma_b2: Annotated[float, Field(ge=0)]
    sigma_w2: Annotated[tuple[Positive, ...], Field(min_length=1)]
    depths: Annotated[tuple[Count, ...], Field(min_length=2)]
    infinite_depths: tuple[Count, ...]
    activations: Annotated[tuple[Activation, ...], Field(min_length=1)]
    width: Count
    seeds: Count
    convergence: Convergence


def run(config: Config, run_dir: Path, reporter: Reporter) -> None:
    """Closed forms, then finite networks by depth and by width."""
    x = normalised(load_images(config.data, config.examples, seed=config.seed).x)
    names: list[str] = list(config.activations)
    closed = [name for name in names if name in CLOSED]
    depths = sorted(config.depths)
    widths = sorted(config.convergence.widths)
    variances = sorted(config.sigma_w2)
    reporter.plan(len(closed) * (1 + len(widths)) + len(names) * len(depths))
    infinite = {
        name: reporter.cell(
            f"infinite/{name}", functools.partial(_infinite, config, x, name, variances)
        )
        for name in closed
    }
    finite = {
        (name, depth): reporter.cell(
            f"finite/{name}/depth={depth}",
            functools.partial(_finite, config, x, name, depth, variances),
        )
        for name in names
        for depth in depths
    }
    errors = {
        (name, width): reporter.cell(
            f"convergence/{name}/W={width}", functools.partial(_errors, config, x, name, width)
        )
        for name in closed
        for width in widths
    }
    slopes = {
        name: [mean_field_slope(name, variance, config.sigma_b2) for variance in variances]
        for name in names
    }
    results = Results(variances, depths, widths, slopes, infinite, finite, errors)
    data = (
        f"{config.examples} images of {title_of(config.data)}, centred and of one norm, one "
        f"output, σ_b² = {config.sigma_b2:g}, float64, base seed {config.seed}"
    )
    report(config, results, data, reporter)
    draw_depth(config, results, data, reporter)
    if closed:
        critical = {
            name: _critical(name, infinite[name]["grid"], config.sigma_b2) for name in closed
        }
        draw_phase(results, critical, data, reporter)
        draw_convergence(config, results, data, reporter)
    judge(config, results, reporter)


def normalised(images: np.ndarray) -> np.ndarray:
    """Images as vectors ``[n, d]`` of mean 0 and norm ``√d``, float64."""
    flat = images.reshape(len(images), -1).astype(np.float64)
    flat = flat - flat.mean(axis=1, keepdims=True)
    return flat * np.sqrt(flat.shape[1]) / np.linalg.norm(flat, axis=1, keepdims=True)


def mean_field_slope(activation: str, sigma_w2: float, sigma_b2: float) -> float:
    """``χ₁ = σ_w² E[φ'(√q z)²]`` at the fixed point ``q = σ_w² E[φ(√q z)²] + σ_b²``.

    Example:
        >>> round(mean_field_slope("tanh", 1.0, 0.0), 2), mean_field_slope("relu", 3.0, 0.1)
        (1.0, 1.5)
    """
    if activation == "relu":
        return sigma_w2 / 2
    with jax.enable_x64(True):
        arguments = (jnp.asarray(number, jnp.float64) for number in (sigma_w2, sigma_b2))
        return float(_slope(*arguments, activation=activation))


@functools.partial(jax.jit, static_argnames="activation")
def _slope(sigma_w2: Array, sigma_b2: Array, *, activation: str) -> Array:
    nodes, weights = np.polynomial.hermite_e.hermegauss(101)
    weights = weights / weights.sum()

    def moments(q: Array) -> tuple[Array, Array]:
        inputs = jnp.sqrt(q) * nodes
        values, slopes = jax.jvp(_ACTIVATIONS[activation], (inputs,), (jnp.ones_like(inputs),))
        return jnp.dot(weights, values**2), jnp.dot(weights, slopes**2)

    def layer(_: Any, q: Array) -> Array:
        return sigma_w2 * moments(q)[0] + sigma_b2

    rest = jax.lax.fori_loop(0, 2000, layer, sigma_w2 + sigma_b2)
    return sigma_w2 * moments(rest)[1]


def _critical(activation: str, grid: list[float], sigma_b2: float) -> float | None:
    """σ_w² at which χ₁ passes through 1, interpolated in a rising ``grid``; None outside it."""
    slopes = [mean_field_slope(activation, variance, sigma_b2) for variance in grid]
    return float(np.interp(1.0, slopes, grid)) if slopes[0] < 1 < slopes[-1] else None


def finite_kernels(
    x: Float[np.ndarray, "n d"],
    *,
    activation: str,
    depth: int,
    width: int,
    sigma_w2: tuple[float, ...],
    sigma_b2: float,
    seed: int,
    seeds: int,
) -> Float[Array, "s k n n"]:
    """Kernels of random networks in NTK parametrisation, by variance and seed, float64.

    Networks of one seed share their parameters over all variances. Call with 64-bit types enabled.
    """
    sizes = (x.shape[1], *[width] * depth, 1)
    shape: dict[str, Any] = {"activation": _ACTIVATIONS[activation], "bias_std": 1.0}
    init = mlp(sizes, parametrisation="ntk", weight_std=1.0, **shape).init
    apply = mlp(sizes, weight_std=1.0, **shape).apply

    @jax.jit
    def kernels(x: Array, variances: Array, keys: Array) -> Array:
        def kernel(variance: Array, key: Array) -> Array:
            def network(params: Any, x: Array) -> Array:
                scaled = [
                    {
                        "w": jnp.sqrt(variance / layer["w"].shape[0]) * layer["w"],
                        "b": np.sqrt(sigma_b2) * layer["b"],
                    }
                    for layer in params
                ]
                return apply(scaled, x)

            return ntk_fn(network, vmap_axes=0, trace_axes=(-1,))(x, None, init(key))

        return jax.lax.map(
            lambda variance: jax.lax.map(lambda key: kernel(variance, key), keys), variances
        )

    keys = jax.random.split(
        jax.random.fold_in(jax.random.key(seed), depth * 100_000 + width), seeds
    )
    return kernels(jnp.asarray(x), jnp.asarray(sigma_w2, jnp.float64), keys)


def _conditions(kernels: Array) -> dict[str, Any]:
    """κ of every kernel, and whether all of them are reliable."""
    found = jax.vmap(condition_number)(kernels.reshape(-1, *kernels.shape[-2:]))
    values = np.asarray(found.value, np.float64).reshape(kernels.shape[:-2])
    reliable = np.asarray(found.reliable).reshape(kernels.shape[:-2])
    # JSON has no infinity
    return {
        "kappa": np.where(np.isfinite(values), values, 1e300).tolist(),
        "reliable": reliable.tolist(),
    }


def _closed_form(
    x: np.ndarray, activation: str, depth: int, variances: Any, sigma_b2: float
) -> Array:
    """Kernels ``[s, n, n]`` at infinite width."""

    def kernel(variance: Array) -> Any:
        return fully_connected(
            jnp.asarray(x),
            depth=depth,
            activation=activation,
            sigma_w=jnp.sqrt(variance),
            sigma_b=float(np.sqrt(sigma_b2)),
            get=("ntk",),
        ).ntk

    kernels: Array = jax.vmap(kernel)(jnp.asarray(variances, jnp.float64))
    return kernels


def _infinite(
    config: Config, x: np.ndarray, activation: str, variances: list[float]
) -> dict[str, Any]:
    """κ by depth, for the variances of the finite networks and for a grid between them."""
    grid = np.geomspace(variances[0], variances[-1], _GRID).round(4).tolist()
    found: dict[str, Any] = {"grid": grid}
    with jax.enable_x64(True):
        for depth in sorted({*config.depths, *config.infinite_depths}):
            kernels = _closed_form(x, activation, depth, [*variances, *grid], config.sigma_b2)
            found[str(depth)] = _conditions(kernels)
            if activation == "relu":
                # near c = 1 its closed form is accurate to the square root of the precision
                most = len(x) / (10 * np.sqrt(np.finfo(np.float64).eps))
                sound = np.array(found[str(depth)]["kappa"]) < most
                sound &= found[str(depth)]["reliable"]
                found[str(depth)]["reliable"] = sound.tolist()
    return found


def _finite(
    config: Config, x: np.ndarray, activation: str, depth: int, variances: list[float]
) -> dict[str, Any]:
    with jax.enable_x64(True):
        kernels = finite_kernels(
            x,
            activation=activation,
            depth=depth,
            width=config.width,
            sigma_w2=tuple(variances),
            sigma_b2=config.sigma_b2,
            seed=config.seed,
            seeds=config.seeds,
        )
        return _conditions(kernels)


def _errors(config: Config, x: np.ndarray, activation: str, width: int) -> dict[str, Any]:
    """Relative distances of finite kernels from the closed form, and of their κ, one a seed."""
    sizes = config.convergence
    with jax.enable_x64(True):
        exact = _closed_form(x, activation, sizes.depth, [sizes.sigma_w2], config.sigma_b2)[0]
        kernels = finite_kernels(
            x,
            activation=activation,
            depth=sizes.depth,
            width=width,
            sigma_w2=(sizes.sigma_w2,),
            sigma_b2=config.sigma_b2,
            seed=config.seed,
            seeds=sizes.seeds,
        )[0]
        distances = jnp.linalg.norm(kernels - exact, axis=(1, 2)) / jnp.linalg.norm(exact)
        kappa = np.array(_conditions(kernels)["kappa"])
        return {
            "kernel": np.asarray(distances).tolist(),
            "kappa": np.abs(kappa / _conditions(exact)["kappa"] - 1).tolist(),
        }
