"""Recall of a fixed number of patterns against the strength of the noise."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from jaxlab.experiments.hopfield.figures import (
    curve_figure,
    panel_tables,
    recall_caption,
    recall_picture,
    report_notes,
)
from jaxlab.experiments.hopfield.memories import NOTES, Similarities, published_memories
from jaxlab.experiments.hopfield.study import (
    Common,
    Corruption,
    Panel,
    Sigma,
    Study,
    cells,
    measure,
)
from jaxlab.experiments.interface import Claim, Count, Reporter, config

__all__ = ["CLAIMS", "Config", "run"]

_MODERATE, _STRONG = 0.3, 0.8

CLAIMS = (
    Claim(
        id="distances-under-moderate-noise",
        statement="Under moderate noise, Euclidean and Manhattan similarity recall more than the "
        "dot product.",
        source="experiments on noise levels",
        paper="Euclidean and Manhattan above the dot product, in a figure",
        criterion="fraction correct of N = 100 at σ = 0.3: Euclidean, Manhattan each ≥ dot + 0.1",
    ),
    Claim(
        id="dot-under-strong-noise",
        statement="Under strong noise, the dot product is the most robust.",
        source="experiments on noise levels",
        paper="the dot product declines most slowly, in a figure",
        criterion="fraction correct of N = 100 at σ = 0.8: dot ≥ Euclidean, Manhattan each + 0.2",
    ),
)


@config
class Config(Common):
    """``sigma``: standard deviations of the noise."""

    similarities: Similarities
    count: Count
    sigma: Annotated[tuple[Sigma, ...], Field(min_length=1)]


def run(config: Config, run_dir: Path, reporter: Reporter) -> None:
    """Measure and report; see the module."""
    study = Study(config, [config.count])
    noises = [Corruption("noise", sigma) for sigma in config.sigma]
    memories = published_memories(config.similarities)
    reporter.plan(cells(study, noises, memories))
    panel = measure(reporter, study, noises, memories).against_corruption(0)

    heading = f"N={config.count}"
    caption = (
        f"{config.count} stored patterns, max separation, noise clip(|x + σε|, 0, 1); "
        f"{study.caption()}"
    )
    figure = curve_figure(
        {heading: panel},
        config.similarities,
        config.sigma,
        x_label="standard deviation σ of the noise",
        title=f"Recall against noise: {study.title}",
        y_labels=(f"fraction correct (error ≤ {study.threshold:.3g})", "index recall"),
        counts_axis=False,
        legend_title="similarity",
    )
    text = "Share of the stored patterns that are recalled from a noisy query"
    reporter.figure("noise", figure, f"{text}: {caption}")
    reporter.figure("recalls", recall_picture(study, noises, memories), recall_caption(study))
    columns = [f"σ={sigma:g}" for sigma in config.sigma]
    panel_tables(reporter, {heading: panel}, config.similarities, columns, caption)
    report_notes(
        reporter,
        study,
        *(NOTES[name] for name in config.similarities if name in NOTES),
        "σ is a standard deviation, although the paper's axis says variance. The noise is folded "
        "and clipped, clip(|x + σε|, 0, 1): for small σ black pixels become grey by σ·√(2/π) on "
        "average, and for large σ most pixels are either folded or clipped.",
    )
    _verdicts(reporter, study, config, panel)


def _verdicts(reporter: Reporter, study: Study, config: Config, panel: Panel) -> None:
    compared = ("euclidean", "manhattan", "dot_product")
    for claim, sigma in zip(CLAIMS, (_MODERATE, _STRONG), strict=True):
        if (
            sigma not in config.sigma
            or config.count != 100
            or not {*compared} <= {*config.similarities}
        ):
            ours = f"not measured: needs N=100, σ={sigma:g} and the similarities it compares"
            reporter.verdict(claim.id, ours=ours, holds=None)
            continue
        at = config.sigma.index(sigma)
        euclidean, manhattan, dot = (
            float(panel.correct[config.similarities.index(name), :, at].mean()) for name in compared
        )
        if sigma == _MODERATE:
            holds = min(euclidean, manhattan) >= dot + 0.1
        else:
            holds = dot >= max(euclidean, manhattan) + 0.2
        ours = f"Euclidean {euclidean:.3f}, Manhattan {manhattan:.3f}, dot {dot:.3f}"
        reporter.verdict(claim.id, ours=f"{ours} on {study.title}", holds=holds)
