"""Tables, figures and verdicts on several items on one sphere."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from jaxlab.experiments import plotting
from jaxlab.experiments.interface import Reporter
from jaxlab.experiments.spherical.comparison import title_of_network
from jaxlab.experiments.spherical.comparison_report import SEEDS, about_draws, about_ends
from jaxlab.experiments.spherical.fitting import Training
from jaxlab.experiments.spherical.globes import globe, middle, paint, paint_classes
from jaxlab.experiments.spherical.inputs import SphereData
from jaxlab.experiments.spherical.spheres import images_grid
from jaxlab.experiments.spherical.tuning import Tuned

__all__ = [
    "Arm",
    "Cells",
    "draw_predictions",
    "draw_scores",
    "draw_transfer",
    "judge",
    "report_scores",
    "report_training",
]

BETTER, FEWER, HALF, TRANSFER = 10.0, 4, 0.5, 2 / 3


class Arm(NamedTuple):
    """A network and the number of items on the spheres that it is trained on.

    Attributes:
        name: of the network.
        equivariant: its family.
        items: on each training sphere.
        params: number of parameters.
        named: whether the title says the name, as
            :func:`~jaxlab.experiments.spherical.comparison.tell_apart` decides.
    """

    name: str
    equivariant: bool
    items: int
    params: int
    named: bool = False

    @property
    def title(self) -> str:
        """What the network is called in the report."""
        family = "S2CNN" if self.equivariant else "CNN"
        return title_of_network(family, self.params, self.name if self.named else None)


Cells: TypeAlias = Mapping[Arm, Sequence[Mapping[str, Any]]]  # one entry a seed


def _values(cells: Cells, arm: Arm, kind: str, tested: int | None = None) -> np.ndarray:
    """Scores of every seed, in percent; by default on the number of items trained on."""
    return np.array([100 * cell[kind][str(tested or arm.items)] for cell in cells[arm]])


def _mean(cells: Cells, arm: Arm, tested: int | None = None) -> float:
    return float(_values(cells, arm, "rotated", tested).mean())


def _titles(cells: Cells) -> list[str]:
    return list(dict.fromkeys(arm.title for arm in cells))


def report_scores(cells: Cells, reporter: Reporter, text: str) -> None:
    """Scores by number of items, and of every network on every number."""
    rows, others = [], []
    numbers = sorted({arm.items for arm in cells})
    for arm in cells:
        scores = [_values(cells, arm, kind) for kind in ("rotated", "plain", "area")]
        numbered = [round(float(x), 1) for x in (scores[0].mean(), scores[0].std())]
        means = [round(float(x.mean()), 1) for x in scores[1:]]
        rows.append([arm.items, arm.title, arm.params, *numbered, *means])
        others.append(
            [arm.title, arm.items, *(round(_mean(cells, arm, tested), 1) for tested in numbers)]
        )
        reporter.scalar(
            f"{arm.title}, {arm.items} items: mIoU on rotated spheres, %",
            float(f"{scores[0].mean():.4g}"),
        )
    reporter.table(
        "scores",
        [
            "items",
            "network",
            "parameters",
            "mIoU rotated, %",
            "sd",
            "mIoU as they are, %",
            "mIoU rotated, by area, %",
        ],
        sorted(rows, key=lambda row: row[0]),
        "Non-background mIoU on test spheres with as many items as in training, turned at random "
        f"and as they are, means and deviation over seeds; {text}.",
    )
    reporter.table(
        "transfer",
        ["network", "items in training", *(f"tested on {tested}" for tested in numbers)],
        others,
        "Non-background mIoU on rotated test spheres by the number of items on them, %, means over "
        f"seeds; {text}.",
    )


def report_training(
    cells: Cells, tuned: Sequence[Tuned], settings: Training, reporter: Reporter, text: str
) -> None:
    """How the networks were chosen and trained."""
    reporter.table(
        "tuning",
        ["network", "parameters", "learning rate", "batch-norm", "validation mIoU, %", "taken"],
        [
            [name, params, rate, "yes" if norm else "no", value, mark]
            for one in tuned
            for name, params, rate, norm, value, mark in one.rows
        ],
        "Runs that chose learning rate and batch-norm, as many for every network"
        f"{about_draws(tuned)}; {text}.",
    )
    rows, times = [], []
    for arm, runs in cells.items():
        ends = [run["stopped"] for run in runs]
        seconds = [run["seconds"] for run in runs]
        rows.append(
            [
                arm.title,
                arm.items,
                round(float(np.mean([run["steps"] for run in runs]))),
                round(float(np.mean([run["best_step"] for run in runs]))),
                float(f"{np.mean([run['loss'] for run in runs]):.2g}"),
                round(100 * float(np.mean([run["validation"] for run in runs])), 1),
                f"plateau {ends.count('plateau')}, budget {ends.count('budget')}",
            ]
        )
        times.append([arm.title, arm.items, float(f"{np.mean(seconds):.3g}")])
    reporter.table(
        "training",
        [
            "network",
            "items",
            "steps",
            "best step",
            "loss",
            "validation mIoU, %",
            "ended (trainings)",
        ],
        rows,
        "How the networks were trained, means over seeds. Loss: on training batches at the end; "
        f"{about_ends(settings)}; {text}.",
    )
    reporter.table(
        "time",
        ["network", "items", "training, s"],
        times,
        "Wall-clock time of the training steps, without compilation and validation, means over "
        f"seeds; {text}.",
        timed=True,
    )


def draw_scores(cells: Cells, reporter: Reporter, text: str) -> None:
    """Scores against the number of items."""
    numbers = sorted({arm.items for arm in cells})
    figure, axes = plotting.new_figure(1, 2, panel=(4.6, 3.8), sharey=True)
    looks = plotting.styles(_titles(cells))
    for ax, kind in zip(axes, ("rotated", "plain"), strict=True):
        for title, look in looks.items():
            arms = sorted((arm for arm in cells if arm.title == title), key=lambda arm: arm.items)
            values = np.array([_values(cells, arm, kind) for arm in arms])
            ax.errorbar(
                [arm.items for arm in arms],
                values.mean(axis=1),
                values.std(axis=1),
                label=title,
                linewidth=1.6,
                markersize=6,
                capsize=3,
                **look,
            )
        ax.set(xlabel="items on a sphere", xticks=numbers)
        ax.margins(x=0.1)
    axes[0].set(ylabel="non-background mIoU, %", title="turned at random", ylim=(0, None))
    axes[1].set(title="as they are")
    plotting.legend(figure)
    reporter.figure(
        "miou",
        figure,
        "Non-background mIoU against the number of items on training and test spheres, mean and "
        "deviation over seeds. Equivariant networks are trained on spheres as they are, planar "
        f"ones on rotated copies; {text}.",
    )


def draw_transfer(cells: Cells, reporter: Reporter, text: str) -> None:
    """Every network on every number of items."""
    numbers = sorted({arm.items for arm in cells})
    titles = _titles(cells)
    figure, axes = plotting.new_figure(1, len(titles), panel=(3.6, 3.2))
    for ax, title in zip(np.ravel(axes), titles, strict=True):
        means = np.full((len(numbers), len(numbers)), np.nan)
        for arm in cells:
            if arm.title == title:
                means[numbers.index(arm.items)] = [_mean(cells, arm, other) for other in numbers]
        ax.imshow(means, cmap="viridis", vmin=0, vmax=100)
        for row, column in np.ndindex(means.shape):
            value = means[row, column]
            colour = plotting.INK if value > 60 else "#FFFFFF"
            ax.text(column, row, f"{value:.0f}", ha="center", va="center", color=colour)
        ax.set_xticks(range(len(numbers)), [str(number) for number in numbers])
        ax.set_yticks(range(len(numbers)), [str(number) for number in numbers])
        ax.grid(False)
        ax.set(title=title, xlabel="items, tested", ylabel="items, trained")
    reporter.figure(
        "transfer",
        figure,
        "Non-background mIoU in percent on rotated test spheres, by the number of items that a "
        f"network was trained on and tested on, means over seeds; {text}.",
    )


def draw_predictions(
    pictures: Mapping[int, tuple[np.ndarray, np.ndarray]],
    cells: Cells,
    data: SphereData,
    reporter: Reporter,
    text: str,
) -> None:
    """Rotated spheres, their classes, and what the networks make of them."""
    grid = images_grid(data)
    titles = ["input", "true classes", *_titles(cells)]
    rows: dict[str, list[np.ndarray]] = {title: [] for title in titles}
    heads = []
    for items, (x, mask) in pictures.items():
        for sample in range(len(x)):
            toward = middle(x[sample], grid)
            rows["input"].append(paint(globe(x[sample], toward, grid=grid), (0, 255)))
            seen = {"true classes": mask[sample]}
            seen |= {
                arm.title: np.array(runs[0]["shown"][sample])
                for arm, runs in cells.items()
                if arm.items == items
            }
            for title, classes in seen.items():
                picture = globe(classes, toward, grid=grid, nearest=True)
                rows[title].append(paint_classes(picture))
            heads.append(f"{items} item{'s' * (items > 1)}")
    reporter.figure(
        "predictions",
        plotting.image_rows({title: np.stack(row) for title, row in rows.items()}, heads, size=1.1),
        "Rotated test spheres, seen from inside, looking at the middle of what is bright; true "
        "classes; and "
        "those that networks trained on as many items give to each pixel: grey is background, "
        f"other colours as in the row of true classes; first seed; {text}.",
    )


def judge(cells: Cells, seeds: int, reporter: Reporter) -> None:
    """Verdicts on all claims."""
    numbers = sorted({arm.items for arm in cells})
    leads: dict[int, float] = {}
    texts, fewer = [], []
    for items in numbers:
        arms = [arm for arm in cells if arm.items == items]
        ours = [arm for arm in arms if arm.equivariant]
        planar = [arm for arm in arms if not arm.equivariant]
        if not ours or not planar:
            continue
        best = max(planar, key=lambda arm: _mean(cells, arm))
        leads[items] = _mean(cells, ours[0]) - _mean(cells, best)
        fewer.append(min(arm.params for arm in planar) / ours[0].params)
        scores = [f"{_mean(cells, arm):.1f} % ({arm.title})" for arm in (ours[0], best)]
        texts.append(f"{items}: {' against '.join(scores)}")
    decided = seeds >= SEEDS and len(leads) == len(numbers)
    several = decided and len(numbers) > 1
    text = "; ".join(texts) or "not both families trained"
    reporter.verdict(
        "equivariance-segments-several-items",
        ours=f"{text}; {min(fewer):.1f} times the parameters at least" if texts else text,
        holds=min(leads.values()) >= BETTER and min(fewer) >= FEWER if several else None,
    )
    reporter.verdict(
        "lead-holds-with-more-items",
        ours=", ".join(f"{items}: {lead:.1f} points" for items, lead in leads.items()) or text,
        holds=0 < HALF * leads[numbers[0]] <= leads[numbers[-1]] if several else None,
    )
    equivariant: dict[int, Arm] = {}
    for arm in cells:
        if arm.equivariant:
            equivariant.setdefault(arm.items, arm)
    most = numbers[-1]
    if 1 not in equivariant or most not in equivariant or most == 1:
        reporter.verdict("one-item-teaches-several", ours="not trained", holds=None)
        return
    carried, own = _mean(cells, equivariant[1], most), _mean(cells, equivariant[most])
    reporter.verdict(
        "one-item-teaches-several",
        ours=f"{most} items: {carried:.1f} % when trained on 1, {own:.1f} % when trained on {most}",
        holds=own > 0 and carried >= TRANSFER * own if seeds >= SEEDS else None,
    )
