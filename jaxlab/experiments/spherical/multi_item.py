"""Several items on one sphere: does the equivariant network stay ahead?

Items are pasted on a canvas, which is projected as one image; every pixel is to be given the class
of its item. The canvas and the items have the same size whatever their number, and so have the
training sets. Networks trained on one number of items are also asked about the others.
"""

import dataclasses
import functools
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import jax.numpy as jnp
import numpy as np
from pydantic import Field

from jaxlab.checks import require
from jaxlab.experiments.interface import Claim, Count, Counts, Reporter, config
from jaxlab.experiments.spherical.canvases import Canvases, compose_part, compose_splits
from jaxlab.experiments.spherical.comparison import tell_apart
from jaxlab.experiments.spherical.comparison_config import Equivariant
from jaxlab.experiments.spherical.comparison_report import about_rotations
from jaxlab.experiments.spherical.fitting import Trained, Training, train
from jaxlab.experiments.spherical.inputs import (
    Planar,
    SphereData,
    Splits,
    check_planar,
    count_classes,
    load_splits,
    title_of,
)
from jaxlab.experiments.spherical.multi_item_report import (
    Arm,
    draw_predictions,
    draw_scores,
    draw_transfer,
    judge,
    report_scores,
    report_training,
)
from jaxlab.experiments.spherical.networks import NetworkConfig, check_networks, param_count
from jaxlab.experiments.spherical.scoring import Model, confusion, predict
from jaxlab.experiments.spherical.spheres import Spheres, project, scaling_of, spheres
from jaxlab.experiments.spherical.tuning import (
    Tuned,
    Tuning,
    count_cells,
    draw_networks,
    is_s2cnn,
    tune_all,
)
from jaxlab.spherical.metrics import non_background_miou

__all__ = ["CLAIMS", "Config", "run"]

SHOWN = 2  # samples of each number of items, in the figure

CLAIMS = (
    Claim(
        id="equivariance-segments-several-items",
        statement="Also with several items on a sphere, planar networks stay below equivariant "
        "ones that have far fewer parameters (C2).",
        source="Abstract, and the experiments with several digits",
        paper="qualitative: below",
        criterion="non-background mIoU on rotated test images, mean over 3 seeds or more, for each "
        "of several numbers of items: that of the first equivariant network, trained on images as "
        "they are, exceeds that of every planar network on rotated copies by at least 10 points, "
        "with at most a quarter of the parameters",
    ),
    Claim(
        id="lead-holds-with-more-items",
        statement="The lead does not vanish as items are added.",
        source="not in the paper: our question",
        paper="–",
        criterion="difference of the first equivariant network to the best planar one above 0 at "
        "the smallest number of items, and at the largest at least half of that, means over 3 "
        "seeds or more",
    ),
    Claim(
        id="one-item-teaches-several",
        statement="What is learned from single items carries over to several: kernels are local.",
        source="not in the paper: our question",
        paper="–",
        criterion="the first equivariant network trained on 1 item, tested on the largest number, "
        "rotated, mean over 3 seeds or more: at least two thirds of its mIoU when trained on that "
        "number, which is above 0",
    ),
)


@config
class Config:
    """Items, networks and training.

    Attributes:
        seed: of the splits and canvases.
        seeds: number of trainings of each network; they differ in parameters, canvases, rotations
            and the order of batches.
        classes: labels; all when empty.
        items: numbers of items on a sphere.
        tuning_items: number with which networks are tuned.
        data: images and how canvases come to the sphere.
        canvases: how items are pasted.
        networks: names of networks; those that begin with ``s2cnn`` are equivariant, and trained
            on canvases as they are.
        copies: rotated copies per canvas, on average, that planar networks are trained on; 1 with
            ``training.online_augmentation``.
        s2cnn_steps: at most.
        cnn_steps: at most.
        validation_copies: rotations under which planar networks see validation canvases, on
            average.
        equivariant: of all equivariant networks.
        training: of all networks.
        tuning: likewise.
    """

    seed: Annotated[int, Field(ge=0)]
    seeds: Count
    classes: tuple[Annotated[int, Field(ge=0)], ...]
    items: Counts
    tuning_items: Count
    data: SphereData
    canvases: Canvases
    networks: Annotated[tuple[str, ...], Field(min_length=1)]
    copies: Count
    s2cnn_steps: Count
    cnn_steps: Count
    validation_copies: Count
    equivariant: Equivariant
    training: Training
    tuning: Tuning

    def __post_init__(self) -> None:
        """Networks can be made, and take the images."""
        check_networks("networks", self.networks, "segmentation", self.data.bandwidth)
        if not all(map(is_s2cnn, self.networks)):
            check_planar(self.data)
        fits = self.copies == 1 or not self.training.online_augmentation
        require(fits, "copies", self.copies, "1 with training.online_augmentation")


