"""How far training moves the tangent kernel, for networks of growing width.

Full-batch gradient descent on the mean squared error; the kernel of held-out images is computed
after chosen numbers of steps and compared with the one at initialisation and with the targets.
"""

import functools
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from pydantic import Field

from jaxlab.checks import require
from jaxlab.experiments.interface import Claim, Count, Counts, Positive, Reporter, Share, config
from jaxlab.experiments.ntk.descent import half_mse, log_steps, observed_steps, sgd_step
from jaxlab.experiments.ntk.evolution_report import (
    Cells,
    draw_kernels,
    draw_training,
    draw_widths,
    judge,
    report,
)
from jaxlab.experiments.ntk.inputs import DataName, load_images, title_of
from jaxlab.experiments.ntk.networks import mlp
from jaxlab.ntk import ntk_fn
from jaxlab.ntk.predict import max_learning_rate
from jaxlab.ntk.spectrum import effective_rank, kernel_distance, target_alignment

__all__ = ["CLAIMS", "Config", "Evolution", "measure", "run"]


CLAIMS = (
    Claim(
        id="wide-moves-less",
        statement="The wider the network, the less training moves its kernel.",
        source="Jacot et al. 2018, theorem 2; Lee et al. 2019, figure 1",
        paper="constant in the limit of infinite width",
        criterion="mean kernel distance between initialisation and the end of training strictly "
        "falls from each width to the next",
    ),
    Claim(
        id="change-falls-as-a-power",
        statement="The relative change of the kernel falls at least as the inverse square root of "
        "the width.",
        source="Lee et al. 2019, theorem 2.1",
        paper="‖Θ_t − Θ_0‖ = O(W^−1/2) as a bound",
        criterion="slope of log mean ‖Θ_t − Θ_0‖/‖Θ_0‖ after training against log W at most −0.4",
    ),
    Claim(
        id="kernel-aligns",
        statement="Training turns the kernel towards the targets, in narrow networks more than in "
        "wide ones.",
        source="Fort et al. 2020, *Deep learning versus kernel learning*; Baratin et al. 2021, "
        "*Implicit regularization via neural feature alignment*",
        paper="alignment rises during training",
        criterion="mean centred alignment of the kernel of held-out images with their targets is "
        "larger after training than before at every width, and its gain strictly falls with the "
        "width",
    ),
)


@config
class Config:
    """Networks and training.

    ``hidden`` layers of every one of ``widths`` units, ReLU, NTK parametrisation with deviations
    ``weight_std`` and ``bias_std``; ``examples`` training images, ``steps`` steps at ``rate`` of
    the largest rate that is stable at the start. The kernel, traced over outputs, of ``probes``
    held-out images is looked at ``looks`` times on a logarithmic scale. Each of ``seeds`` draws its
    own images and parameters. ``centred`` subtracts the network's initial outputs from it, so that
    training goes from 0 to the targets; otherwise it first has to undo random outputs, which may
    be larger than the targets.
    """

    seed: Annotated[int, Field(ge=0)]
    data: DataName
    examples: Count
    probes: Annotated[int, Field(ge=2)]
    widths: Counts
    hidden: Count
    weight_std: Positive
    bias_std: Positive
    steps: Annotated[int, Field(ge=2)]
    rate: Share
    looks: Annotated[int, Field(ge=2)]
    seeds: Count
    centred: bool


class Evolution(NamedTuple):
    """What is measured of one training; leading axis: the checkpoints.

    Attributes:
        loss: on the training images.
        accuracy: on the probes.
        distance: kernel distance from the first checkpoint's kernel.
        change: ``‖Θ_t − Θ_0‖/‖Θ_0‖``.
        alignment: centred, with the probes' targets.
        rank: effective rank of the kernel.
        kernels: ``[2, probes, probes]``, before and after.
    """

    loss: Array
    accuracy: Array
    distance: Array
    change: Array
    alignment: Array
    rank: Array
    kernels: Array


