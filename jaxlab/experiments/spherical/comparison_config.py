"""Which networks are trained on what, in both experiments that compare the two families."""

from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from jaxlab.checks import require
from jaxlab.experiments.interface import IN_ORDER, Count, Counts, config
from jaxlab.experiments.spherical.fitting import Training
from jaxlab.experiments.spherical.inputs import SphereData, check_planar
from jaxlab.experiments.spherical.networks import check_networks
from jaxlab.experiments.spherical.tuning import Tuning
from jaxlab.spherical.types import Task

__all__ = ["Comparison", "Equivariant"]

Factors = Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)]
Names = Annotated[tuple[str, ...], Field(min_length=1)]


@config
class Equivariant:
    """Fields of :class:`~jaxlab.spherical.S2CNNConfig` for every equivariant network.

    Attributes:
        activation: between layers.
        oversample: of the grid on which the activation is evaluated.
        upsample: ``"aliased"`` for outputs as of the published code.
        remat: compute layers again in the backward pass, which saves memory with every activation
            but ``"relu"``.
    """

    activation: Literal["relu", "gelu", "silu", "softplus"]
    oversample: Annotated[float, Field(ge=1)]
    upsample: Literal["zero_pad", "aliased"]
    remat: bool


@config
class Comparison:
    """Which networks are trained on what.

    Attributes:
        task: what the networks are for; every experiment has its own.
        seed: of the splits.
        classes: sets of labels, each a study of its own; an empty one is all labels. Claims are
            judged on the first.
        seeds: number of trainings of each network in each study; they differ in parameters,
            rotations and the order of batches.
        data: images and how they come to the sphere.
        s2cnns: names of equivariant networks: presets, or ``"s2cnn:N"`` for a random architecture
            of about N parameters.
        s2cnn_factors: rotated copies per training image, on average, that they see; 0 for the
            images as they are. At most 1 with ``training.online_augmentation``, as all others.
        s2cnn_steps: steps, at most, for each of these.
        cnns: names of planar networks: presets, or ``"cnn:N"``.
        cnn_factors: as for the equivariant ones.
        cnn_steps: likewise.
        erp_factors: of ``cnn_factors``, those at which planar networks are trained once more with
            images continued over their edges as the sphere does, in the first study.
        validation_copies: rotations under which rotated validation images are seen, on average.
        equivariant: of all equivariant networks.
        training: of all networks.
        tuning: likewise.
        tuning_factor: copies on which planar networks are tuned.
    """

    task: ClassVar[Task]
    seed: Annotated[int, Field(ge=0)]
    classes: Annotated[tuple[tuple[Annotated[int, Field(ge=0)], ...], ...], Field(min_length=1)]
    seeds: Annotated[Counts, IN_ORDER]
    data: SphereData
    s2cnns: Names
    s2cnn_factors: Factors
    s2cnn_steps: Annotated[Counts, IN_ORDER]
    cnns: Names
    cnn_factors: Factors
    cnn_steps: Annotated[Counts, IN_ORDER]
    erp_factors: tuple[int, ...]
    validation_copies: Count
    equivariant: Equivariant
    training: Training
    tuning: Tuning
    tuning_factor: Annotated[int, Field(ge=0)]

    def __post_init__(self) -> None:
        """Networks are of their family and fit the images, and so does what belongs together."""
        check_networks("s2cnns", self.s2cnns, self.task, self.data.bandwidth, ["s2cnn"])
        check_networks("cnns", self.cnns, self.task, self.data.bandwidth, ["cnn"])
        check_planar(self.data)
        once = all(len(set(labels)) == len(labels) for labels in self.classes)
        require(once, "classes", self.classes, "each label of a set once")
        for name, of in (
            ("seeds", "classes"),
            ("s2cnn_steps", "s2cnn_factors"),
            ("cnn_steps", "cnn_factors"),
        ):
            got, wanted = len(getattr(self, name)), len(getattr(self, of))
            require(got == wanted, name, getattr(self, name), f"as many entries as {of} ({wanted})")
        if self.training.online_augmentation:  # instead of sets of copies
            for name in ("s2cnn_factors", "cnn_factors", "tuning_factor"):
                value = getattr(self, name)
                expected = "at most 1 with training.online_augmentation"
                require(bool(np.max(value) <= 1), name, value, expected)
        fits = set(self.erp_factors) <= set(self.cnn_factors)
        require(fits, "erp_factors", self.erp_factors, f"some of {self.cnn_factors}")
