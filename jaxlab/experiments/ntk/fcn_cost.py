"""What a kernel of a fully connected network costs by each of the three methods.

Operations are counted by tracing, without running or allocating anything, for networks of one width
(inputs included) and no biases; wall clock and temporary memory are those of compiled calls on
images. Kernels are of two different batches of N examples each.
"""

import functools
import itertools
import math
from pathlib import Path
from typing import Annotated, Any

import jax
from pydantic import Field

from jaxlab.experiments.interface import Count, Counts, Reporter, config
from jaxlab.experiments.measure import Compiled
from jaxlab.experiments.ntk.fcn_cost_claims import CLAIMS, Setting, judge_cost, judge_operations
from jaxlab.experiments.ntk.fcn_cost_report import (
    NOTEBOOK_MS,
    draw_cost,
    draw_operations,
    report_notebook,
    report_operations,
)
from jaxlab.experiments.ntk.inputs import DataName, load_images, title_of
from jaxlab.experiments.ntk.methods import (
    METHODS,
    Method,
    compare,
    compile_methods,
    jacobian_flops,
    kernel_flops,
    report_cost,
    time_methods,
)
from jaxlab.experiments.ntk.networks import mlp, parameter_count

__all__ = ["CLAIMS", "Config", "run"]


# the network that the official notebook times, and its examples
_NOTEBOOK_SIZES = (3072, 2048, 2048, 2048, 8)
_NOTEBOOK_BATCH = 16


@config
class Config:
    """Sizes of the two parts.

    Counted: ``depth_flops`` layers, every combination of ``batch``, ``outputs`` and
    ``widths_flops``. Timed: ``hidden_time`` hidden layers of ``widths_time`` units,
    ``outputs_time`` outputs, two batches of ``batch_time`` images each, median of ``repeats``
    calls; ``notebook_time`` also times the network of the official notebook, which takes 20 GB by
    Jacobian contraction.
    """

    seed: Annotated[int, Field(ge=0)]
    data: DataName
    depth_flops: Annotated[int, Field(ge=2)]
    batch: Counts
    outputs: Counts
    widths_flops: Counts
    hidden_time: Count
    widths_time: Counts
    outputs_time: Count
    batch_time: Count
    repeats: Count
    notebook_time: bool


def run(config: Config, run_dir: Path, reporter: Reporter) -> None:
    """Count, then compile and time."""
    settings = itertools.product(
        sorted(config.batch), sorted(config.outputs), sorted(config.widths_flops)
    )
    counted = {
        setting: functools.partial(_count, config.depth_flops, setting) for setting in settings
    }
    reporter.plan(len(counted) + 1 + len(config.widths_time))
    flops = {
        (batch, outputs, width): reporter.cell(f"flops/N={batch}/O={outputs}/W={width}", compute)
        for (batch, outputs, width), compute in counted.items()
    }
    network = f"{config.depth_flops} layers without biases, W inputs, W units, O outputs, ReLU"
    report_operations(flops, network, reporter)
    draw_operations(flops, network, reporter)
    report_notebook(reporter.cell("flops/notebook", _count_notebook), reporter)
    _time(config, reporter)
    if config.notebook_time:
        _time_notebook(config, reporter)
    judge_operations(flops, config.depth_flops, reporter)


def _count(depth: int, setting: Setting) -> dict[str, int]:
    batch, outputs, width = setting
    network = mlp((*[width] * depth, outputs))
    counted: dict[str, int] = {
        method: kernel_flops(network, method, (batch, width)) for method in METHODS
    }
    return counted | {"jacobians alone": jacobian_flops(network, (batch, width))}


def _count_notebook() -> dict[Method, int]:
    network = mlp(_NOTEBOOK_SIZES)
    shape = (_NOTEBOOK_BATCH, _NOTEBOOK_SIZES[0])
    return {method: kernel_flops(network, method, shape) for method in METHODS}


def _time(config: Config, reporter: Reporter) -> None:
    images = load_images(config.data, 2 * config.batch_time, seed=config.seed).x
    x1, x2 = jax.device_put((images[: config.batch_time], images[config.batch_time :]))
    pixels = math.prod(images.shape[1:])
    calls: dict[int, dict[Method, Compiled]] = {}
    seconds: dict[int, dict[Method, float]] = {}
    compared: dict[int, dict[str, Any]] = {}
    parameters: dict[int, int] = {}
    for width in sorted(config.widths_time):
        network = mlp((pixels, *[width] * config.hidden_time, config.outputs_time))
        params = network.init(jax.random.fold_in(jax.random.key(config.seed), width))
        parameters[width] = parameter_count(network)
        calls[width] = compile_methods(network, params, x1, x2)
        compared[width] = reporter.cell(
            f"kernels/W={width}", functools.partial(compare, calls[width], params, x1, x2)
        )
        seconds[width] = time_methods(
            reporter, f"W = {width}", calls[width], params, x1, x2, repeats=config.repeats
        )
    caption = (
        f"{config.hidden_time} hidden layers of W units without biases, {config.outputs_time} "
        f"outputs, two batches of {config.batch_time} images of {title_of(config.data)}, float32, "
        f"highest precision, seed {config.seed}; median of {config.repeats} warm calls"
    )
    report_cost(reporter, "W", calls, seconds, compared, caption)
    draw_cost(seconds, compared, caption, reporter)
    judge_cost(seconds, compared, parameters, reporter)


def _time_notebook(config: Config, reporter: Reporter) -> None:
    network = mlp(_NOTEBOOK_SIZES)
    of_params, of_x = jax.random.split(jax.random.key(config.seed))
    x1, x2 = jax.random.normal(of_x, (2, _NOTEBOOK_BATCH, _NOTEBOOK_SIZES[0]))
    params = network.init(of_params)
    calls = compile_methods(network, params, x1, x2)
    seconds = time_methods(reporter, "notebook", calls, params, x1, x2, repeats=config.repeats)
    reporter.table(
        "notebook_time",
        ["method", "our ms", "official ms"],
        [
            [title, float(f"{1000 * seconds[method]:.3g}"), NOTEBOOK_MS[method]]
            for method, title in METHODS.items()
        ],
        f"The network of the official notebook here ({jax.devices()[0].device_kind}) and on one "
        "Tesla T4 by the official library.",
        timed=True,
    )
