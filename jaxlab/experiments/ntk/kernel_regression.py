"""Regression with few images: kernels of networks, other kernels, and the networks themselves.

One kernel of the largest training set serves the smaller ones, which are its first images. Nothing
is tuned: ridges, the bandwidth of the RBF kernel and the training of the networks are stated once.
"""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array
from pydantic import Field

from jaxlab.checks import require
from jaxlab.experiments.interface import IN_ORDER, Claim, Count, Counts, Positive, Reporter, config
from jaxlab.experiments.ntk.inputs import DataName, Images, load_images, title_of
from jaxlab.experiments.ntk.kernel_regression_report import (
    draw_accuracy,
    draw_spectra,
    judge,
    report,
)
from jaxlab.experiments.ntk.small_data import (
    KERNELS,
    NETWORKS,
    KernelName,
    NetworkName,
    Sizes,
    kernels,
    train_network,
)
from jaxlab.ntk.predict import (
    factorize,
    kernel_ridge,
)
from jaxlab.ntk.spectrum import (
    ConditionNumber,
    condition_number,
    effective_rank,
    eigenvalues,
    target_alignment,
)
from jaxlab.ntk.status import INDEFINITE, NOT_CONVERGED, NOT_FINITE, OK, SINGULAR

__all__ = ["CLAIMS", "Config", "run"]


_STATUS = {
    OK: "ok",
    SINGULAR: "singular",
    INDEFINITE: "indefinite",
    NOT_CONVERGED: "not converged",
    NOT_FINITE: "not finite",
}

CLAIMS = (
    Claim(
        id="ntk-over-linear",
        statement="With few images, regression with the kernel of a network is far better than "
        "linear regression.",
        source="Novak et al. 2022, section 1 (regression on small data); Arora et al. 2020, "
        "*Harnessing the power of infinitely wide deep nets on small-data tasks*",
        paper="strong on small data; no number for these images",
        criterion="256 training images: mean accuracy of the finite MLP's NTK at least .08 above "
        "that of the linear kernel",
    ),
    Claim(
        id="finite-as-good-as-infinite",
        statement="The kernel of one wide network at random parameters predicts as well as its "
        "limit of infinite width.",
        source="Jacot et al. 2018, theorem 1; Novak et al. 2022, section 1",
        paper="convergence as the width grows",
        criterion="mean accuracies of the finite and of the infinite MLP's NTK at most .02 apart "
        "for every number of training images, of which the largest is 128 or more; there that of "
        "the finite one's above .2, twice a guess",
    ),
    Claim(
        id="kernel-as-good-as-training",
        statement="With few images, regression with the kernel is as good as training the network.",
        source="Arora et al. 2020, section 1",
        paper="the NTK outperforms trained networks on small data",
        criterion="mean accuracy of the finite MLP's NTK at most .02 below that of the trained "
        "MLP for every number of training images, of which the largest is 128 or more; there "
        "above .2, twice a guess",
    ),
    Claim(
        id="convolutions-help-kernels",
        statement="On images the kernel of a convolutional network is better than that of a fully "
        "connected one.",
        source="Arora et al. 2019, *On exact computation with an infinitely wide neural net*, "
        "table 1",
        paper="CIFAR-10: CNTK with average pooling 77 %, fully connected about 55 %",
        criterion="mean accuracy of the finite CNN's NTK above that of the finite MLP's for the "
        "largest number of training images, 128 or more, on the draws that both have",
    ),
)


@config
class Config:
    """Data, networks and training.

    The first ``train`` images of each of ``seeds`` draws, ``test`` test images. An MLP of
    ``hidden`` units and a CNN of ``channels``, whose average pooling has windows of side ``pool``,
    with deviations ``weight_std`` and ``bias_std``; models of the CNN see only ``seeds_cnn`` draws.
    Ridges are relative to the kernel's mean diagonal. Kernels of finite networks are computed in
    tiles of ``tile`` images. Networks are trained for ``steps`` steps of Adam on batches of
    ``batch``, from a last layer of zeros.
    """

    seed: Annotated[int, Field(ge=0)]
    data: DataName
    train: Counts
    test: Count
    seeds: Count
    seeds_cnn: Annotated[int, Field(ge=0)]
    hidden: Annotated[Counts, IN_ORDER]
    channels: Annotated[Counts, IN_ORDER]
    pool: Count
    weight_std: Positive
    bias_std: Positive
    ridge: Positive
    ridge_linear: Positive
    tile: Count
    steps: Count
    batch: Count
    learning_rate: Positive

    def __post_init__(self) -> None:
        """Training images have distances, and windows cover those of the CNN."""
        require(max(self.train) > 1, "train", self.train, "two training images or more somewhere")
        side = 8 if self.data == "digits" else 28
        fits = self.seeds_cnn == 0 or side % self.pool == 0
        require(fits, "pool", self.pool, f"a divisor of the side of the images, {side}")


