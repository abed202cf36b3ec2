"""Equivariant networks on images as they are against planar ones on rotated copies of them.

What the classification and the segmentation experiment have in common: the same splits, the same
tuning for both families, then one training for each network, training set and seed, scored on the
test images as they are and rotated.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from jaxlab.experiments.interface import Reporter
from jaxlab.experiments.spherical.comparison_config import Comparison
from jaxlab.experiments.spherical.fitting import Trained, train
from jaxlab.experiments.spherical.inputs import Splits, count_classes, load_splits
from jaxlab.experiments.spherical.networks import NetworkConfig, param_count
from jaxlab.experiments.spherical.scoring import Model
from jaxlab.experiments.spherical.spheres import Spheres, scaling_of, spheres
from jaxlab.experiments.spherical.tuning import (
    Tuned,
    count_cells,
    draw_networks,
    is_s2cnn,
    tune_all,
)

__all__ = [
    "Arm",
    "Study",
    "compare",
    "count_runs",
    "name_copies",
    "tell_apart",
    "title_of_network",
]


class Arm(NamedTuple):
    """A network and the set it is trained on.

    Attributes:
        name: of the network.
        equivariant: its family.
        erp: whether images are continued over their edges.
        factor: rotated copies per training image, on average; 0 for the images as they are.
        steps: steps, at most.
        images: size of the training set.
        params: number of parameters.
        named: whether the title says the name, as :func:`tell_apart` decides.
    """

    name: str
    equivariant: bool
    erp: bool
    factor: int
    steps: int
    images: int
    params: int
    named: bool = False

    @property
    def title(self) -> str:
        """What the network is called in the report."""
        family = "S2CNN" if self.equivariant else "CNN, sphere padding" if self.erp else "CNN"
        return title_of_network(family, self.params, self.name if self.named else None)

    @property
    def copies(self) -> str:
        """What it is trained on."""
        return name_copies(self.factor)


class Study(NamedTuple):
    """What was measured with one set of classes.

    Attributes:
        classes: labels; all when empty.
        splits: the images.
        cells: by arm, what each seed gave.
    """

    classes: tuple[int, ...]
    splits: Splits
    cells: dict[Arm, list[dict[str, Any]]]


AnyArm = TypeVar("AnyArm", bound=Any)
Measure = Callable[[Model, Spheres, Spheres, int, bool], Mapping[str, Any]]


def title_of_network(family: str, params: int, name: str | None) -> str:
    """Family and size of a network, and its name if it is given."""
    size = f"{params / 1e6:.1f}M" if params >= 1e6 else f"{params / 1e3:.0f}k"
    return f"{family}, {size}" + (f" ({name})" if name else "")


def name_copies(factor: int) -> str:
    """What images become that are seen in ``factor`` rotated copies, on average."""
    return f"rotated ×{factor}" if factor else "as they are"


def tell_apart(arms: Sequence[AnyArm]) -> list[AnyArm]:
    """The same arms, with names in titles that networks of more than one name would share."""
    names: dict[str, set[str]] = {}
    for arm in arms:
        names.setdefault(arm.title, set()).add(arm.name)
    return [arm._replace(named=len(names[arm.title]) > 1) for arm in arms]


def count_runs(config: Comparison) -> int:
    """Number of cells that :func:`compare` asks for."""
    arms = len(config.s2cnns) * len(config.s2cnn_factors)
    arms += len(config.cnns) * len(config.cnn_factors)
    runs = sum(arms * seeds for seeds in config.seeds)
    runs += len(config.cnns) * len(config.erp_factors) * config.seeds[0]
    return runs + count_cells(config.tuning, config.s2cnns + config.cnns)


def compare(
    config: Comparison, run_dir: Path, reporter: Reporter, measure: Measure
) -> tuple[list[Study], list[Tuned]]:
    """Tune on the images of the first study, then train and measure everything.

    Args:
        config: what to train.
        run_dir: checkpoints go to ``checkpoints``.
        reporter: keeps each training as a cell.
        measure: ``measure(model, rotated, plain, seed, largest) -> values``: scores of a trained
            network on test images, ``largest`` where its training set is the largest of all.

    Returns:
        The studies, and how each network was chosen.
    """
    tuned: list[Tuned] = []
    studies: list[Study] = []
    for classes, seeds in zip(config.classes, config.seeds, strict=True):
        splits = load_splits(config.data, classes, seed=config.seed)
        num_classes = count_classes(splits, classes) + (config.task == "segmentation")
        if not tuned:
            tuned = _tune_all(config, splits, num_classes, run_dir, reporter)
        pairs = [
            (arm, one)
            for one in tuned
            for arm in _arms(config, one, len(splits.train.labels), erp=not studies)
        ]
        networks = [_network(one, arm, num_classes) for arm, one in pairs]
        arms = tell_apart(
            [
                arm._replace(params=param_count(network))
                for (arm, _), network in zip(pairs, networks, strict=True)
            ]
        )
        largest = max(arm.factor for arm in arms)
        cells: dict[Arm, list[dict[str, Any]]] = {}
        for arm, network, (_, one) in zip(arms, networks, pairs, strict=True):
            for seed in range(seeds):
                key = f"{_slug(classes)}/{arm.name}{'-erp' * arm.erp}/x{arm.factor}/seed={seed}"
                cell = reporter.cell(
                    key.replace(":", "-"),
                    functools.partial(
                        _cell,
                        config,
                        splits,
                        network,
                        arm,
                        one.candidate.learning_rate,
                        seed,
                        run_dir / "checkpoints" / key.replace(":", "-"),
                        measure,
                        arm.factor == largest,
                    ),
                )
                cells.setdefault(arm, []).append(cell)
        studies.append(Study(classes, splits, cells))
    return studies, tuned


def _tune_all(
    config: Comparison,
    splits: Splits,
    num_classes: int,
    run_dir: Path,
    reporter: Reporter,
) -> list[Tuned]:
    shared: dict[str, Any] = {
        "task": config.task,
        "bandwidth": config.data.bandwidth,
        "num_classes": num_classes,
    }
    names = config.s2cnns + config.cnns
    architectures = draw_networks(config.tuning, names, seed=config.seed, **shared)

    def attempt(name: str, steps: int, key: str, network: NetworkConfig, rate: float) -> Trained:
        factor = config.s2cnn_factors[0] if is_s2cnn(name) else config.tuning_factor
        folder = run_dir / "checkpoints" / key
        return _fit(config, splits, network, factor, rate, steps, 0, folder)

    shared["grid"] = config.data.grid
    return tune_all(
        reporter, config.tuning, names, architectures, attempt, _equivariant(config), **shared
    )


def _fit(
    config: Comparison,
    splits: Splits,
    network: NetworkConfig,
    factor: int,
    learning_rate: float,
    steps: int,
    seed: int,
    folder: Path,
) -> Trained:
    """Train on images as they are, or on ``factor`` times as many rotated; validate on the same."""
    n = len(splits.train.labels) * max(factor, 1)
    copies = config.validation_copies if factor else 1
    training = spheres(
        config.data, splits.train, "train", rotate=factor > 0, seed=config.seed + seed, n=n
    )
    validation = spheres(
        config.data,
        splits.validation,
        "validation",
        rotate=factor > 0,
        seed=config.seed + seed,
        n=copies * len(splits.validation.labels),
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
        seed=config.seed + seed,
        checkpoint_dir=folder,
    )


def _cell(
    config: Comparison,
    splits: Splits,
    network: NetworkConfig,
    arm: Arm,
    learning_rate: float,
    seed: int,
    folder: Path,
    measure: Measure,
    largest: bool,
) -> dict[str, Any]:
    """Train one network and measure it."""
    trained = _fit(config, splits, network, arm.factor, learning_rate, arm.steps, seed, folder)
    rotated, plain = (
        spheres(config.data, splits.test, "test", rotate=rotate, seed=config.seed + seed)
        for rotate in (True, False)
    )
    return {
        **trained.record(),
        **measure(trained.model, rotated, plain, seed, largest),
    }


def _arms(config: Comparison, tuned: Tuned, images: int, *, erp: bool) -> list[Arm]:
    """Everything a network is trained on, without its number of parameters."""
    equivariant = is_s2cnn(tuned.name)
    if equivariant:
        sizes = zip(config.s2cnn_factors, config.s2cnn_steps, strict=True)
    else:
        sizes = zip(config.cnn_factors, config.cnn_steps, strict=True)
    return [
        Arm(tuned.name, equivariant, padded, factor, steps, images * max(factor, 1), 0)
        for factor, steps in sizes
        for padded in (False, True)
        if not padded or (erp and not equivariant and factor in config.erp_factors)
    ]


def _network(tuned: Tuned, arm: Arm, num_classes: int) -> NetworkConfig:
    """The network of an arm, with outputs enough for the classes of this study."""
    changes: dict[str, Any] = {"padding": "erp"} if arm.erp else {}
    outputs = max(tuned.network.num_classes, num_classes)
    return dataclasses.replace(tuned.network, num_classes=outputs, **changes)


def _equivariant(config: Comparison) -> dict[str, Any]:
    return dataclasses.asdict(config.equivariant)


def _slug(classes: Sequence[int]) -> str:
    return "classes=" + ("".join(map(str, classes)) or "all")
