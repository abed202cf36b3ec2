"""Tables, figures and verdicts of the segmentation experiment."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxlab.experiments import plotting
from jaxlab.experiments.interface import Reporter
from jaxlab.experiments.spherical.comparison import Arm, Study
from jaxlab.experiments.spherical.comparison_config import Comparison
from jaxlab.experiments.spherical.comparison_report import (
    cut_short,
    ended,
    enough_seeds,
    find_arm,
    labels_of,
    mean_sd,
    values_of,
)
from jaxlab.experiments.spherical.globes import globe, middle, paint, paint_classes
from jaxlab.experiments.spherical.inputs import count_classes
from jaxlab.experiments.spherical.spheres import Spheres, images_grid, project, spheres

__all__ = [
    "draw_predictions",
    "draw_scores",
    "judge",
    "report_classes",
    "report_studies",
    "shown_samples",
]

BETTER, FEWER = 10.0, 4
SHOWN = 8  # columns of the figure


def shown_samples(samples: Spheres) -> tuple[Spheres, int]:
    """The first sample of each class, of eight classes at most."""
    _, first = np.unique(samples.labels, return_index=True)
    first = first[:SHOWN]
    return samples._replace(source=samples.source[first], turn=samples.turn[first]), len(first)


def report_studies(studies: Sequence[Study], reporter: Reporter, text: str) -> None:
    """Table of scores."""
    rows: list[list[Any]] = []
    for study in studies:
        for arm in study.cells:
            scores = values_of(study, arm, "rotated")
            start = [labels_of(study), arm.title, arm.params, arm.copies, arm.images]
            plain = mean_sd(values_of(study, arm, "plain"))
            others = [
                mean_sd(values_of(study, arm, name))[0]
                for name in ("rotated_area", "plain_area", "rotated_pixels", "plain_pixels")
            ]
            rows.append([*start, *mean_sd(scores), *plain, *others, ended(study, arm)])
            name = f"{labels_of(study)}: {arm.title}, {arm.copies}, mIoU on rotated images, %"
            reporter.scalar(name, float(f"{scores.mean():.4g}"))
    reporter.table(
        "scores",
        [
            "images",
            "network",
            "parameters",
            "trained on",
            "training images",
            "mIoU rotated, %",
            "sd",
            "mIoU as they are, %",
            "sd (as they are)",
            "mIoU by area, rotated, %",
            "mIoU by area, as they are, %",
            "pixels right, rotated, %",
            "pixels right, as they are, %",
            "ended (trainings)",
        ],
        rows,
        "Non-background mIoU on test images turned at random and as they are, from one confusion "
        "matrix of the whole test set: of pixels, and of their area on the sphere; pixels with the "
        f"right class, background included; means and deviation over seeds; {text}.",
    )


def report_classes(studies: Sequence[Study], reporter: Reporter, text: str) -> None:
    """Table of intersections over unions of each class."""
    for place, study in enumerate(studies):
        count = count_classes(study.splits, study.classes)
        names = [str(label) for label in (study.classes or range(count))]
        reporter.table(
            "classes" if place == 0 else f"classes-{place + 1}",
            ["network", "trained on", "background", *names],
            [
                [
                    arm.title,
                    arm.copies,
                    *(_mean_share([cell["iou"][at] for cell in cells]) for at in range(count + 1)),
                ]
                for arm, cells in study.cells.items()
            ],
            "Intersection over union of each class on rotated test images, %, means over seeds, – "
            f"for a class that is neither there nor predicted; {labels_of(study)}; {text}.",
        )


def _mean_share(shares: Sequence[float | None]) -> float | None:
    """Mean of those that there are, in %."""
    known = [share for share in shares if share is not None]
    return round(100 * float(np.mean(known)), 1) if known else None


def draw_scores(studies: Sequence[Study], reporter: Reporter, text: str) -> None:
    """Scores against the number of rotated copies."""
    figure, axes = plotting.new_figure(
        1, len(studies), panel=(7.2 if len(studies) == 1 else 5.4, 3.9), sharey=True
    )
    lines = list(dict.fromkeys(arm.title for study in studies for arm in study.cells))
    looks = plotting.styles(lines)
    for study, ax in zip(studies, np.ravel(axes), strict=True):
        factors = sorted({arm.factor for arm in study.cells if arm.factor})
        for line in lines:
            look = looks[line]
            arms = [arm for arm in study.cells if arm.title == line and arm.factor]
            arms.sort(key=lambda arm: arm.factor)
            if arms:
                _points(ax, study, arms, line, look)
            for arm in study.cells:
                if arm.title == line and arm.equivariant and not arm.factor:
                    values = values_of(study, arm, "rotated")
                    label = f"{line}, images as they are"
                    ax.axhline(values.mean(), label=label, color=look["color"], linestyle="--")
                    low, high = values.mean() - values.std(), values.mean() + values.std()
                    ax.axhspan(low, high, color=look["color"], alpha=0.15, linewidth=0)
        if factors:
            plotting.count_axis(ax, factors)
        ax.margins(x=0.1)
        ax.set_ylim(bottom=0)
        seeds = len(next(iter(study.cells.values())))
        ax.set_title(f"{labels_of(study)} ({seeds} seed{'s' * (seeds > 1)})")
        ax.set_xlabel("rotated copies per training image, on average")
    np.ravel(axes)[0].set_ylabel("non-background mIoU on rotated images, %")
    plotting.legend(figure)
    reporter.figure(
        "miou",
        figure,
        "Non-background mIoU on rotated test images against the number of rotated copies per "
        "training image, on average: mean and deviation over seeds; horizontal lines, dashed: "
        f"equivariant networks trained on images as they are; {text}.",
    )


def _points(ax: Any, study: Study, arms: Sequence[Arm], label: str, look: Any) -> None:
    values = np.array([values_of(study, arm, "rotated") for arm in arms])
    ax.errorbar(
        [arm.factor for arm in arms],
        values.mean(axis=1),
        values.std(axis=1),
        label=f"{label}, rotated copies",
        linewidth=1.6,
        markersize=6,
        capsize=3,
        **look,
    )


def draw_predictions(config: Comparison, study: Study, reporter: Reporter, text: str) -> None:
    """Rotated inputs, their masks and what the networks make of them."""
    data = config.data
    grid = images_grid(data)
    samples, count = shown_samples(
        spheres(data, study.splits.test, "test", rotate=True, seed=config.seed)
    )
    x, truth = (np.asarray(leaf) for leaf in project(data, samples))
    pictures: dict[str, list[Any]] = {"input": [], "truth": []}
    arms = {}
    if (s2cnn := find_arm(study, equivariant=True, factor=0)) is not None:
        arms[s2cnn.title] = s2cnn
    planar = [arm for arm in study.cells if not arm.equivariant and arm.factor]
    if planar:
        best = max(planar, key=lambda arm: values_of(study, arm, "rotated").mean())
        arms[f"{best.title}, ×{best.factor}"] = best
    for sample in range(count):
        toward = middle(x[sample], grid)
        pictures["input"].append(paint(globe(x[sample], toward, grid=grid), (0, 255)))
        masks = {"truth": truth[sample]}
        masks |= {
            title: np.array(study.cells[arm][0]["shown"][sample]) for title, arm in arms.items()
        }
        for title, mask in masks.items():
            picture = paint_classes(globe(mask, toward, grid=grid, nearest=True))
            pictures.setdefault(title, []).append(picture)
    labels = study.classes or range(int(samples.labels.max()) + 1)
    figure = plotting.image_rows(
        {title: np.stack(row) for title, row in pictures.items()},
        [f"class {labels[label]}" for label in samples.labels],
        size=1.05,
    )
    reporter.figure(
        "predictions",
        figure,
        "Rotated test images on the sphere, seen from its middle, looking at where the object is; "
        "true classes; and the classes that the networks give to each pixel: grey is background, "
        f"other colours as in the row of true classes; first seed; {text}.",
    )


def judge(study: Study, reporter: Reporter) -> None:
    """Verdicts, on the first study, where it has seeds enough."""
    decided = enough_seeds(study)

    def mean(arm: Arm) -> float:
        return float(values_of(study, arm, "rotated").mean())

    s2cnn = find_arm(study, equivariant=True, factor=0)
    planar = [arm for arm in study.cells if not arm.equivariant and arm.factor]
    if s2cnn is None or not planar:
        reporter.verdict("equivariance-segments-better", ours="not both trained", holds=None)
    else:
        best = max(planar, key=mean)
        fewer = min(arm.params for arm in planar) / s2cnn.params
        reporter.verdict(
            "equivariance-segments-better",
            ours=f"{mean(s2cnn):.1f} % ({s2cnn.title}) against at most {mean(best):.1f} % "
            f"({best.title}, ×{best.factor}), {fewer:.1f} times the parameters at least; "
            f"{cut_short(study, planar)}",
            holds=mean(s2cnn) - mean(best) >= BETTER and fewer >= FEWER if decided else None,
        )
    copies = {arm.factor for arm in planar}
    texts, rises = [], []
    for name in dict.fromkeys(arm.name for arm in planar):
        arms = [arm for arm in planar if (arm.name, arm.erp) == (name, False)]
        arms.sort(key=lambda arm: arm.factor)
        means = [mean(arm) for arm in arms]
        scores = (f"×{arm.factor}: {v:.1f} %" for arm, v in zip(arms, means, strict=True))
        texts.append(f"{arms[0].title}: {', '.join(scores)}")
        rises.append(bool(np.all(np.diff(means) >= 0)) and means[-1] > means[0])
    reporter.verdict(
        "augmentation-helps-segmentation",
        ours="; ".join(texts) or "no rotated copies",
        holds=all(rises) if len(copies) > 1 and decided else None,
    )
