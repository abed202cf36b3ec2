"""What a kernel of a convolutional network costs by each of the three methods.

Operations are counted by tracing; wall clock is that of compiled calls on images. In a convolution
a parameter meets every pixel, so structured derivatives gain less than in a fully connected layer:
of few channels and many pixels, the Jacobian of a filter is the smaller object.
"""

import functools
import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import jax
import numpy as np
from pydantic import Field

from jaxlab.experiments import plotting
from jaxlab.experiments.interface import Claim, Count, Counts, Reporter, config
from jaxlab.experiments.measure import at_least
from jaxlab.experiments.ntk.inputs import DataName, load_images, title_of
from jaxlab.experiments.ntk.methods import (
    METHODS,
    Method,
    compare,
    compile_methods,
    judge_agreement,
    kernel_flops,
    looks,
    report_cost,
    time_methods,
)
from jaxlab.experiments.ntk.networks import cnn

__all__ = ["CLAIMS", "Config", "run"]

Setting = tuple[int, int, int, int]  # side of the image, examples, outputs, channels

CLAIMS = (
    Claim(
        id="structured-never-more",
        statement="Structured derivatives never take more operations than Jacobian contraction.",
        source="Section 3, the table of costs for convolutional networks",
        paper="a minimum over orders of contraction, of which Jacobian contraction is one",
        criterion="counted operations of structured derivatives at most 1.02 of those of Jacobian "
        "contraction at every size",
    ),
    Claim(
        id="structured-gains-with-channels",
        statement="With many channels and few pixels, structured derivatives take fewer "
        "operations.",
        source="Section 3, the table of costs for convolutional networks",
        paper="a gain where channels outnumber pixels",
        criterion="images of 8×8, four examples of 10 outputs and one of 128: Jacobian contraction "
        "takes at least 1.5 times the operations, for every number of channels from 64 on",
    ),
    Claim(
        id="products-for-one-example",
        statement="NTK-vector products take fewer operations than Jacobian contraction for one "
        "example of many outputs, and more for several examples of few.",
        source="Section 3, the table of costs",
        paper="N²O[FP] against NO[FP] + N²O²P",
        criterion="one example of 128 outputs: fewer at every size; four examples of 10 outputs: "
        "at least twice as many at every size",
    ),
    Claim(
        id="wall-clock",
        statement="On a device, structured derivatives are faster than Jacobian contraction.",
        source="Figure 2; official notebook empirical_ntk_resnet (V100)",
        paper="faster in most convolutional networks on accelerators",
        criterion="structured derivatives faster than Jacobian contraction for every number of "
        "channels that is timed, each of them 16 or more",
    ),
    Claim(
        id="methods-agree",
        statement="The three methods compute one kernel.",
        source="Section 3",
        paper="equal in exact arithmetic",
        criterion="largest difference below 1e-4 of the kernel's largest entry, float32",
    ),
)


@config
class Config:
    """Sizes of the two parts.

    Networks have ``layers`` convolutions with filters of side ``kernel`` and no biases, ReLU, the
    mean over pixels, and a dense head. Counted: colour images of side ``image``, ``settings`` of
    (examples, outputs), ``channels``. Timed: two batches of ``batch_time`` grey images,
    ``outputs_time`` outputs, ``channels_time``, median of ``repeats`` calls.
    """

    seed: Annotated[int, Field(ge=0)]
    data: DataName
    layers: Count
    kernel: Count
    image: Counts
    settings: Annotated[tuple[tuple[Count, Count], ...], Field(min_length=1)]
    channels: Counts
    channels_time: Counts
    outputs_time: Count
    batch_time: Count
    repeats: Count


def run(config: Config, run_dir: Path, reporter: Reporter) -> None:
    """Count, then compile and time."""
    sizes = [
        (image, *setting, channels)
        for image, setting, channels in itertools.product(
            config.image, config.settings, config.channels
        )
    ]
    reporter.plan(len(sizes) + len(config.channels_time))
    flops = {
        (image, batch, outputs, channels): reporter.cell(
            f"flops/H={image}/N={batch}/O={outputs}/C={channels}",
            functools.partial(_count, config, (image, batch, outputs, channels)),
        )
        for image, batch, outputs, channels in sizes
    }
    text = (
        f"{config.layers} convolutions of {config.kernel}×{config.kernel} filters and C channels, "
        "no biases, ReLU, mean over pixels, dense head"
    )
    _report_flops(flops, reporter, text)
    _draw(config, flops, reporter, text)

    images = load_images(config.data, 2 * config.batch_time, seed=config.seed).x
    x1, x2 = jax.device_put((images[: config.batch_time], images[config.batch_time :]))
    calls, compared, seconds = {}, {}, {}
    for channels in sorted(config.channels_time):
        network = cnn(
            images.shape[1:],
            [channels] * config.layers,
            config.outputs_time,
            kernel=config.kernel,
        )
        params = network.init(jax.random.fold_in(jax.random.key(config.seed), channels))
        calls[channels] = compile_methods(network, params, x1, x2)
        compared[channels] = reporter.cell(
            f"kernels/C={channels}", functools.partial(compare, calls[channels], params, x1, x2)
        )
        seconds[channels] = time_methods(
            reporter, f"C = {channels}", calls[channels], params, x1, x2, repeats=config.repeats
        )
    report_cost(
        reporter,
        "C",
        calls,
        seconds,
        compared,
        f"Wall time of one kernel (median of {config.repeats}, warm), XLA's temporary memory, and "
        f"time to compile: {text}; {config.outputs_time} outputs, two batches of "
        f"{config.batch_time} images of {title_of(config.data)}, float32, highest precision, seed "
        f"{config.seed}",
    )
    _judge_flops(config, flops, reporter)
    _judge_cost(seconds, compared, reporter)


