"""Recall against the number of stored patterns, for every similarity function.

The paper's headline: with the separation fixed to the maximum, memories that compare by Manhattan
or Euclidean distance recall more of many noisy images than those that compare by dot product.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from jaxlab.experiments.hopfield.figures import (
    curve_figure,
    pair,
    panel_tables,
    recall_caption,
    recall_picture,
    report_notes,
)
from jaxlab.experiments.hopfield.memories import (
    LABELS,
    NOTES,
    Betas,
    Similarities,
    negated_memory,
    published_memories,
)
from jaxlab.experiments.hopfield.study import (
    Common,
    Corruption,
    Measured,
    Sigma,
    Study,
    cells,
    measure,
    measure_baselines,
)
from jaxlab.experiments.interface import Claim, Count, Counts, Reporter, config

__all__ = ["CLAIMS", "Config", "run"]

# the point at which the claims are judged
_SIGMA, _STORED = 0.3, 1000
_DIVERGENCES = ("kl_divergence", "reverse_kl_divergence", "published_jensen_shannon")

CLAIMS = (
    Claim(
        id="manhattan-over-dot",
        statement="With max separation, Manhattan similarity recalls more of many noisy images "
        "than the dot product.",
        source="experiments on similarity functions",
        paper="Manhattan and Euclidean distance above the dot product, in a figure",
        criterion="fraction correct at σ = 0.3, N = 1000: Manhattan − dot ≥ 0.25",
    ),
    Claim(
        id="manhattan-over-dot-index",
        statement="The same, judged by whether the right memory is picked: index recall depends on "
        "no threshold.",
        source="the same claim; the metric is not the paper's",
        paper="Manhattan and Euclidean distance above the dot product, in a figure",
        criterion="index recall at σ = 0.3, N = 1000: Manhattan − dot ≥ 0.25",
    ),
    Claim(
        id="divergences-below-manhattan",
        statement="Similarities of the Kullback–Leibler kind recall clearly less.",
        source="experiments on similarity functions",
        paper="KL, reverse KL and (its) Jensen–Shannon clearly below, in a figure",
        criterion="fraction correct at σ = 0.3, N = 1000: KL, reverse KL and published "
        "Jensen–Shannon each at least 0.4 below Manhattan",
    ),
)


@config
class Negated:
    """The same similarities as plain negated distances, under softmax(β): no normalisation."""

    betas: Betas
    count: Count
    sigma: Sigma


@config
class Config(Common):
    """``sigma``: standard deviations of the noise; ``counts``: numbers of stored patterns."""

    similarities: Similarities
    counts: Counts
    sigma: Annotated[tuple[Sigma, ...], Field(min_length=1)]
    negated: Negated


def run(config: Config, run_dir: Path, reporter: Reporter) -> None:
    """Measure and report; see the module."""
    study = Study(config, config.counts)
    noises = [Corruption("noise", sigma) for sigma in config.sigma]
    names = config.similarities
    memories = published_memories(names)
    softmaxes = {
        f"{name}/beta={beta:g}": negated_memory(name, beta)
        for name in names
        for beta in config.negated.betas
    }
    other = [Corruption("noise", config.negated.sigma)]
    few = min(config.negated.count, study.counts[-1])
    planned = cells(study, noises, memories) + cells(study, other, softmaxes)
    reporter.plan(planned + study.repetitions)

    measured = measure(reporter, study, noises, memories)
    baselines = measure_baselines(reporter, study, noises)
    negated = measure(reporter, study, other, softmaxes, counts=[few], group="negated/")

    caption = f"max separation, noise clip(|x + σε|, 0, 1); {study.caption()}"
    panels = {how.label: measured.against_count(level) for level, how in enumerate(noises)}
    figure = curve_figure(
        panels,
        names,
        study.counts,
        x_label="stored patterns N",
        title=f"Recall against stored patterns: {study.title}",
        y_labels=(f"fraction correct (error ≤ {study.threshold:.3g})", "index recall"),
        baselines={
            how.label: {name: curve[level] for name, curve in baselines.items()}
            for level, how in enumerate(noises)
        },
        legend_title="similarity",
    )
    reporter.figure(
        "capacity",
        figure,
        f"Share of the stored patterns that are recalled from a noisy query: {caption} Grey: "
        "answers that pick no memory, the mean of the stored patterns and the query's projection "
        "on their principal components (90 % of the variance).",
    )
    shown = noises[_nearest(config.sigma, _SIGMA)]
    reporter.figure("recalls", recall_picture(study, [shown], memories), recall_caption(study))
    columns = [f"N={count}" for count in study.counts]
    panel_tables(reporter, panels, names, columns, caption)
    _baseline_table(reporter, study, noises, baselines)
    _negated_table(reporter, study, config, negated, few)
    report_notes(
        reporter,
        study,
        *(NOTES[name] for name in names if name in NOTES),
        "All similarities met the same draws of noise. Distances are scored by their reciprocals, "
        "and scores divided by their sum, as in the paper's code; with the max separation only "
        "their order matters, so negated distances would give the same curves. σ is a standard "
        "deviation (the paper's axis says variance), and the absolute value brightens black "
        "pixels.",
    )
    confusable = study.confusable()
    reporter.scalar("confusable", round(confusable, 6))
    reporter.note(
        f"Of the {study.counts[-1]} images of the first block, {confusable:.0%} have another one "
        f"within a squared error of {study.threshold:.3g}. To answer with that one counts as "
        "correct; index recall says how often the right one is picked."
    )
    _exception(reporter, study, config, measured)
    _verdicts(reporter, study, config, measured)


def _nearest(values: Sequence[float], wanted: float) -> int:
    return int(np.argmin(np.abs(np.asarray(values) - wanted)))


def _baseline_table(
    reporter: Reporter,
    study: Study,
    noises: Sequence[Corruption],
    baselines: Mapping[str, np.ndarray],
) -> None:
    rows = [
        [how.label, LABELS[name], *(pair(curve[level, :, at]) for at in range(len(study.counts)))]
        for level, how in enumerate(noises)
        for name, curve in baselines.items()
    ]
    reporter.table(
        "baselines",
        ["corruption", "answer", *(f"N={count}" for count in study.counts)],
        rows,
        f"Fraction correct of answers that pick no memory: {study.caption()} What they reach, a "
        "similarity may owe to the threshold and not to its memory.",
    )


def _negated_table(
    reporter: Reporter, study: Study, config: Config, negated: Measured, count: int
) -> None:
    betas = config.negated.betas
    shape = (len(config.similarities), len(betas), study.repetitions)
    correct = negated.correct[:, 0, :, 0, 0].reshape(shape)
    recalled = negated.recalled[:, 0, :, 0].reshape(shape)
    columns = [f"{metric}, β={beta:g}" for metric in ("correct", "index") for beta in betas]
    rows = [
        [LABELS[name], *(pair(values) for values in (*correct[place], *recalled[place]))]
        for place, name in enumerate(config.similarities)
    ]
    reporter.table(
        "negated",
        ["similarity", *columns],
        rows,
        "The other score convention: softmax(β) of negated distances and of other scores as they "
        f"are, nothing normalised, N={count}, noise σ={config.negated.sigma:g}; {study.caption()}",
    )


def _exception(reporter: Reporter, study: Study, config: Config, measured: Measured) -> None:
    """Say so wherever the dot product beats Manhattan."""
    if not {"manhattan", "dot_product"} <= set(config.similarities):
        return
    place = config.similarities.index
    last = measured.correct[..., -1, 0].mean(axis=-1)
    for level, sigma in enumerate(config.sigma):
        manhattan, dot = last[place("manhattan"), level], last[place("dot_product"), level]
        if dot > manhattan:
            reporter.note(
                f"Exception to the headline: at σ={sigma:g} and N={study.counts[-1]} the dot "
                f"product recalls {dot:.2f} and Manhattan {manhattan:.2f}."
            )


def _verdicts(reporter: Reporter, study: Study, config: Config, measured: Measured) -> None:
    names = config.similarities
    needed = {"manhattan", "euclidean", "dot_product", *_DIVERGENCES}
    if _SIGMA not in config.sigma or _STORED not in study.counts or not needed <= set(names):
        for claim in CLAIMS:
            ours = f"not measured: needs σ={_SIGMA:g}, N={_STORED} and the similarities it compares"
            reporter.verdict(claim.id, ours=ours, holds=None)
        return
    level, at = config.sigma.index(_SIGMA), study.counts.index(_STORED)
    correct = dict(zip(names, measured.correct[:, level, :, at, 0].mean(axis=1), strict=True))
    recalled = dict(zip(names, measured.recalled[:, level, :, at].mean(axis=1), strict=True))
    where = f"on {study.title}"
    for name, values in (("manhattan-over-dot", correct), ("manhattan-over-dot-index", recalled)):
        gap = values["manhattan"] - values["dot_product"]
        ours = f"Manhattan {values['manhattan']:.3f}, dot {values['dot_product']:.3f}, "
        ours += f"gap {gap:.3f}, Euclidean {values['euclidean']:.3f} {where}"
        reporter.verdict(name, ours=ours, holds=bool(gap >= 0.25))
    listed = ", ".join(f"{LABELS[name]} {correct[name]:.3f}" for name in _DIVERGENCES)
    if "jensen_shannon" in correct:
        listed += f" (the true divergence {correct['jensen_shannon']:.3f})"
    reporter.verdict(
        "divergences-below-manhattan",
        ours=f"{listed} against Manhattan {correct['manhattan']:.3f} {where}",
        holds=all(bool(correct["manhattan"] - correct[name] >= 0.4) for name in _DIVERGENCES),
    )
