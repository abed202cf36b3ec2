"""Tables, figures and verdicts of the classification experiment."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

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
from jaxlab.experiments.spherical.globes import globe, paint
from jaxlab.experiments.spherical.inputs import Planar
from jaxlab.experiments.spherical.spheres import images_grid, project, spheres

__all__ = [
    "PAPER_IMAGES",
    "draw_accuracy",
    "draw_cost",
    "draw_spheres",
    "judge",
    "report_averaging",
    "report_studies",
]

PAPER_IMAGES = 1_200_000
ACCURATE, CLOSE, GAIN, GAP_BEFORE, GAP_AFTER = 93.0, 3.0, 30.0, 35.0, 15.0
NORTH = (0.0, 0.0)
COLUMNS = ["rotated, %", "sd", "as they are, %", "sd (as they are)"]
Spectra = Sequence[Mapping[str, float]]  # one a seed


def report_studies(
    studies: Sequence[Study], spectra: Sequence[Spectra], reporter: Reporter, text: str
) -> None:
    """Table of accuracies."""
    rows: list[list[Any]] = []
    for study, spectrum in zip(studies, spectra, strict=True):
        for arm in study.cells:
            scores = [values_of(study, arm, name) for name in ("rotated", "plain")]
            rows.append(
                [
                    labels_of(study),
                    arm.title,
                    arm.params,
                    arm.copies,
                    arm.images,
                    *mean_sd(scores[0]),
                    *mean_sd(scores[1]),
                    ended(study, arm),
                ]
            )
            name = f"{labels_of(study)}: {arm.title}, {arm.copies}, accuracy on rotated images, %"
            reporter.scalar(name, float(f"{scores[0].mean():.4g}"))
        scores = [100 * np.array([one[name] for one in spectrum]) for name in ("rotated", "plain")]
        images = len(study.splits.train.labels)
        degrees = "logistic regression on power spectrum"
        row = [labels_of(study), degrees, None, "as they are", images]
        rows.append([*row, *mean_sd(scores[0]), *mean_sd(scores[1]), ""])
    reporter.table(
        "accuracy",
        [
            "images",
            "network",
            "parameters",
            "trained on",
            "training images",
            *COLUMNS,
            "ended (trainings)",
        ],
        rows,
        "Accuracy on test images turned at random and as they are, mean and deviation over seeds; "
        f"{text}.",
    )


def report_averaging(study: Study, reporter: Reporter, text: str) -> None:
    """Table of averages over rotations of what is classified."""
    rows = []
    for arm, cells in study.cells.items():
        for count in cells[0].get("averaged", {}):
            values = 100 * np.array([cell["averaged"][count] for cell in cells])
            rows.append([arm.title, arm.copies, int(count), *mean_sd(values)])
    if rows:
        reporter.table(
            "averaging",
            ["network", "trained on", "rotations", "accuracy on rotated images, %", "sd"],
            rows,
            "Test-time augmentation: probabilities averaged over rotated copies of a test image, "
            f"the image itself among them; {labels_of(study)}; {text}.",
        )


def draw_accuracy(
    studies: Sequence[Study], spectra: Sequence[Spectra], reporter: Reporter, text: str
) -> None:
    """Accuracy on rotated test images against the number of training images."""
    figure = _curves(studies, spectra, lambda study, arm: arm.images)
    for study, ax in zip(studies, figure.axes, strict=True):
        plotting.count_axis(ax, sorted({arm.images for arm in study.cells}))
        ax.set_xlabel("training images (with rotated copies)")
    reporter.figure(
        "accuracy",
        figure,
        "Accuracy on rotated test images against the number of training images, mean and deviation "
        "over seeds; horizontal lines, dashed: equivariant networks trained on images as they are; "
        f"horizontal line, dotted: logistic regression on the power spectrum; {text}. C1 is judged "
        f"from {PAPER_IMAGES:,} training images on.",
    )


def draw_cost(
    studies: Sequence[Study], spectra: Sequence[Spectra], reporter: Reporter, text: str
) -> None:
    """Accuracy on rotated test images against the time that training took."""
    figure = _curves(
        studies,
        spectra,
        lambda study, arm: float(np.mean([cell["seconds"] for cell in study.cells[arm]])),
    )
    for ax in figure.axes:
        ax.set_xscale("log")
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_major_formatter(ScalarFormatter())
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.set_xlabel("time of the training steps, s")
    reporter.figure(
        "cost",
        figure,
        "The same accuracy against the wall-clock time of a training, without compilation and "
        "validation, mean over seeds.",
    )


def _curves(
    studies: Sequence[Study],
    spectra: Sequence[Spectra],
    position: Callable[[Study, Arm], int | float],
) -> Figure:
    """One panel a study, one line a network and kind of training, its arms from left to right."""
    figure, axes = plotting.new_figure(
        1, len(studies), panel=(7.2 if len(studies) == 1 else 5.4, 3.9), sharey=True
    )
    lines = list(dict.fromkeys(_line(arm) for study in studies for arm in study.cells))
    looks = plotting.styles(lines)
    for study, spectrum, ax in zip(studies, spectra, np.ravel(axes), strict=True):
        for line in lines:
            arms = [arm for arm in study.cells if _line(arm) == line]
            if not arms:
                continue
            arms.sort(key=lambda arm: position(study, arm))
            values = [values_of(study, arm, "rotated") for arm in arms]
            means, deviations = (np.array([fn(one) for one in values]) for fn in (np.mean, np.std))
            ax.errorbar(
                [position(study, arm) for arm in arms],
                means,
                deviations,
                label=line,
                linewidth=1.6,
                markersize=6,
                capsize=3,
                **looks[line],
            )
            if arms[0].equivariant and not arms[0].factor:
                ax.axhline(means[0], color=looks[line]["color"], linewidth=1, linestyle="--")
        control = 100 * np.mean([one["rotated"] for one in spectrum])
        ax.axhline(
            control, color=plotting.QUIET, linewidth=1.2, linestyle=":", label="power spectrum"
        )
        ax.margins(x=0.08)
        ax.set_ylim(0, 102)
        seeds = len(next(iter(study.cells.values())))
        ax.set_title(f"{labels_of(study)} ({seeds} seed{'s' * (seeds > 1)})")
    np.ravel(axes)[0].set_ylabel("accuracy on rotated images, %")
    plotting.legend(figure)
    return figure


def _line(arm: Arm) -> str:
    trained = "rotated copies" if arm.factor else "images as they are"
    return f"{arm.title}, {trained}"


def draw_spheres(config: Comparison, study: Study, reporter: Reporter) -> None:
    """One image of each class: in the plane, on the sphere, and turned."""
    labels = study.splits.test.labels
    first = [int(np.flatnonzero(labels == label)[0]) for label in np.unique(labels)][:8]
    planar = Planar(study.splits.test.images[first], labels[first])
    rows: dict[str, Any] = {"planar": planar.images / 255}
    grid = images_grid(config.data)
    for name, rotate in (("sphere", False), ("turned", True)):
        samples = spheres(config.data, planar, "test", rotate=rotate, seed=config.seed)
        x = project(config.data, samples).x
        rows[f"{name}, looking down"] = paint(globe(x, grid=grid), (0, 255))
        if rotate:
            rows[f"{name}, looking up"] = paint(globe(x, NORTH, grid=grid), (0, 255))
        rows[f"{name}, grid"] = x / 255
    names = study.classes or range(int(labels.max()) + 1)
    titles = [f"class {names[label]}" for label in planar.labels]
    reporter.figure(
        "spheres",
        plotting.image_rows(rows, titles, size=1.0),
        "Test images in the plane; on the sphere, seen from its middle, looking down at the south "
        "pole; the same turned at random, looking down and up; and the grids that networks are "
        "given, rows from north to south, columns eastwards.",
    )


def judge(study: Study, reporter: Reporter) -> None:
    """Verdicts, on the first study, where it has seeds enough."""
    decided = enough_seeds(study)
    s2cnn = find_arm(study, equivariant=True, factor=0)
    cnn = find_arm(study, equivariant=False, factor=1)
    name = None if cnn is None else cnn.name
    copies = [find_arm(study, equivariant=False, factor=f, name=name) for f in (1, 10, 100)]

    def mean(arm: Arm, name: str = "rotated") -> float:
        return float(values_of(study, arm, name).mean())

    turned = None if s2cnn is None else mean(s2cnn)
    if s2cnn is None or turned is None:
        reporter.verdict("equivariance-generalises", ours="none trained so", holds=None)
    else:
        plain = mean(s2cnn, "plain")
        reporter.verdict(
            "equivariance-generalises",
            ours=f"{turned:.1f} % rotated, {plain:.1f} % as they are ({s2cnn.title})",
            holds=turned >= ACCURATE and plain - turned <= CLOSE if decided else None,
        )
    found = [arm for arm in copies if arm is not None]
    values = [mean(arm) for arm in found]
    text = ", ".join(f"×{arm.factor}: {v:.1f} %" for arm, v in zip(found, values, strict=True))
    complete = len(found) == 3 and decided
    reporter.verdict(
        "augmentation-helps",
        ours=f"{found[0].title}: {text}; {cut_short(study, found)}"
        if found
        else "not trained on these copies",
        holds=bool(np.all(np.diff(values) > 0)) and values[-1] - values[0] >= GAIN
        if complete
        else None,
    )
    gaps = [] if turned is None else [turned - value for value in values]
    text = ", ".join(f"×{arm.factor}: {v:.1f}" for arm, v in zip(found, gaps, strict=False))
    reporter.verdict(
        "gap-shrinks",
        ours=f"{text} points ({found[0].title})" if text else "not both trained",
        holds=gaps[0] >= GAP_BEFORE and gaps[-1] <= GAP_AFTER if complete and gaps else None,
    )
    planar = [arm for arm in study.cells if not arm.equivariant and arm.factor]
    if turned is None or not planar:
        reporter.verdict("augmentation-reaches-equivariance", ours="not both trained", holds=None)
        return
    most = max(arm.images for arm in planar)
    best = max((arm for arm in planar if arm.images == most), key=mean)
    equivariant = max(mean(arm) for arm in study.cells if arm.equivariant and not arm.factor)
    reporter.verdict(
        "augmentation-reaches-equivariance",
        ours=f"{mean(best):.1f} % ({best.title}, {most:,} images) against {equivariant:.1f} %",
        holds=mean(best) >= equivariant > 0 if most >= PAPER_IMAGES and decided else None,
    )