def _count(config: Config, size: Setting) -> dict[str, int]:
    image, batch, outputs, channels = size
    network = cnn((image, image, 3), [channels] * config.layers, outputs, kernel=config.kernel)
    return {method: kernel_flops(network, method, (batch, image, image, 3)) for method in METHODS}


def _report_flops(
    flops: Mapping[Setting, Mapping[str, int]], reporter: Reporter, text: str
) -> None:
    reporter.table(
        "operations",
        ["image", "N", "O", "C", *METHODS.values(), "JC / SD", "JC / NTVP"],
        [
            [
                f"{size[0]}×{size[0]}",
                *size[1:],
                *[float(f"{counted[method]:.3g}") for method in METHODS],
                *[
                    float(f"{counted['jacobian'] / counted[method]:.3g}")
                    for method in ("structured", "vector_products")
                ],
            ]
            for size, counted in flops.items()
        ],
        f"Floating-point operations of the kernel of two batches of N examples, counted in the "
        f"trace: {text}, O outputs. JC / SD and JC / NTVP: operations of Jacobian contraction over "
        "those of structured derivatives and of NTK-vector products.",
    )


def _draw(
    config: Config, flops: Mapping[Setting, Mapping[str, int]], reporter: Reporter, text: str
) -> None:
    rows, columns = len(config.image), len(config.settings)
    figure, axes = plotting.new_figure(rows, columns, panel=(4.0, 2.9), sharex=True, sharey=True)
    grid = np.reshape(axes, (rows, columns))
    channels, styles = sorted(config.channels), looks()
    for (row, image), (column, (batch, outputs)) in itertools.product(
        enumerate(config.image), enumerate(config.settings)
    ):
        ax = grid[row, column]
        for method, title in METHODS.items():
            of_method = [flops[image, batch, outputs, count] for count in channels]
            values = [counted[method] / counted["jacobian"] for counted in of_method]
            plotting.curves(ax, channels, values, label=title, style=styles[method])
        ax.set_title(f"{image}×{image} pixels, N = {batch}, O = {outputs}")
        plotting.count_axis(ax, channels)
        ax.set_yscale("log", base=2)
        ax.yaxis.set_major_formatter("{x:g}")
        if row == rows - 1:
            ax.set_xlabel("channels C")
        if column == 0:
            ax.set_ylabel("operations / those of JC")
    plotting.legend(figure)
    reporter.figure(
        "operations",
        figure,
        "Floating-point operations relative to Jacobian contraction against the number of "
        f"channels: {text}, O outputs, two batches of N examples; counted in the trace.",
    )


def _judge_flops(
    config: Config, flops: Mapping[Setting, Mapping[str, int]], reporter: Reporter
) -> None:
    gains = {size: counted["jacobian"] / counted["structured"] for size, counted in flops.items()}
    products = {
        size: counted["jacobian"] / counted["vector_products"] for size, counted in flops.items()
    }
    least = min(gains, key=lambda size: gains[size])
    reporter.verdict(
        "structured-never-more",
        ours=f"at most {1 / gains[least]:.3f} of the operations (image {least[0]}, N = {least[1]}, "
        f"O = {least[2]}, C = {least[3]})",
        holds=gains[least] >= 1 / 1.02,
    )
    texts = []
    for image, (batch, outputs) in itertools.product(config.image, config.settings):
        row = [gains[image, batch, outputs, count] for count in sorted(config.channels)]
        texts.append(
            f"{image}×{image}, N = {batch}, O = {outputs}: "
            + ", ".join(f"{gain:.2f}" for gain in row)
        )
    named = ((4, 10), (1, 128))
    chosen = {
        size: gain
        for size, gain in gains.items()
        if size[0] == 8 and size[1:3] in named and size[3] >= 64
    }
    refuted = any(gain < 1.5 for gain in chosen.values())
    decided = {size[1:3] for size in chosen} == set(named)
    reporter.verdict(
        "structured-gains-with-channels",
        ours=f"JC / SD at C = {', '.join(map(str, sorted(config.channels)))}: " + "; ".join(texts),
        holds=not refuted if refuted or decided else None,
    )
    one = [gain for size, gain in products.items() if size[1:3] == (1, 128)]
    four = [gain for size, gain in products.items() if size[1:3] == (4, 10)]
    reporter.verdict(
        "products-for-one-example",
        ours="JC / NTVP "
        + (
            f"{min(one):.2f} to {max(one):.2f} for one example of 128 outputs, {min(four):.2f} to "
            f"{max(four):.2f} for four of 10"
            if one and four
            else f"{min(products.values()):.2f} to {max(products.values()):.2f}"
        ),
        holds=min(one) > 1 and max(four) <= 0.5 if one and four else None,
    )


def _judge_cost(
    seconds: Mapping[int, Mapping[Method, float]],
    compared: Mapping[int, Mapping[str, Any]],
    reporter: Reporter,
) -> None:
    ratios = {
        channels: of_method["jacobian"] / of_method["structured"]
        for channels, of_method in seconds.items()
    }
    for channels, ratio in ratios.items():
        reporter.timing(f"× faster, structured derivatives, C = {channels}", ratio)
    reporter.verdict(
        "wall-clock",
        ours=", ".join(
            f"C = {channels}: {at_least(ratio)} faster" for channels, ratio in ratios.items()
        ),
        holds=all(ratio > 1 for ratio in ratios.values()) if min(ratios) >= 16 else None,
    )
    if jax.default_backend() == "cpu":
        reporter.note(
            "Operations are not seconds. A filter that structured derivatives contract in weight "
            "space costs them what it costs Jacobian contraction."
        )
    judge_agreement(compared.values(), reporter)