def run(config: Config, run_dir: Path, reporter: Reporter) -> None:
    """Train at every width and follow the kernel."""
    widths = sorted(config.widths)
    reporter.plan(len(widths) * config.seeds)
    cells: Cells = {
        width: [
            reporter.cell(f"W={width}/seed={seed}", functools.partial(_cell, config, width, seed))
            for seed in range(config.seeds)
        ]
        for width in widths
    }
    layers = "1 hidden layer" if config.hidden == 1 else f"{config.hidden} hidden layers"
    text = (
        f"{config.examples} training and {config.probes} held-out images of "
        f"{title_of(config.data)}, {layers} of W units, ReLU, NTK parametrisation, {config.steps} "
        f"full-batch steps at {config.rate:g} of the largest stable rate, {config.seeds} draws of "
        f"images and parameters (seed {config.seed}), initial outputs "
        f"{'subtracted' if config.centred else 'left in'}"
    )
    report(cells, reporter, text)
    draw_training(log_steps(config.steps, config.looks), cells, reporter, text)
    draw_widths(cells, reporter, text)
    draw_kernels(cells, reporter, text)
    reporter.note(
        "The papers that see the kernel turn towards the targets train networks of standard "
        "parametrisation on whole data sets, with cross-entropy and large steps. Here the "
        "parametrisation is that of the NTK, and the error is squared."
    )
    judge(cells, reporter)


def measure(
    config: Config, width: int, x: Array, y: Array, x_probe: Array, y_probe: Array, key: Array
) -> Evolution:
    """Train one network and follow the kernel of the probes."""
    units = (x[0].size, *[width] * config.hidden, y.shape[1])
    network = mlp(
        units, parametrisation="ntk", weight_std=config.weight_std, bias_std=config.bias_std
    )
    params = network.init(key)
    rate = config.rate * max_learning_rate(ntk_fn(network.apply, vmap_axes=0)(x, None, params))
    traced = ntk_fn(network.apply, trace_axes=(-1,), vmap_axes=0)

    initial = params

    def outputs(params: Any, x: Array) -> Array:
        moved = network.apply(params, x)
        return moved - network.apply(initial, x) if config.centred else moved

    def loss(params: Any) -> Array:
        return half_mse(outputs(params, x), y)

    def observe(params: Any) -> tuple[Array, Array, Array]:
        guess = jnp.argmax(outputs(params, x_probe), axis=1)
        accuracy = jnp.mean(guess == jnp.argmax(y_probe, axis=1))
        return loss(params), accuracy, traced(x_probe, None, params)

    _, (losses, accuracy, kernels) = observed_steps(
        sgd_step(loss, rate), observe, params, log_steps(config.steps, config.looks)
    )
    first = kernels[0]
    return Evolution(
        loss=losses,
        accuracy=accuracy,
        distance=jax.vmap(lambda kernel: kernel_distance(first, kernel))(kernels),
        change=jnp.linalg.norm(kernels - first, axis=(1, 2)) / jnp.linalg.norm(first),
        alignment=jax.vmap(lambda kernel: target_alignment(kernel, y_probe, centered=True))(
            kernels
        ),
        rank=jax.vmap(effective_rank)(kernels),
        kernels=jnp.stack([first, kernels[-1]]),
    )


_compiled = jax.jit(measure, static_argnums=(0, 1))


def _cell(config: Config, width: int, seed: int) -> dict[str, Any]:
    images = load_images(config.data, config.examples, config.probes, seed=config.seed + seed)
    classes = np.unique(images.labels_test)
    expected = f"more, for probes of two classes; draw {seed} has class {classes[0]} alone"
    require(len(classes) > 1, "probes", config.probes, expected)
    order = np.argsort(images.labels_test, kind="stable")
    key = jax.random.fold_in(jax.random.key(config.seed + seed), width)
    with jax.default_matmul_precision("highest"):
        found = _compiled(
            config,
            width,
            images.x,
            images.targets,
            images.x_test[order],
            images.targets_test[order],
            key,
        )
    result: dict[str, Any] = {
        name: [float(f"{value:.5g}") for value in np.asarray(values)]
        for name, values in found._asdict().items()
        if name != "kernels"
    }
    result["labels"] = images.labels_test[order].tolist()
    if seed == 0:  # what is drawn
        result["kernels"] = [
            [[float(f"{entry:.4g}") for entry in row] for row in kernel]
            for kernel in np.asarray(found.kernels, np.float64)
        ]
    return result
