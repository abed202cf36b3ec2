"""Recall against the number of stored patterns, for every separation function.

How far a separation favours the largest score says how much of the store an answer blends: identity
and the logarithm all of it, powers less and less, the maximum one pattern.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from jaxlab.experiments.hopfield.capacity import Memory
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
    SeparationName,
    Separations,
    Similarities,
    SimilarityName,
    negated_memory,
    published_memory,
)
from jaxlab.experiments.hopfield.study import (
    Common,
    Corruption,
    Fraction,
    Measured,
    Sigma,
    Study,
    cells,
    measure,
)
from jaxlab.experiments.interface import Claim, Count, Counts, Reporter, config

__all__ = ["CLAIMS", "Config", "run"]

# where the claims are judged: Manhattan similarity
_SIGMA, _STORED, _BETA = 0.2, 100, 1000.0
_SHARP: tuple[SeparationName, ...] = ("max", "softmax", "power_10")
_POWERS: tuple[SeparationName, ...] = (
    "square_root",
    "identity",
    "square",
    "cube",
    "quartic",
    "power_10",
)

_LOGARITHM = (
    "The logarithm of scores in (0, 1) is negative, and dividing by a negative sum makes the "
    "weights positive again: they then decrease with the score. The largest is that of the lowest "
    "score, and an index is recalled only where the right memory scores least."
)

CLAIMS = (
    Claim(
        id="sharp-separations-dominate",
        statement="Max, exponential and tenth-power separations hold far more patterns than linear "
        "ones.",
        source="experiments on separation functions",
        paper="max, softmax and 10th power on top, in a figure",
        criterion="fraction correct with Manhattan similarity at σ = 0.2, N = 100: max, "
        "softmax(1000) and power 10 each ≥ identity + 0.4",
    ),
    Claim(
        id="higher-powers-hold-more",
        statement="The higher the power, the more patterns are recalled.",
        source="experiments on separation functions",
        paper="curves ordered by power, in a figure",
        criterion="the same point: mean fraction correct does not fall from power ½ to 1, 2, 3, 4 "
        "and 10, and is higher at 10 than at ½",
    ),
)


@config
class Negated:
    """Softmax(β) of negated distances, not normalised, beside the paper's convention."""

    betas: Betas
    count: Count


@config
class Config(Common):
    """``separation_parameter``: β of softmax on sum-normalised scores; ``rows``: masked share."""

    similarities: Similarities
    separations: Separations
    separation_parameter: Annotated[float, Field(ge=0)]
    counts: Counts
    sigma: Sigma
    rows: Fraction
    negated: Negated


def run(config: Config, run_dir: Path, reporter: Reporter) -> None:
    """Measure and report; see the module."""
    study = Study(config, config.counts)
    corruptions = [Corruption("noise", config.sigma), Corruption("rows", config.rows)]
    memories: dict[SimilarityName, dict[str, Memory]] = {
        similarity: {
            name: published_memory(similarity, name, config.separation_parameter)
            for name in config.separations
        }
        for similarity in config.similarities
    }
    softmaxes = {
        f"{similarity}/beta={beta:g}": negated_memory(similarity, beta)
        for similarity in config.similarities
        for beta in config.negated.betas
    }
    reporter.plan(
        sum(cells(study, corruptions, compared) for compared in memories.values())
        + cells(study, corruptions, softmaxes)
    )
    few = min(config.negated.count, study.counts[-1])
    measured = {
        similarity: measure(reporter, study, corruptions, compared, group=f"{similarity}/")
        for similarity, compared in memories.items()
    }
    negated = measure(reporter, study, corruptions, softmaxes, counts=[few], group="negated/")

    beta = config.separation_parameter
    columns = [f"N={count}" for count in study.counts]
    for similarity, result in measured.items():
        caption = (
            f"{LABELS[similarity]} similarity, softmax with β={beta:g} on sum-normalised scores; "
            f"{study.caption()}"
        )
        panels = {how.label: result.against_count(level) for level, how in enumerate(corruptions)}
        figure = curve_figure(
            panels,
            config.separations,
            study.counts,
            x_label="stored patterns N",
            title=f"{LABELS[similarity]} similarity: {study.title}",
            y_labels=(f"fraction correct (error ≤ {study.threshold:.3g})", "index recall"),
            legend_title="separation",
            ordered=True,
        )
        text = "Share of the stored patterns that are recalled, by separation function"
        reporter.figure(f"capacity-{similarity}", figure, f"{text}: {caption}")
        panel_tables(
            reporter,
            panels,
            config.separations,
            columns,
            caption,
            prefix=f"{similarity}/",
            compared="separation",
        )
    first = config.similarities[0]
    shown = min(_STORED, study.counts[-1])
    picture = recall_picture(study, corruptions[:1], memories[first], stored=shown)
    text = f"{LABELS[first]} similarity. {recall_caption(study, shown)}"
    reporter.figure("recalls", picture, text)
    _negated_table(reporter, study, config, corruptions, negated, few)
    report_notes(
        reporter,
        study,
        *(NOTES[name] for name in config.similarities if name in NOTES),
        "In the paper's code the factor β multiplies the scores before they are divided by their "
        "sum, where it cancels; what sets the sharpness of a softmax is a second parameter, here "
        f"{beta:g} (there {_BETA:g}).",
        *([_LOGARITHM] if "log" in config.separations else []),
        "The paper presents this comparison for one similarity; its code uses Manhattan similarity "
        "and half-masked images. Here noise is reported beside masked rows.",
        "Fraction correct also counts blurred averages of the store that are close enough. "
        "Identity keeps the order of the scores, so its index recall is that of max, however "
        "blurred its answer.",
    )
    _verdicts(reporter, study, config, measured)


