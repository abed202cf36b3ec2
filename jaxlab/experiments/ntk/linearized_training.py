"""Trained networks beside what their kernel at initialisation predicts, for growing widths.

Full-batch gradient descent on the mean squared error. Four predictions of the trained outputs,
none of which sees the trained network: the kernel in closed form (gradient flow, infinitely small
steps), the kernel step by step (the steps as they were taken), the tangent network trained in its
parameters, and the Taylor polynomial of degree 2 trained in its parameters.

The networks have ReLU. The second derivative of a ReLU is zero wherever it exists, so that the
polynomial of degree 2 knows products of two layers' changes, and nothing of units that switch; the
same training with tanh, which is smooth, tells the two apart.
"""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from pydantic import Field

from jaxlab.experiments.interface import Claim, Count, Counts, Positive, Reporter, Share, config
from jaxlab.experiments.ntk.descent import half_mse, log_steps, observed_steps, sgd_step
from jaxlab.experiments.ntk.inputs import DataName, load_images, title_of
from jaxlab.experiments.ntk.linearized_training_report import (
    PREDICTIONS,
    SIDES,
    Activation,
    Cells,
    draw_errors,
    draw_outputs,
    draw_times,
    judge,
    judge_quadratic,
    report_errors,
)
from jaxlab.experiments.ntk.networks import mlp
from jaxlab.ntk import flatten_kernel, ntk_fn
from jaxlab.ntk.linearization import taylor_expand
from jaxlab.ntk.predict import factorize, gradient_descent_mse, max_learning_rate

__all__ = ["CLAIMS", "Config", "measure", "run"]


CLAIMS = (
    Claim(
        id="kernel-predicts-training",
        statement="The kernel at initialisation predicts the outputs after training, and the "
        "better the wider the network.",
        source="Lee et al. 2019, theorem 2.1, which Novak et al. 2022 (section 1) build on",
        paper="the error vanishes as the width grows, O(1/√W) as a bound",
        criterion="mean relative error of the closed form on the training images: at 1024 units at "
        "most 1/5 of that at 64",
    ),
    Claim(
        id="error-falls-with-width",
        statement="Both on training and on test images, the error falls with every increase of the "
        "width.",
        source="Lee et al. 2019, figure 1 and section 3",
        paper="agreement improves with the width",
        criterion="mean relative errors of the closed form strictly fall from each width to the "
        "next, on training and on test images",
    ),
    Claim(
        id="kernel-is-tangent",
        statement="Training the tangent network in its parameters moves its outputs as the kernel "
        "says.",
        source="Lee et al. 2019, section 2.2",
        paper="exact identity for the same steps",
        criterion="outputs of the trained tangent network and of the kernel step by step differ by "
        "at most 1e-3 of the distance the network's outputs moved, at every width that trains it",
    ),
    Claim(
        id="quadratic-follows-closer",
        statement="The Taylor polynomial of degree 2 follows the network more closely than the "
        "tangent does.",
        source="Bai and Lee 2020, *Beyond linearization*, section 1; "
        "neural-tangents, taylor_expand",
        paper="the leading correction at finite width",
        criterion="mean relative error below that of the tangent network on training and on test "
        "images, at every width that trains both, with ReLU",
    ),
    Claim(
        id="quadratic-follows-smooth-networks",
        statement="The Taylor polynomial of degree 2 follows a network of smooth activations more "
        "closely than the tangent does.",
        source="Bai and Lee 2020, section 2, which takes smooth activations",
        paper="the leading correction at finite width",
        criterion="the same with tanh",
    ),
)


@config
class Config:
    """Networks and training.

    ``hidden`` layers of every one of ``widths`` units, ReLU, NTK parametrisation with deviations
    ``weight_std`` and ``bias_std``; ``examples`` training and ``test`` test images, ``steps`` steps
    at ``rate`` of the largest stable rate, looked at ``looks`` times on a logarithmic scale. Each
    of ``seeds`` draws its own images and parameters. Widths in ``widths_taylor`` also train the
    tangent and the polynomial of degree 2, with ReLU and with tanh.
    """

    seed: Annotated[int, Field(ge=0)]
    data: DataName
    examples: Count
    test: Count
    widths: Counts
    widths_taylor: tuple[Count, ...]
    hidden: Count
    weight_std: Positive
    bias_std: Positive
    steps: Annotated[int, Field(ge=2)]
    rate: Share
    looks: Annotated[int, Field(ge=2)]
    seeds: Count


def run(config: Config, run_dir: Path, reporter: Reporter) -> None:
    """Train and predict at every width."""
    widths: Mapping[Activation, Sequence[int]] = {
        "relu": sorted(config.widths),
        "tanh": sorted(config.widths_taylor),
    }
    reporter.plan(sum(map(len, widths.values())) * config.seeds)
    every: dict[Activation, Cells] = {
        activation: {
            width: [
                reporter.cell(
                    f"{activation}/W={width}/seed={seed}",
                    functools.partial(_cell, config, activation, width, seed),
                )
                for seed in range(config.seeds)
            ]
            for width in chosen
        }
        for activation, chosen in widths.items()
    }
    cells = every["relu"]
    steps = _checkpoints(config)
    layers = "1 hidden layer" if config.hidden == 1 else f"{config.hidden} hidden layers"
    text = (
        f"{config.examples} training and {config.test} test images of {title_of(config.data)}, "
        f"{layers} of W units, NTK parametrisation, {config.steps} full-batch steps at "
        f"{config.rate:g} of the largest stable rate, {config.seeds} draws of images and "
        f"parameters (seed {config.seed})"
    )
    report_errors(every, reporter, text)
    draw_outputs(steps, cells, reporter, text)
    draw_errors(every, reporter, text)
    draw_times(steps, cells, reporter, text)
    reporter.note(
        "The second derivative of a ReLU is zero wherever it exists: the polynomial of degree 2 "
        "knows products of two layers' changes but no unit that switches, and need not be closer "
        "than the tangent. On training images models that come to the targets come to each "
        "other, however they went; how well a model follows the network shows on test images."
    )
    judge(cells, reporter)
    judge_quadratic("quadratic-follows-closer", cells, reporter)
    judge_quadratic("quadratic-follows-smooth-networks", every["tanh"], reporter)


