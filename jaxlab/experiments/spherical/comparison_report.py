"""Tables on how the networks of a comparison were chosen and trained, and what they share."""

from collections.abc import Sequence

import numpy as np

from jaxlab.experiments.interface import Reporter
from jaxlab.experiments.spherical.comparison import Arm, Study, name_copies
from jaxlab.experiments.spherical.comparison_config import Comparison
from jaxlab.experiments.spherical.fitting import Training
from jaxlab.experiments.spherical.inputs import count_classes, title_of
from jaxlab.experiments.spherical.tuning import Tuned

__all__ = [
    "SEEDS",
    "about_draws",
    "about_ends",
    "about_rotations",
    "caption_of",
    "cut_short",
    "ended",
    "enough_seeds",
    "find_arm",
    "labels_of",
    "mean_sd",
    "note_studies",
    "report_training",
    "values_of",
]


SEEDS = 3  # over which the criteria are means


def caption_of(config: Comparison) -> str:
    """Data and seeds in one clause, for captions."""
    data = config.data
    grid = "Driscoll-Healy" if data.official_mismatch else data.grid.replace("_", "-")
    return (
        f"{title_of(data.name)} on the {grid} grid of bandwidth {data.bandwidth}, "
        f"{' and '.join(map(str, config.seeds))} seeds, first seed {config.seed}"
        f"{about_rotations(config.training)}"
    )


def about_rotations(settings: Training) -> str:
    """What captions say where no set of rotated copies is trained on."""
    return ", training rotations drawn anew in every step" * settings.online_augmentation


def about_ends(settings: Training) -> str:
    """What tables of trainings mean by a plateau and by the budget."""
    return (
        "plateau: the best look at the validation score is not among the last "
        f"{settings.patience}, or all is right; budget: neither, so that more steps might help"
    )


def labels_of(study: Study) -> str:
    """What the classes of a study are called."""
    if study.classes:
        return "classes " + ", ".join(map(str, study.classes))
    return f"all {count_classes(study.splits, study.classes)} classes"


def values_of(study: Study, arm: Arm, name: str) -> np.ndarray:
    """One measured share of every seed, in percent."""
    return 100 * np.array([cell[name] for cell in study.cells[arm]])


def mean_sd(values: np.ndarray) -> list[float]:
    """Mean and deviation over seeds, for a table."""
    return [round(float(values.mean()), 1), round(float(values.std()), 1)]


def find_arm(
    study: Study, *, equivariant: bool, factor: int, name: str | None = None
) -> Arm | None:
    """The first network of a family that was trained on ``factor`` copies, if any was."""
    for arm in study.cells:
        same = (arm.equivariant, arm.erp, arm.factor) == (equivariant, False, factor)
        if same and name in (None, arm.name):
            return arm
    return None


def ended(study: Study, arm: Arm) -> str:
    """How many trainings of an arm reached a plateau, and how many did not."""
    reached = sum(cell["stopped"] == "plateau" for cell in study.cells[arm])
    cut = len(study.cells[arm]) - reached
    counts = [f"plateau {reached}"] * bool(reached) + [f"budget {cut}"] * bool(cut)
    return ", ".join(counts)


def cut_short(study: Study, arms: Sequence[Arm]) -> str:
    """How many of the trainings of some planar arms reached no plateau."""
    stops = [cell["stopped"] for arm in arms for cell in study.cells[arm]]
    return f"{stops.count('budget')} of {len(stops)} planar trainings without a plateau"


def enough_seeds(study: Study) -> bool:
    """Whether there are seeds enough to judge by."""
    return all(len(cells) >= SEEDS for cells in study.cells.values())


def note_studies(config: Comparison, studies: Sequence[Study], reporter: Reporter) -> None:
    """What a reader has to know of the classes, the tuning and the test images."""
    first, *others = map(labels_of, studies)
    beside = f"; {' and '.join(others)} stand beside them" if others else ""
    reporter.note(
        f"Claims are judged on {first}{beside}. Both families were tuned alike, on the validation "
        f"images of {first}: {len(config.tuning.cnn_rates)} learning rates, "
        f"{len(config.tuning.batch_norm)} choices of batch-norm. Every training keeps the "
        "parameters with the best validation score; test images are scored with these alone."
    )


def about_draws(tuned: Sequence[Tuned]) -> str:
    """What the table of the tuning says on random architectures, where there are any."""
    if not any(":" in one.name for one in tuned):
        return ""
    return (
        "; the first runs of cnn:N or s2cnn:N are of random architectures of about N parameters, "
        "of which one was taken ('architecture')"
    )


def report_training(
    config: Comparison,
    studies: Sequence[Study],
    tuned: Sequence[Tuned],
    reporter: Reporter,
    text: str,
    *,
    score: str,
) -> None:
    """Tables of tuning, training and time.

    Args:
        config: of the experiment.
        studies: what was trained.
        tuned: how each network was chosen.
        reporter: where tables go.
        text: data and seeds, for captions.
        score: what validation looks at.
    """
    chosen = {one.name: list(one.candidate) for one in tuned}
    reporter.table(
        "tuning",
        [
            "network",
            "parameters",
            "learning rate",
            "batch-norm",
            f"validation {score}, %",
            "chosen",
        ],
        [
            [name, params, rate, "yes" if norm else "no", value, mark]
            for one in tuned
            for name, params, rate, norm, value, mark in one.rows
        ],
        "Runs that chose learning rate and batch-norm on validation images of the first set "
        "of classes, as many for every network: equivariant ones train on images "
        f"{name_copies(config.s2cnn_factors[0])}, planar ones on images "
        f"{name_copies(config.tuning_factor)}, and each is validated on the same kind"
        f"{about_draws(tuned)}; {text}.",
    )
    rows, times = [], []
    for study in studies:
        for arm, cells in study.cells.items():
            values = [100 * cell["validation"] for cell in cells]
            steps = [cell["steps"] for cell in cells]
            start = [labels_of(study), arm.title, arm.copies]
            rows.append(
                [
                    *start,
                    *chosen[arm.name][:1],
                    "yes" if chosen[arm.name][1] else "no",
                    round(float(np.mean(steps))),
                    round(float(np.mean([cell["best_step"] for cell in cells]))),
                    float(f"{np.mean([cell['loss'] for cell in cells]):.2g}"),
                    round(float(np.mean(values)), 1),
                    ended(study, arm),
                ]
            )
            seconds = [cell["seconds"] for cell in cells]
            rate = [1e3 * took / count for took, count in zip(seconds, steps, strict=True)]
            times.append([*start, *[float(f"{np.mean(x):.3g}") for x in (seconds, rate)]])
    reporter.table(
        "training",
        [
            "images",
            "network",
            "trained on",
            "learning rate",
            "batch-norm",
            "steps",
            "best step",
            "loss",
            f"validation {score}, %",
            "ended (trainings)",
        ],
        rows,
        "How the networks were trained, means over seeds. Loss: on training batches at the end; "
        f"{about_ends(config.training)}; {text}.",
    )
    reporter.table(
        "time",
        ["images", "network", "trained on", "training, s", "a step, ms"],
        times,
        "Wall-clock time of the training steps, without compilation and validation, means over "
        f"seeds; {text}.",
        timed=True,
    )
