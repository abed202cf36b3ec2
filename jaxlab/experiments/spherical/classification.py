"""Classification: the mean over the group against rotated copies of the training images (claim C1).

An equivariant network trained on images that all lie at the south pole, planar networks trained on
the same images and on more and more rotated copies of them; all are asked for the class of images
that were turned at random. Beside them: a logistic regression on what no rotation changes, the
power spectrum, and planar networks that average over rotated copies of what they are asked.
"""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import jax
import numpy as np

from jaxlab.experiments.interface import Claim, Count, Reporter, config
from jaxlab.experiments.spherical.classification_report import (
    PAPER_IMAGES,
    draw_accuracy,
    draw_cost,
    draw_spheres,
    judge,
    report_averaging,
    report_studies,
)
from jaxlab.experiments.spherical.comparison import Study, compare, count_runs
from jaxlab.experiments.spherical.comparison_config import Comparison
from jaxlab.experiments.spherical.comparison_report import caption_of, note_studies, report_training
from jaxlab.experiments.spherical.power_spectrum import spectrum_accuracy
from jaxlab.experiments.spherical.scoring import Model, confusion, score
from jaxlab.experiments.spherical.spheres import Spheres
from jaxlab.spherical.rotation import random_rotations
from jaxlab.spherical.types import Task

__all__ = ["CLAIMS", "Config", "run"]

CLAIMS = (
    Claim(
        id="equivariance-generalises",
        statement="An equivariant network trained on images in one orientation classifies them in "
        "any.",
        source="Cohen et al. 2018, spherical MNIST",
        paper="qualitative: S2CNNs need no rotated training images",
        criterion="the first equivariant network's accuracy on rotated test images, mean over 3 "
        "seeds or more, at least 93 %, and at most 3 points below that on images as they are",
    ),
    Claim(
        id="augmentation-helps",
        statement="A planar network classifies rotated images the better, the more rotated copies "
        "it is trained on.",
        source="Abstract; the trend that leads to C1",
        paper="qualitative: accuracy rises with the number of training images",
        criterion="the first planar network's accuracy on rotated test images, mean over 3 seeds "
        "or more, strictly rises from ×1 to ×10 to ×100, by at least 30 points in all",
    ),
    Claim(
        id="gap-shrinks",
        statement="With rotated copies the planar network catches up with the equivariant one.",
        source="Abstract; the trend that leads to C1",
        paper="qualitative: data augmentation makes up for the missing equivariance",
        criterion="the first equivariant network's accuracy on rotated test images, mean over 3 "
        "seeds or more, less that of the first planar one, falls from at least 35 points at ×1 to "
        "at most 15 at ×100",
    ),
    Claim(
        id="augmentation-reaches-equivariance",
        statement="For classification a planar network with enough augmentation and parameters "
        "reaches the accuracy of the equivariant one (C1).",
        source="Abstract",
        paper="reached, with up to 1 200 000 training images",
        criterion="where the largest set of rotated copies has at least "
        f"{PAPER_IMAGES} images, the accuracy on rotated test images, mean over 3 seeds or more, "
        "of the best planar network trained on it is at least that of the best equivariant one "
        "trained on images as they are, which is above 0",
    ),
)


@config
class Config(Comparison):
    """Networks and data, and over how many rotations of a test image planar networks average.

    ``average`` counts them, the image itself first, for the largest training set.
    """

    task: ClassVar[Task] = "classification"
    average: tuple[Count, ...]


def run(config: Config, run_dir: Path, reporter: Reporter) -> None:
    """Train and score everything."""
    reporter.plan(count_runs(config) + sum(config.seeds))
    studies, tuned = compare(config, run_dir, reporter, functools.partial(_measure, config))
    spectra = [
        _spectra(config, study, seeds, reporter)
        for study, seeds in zip(studies, config.seeds, strict=True)
    ]
    text = caption_of(config)
    report_studies(studies, spectra, reporter, text)
    report_training(config, studies, tuned, reporter, text, score="accuracy")
    report_averaging(studies[0], reporter, text)
    note_studies(config, studies, reporter)
    draw_accuracy(studies, spectra, reporter, text)
    draw_cost(studies, spectra, reporter, text)
    draw_spheres(config, studies[0], reporter)
    judge(studies[0], reporter)


def _measure(
    config: Config, model: Model, rotated: Spheres, plain: Spheres, seed: int, largest: bool
) -> Mapping[str, Any]:
    """Accuracy on both test sets, and with averages over rotations."""

    def accuracy(samples: Spheres, rotations: np.ndarray | None = None) -> float:
        counts = confusion(model, samples, rotations).plain
        return float(f"{score(counts, 'classification'):.6g}")

    found: dict[str, Any] = {"rotated": accuracy(rotated), "plain": accuracy(plain)}
    if largest and config.average:
        key = jax.random.fold_in(jax.random.key(config.seed + seed), 1)
        turns = np.array(random_rotations(key, max(config.average)))
        turns[0] = np.eye(3)
        found["averaged"] = {
            str(k): accuracy(rotated, turns[:k]) if k > 1 else found["rotated"]
            for k in config.average
        }
    return found


def _spectra(
    config: Config, study: Study, seeds: int, reporter: Reporter
) -> list[Mapping[str, float]]:
    """The control on power spectra, by seed."""
    name = "".join(map(str, study.classes)) or "all"
    return [
        reporter.cell(
            f"classes={name}/power-spectrum/seed={seed}",
            functools.partial(spectrum_accuracy, config.data, study.splits, config.seed + seed),
        )
        for seed in range(seeds)
    ]
