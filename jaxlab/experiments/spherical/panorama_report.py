"""Tables and verdicts on the ways from panoramas and HEALPix maps to a network."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

from jaxlab.experiments.interface import Reporter
from jaxlab.experiments.spherical.panorama_worlds import FRONTS, WORLDS, Front, World
from jaxlab.spherical.types import Activation

__all__ = ["KINDS", "Results", "judge", "network_title", "report_tables"]

Network: TypeAlias = tuple[Activation, float]
KINDS = {
    "panorama": "panorama of 2L × 4L pixels",
    "soft": "soft grid",
    "driscoll_healy": "Driscoll–Healy grid",
    "gauss_legendre": "Gauss–Legendre grid",
}
ACTIVATIONS: Mapping[Activation, str] = {
    "none": "no activation",
    "relu": "ReLU",
    "gelu": "GELU",
    "silu": "SiLU",
    "softplus": "softplus",
    "square": "square",
}


class Results(NamedTuple):
    """What was measured.

    Attributes:
        recovery: by kind of samples and number of degrees, an error for each field.
        healpix: by nside, for each number of corrections an error for each field.
        gains: by world and height of panoramas, ``"gain"`` and ``"added"`` of each degree from 1,
            by way to the grid.
        path: by world and network, an error for each rotation, by way to the grid.
    """

    recovery: Mapping[str, Mapping[int, Sequence[float]]]
    healpix: Mapping[int, Sequence[Sequence[float]]]
    gains: Mapping[World, Mapping[int, Mapping[str, Mapping[str, Sequence[float]]]]]
    path: Mapping[World, Mapping[Network, Mapping[Front, Sequence[float]]]]

    def mean_error(self, world: World, network: Network, front: Front) -> float:
        """Equivariance error, mean over rotations."""
        return float(np.mean(self.path[world][network][front]))


def network_title(network: Network) -> str:
    """Activation and oversampling."""
    activation, oversample = network
    return ACTIVATIONS[activation] + (f" × {oversample:g}" if activation != "none" else "")


def report_tables(results: Results, reporter: Reporter, text: str) -> None:
    """Round trips and errors of the whole path."""
    degrees = list(next(iter(results.recovery.values())))
    reporter.table(
        "recovery",
        ["samples", *(f"L = {L}" for L in degrees)],
        [
            [KINDS[kind], *(max(errors[L]) for L in degrees)]
            for kind, errors in results.recovery.items()
        ],
        "Relative error of the spectrum of a random field of L degrees after a round trip through "
        "its samples, in float32: the largest of all fields.",
    )
    reporter.table(
        "healpix",
        [
            "nside",
            "degrees",
            *(str(count) for count in range(len(next(iter(results.healpix.values()))))),
        ],
        [
            [nside, 2 * nside, *(max(errors) for errors in by_count)]
            for nside, by_count in results.healpix.items()
        ],
        "The same for HEALPix maps of L = 2·nside degrees, by number of corrections.",
    )
    reporter.table(
        "path",
        ["world", "network", *FRONTS.values()],
        [
            [
                WORLDS[world],
                network_title(network),
                *(float(f"{results.mean_error(world, network, front):.3g}") for front in FRONTS),
            ]
            for world, networks in results.path.items()
            for network in networks
        ],
        f"Equivariance error of the output, mean over rotations; {text}.",
    )


def judge(results: Results, reporter: Reporter) -> None:
    """Verdicts on all claims."""
    for kind, errors in results.recovery.items():
        worst = max(max(values) for values in errors.values())
        reporter.scalar(f"recovery, {kind}", worst)
    exact = [
        value
        for errors in results.recovery.values()
        for values in errors.values()
        for value in values
    ]
    reporter.verdict(
        "panoramas-are-recovered",
        ours=f"largest error {np.max(exact):.2g}",
        holds=bool(np.max(exact) <= 1e-6),  # NumPy's: one NaN makes it NaN
    )
    third = {nside: float(np.max(by[3])) for nside, by in results.healpix.items() if len(by) > 3}
    reporter.verdict(
        "healpix-is-recovered",
        ours=", ".join(f"{error:.2g} (nside {nside})" for nside, error in third.items())
        or "fewer than 3 corrections",
        holds=all(error <= 1e-3 for error in third.values()) if third else None,
    )
    _judge_path("linear-path-turns", results, reporter, [("none", 1.0)], most=1e-5)
    smooth: list[Network] = [("softplus", 2.0), ("silu", 3.0)]
    _judge_path("smooth-path-turns", results, reporter, smooth, most=1e-4)
    _judge_relu(results, reporter)
    _judge_path(
        "pixels-cost-equivariance",
        results,
        reporter,
        [("none", 1.0)],
        front="resampling",
        least=1e-3,
    )


def _judge_path(
    claim: str,
    results: Results,
    reporter: Reporter,
    networks: Sequence[Network],
    *,
    front: Front = "analysis",
    most: float = np.inf,
    least: float = 0.0,
) -> None:
    found = {
        (world, network): results.mean_error(world, network, front)
        for world in results.path
        for network in networks
        if network in results.path[world]
    }
    complete = len(found) == len(networks) * len(WORLDS)
    reporter.verdict(
        claim,
        ours="; ".join(
            f"{WORLDS[world]}, {network_title(network)}: {value:.2g}"
            for (world, network), value in found.items()
        )
        or "no such network",
        holds=all(least <= value <= most for value in found.values()) if complete else None,
    )


def _judge_relu(results: Results, reporter: Reporter) -> None:
    texts, falls = [], []
    for world, networks in results.path.items():
        factors = sorted(factor for activation, factor in networks if activation == "relu")
        errors = [results.mean_error(world, ("relu", factor), "analysis") for factor in factors]
        texts.append(
            f"{WORLDS[world]}: "
            + ", ".join(f"{e:.2g} (× {f:g})" for e, f in zip(errors, factors, strict=True))
        )
        falls.append(bool(np.all(np.diff(errors) < 0)) if len(factors) > 1 else None)
    decided = len(falls) == len(WORLDS) and None not in falls
    reporter.verdict(
        "relu-path-turns-better-on-finer-grids",
        ours="; ".join(texts),
        holds=all(falls) if decided else None,
    )