def run(config: Config, run_dir: Path, reporter: Reporter) -> None:
    """Tune, train on every number of items, and score on all of them."""
    single = load_splits(config.data, config.classes, seed=config.seed)
    _check_canvases(config, single.train.images.shape[1])
    trainings = len(config.networks) * len(config.items) * config.seeds
    reporter.plan(count_cells(config.tuning, config.networks) + trainings)
    num_classes = 1 + count_classes(single, config.classes)
    tuned = _tune_all(config, single, num_classes, run_dir, reporter)
    pairs = [(one, items) for one in tuned for items in config.items]
    arms = tell_apart(
        [Arm(one.name, is_s2cnn(one.name), items, param_count(one.network)) for one, items in pairs]
    )
    cells: dict[Arm, list[Mapping[str, Any]]] = {}
    for arm, (one, items) in zip(arms, pairs, strict=True):
        cells[arm] = [
            reporter.cell(
                _slug(one.name, items, seed),
                functools.partial(_cell, config, single, one, items, seed, run_dir),
            )
            for seed in range(config.seeds)
        ]
    text = (
        f"{title_of(config.data.name)}, items on a canvas of {config.canvases.size} pixels, "
        f"grid of bandwidth {config.data.bandwidth}, {config.canvases.train} training canvases, "
        f"{config.seeds} seeds from {config.seed} on{about_rotations(config.training)}"
    )
    report_scores(cells, reporter, text)
    report_training(cells, tuned, config.training, reporter, text)
    draw_scores(cells, reporter, text)
    draw_transfer(cells, reporter, text)
    draw_predictions(_pictures(config, single), cells, config.data, reporter, text)
    reporter.note(
        "Canvas and items are as large whatever the number of items, and so are the training sets. "
        "Equivariant networks are trained on canvases as they are, planar ones on "
        f"{config.copies} times as many, rotated."
    )
    judge(cells, config.seeds, reporter)


def _check_canvases(config: Config, side: int) -> None:
    """Refuse canvases that are too small for items of that side, before anything is trained."""
    most = max(*config.items, config.tuning_items)
    need = side if config.canvases.overlap else math.ceil(math.sqrt(most)) * side
    fits = need <= config.canvases.size
    expected = f"at least {need}, for {most} items of {side} × {side} pixels"
    require(fits, "canvases.size", config.canvases.size, expected)


def _tune_all(
    config: Config, single: Splits, num_classes: int, run_dir: Path, reporter: Reporter
) -> list[Tuned]:
    shared: dict[str, Any] = {
        "task": "segmentation",
        "bandwidth": config.data.bandwidth,
        "num_classes": num_classes,
    }
    architectures = draw_networks(config.tuning, config.networks, seed=config.seed, **shared)
    splits = compose_splits(single, config.canvases, config.tuning_items, seed=config.seed)

    def attempt(name: str, steps: int, key: str, network: NetworkConfig, rate: float) -> Trained:
        folder = run_dir / "checkpoints" / key
        return _fit(config, splits, name, network, rate, steps, 0, folder)

    fields = dataclasses.asdict(config.equivariant)
    shared["grid"] = config.data.grid
    return tune_all(
        reporter, config.tuning, config.networks, architectures, attempt, fields, **shared
    )


def _fit(
    config: Config,
    splits: Splits,
    name: str,
    network: NetworkConfig,
    learning_rate: float,
    steps: int,
    seed: int,
    folder: Path,
) -> Trained:
    """Train on canvases as they are, or on rotated copies; validate on the same kind."""
    seed += config.seed
    copies, validated = (1, 1) if is_s2cnn(name) else (config.copies, config.validation_copies)
    rotate = not is_s2cnn(name)
    shared: dict[str, Any] = {"rotate": rotate, "seed": seed}
    training = spheres(
        config.data, splits.train, "train", n=copies * len(splits.train.images), **shared
    )
    validation = spheres(
        config.data,
        splits.validation,
        "validation",
        n=validated * len(splits.validation.images),
        **shared,
    )
    return train(
        network,
        config.data,
        config.training,
        training,
        validation,
        scaling_of(config.data, training),
        learning_rate=learning_rate,
        steps=steps,
        seed=seed,
        checkpoint_dir=folder,
    )


def _cell(
    config: Config, single: Splits, tuned: Tuned, items: int, seed: int, run_dir: Path
) -> dict[str, Any]:
    """Train one network on one number of items, and score it on all."""
    splits = compose_splits(single, config.canvases, items, seed=config.seed + seed)
    steps = config.s2cnn_steps if is_s2cnn(tuned.name) else config.cnn_steps
    folder = run_dir / "checkpoints" / _slug(tuned.name, items, seed)
    rate = tuned.candidate.learning_rate
    trained = _fit(config, splits, tuned.name, tuned.network, rate, steps, seed, folder)
    scores: dict[str, dict[str, float]] = {"rotated": {}, "area": {}, "plain": {}}
    for tested in config.items:
        canvases = _test(config, single, tested, seed)
        for rotate in (True, False):
            counts = confusion(trained.model, _turned(config, canvases, seed, rotate=rotate))
            kinds = {"rotated": counts.plain, "area": counts.weighted}
            for kind, matrix in (kinds if rotate else {"plain": counts.plain}).items():
                value = non_background_miou(jnp.asarray(matrix))
                scores[kind][str(tested)] = round(float(np.nan_to_num(value)), 6)
    found: dict[str, Any] = {**trained.record(), **scores}
    if seed == 0:
        found["shown"] = _seen(config, trained.model, _test(config, single, items, 0))
    return found


def _test(config: Config, single: Splits, items: int, seed: int) -> Planar:
    """Test canvases; the same for every network."""
    return compose_part(single, "test", config.canvases, items, seed=config.seed + seed)


def _turned(config: Config, canvases: Planar, seed: int, *, rotate: bool = True) -> Spheres:
    """Test canvases on the sphere."""
    return spheres(config.data, canvases, "test", rotate=rotate, seed=config.seed + seed)


def _seen(config: Config, model: Model, canvases: Planar) -> list[Any]:
    return predict(model, _turned(config, canvases, 0), SHOWN)[2].tolist()


def _pictures(config: Config, single: Splits) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """By number of items, intensities and classes of the samples that are shown."""
    found = {}
    for items in config.items:
        x, mask = project(config.data, _turned(config, _test(config, single, items, 0), 0), SHOWN)
        found[items] = (np.asarray(x), np.asarray(mask))
    return found


def _slug(name: str, items: int, seed: int) -> str:
    return f"{name}/items={items}/seed={seed}".replace(":", "-")
