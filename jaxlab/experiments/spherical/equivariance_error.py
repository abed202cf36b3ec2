"""How far networks are from turning with their input, and what that comes from.

Random chains of layers show it piece by piece: without activation, with each activation on grids of
growing fineness, with images on another grid than the network's, with degrees that are computed
where they should be zero, with numbers rounded to bfloat16. Networks trained for a short while show
the same from images to logits.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from jaxlab.checks import require
from jaxlab.experiments.interface import Count, Reporter, config
from jaxlab.experiments.spherical.equivariance_error_claims import (
    CLAIMS,
    judge_activations,
    judge_grids,
    judge_trained,
)
from jaxlab.experiments.spherical.equivariance_error_figures import (
    draw_activations,
    draw_bandwidths,
    draw_grids,
    draw_spheres,
    draw_trained,
)
from jaxlab.experiments.spherical.equivariance_error_measures import (
    VARIANTS,
    Chains,
    activation_errors,
    grid_errors,
    grids_of,
    half_turn_error,
    pictures,
    rounding_errors,
    sizes_of,
    upsampling_errors,
    variant_errors,
)
from jaxlab.experiments.spherical.equivariance_error_report import (
    report_activations,
    report_linear,
    report_trained,
    report_variants,
)
from jaxlab.experiments.spherical.equivariance_error_trained import Trainings, measure_trained
from jaxlab.experiments.spherical.inputs import load_splits, title_of
from jaxlab.spherical.s2cnn_config import ACTIVATIONS

__all__ = ["CLAIMS", "Config", "run"]

Bandwidths = Annotated[tuple[Annotated[int, Field(ge=4)], ...], Field(min_length=1)]
Oversampling = Annotated[tuple[Annotated[float, Field(ge=1)], ...], Field(min_length=1)]


@config
class Config:
    """Sizes of all parts.

    Attributes:
        seed: of everything.
        seeds: draws of kernels, signals and rotations.
        chains: what is drawn.
        oversample: grids on which activations are evaluated, relative to the signal's.
        bandwidths: of further chains in the same proportions.
        oversample_bandwidths: their oversampling.
        grids: bandwidths at which images are sampled on another grid than the network's.
        trained: networks that are trained.
    """

    seed: Annotated[int, Field(ge=0)]
    seeds: Count
    chains: Chains
    oversample: Oversampling
    bandwidths: Bandwidths
    oversample_bandwidths: Oversampling
    grids: Bandwidths
    trained: Trainings

    def __post_init__(self) -> None:
        """Errors are compared from each entry to the next."""
        for name in ("oversample", "oversample_bandwidths", "bandwidths", "grids"):
            values = getattr(self, name)
            require(list(values) == sorted(set(values)), name, values, "increasing numbers")
        values = self.trained.oversample
        increasing = list(values) == sorted(set(values))
        require(increasing, "trained.oversample", values, "increasing numbers")
        every = self.trained.activations
        require(every[0] == "relu", "trained.activations", every, "'relu' first")


def run(config: Config, run_dir: Path, reporter: Reporter) -> None:
    """Measure and report."""
    chains, trainings = config.chains, config.trained
    # before the first chain: a training comes last
    tested = len(load_splits(trainings.data, trainings.classes, seed=config.seed).test.labels)
    expected = f"at most {tested} test images"
    require(trainings.images <= tested, "trained.images", trainings.images, expected)
    bandwidths = [chains.bandwidth, *(b for b in config.bandwidths if b != chains.bandwidth)]
    of_draws = len(ACTIVATIONS) * len(bandwidths) + len(VARIANTS) + len(config.grids) + 3
    trained = len(trainings.activations) * trainings.seeds
    reporter.plan(config.seeds * of_draws + 1 + trained)

    def measured(key: str, compute: Callable[..., Any], *args: Any) -> list[Any]:
        """One cell a draw."""
        return [
            reporter.cell(
                f"{key}/draw={draw}",
                functools.partial(compute, chains, *args, seed=config.seed + draw),
            )
            for draw in range(config.seeds)
        ]

    errors: dict[int, dict[str, dict[float, list[float]]]] = {}
    for b in bandwidths:
        wanted = config.oversample if b == chains.bandwidth else config.oversample_bandwidths
        errors[b] = {}
        for name in ACTIVATIONS:
            found = measured(f"activation/b={b}/{name}", activation_errors, b, name, wanted)
            of_grids = zip(grids_of(name, wanted), zip(*found, strict=True), strict=True)
            errors[b][name] = {over: list(values) for over, values in of_grids}
    turned = measured("half-turn", half_turn_error)
    variants = {
        name: _by_name(measured(f"variant/{name}", variant_errors, name)) for name in VARIANTS
    }
    grids = {b: _by_name(measured(f"grids/b={b}", grid_errors, b)) for b in config.grids}
    upsampling = _by_name(measured("upsampling", upsampling_errors))
    rounded = _by_name(measured("bfloat16", rounding_errors))
    ends = tuple(dict.fromkeys((config.oversample[0], config.oversample[-1])))
    seen = reporter.cell("pictures", functools.partial(pictures, chains, ends, config.seed))
    networks: dict[str, Any] = {
        name: [
            reporter.cell(
                f"trained/{name}/seed={seed}",
                functools.partial(measure_trained, trainings, name, config.seed + seed, run_dir),
            )
            for seed in range(trainings.seeds)
        ]
        for name in trainings.activations
    }

    _report(config, errors, variants, grids, upsampling, rounded, seen, networks, reporter)
    linear = {b: of_b["none"][1.0] for b, of_b in sorted(errors.items())}
    judge_activations(errors[chains.bandwidth], linear, turned, reporter)
    judge_grids(grids, upsampling, rounded, reporter)
    judge_trained(networks["relu"], reporter)


def _report(
    config: Config,
    errors: Mapping[int, Any],
    variants: Mapping[str, Any],
    grids: Mapping[int, Any],
    upsampling: Mapping[str, Any],
    rounded: Mapping[str, Any],
    seen: Mapping[str, Any],
    networks: Mapping[str, Any],
    reporter: Reporter,
) -> None:
    """Tables and figures."""
    chains, trainings = config.chains, config.trained
    draws = (
        f"{config.seeds} draws of kernels and of {chains.signals} signals, each under a rotation "
        f"of its own (seed {config.seed})"
    )
    text = (
        f"chains of layers S² → SO(3) → … → S² with {chains.channels} channels, pre-activations "
        f"of variance 1, input whose degrees fade as (1 + l)^−{chains.slope:g}, float32, {draws}"
    )
    path = " → ".join(map(str, sizes_of(chains, chains.bandwidth)))
    at = f"bandwidths {path}; {text}"
    table = errors[chains.bandwidth]
    reporter.note(
        "The error of a function f is ‖f(Qx) − Q f(x)‖ / ‖f(x) − mean f(x)‖ for a random rotation "
        "Q: 1 is as much as the output varies, about 1e-6 is rounding in float32."
    )
    report_activations(table, reporter, at)
    draw_activations(table, reporter, at)
    draw_bandwidths(errors, config.oversample_bandwidths, reporter, text)
    draw_spheres(seen, reporter, f"bandwidths {path}, first draw")
    report_variants(variants, reporter, at)
    report_linear(grids, upsampling, rounded, reporter, draws)
    draw_grids(grids, reporter, draws)
    text = (
        f"{trainings.network} trained for at most {trainings.steps} steps on "
        f"{title_of(trainings.data.name)} as they are, at b = {trainings.data.bandwidth}; "
        f"{trainings.images} test images, each under a rotation of its own; "
        + ("1 training" if trainings.seeds == 1 else f"{trainings.seeds} trainings")
    )
    report_trained(networks, reporter, text)
    draw_trained(networks, reporter, text)


def _by_name(cells: Sequence[Mapping[str, float]]) -> dict[str, list[float]]:
    """Values of all draws by name."""
    return {name: [cell[name] for cell in cells] for name in cells[0]}