def _negated_table(
    reporter: Reporter,
    study: Study,
    config: Config,
    corruptions: list[Corruption],
    negated: Measured,
    count: int,
) -> None:
    betas = config.negated.betas
    rows = []
    for level, how in enumerate(corruptions):
        for place, similarity in enumerate(config.similarities):
            some = slice(place * len(betas), (place + 1) * len(betas))
            panel = negated.against_count(level)
            values = [*panel.correct[some, :, 0], *panel.recalled[some, :, 0]]
            rows.append([how.label, LABELS[similarity], *(pair(value) for value in values)])
    columns = [f"{metric}, β={beta:g}" for metric in ("correct", "index") for beta in betas]
    reporter.table(
        "negated",
        ["", "similarity", *columns],
        rows,
        "The other score convention: softmax(β) of negated distances and of other scores as they "
        f"are, nothing normalised, N={count}; {study.caption()}",
    )


def _verdicts(
    reporter: Reporter, study: Study, config: Config, measured: dict[SimilarityName, Measured]
) -> None:
    there = config.sigma == _SIGMA and _STORED in study.counts and "manhattan" in measured
    separations = set(config.separations)
    score: dict[SeparationName, float] = {}
    if there:
        curves = measured["manhattan"].against_count(0).correct[..., study.counts.index(_STORED)]
        score = dict(zip(config.separations, curves.mean(axis=1), strict=True))
    needs = f"not measured: needs Manhattan similarity, σ={_SIGMA:g}, N={_STORED}"
    sharp = there and {*_SHARP, "identity"} <= separations
    if sharp and config.separation_parameter == _BETA:
        listed = ", ".join(f"{LABELS[name]} {score[name]:.3f}" for name in (*_SHARP, "identity"))
        reporter.verdict(
            "sharp-separations-dominate",
            ours=f"{listed} on {study.title}",
            holds=all(bool(score[name] >= score["identity"] + 0.4) for name in _SHARP),
        )
    else:
        ours = f"{needs}, max, softmax({_BETA:g}), power 10 and identity"
        reporter.verdict("sharp-separations-dominate", ours=ours, holds=None)
    if there and set(_POWERS) <= separations:
        powers = np.array([score[name] for name in _POWERS])
        listed = ", ".join(f"{LABELS[name]} {score[name]:.3f}" for name in _POWERS)
        reporter.verdict(
            "higher-powers-hold-more",
            ours=f"{listed} on {study.title}",
            holds=bool(np.all(np.diff(powers) >= 0) and powers[-1] > powers[0]),
        )
    else:
        ours = f"{needs} and every power from ½ to 10"
        reporter.verdict("higher-powers-hold-more", ours=ours, holds=None)