def measure(
    config: Config,
    activation: Activation,
    width: int,
    x: Array,
    y: Array,
    x_test: Array,
    key: Array,
) -> tuple[Array, Mapping[str, tuple[Array, Array]]]:
    """Train a network of ``width`` units and predict its outputs.

    Returns:
        The learning rate; and by the name of the model (``"network"`` and keys of
        ``PREDICTIONS``) outputs on training and test images, with an axis of ``checkpoints`` in
        front.
    """
    units = (x[0].size, *[width] * config.hidden, y.shape[1])
    network = mlp(
        units,
        activation={"relu": jax.nn.relu, "tanh": jnp.tanh}[activation],
        parametrisation="ntk",
        weight_std=config.weight_std,
        bias_std=config.bias_std,
    )
    params = network.init(key)
    kernel = ntk_fn(network.apply, vmap_axes=0)
    train_train, test_train = kernel(x, None, params), kernel(x_test, x, params)
    first, first_test = network.apply(params, x), network.apply(params, x_test)
    rate = config.rate * max_learning_rate(train_train)
    checkpoints = _checkpoints(config)

    flow = gradient_descent_mse(
        factorize(train_train),
        y,
        jnp.asarray(checkpoints, jnp.float32),
        f_train_0=first,
        f_test_0=first_test,
        k_test_train=test_train,
        learning_rate=rate,
        trace_axes=(),
    )
    found: dict[str, tuple[Any, Any]] = {"flow": (flow.train, flow.test)}

    both = jnp.concatenate([flatten_kernel(train_train), flatten_kernel(test_train)])

    def in_function_space(outputs: tuple[Array, Array]) -> tuple[Array, Array]:
        change = rate / y.size * (both @ (outputs[0] - y).reshape(-1))
        of_train, of_test = jnp.split(change.reshape(-1, y.shape[1]), [len(x)])
        return outputs[0] - of_train, outputs[1] - of_test

    _, found["steps"] = observed_steps(
        in_function_space, lambda outputs: outputs, (first, first_test), checkpoints
    )

    models = {"network": network.apply}
    if width in config.widths_taylor:
        models["tangent"] = taylor_expand(network.apply, params, 1)
        models["quadratic"] = taylor_expand(network.apply, params, 2)
    for name, apply in models.items():

        def loss(params: Any, apply: Any = apply) -> Array:
            return half_mse(apply(params, x), y)

        def outputs(params: Any, apply: Any = apply) -> tuple[Array, Array]:
            return apply(params, x), apply(params, x_test)

        _, found[name] = observed_steps(sgd_step(loss, rate), outputs, params, checkpoints)
    return rate, found


_compiled = jax.jit(measure, static_argnums=(0, 1, 2))


def _checkpoints(config: Config) -> tuple[int, ...]:
    return log_steps(config.steps, config.looks)


def _cell(config: Config, activation: Activation, width: int, seed: int) -> dict[str, Any]:
    """Numbers of one activation, width and seed, and the outputs of its first test image."""
    images = load_images(config.data, config.examples, config.test, seed=config.seed + seed)
    key = jax.random.fold_in(jax.random.key(config.seed + seed), width)
    with jax.default_matmul_precision("highest"):
        rate, found = _compiled(
            config, activation, width, images.x, images.targets, images.x_test, key
        )
    outputs = {
        name: [np.asarray(side, np.float64) for side in sides] for name, sides in found.items()
    }
    network = outputs["network"]
    result: dict[str, Any] = {
        "rate": float(rate),
        "loss": [float(np.mean((now - images.targets) ** 2) / 2) for now in network[0]],
        "label": int(images.labels_test[0]),
        "image": {name: sides[1][:, 0].round(5).tolist() for name, sides in outputs.items()},
        "errors": {
            name: {
                side: _relative(outputs[name][place], network[place])
                for place, side in enumerate(SIDES)
            }
            for name in PREDICTIONS
            if name in outputs
        },
    }
    if "tangent" in outputs:
        gaps = []
        for place in range(2):
            moved = np.linalg.norm(network[place][-1] - network[place][0])
            apart = outputs["tangent"][place][-1] - outputs["steps"][place][-1]
            gaps.append(float(np.linalg.norm(apart) / moved))
        result["tangent_gap"] = float(np.max(gaps))  # NaN would drop out of Python's max
    return result


def _relative(predicted: np.ndarray, network: np.ndarray) -> list[float]:
    """Distance from the network's outputs over the way these came, after every look but the 0th."""
    apart = np.linalg.norm((predicted - network)[1:], axis=(1, 2))
    moved = np.linalg.norm(network[1:] - network[0], axis=(1, 2))
    return [float(f"{value:.4g}") for value in apart / moved]
