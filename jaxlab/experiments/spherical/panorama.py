"""From a panorama or a HEALPix map to an equivariant network: what survives the way there.

A world is turned, photographed as an equirectangular panorama or a HEALPix map, brought to the
network's grid, and put through a network. Turning the world should turn the network's output. The
networks have random parameters: equivariance is a property of layers, not of what they learned.
"""

import functools
from pathlib import Path
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from pydantic import Field

from jaxlab.checks import require
from jaxlab.experiments.interface import IN_ORDER, Count, Counts, Reporter, config
from jaxlab.experiments.spherical.panorama_claims import CLAIMS
from jaxlab.experiments.spherical.panorama_figures import (
    draw_gains,
    draw_path,
    draw_recovery,
    draw_worlds,
)
from jaxlab.experiments.spherical.panorama_report import Results, judge, report_tables
from jaxlab.experiments.spherical.panorama_worlds import (
    FRONTS,
    PHOTOGRAPH_ROWS,
    Sizes,
    World,
    about_worlds,
    gains,
    load_world,
    panoramas,
    signals,
)
from jaxlab.spherical.healpix import healpix_analysis, healpix_synthesis, make_healpix_tables
from jaxlab.spherical.panorama import erp_analysis, resample_erp
from jaxlab.spherical.rotation import random_rotations, rotation_matrix
from jaxlab.spherical.s2cnn import S2CNNTables, apply_s2cnn, init_s2cnn, make_s2cnn_tables
from jaxlab.spherical.s2cnn_config import S2CNNConfig
from jaxlab.spherical.spectra import S2Spectrum, change_bandlimit, s2_power_spectrum
from jaxlab.spherical.spectral_rotation import rotate_s2
from jaxlab.spherical.synthetic import bandlimited_field
from jaxlab.spherical.tables import S2Tables, make_s2_tables
from jaxlab.spherical.transforms import s2_analysis, s2_synthesis
from jaxlab.spherical.types import Activation, Grid

__all__ = ["CLAIMS", "Config", "output_errors", "recovery_errors", "run"]

Rows = Annotated[int, Field(ge=2, multiple_of=2)]
Network = tuple[Activation, Annotated[float, Field(ge=1)]]
GRID_KINDS: tuple[Grid, ...] = ("soft", "driscoll_healy", "gauss_legendre")
SHOWN = {  # Euler angles in degrees
    "not turned": (0.0, 0.0, 0.0),
    "spun by 60°": (60.0, 0.0, 0.0),
    "tipped by 40°": (0.0, 40.0, 0.0),
    "both": (60.0, 40.0, 0.0),
}


