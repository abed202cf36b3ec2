"""Segmentation: the layer back to the sphere against rotated copies of the training images (C2).

The mask of a turned image is the turned mask, and an equivariant network cannot help but know it. A
planar network sees every orientation of an object as another shape. Both colour the pixels of test
images that were turned at random.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np

from jaxlab.experiments.interface import Claim, Reporter, config
from jaxlab.experiments.spherical.comparison import compare, count_runs
from jaxlab.experiments.spherical.comparison_config import Comparison
from jaxlab.experiments.spherical.comparison_report import caption_of, note_studies, report_training
from jaxlab.experiments.spherical.scoring import Model, confusion, predict
from jaxlab.experiments.spherical.segmentation_report import (
    draw_predictions,
    draw_scores,
    judge,
    report_classes,
    report_studies,
    shown_samples,
)
from jaxlab.experiments.spherical.spheres import Spheres
from jaxlab.spherical.metrics import iou_per_class, non_background_miou, pixel_accuracy
from jaxlab.spherical.types import Task

__all__ = ["CLAIMS", "Config", "measure", "run"]

CLAIMS = (
    Claim(
        id="equivariance-segments-better",
        statement="For semantic segmentation planar networks stay below equivariant ones that have "
        "far fewer parameters (C2).",
        source="Abstract",
        paper="qualitative: below, at every number of training images",
        criterion="non-background mIoU on rotated test images, mean over 3 seeds or more: that of "
        "the first equivariant network, trained on images as they are, exceeds that of every "
        "planar network on rotated copies by at least 10 points, with at most a quarter of the "
        "parameters",
    ),
    Claim(
        id="augmentation-helps-segmentation",
        statement="Planar networks segment rotated images the better, the more rotated copies they "
        "are trained on.",
        source="Abstract; the trend with which the claim above is put to the test",
        paper="qualitative: scores rise with the number of training images",
        criterion="non-background mIoU on rotated test images, mean over 3 seeds or more, of every "
        "planar network without sphere padding does not fall from any number of copies to the "
        "next, and is larger at the last than at the first",
    ),
)


@config
class Config(Comparison):
    """Networks and data."""

    task: ClassVar[Task] = "segmentation"


def run(config: Config, run_dir: Path, reporter: Reporter) -> None:
    """Train and score everything."""
    reporter.plan(count_runs(config))
    studies, tuned = compare(config, run_dir, reporter, measure)
    text = caption_of(config)
    report_studies(studies, reporter, text)
    report_classes(studies, reporter, text)
    report_training(config, studies, tuned, reporter, text, score="mIoU")
    draw_scores(studies, reporter, text)
    draw_predictions(config, studies[0], reporter, text)
    note_studies(config, studies, reporter)
    judge(studies[0], reporter)


def measure(
    model: Model, rotated: Spheres, plain: Spheres, seed: int, largest: bool
) -> Mapping[str, Any]:
    """Scores on both test sets, by pixels and by area; predictions of a few images."""
    found: dict[str, Any] = {}
    for name, samples in (("rotated", rotated), ("plain", plain)):
        counts = confusion(model, samples)
        found |= {
            name: _share(non_background_miou(jnp.asarray(counts.plain))),
            f"{name}_area": _share(non_background_miou(jnp.asarray(counts.weighted))),
            f"{name}_pixels": _share(pixel_accuracy(jnp.asarray(counts.plain))),
        }
        if name == "rotated":
            shares = np.asarray(iou_per_class(jnp.asarray(counts.plain)), float)
            found["iou"] = [None if np.isnan(share) else round(share, 6) for share in shares]
    if seed == 0:
        samples, count = shown_samples(rotated)
        found["shown"] = predict(model, samples, count)[2].tolist()
    return found


def _share(value: Any) -> float:
    """A share of 1; 0 where there is nothing to find."""
    return round(float(np.nan_to_num(value)), 6)