def run(config: Config, run_dir: Path, reporter: Reporter) -> None:
    """Regress with every kernel, train every network."""
    sizes = sorted(config.train)
    draws = {
        name: min(config.seeds_cnn, config.seeds) if name.endswith("cnn") else config.seeds
        for name in (*KERNELS, *NETWORKS)
    }
    reporter.plan(
        sum(draws[name] for name in KERNELS) + len(sizes) * sum(draws[name] for name in NETWORKS)
    )
    accuracies: dict[str, np.ndarray] = {}
    spectra: dict[KernelName, Mapping[str, Any]] = {}
    for name in KERNELS:
        cells = [
            reporter.cell(
                f"kernel/{name}/seed={seed}", functools.partial(_regress, config, name, seed)
            )
            for seed in range(draws[name])
        ]
        if cells:
            accuracies[name] = np.array([cell["accuracy"] for cell in cells])
            spectra[name] = cells[0]
    for network in NETWORKS:
        rows = [
            [
                reporter.cell(
                    f"network/{network}/n={n}/seed={seed}",
                    functools.partial(_train, config, network, n, seed),
                )["accuracy"]
                for n in sizes
            ]
            for seed in range(draws[network])
        ]
        if rows:
            accuracies[network] = np.array(rows)
    text = _text(config)
    report(sizes, accuracies, spectra, reporter, text)
    draw_accuracy(sizes, accuracies, reporter, text)
    draw_spectra(sizes, spectra, reporter, text)
    judge(sizes, accuracies, reporter)


def _text(config: Config) -> str:
    units = "-".join(str(count) for count in config.hidden)
    channels = "-".join(str(count) for count in config.channels)
    return (
        f"{title_of(config.data)}, {config.test} test images, {config.seeds} draws of images and "
        f"parameters (models of the CNN: {min(config.seeds_cnn, config.seeds)}; seed "
        f"{config.seed}); MLP of {units} units, CNN of {channels} channels with {config.pool}×"
        f"{config.pool} average pooling; ridge {config.ridge:g} of the mean diagonal (linear "
        f"kernel: {config.ridge_linear:g}); networks trained for {config.steps} steps of Adam, "
        f"batches of {config.batch}, rate {config.learning_rate:g}, squared error, last "
        "layer from zero"
    )


def _sizes(config: Config) -> Sizes:
    return Sizes(
        hidden=config.hidden,
        channels=config.channels,
        pool=config.pool,
        weight_std=config.weight_std,
        bias_std=config.bias_std,
        tile=config.tile,
    )


def _load(config: Config, seed: int) -> Images:
    return load_images(config.data, max(config.train), config.test, seed=config.seed + seed)


def _regress(config: Config, name: KernelName, seed: int) -> dict[str, Any]:
    """Accuracies for every training set, and the spectrum of the largest one's kernel."""
    images = _load(config, seed)
    classes = images.targets.shape[1]
    key = jax.random.key(config.seed + seed)
    with jax.default_matmul_precision("highest"):
        k_train, k_test = kernels(name, _sizes(config), images.x, images.x_test, classes, key)
    ridge = config.ridge_linear if name == "linear" else config.ridge
    outputs, status, of_kernel = _fit(
        k_train, k_test, images.targets, ridge, tuple(sorted(config.train))
    )
    values = np.asarray(of_kernel.eigenvalues, np.float64)
    condition = of_kernel.condition
    return {
        "accuracy": [_accuracy(of_n, images.labels_test) for of_n in outputs],
        "status": [_STATUS[int(of_n)] for of_n in status],
        "eigenvalues": [float(f"{value:.4g}") for value in values / values.sum()],
        "condition": float(f"{float(condition.value):.3g}") if condition.reliable else None,
        "rank": float(f"{float(of_kernel.rank):.4g}"),
        "alignment": float(f"{float(of_kernel.alignment):.4g}"),
    }


class _OfKernel(NamedTuple):
    """What the table and the figure of spectra show."""

    eigenvalues: Array
    condition: ConditionNumber
    rank: Array
    alignment: Array


@functools.partial(jax.jit, static_argnums=4)
def _fit(
    k_train: Array, k_test: Array, targets: Array, ridge: float | Array, sizes: tuple[int, ...]
) -> tuple[list[Array], list[Array], _OfKernel]:
    """Test outputs and status of the regression on the first images, for every size."""
    outputs, status = [], []
    for n in sizes:
        factor = factorize(k_train[:n, :n], diag_reg=ridge, method="cholesky")
        fitted = kernel_ridge(factor, targets[:n], k_test[:, :n])
        assert fitted.test is not None
        outputs.append(fitted.test)
        status.append(fitted.status)
    return (
        outputs,
        status,
        _OfKernel(
            eigenvalues(k_train),
            condition_number(k_train),
            effective_rank(k_train),
            target_alignment(k_train, targets, centered=True),
        ),
    )


def _train(config: Config, name: NetworkName, n: int, seed: int) -> dict[str, float]:
    images = _load(config, seed)
    network = _network(_sizes(config), name, images.x.shape[1:], images.targets.shape[1])
    with jax.default_matmul_precision("highest"):
        outputs, losses = train_network(
            network,
            jax.random.key(config.seed + seed),
            images.x,
            images.targets,
            n,
            images.x_test,
            steps=config.steps,
            batch=config.batch,
            learning_rate=config.learning_rate,
        )
    return {"accuracy": _accuracy(outputs, images.labels_test), "loss": float(losses[-1])}


@functools.cache  # one function, and so one compilation, for all draws
def _network(sizes: Sizes, name: NetworkName, image: tuple[int, ...], outputs: int) -> Any:
    return sizes.network(name, image, outputs, "standard")


def _accuracy(outputs: Any, labels: np.ndarray) -> float:
    return float(np.mean(np.argmax(np.asarray(outputs), axis=1) == labels))