@config
class Config:
    """Worlds, ways to the grid, and networks.

    ``degrees`` of the worlds, whose panoramas have ``height`` rows and maps ``nside``; ``slope`` of
    the random one. Each is turned by ``rotations`` random rotations. ``networks`` are activations
    with their oversampling. ``recovery_degrees``, ``recovery_nsides`` and ``corrections`` are those
    of the round trips, of ``fields`` random fields; ``heights`` those of the panoramas that are
    brought to the grid of ``bandwidth``.
    """

    seed: Annotated[int, Field(ge=0)]
    worlds: Annotated[tuple[World, ...], Field(min_length=1)]
    degrees: Count
    slope: float
    height: Rows
    nside: Count
    bandwidth: Count
    channels: Annotated[Counts, IN_ORDER]
    bandlimits: Annotated[Counts, IN_ORDER]
    networks: Annotated[tuple[Network, ...], Field(min_length=1)]
    rotations: Count
    heights: Annotated[tuple[Rows, ...], Field(min_length=1)]
    recovery_degrees: Counts
    recovery_nsides: Counts
    corrections: Annotated[int, Field(ge=0)]
    fields: Count

    def __post_init__(self) -> None:
        """Networks and maps can be made, and a world fits into all that is made of it."""
        for network in self.networks:
            _network(self, *network)
        rooms = [(self.height // 2, "a panorama"), (2 * self.nside, "a HEALPix map")]
        if "photograph" in self.worlds:
            rooms.append((PHOTOGRAPH_ROWS // 2, "a photograph"))
        for most, of in rooms:
            require(self.degrees <= most, "degrees", self.degrees, f"at most {most} of {of}")
        most = self.height // 2
        fits = self.bandwidth <= most
        require(fits, "bandwidth", self.bandwidth, f"at most {most}, half of height")
        for name, sides in (("nside", (self.nside,)), ("recovery_nsides", self.recovery_nsides)):
            fits = all(side & (side - 1) == 0 for side in sides)
            require(fits, name, getattr(self, name), "powers of two, as of HEALPix")


def run(config: Config, run_dir: Path, reporter: Reporter) -> None:
    """Round trips, gains of each degree, and equivariance of the whole path."""
    kinds = ("panorama", *GRID_KINDS)
    trips = len(kinds) * len(config.recovery_degrees) + len(config.recovery_nsides)
    paths = len(config.worlds) * (len(config.heights) + len(config.networks))
    reporter.plan(trips + paths)
    recovery = {
        kind: {
            L: reporter.cell(
                f"recovery/{kind}/L={L}", functools.partial(recovery_errors, config, kind, L)
            )
            for L in config.recovery_degrees
        }
        for kind in kinds
    }
    healpix = {
        nside: reporter.cell(
            f"recovery/healpix/nside={nside}", functools.partial(_healpix_errors, config, nside)
        )
        for nside in config.recovery_nsides
    }
    gained = {
        world: {
            height: reporter.cell(
                f"gains/{world}/height={height}", functools.partial(_gains, config, world, height)
            )
            for height in config.heights
        }
        for world in config.worlds
    }
    path = {
        world: {
            (activation, oversample): reporter.cell(
                f"path/{world}/{activation}-{oversample:g}",
                functools.partial(_path_errors, config, world, activation, oversample),
            )
            for activation, oversample in config.networks
        }
        for world in config.worlds
    }
    results = Results(recovery, healpix, gained, path)
    text = (
        f"worlds of {config.degrees} degrees, panoramas of {config.height} × {2 * config.height} "
        f"pixels, HEALPix maps of nside = {config.nside}, network's grid of bandwidth "
        f"{config.bandwidth}, {config.rotations} random rotations (seed {config.seed})"
    )
    report_tables(results, reporter, text)
    draw_recovery(results, reporter, config.fields)
    draw_gains(results, reporter, config.bandwidth)
    draw_path(results, reporter, text)
    draw_worlds(_pictures(config), list(SHOWN), reporter, text)
    reporter.note(
        "Worlds are bandlimited, so that their turned panoramas are known without interpolation."
        + about_worlds(config.worlds)
    )
    judge(results, reporter)


def recovery_errors(config: Config, kind: str, L: int) -> list[float]:
    """Relative error of the spectrum of each random field after a round trip."""
    F = _fields(config, L)
    if kind == "panorama":
        found = erp_analysis(panoramas(F, 2 * L), make_s2_tables(L, L))
    else:
        tables = make_s2_tables(L, L, kind)  # type: ignore[arg-type]
        found = s2_analysis(s2_synthesis(F, tables), tables)
    return _relative(found, F)


def _healpix_errors(config: Config, nside: int) -> list[list[float]]:
    """The same for HEALPix maps of 2·nside degrees, by number of corrections."""
    L = 2 * nside
    tables, F = make_healpix_tables(nside, L), _fields(config, L)
    maps = healpix_synthesis(F, tables)
    return [
        _relative(healpix_analysis(maps, tables, iters), F)
        for iters in range(config.corrections + 1)
    ]


def _gains(config: Config, world: World, height: int) -> dict[str, dict[str, list[float]]]:
    """What the two ways from a panorama keep and add, degree by degree."""
    F = _world(config, world)
    L = min(config.bandwidth, height // 2)
    F = change_bandlimit(F, min(F.L, height // 2))
    pixels = panoramas(F, height)
    grid = make_s2_tables(config.bandwidth, L)
    ways = {
        "analysis": s2_synthesis(erp_analysis(pixels, make_s2_tables(height // 2, L)), grid),
        "resampling": jnp.moveaxis(
            resample_erp(jnp.moveaxis(pixels, 0, -1), config.bandwidth), -1, 0
        ),
    }
    found = {way: gains(F, x, L) for way, x in ways.items()}
    return {
        way: {"gain": _rounded(gain[1:]), "added": _rounded(added[1:])}
        for way, (gain, added) in found.items()
    }


def _path_errors(
    config: Config, world: World, activation: Activation, oversample: float
) -> dict[str, list[float]]:
    """Equivariance error under each rotation, by the way from the world to the grid."""
    cfg = _network(config, activation, oversample)
    tables = make_s2cnn_tables(cfg)
    params, state = init_s2cnn(jax.random.key(config.seed), cfg)
    F, rotations = _world(config, world), _rotations(config)
    grid = make_s2_tables(config.bandwidth, config.bandwidth)
    return {
        front: _rounded(
            output_errors(
                _outputs(params, state, signals(front, F, rotations, _sizes(config)), tables, cfg),
                rotations,
                grid,
            )
        )
        for front in FRONTS
    }


@jax.jit
def output_errors(
    outputs: Float[Array, "r c k j"], rotations: Float[Array, "r 3 3"], tables: S2Tables
) -> Float[Array, " r-1"]:
    """``‖f(Qx) − Qf(x)‖ / ‖f(x) − mean‖`` of each rotation ``Q`` but the first, the identity."""
    first = s2_analysis(outputs[0], tables)
    turned = s2_synthesis(rotate_s2(S2Spectrum(first.coeffs[None]), rotations[1:]), tables)
    weights = tables.weights[:, None]
    squares = (weights * (outputs[1:] - turned) ** 2).sum(axis=(1, 2, 3))
    mean = (weights * outputs[0]).sum(axis=(1, 2), keepdims=True)
    return jnp.sqrt(squares / (weights * (outputs[0] - mean) ** 2).sum())


@functools.partial(jax.jit, static_argnames="cfg")
def _outputs(
    params: Any, state: Any, x: Array, tables: S2CNNTables, cfg: S2CNNConfig
) -> Float[Array, "r c k j"]:
    # statistics of the batch: activations of unit variance, which rotations do not change
    logits, _ = apply_s2cnn(params, state, x, tables, cfg, train=True)
    return jnp.moveaxis(logits, -1, 1)


def _network(config: Config, activation: Activation, oversample: float) -> S2CNNConfig:
    return S2CNNConfig(
        bandwidth=config.bandwidth,
        channels=config.channels,
        bandlimits=config.bandlimits,
        num_classes=3,
        in_channels=3,
        activation=activation,
        oversample=oversample,
        batch_norm=True,
    )


def _sizes(config: Config) -> Sizes:
    return Sizes(config.degrees, config.height, config.nside, config.bandwidth)


def _rotations(config: Config) -> Float[Array, "r 3 3"]:
    """The identity, and the random ones."""
    drawn = random_rotations(jax.random.key(config.seed + 1), config.rotations)
    return jnp.concatenate([jnp.eye(3)[None], drawn])


def _world(config: Config, world: World) -> S2Spectrum:
    return load_world(world, config.degrees, config.slope, config.seed)


def _fields(config: Config, L: int) -> S2Spectrum:
    keys = jax.random.split(jax.random.fold_in(jax.random.key(config.seed), L), config.fields)
    return jax.vmap(lambda key: bandlimited_field(key, L))(keys)


def _relative(found: S2Spectrum, true: S2Spectrum) -> list[float]:
    apart = s2_power_spectrum(S2Spectrum(found.coeffs - true.coeffs)).sum(axis=-1)
    return _rounded(jnp.sqrt(apart / s2_power_spectrum(true).sum(axis=-1)))


def _rounded(values: Any) -> list[float]:
    return [float(f"{value:.4g}") for value in np.asarray(values, float)]


def _pictures(config: Config) -> dict[World, dict[str, np.ndarray]]:
    """Of each world under some rotations: panoramas, inputs of the network and outputs."""
    cfg = _network(config, *config.networks[-1])
    tables = make_s2cnn_tables(cfg)
    params, state = init_s2cnn(jax.random.key(config.seed), cfg)
    rotations = jnp.stack([rotation_matrix(*np.radians(angles)) for angles in SHOWN.values()])
    pictures: dict[World, dict[str, np.ndarray]] = {}
    for world in config.worlds:
        F = _world(config, world)
        turned = rotate_s2(S2Spectrum(F.coeffs[None]), rotations)
        x = signals("analysis", F, rotations, _sizes(config))
        pictures[world] = {
            "panorama": np.asarray(panoramas(turned, config.height)),
            "analysed": np.asarray(x),
            "output": np.asarray(_outputs(params, state, x, tables, cfg)),
        }
    return pictures
