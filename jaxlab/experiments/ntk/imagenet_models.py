"""What kernels of ImageNet models cost by each of the three methods.

Operations are counted by tracing alone: no parameter is drawn and nothing runs, so models and
kernels of any size can be counted on any machine. Wall clock is that of a residual network on small
images. Parameters and images are random: only their sizes matter here.
"""

import functools
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import jax
import numpy as np
from pydantic import Field

from jaxlab.experiments import plotting
from jaxlab.experiments.interface import IN_ORDER, Claim, Count, Reporter, config
from jaxlab.experiments.ntk.architectures import (
    ARCHITECTURES,
    ImageModel,
    image_network,
    small_resnet,
)
from jaxlab.experiments.ntk.methods import (
    METHODS,
    Method,
    compare,
    compile_methods,
    judge_agreement,
    kernel_flops,
    report_cost,
    time_methods,
)
from jaxlab.experiments.ntk.networks import parameter_count

__all__ = ["CLAIMS", "Config", "run"]

Setting = tuple[int, int]  # examples, outputs

# Milliseconds of one ResNet-18 kernel at 224² on one V100 of 16 GB, by the official library; None
# where it ran out of memory.
_V100: Mapping[Setting, Mapping[Method, float | None]] = {
    (8, 8): {"jacobian": 222.0, "vector_products": 311.0, "structured": 90.6},
    (1, 128): {"jacobian": 454.0, "vector_products": 150.0, "structured": 113.0},
    (1, 1000): {"jacobian": None, "vector_products": None, "structured": 985.0},
}

CLAIMS = (
    Claim(
        id="published-sizes",
        statement="The models are the published ones.",
        source="He et al. 2016; Dosovitskiy et al. 2021; Touvron et al. 2021; Tolstikhin et al. "
        "2021",
        paper="ResNet-18: 11 689 512 parameters at 1000 outputs",
        criterion="every model has exactly the published number of parameters at 1000 outputs",
    ),
    Claim(
        id="order-of-the-v100",
        statement="Counted operations order the three methods as their times on a V100 do.",
        source="official notebook empirical_ntk_resnet (ResNet-18 at 224², V100)",
        paper="N = 8, O = 8: 222 / 311 / 90.6 ms (Jacobian contraction, NTK-vector products, "
        "structured derivatives); N = 1, O = 128: 454 / 150 / 113 ms; N = 1, O = 1000: structured "
        "derivatives 985 ms, the others out of memory",
        criterion="ResNet-18 at 224²: the same order at both settings that have all three times, "
        "and structured derivatives fewest at O = 1000",
    ),
    Claim(
        id="structured-never-more",
        statement="Structured derivatives never take more operations than Jacobian contraction.",
        source="Section 3, the table of costs for convolutional networks",
        paper="a minimum over orders of contraction, of which Jacobian contraction is one",
        criterion="counted operations at most 1.02 of those of Jacobian contraction, for every "
        "model and setting",
    ),
    Claim(
        id="structured-fewest",
        statement="Structured derivatives take the fewest operations of the three in every model.",
        source="Section 3, the discussion of the costs",
        paper="almost always; NTK-vector products win where outputs outnumber a layer's width",
        criterion="counted operations at most 1.02 of those of NTK-vector products too, for every "
        "model and setting",
    ),
    Claim(
        id="methods-agree",
        statement="The three methods compute one kernel.",
        source="Section 3",
        paper="equal in exact arithmetic",
        criterion="residual network that is timed: largest difference below 1e-4 of the kernel's "
        "largest entry, float32",
    ),
)


@config
class Timing:
    """The residual network that is compiled and timed.

    ``blocks`` of 64, 128, … channels in each stage (ResNet-18 has two in each of four), colour
    images of side ``image``, two batches of ``batch`` of them, ``outputs``, median of ``repeats``.
    """

    blocks: Annotated[tuple[Count, ...], Field(max_length=4), IN_ORDER]
    image: Annotated[int, Field(ge=8)]
    batch: Count
    outputs: Count
    repeats: Count


@config
class Config:
    """Models and settings (examples, outputs) that are counted, at images of side ``image``.

    ViT-S/16 and MLP-Mixer-B/16 cut images into patches of side 16, which must divide ``image``.
    """

    seed: Annotated[int, Field(ge=0)]
    models: Annotated[tuple[ImageModel, ...], Field(min_length=1)]
    image: Annotated[int, Field(ge=16, multiple_of=16)]
    settings: Annotated[tuple[tuple[Count, Count], ...], Field(min_length=1)]
    timing: Timing


def run(config: Config, run_dir: Path, reporter: Reporter) -> None:
    """Count, then compile and time."""
    reporter.plan(len(config.models) * len(config.settings) * len(METHODS) + 1)
    flops: dict[tuple[ImageModel, Setting], dict[Method, int]] = {}
    for model in config.models:
        for setting in config.settings:
            flops[model, setting] = {
                method: reporter.cell(
                    f"flops/{model}/N={setting[0]}/O={setting[1]}/{method}",
                    functools.partial(_count, config, model, setting, method),
                )
                for method in METHODS
            }
    parameters = {name: parameter_count(image_network(name)) for name in config.models}
    _report_flops(config, flops, parameters, reporter)
    _draw(config, flops, reporter)
    compared = _time(config, reporter)
    _judge(config, flops, parameters, compared, reporter)


def _count(config: Config, model: ImageModel, setting: Setting, method: Method) -> int:
    batch, outputs = setting
    network = image_network(model, image=config.image, outputs=outputs)
    return kernel_flops(network, method, (batch, config.image, config.image, 3))


def _report_flops(
    config: Config,
    flops: Mapping[tuple[ImageModel, Setting], Mapping[Method, int]],
    parameters: Mapping[ImageModel, int],
    reporter: Reporter,
) -> None:
    rows = []
    for (model, setting), counted in flops.items():
        ratios = [
            counted["jacobian"] / counted[method] for method in ("structured", "vector_products")
        ]
        rows.append(
            [
                ARCHITECTURES[model].title,
                *setting,
                *[float(f"{counted[method] / 1e12:.3g}") for method in METHODS],
                *[float(f"{ratio:.3g}") for ratio in ratios],
                _milliseconds(config, model, setting),
            ]
        )
        label = f"{ARCHITECTURES[model].title}, N = {setting[0]}, O = {setting[1]}"
        reporter.scalar(f"JC / SD, {label}", round(ratios[0], 3))
    reporter.table(
        "operations",
        [
            "model",
            "N",
            "O",
            *[f"{title}, TFLOP" for title in METHODS.values()],
            "JC / SD",
            "JC / NTVP",
            "official V100 ms (JC / NTVP / SD)",
        ],
        rows,
        f"Operations of the kernel of two batches of N images of {config.image}×{config.image}, O "
        "outputs, counted in the trace; JC / SD and JC / NTVP are ratios of operations. Beside "
        "them, where they are known, the official library's times for ResNet-18 at 224².",
    )
    reporter.table(
        "models",
        ["model", "parameters at 1000 outputs", "published"],
        [
            [ARCHITECTURES[name].title, count, ARCHITECTURES[name].parameters]
            for name, count in parameters.items()
        ],
        "The models; batch normalisation is the affine map that it is in evaluation mode with "
        "running mean 0 and variance 1.",
    )


def _milliseconds(config: Config, model: ImageModel, setting: Setting) -> str:
    if model != "resnet18" or config.image != 224 or setting not in _V100:
        return ""
    times = [_V100[setting][method] for method in METHODS]
    return " / ".join("out of memory" if time is None else f"{time:g}" for time in times)


def _draw(
    config: Config,
    flops: Mapping[tuple[ImageModel, Setting], Mapping[Method, int]],
    reporter: Reporter,
) -> None:
    columns, models = len(config.settings), len(config.models)
    figure, axes = plotting.new_figure(1, columns, panel=(4.4, 1.2 + 0.62 * models))
    titles = [ARCHITECTURES[model].title for model in config.models]
    for ax, setting in zip(np.ravel(axes), config.settings, strict=True):
        shares = {
            title: [
                flops[model, setting][method] / flops[model, setting]["jacobian"]
                for model in config.models
            ]
            for method, title in METHODS.items()
        }
        plotting.bars(ax, titles, shares)
        ax.set_title(f"N = {setting[0]}, O = {setting[1]}")
        ax.set_xlabel("operations / those of Jacobian contraction")
        if ax is not np.ravel(axes)[0]:
            ax.tick_params(labelleft=False)
    plotting.legend(figure)
    reporter.figure(
        "operations",
        figure,
        f"Operations of the kernel of two batches of N images of {config.image}×{config.image}, O "
        "outputs, relative to Jacobian contraction; counted in the trace.",
    )


def _time(config: Config, reporter: Reporter) -> dict[str, Any]:
    """Compile, compare and time the residual network; how its kernels compare."""
    timing = config.timing
    network = small_resnet(timing.blocks, image=timing.image, outputs=timing.outputs)
    # only sizes matter here, and this generator's draws compile three times faster
    of_params, of_x = jax.random.split(jax.random.key(config.seed, impl="rbg"))
    params = network.init(of_params)
    x1, x2 = jax.random.normal(of_x, (2, timing.batch, timing.image, timing.image, 3))
    case = f"{sum(timing.blocks)} blocks"
    calls = compile_methods(network, params, x1, x2)
    compared: dict[str, Any] = reporter.cell(
        "kernels", functools.partial(compare, calls, params, x1, x2)
    )
    seconds = time_methods(reporter, case, calls, params, x1, x2, repeats=timing.repeats)
    millions = parameter_count(network) / 1e6
    report_cost(
        reporter,
        "network",
        {case: calls},
        {case: seconds},
        {case: compared},
        f"Wall time of one kernel (median of {timing.repeats}, warm), XLA's temporary memory, and "
        f"time to compile: residual network of ResNet-18's blocks, {millions:.3g} million "
        f"parameters, {timing.outputs} outputs, two batches of {timing.batch} normal images of "
        f"{timing.image}×{timing.image}×3, float32, highest precision, seed {config.seed}",
    )
    return compared


def _judge(
    config: Config,
    flops: Mapping[tuple[ImageModel, Setting], Mapping[Method, int]],
    parameters: Mapping[ImageModel, int],
    compared: Mapping[str, Any],
    reporter: Reporter,
) -> None:
    wrong = [name for name, count in parameters.items() if count != ARCHITECTURES[name].parameters]
    reporter.verdict(
        "published-sizes",
        ours=f"{len(parameters) - len(wrong)} of {len(parameters)}: "
        + ", ".join(f"{ARCHITECTURES[name].title} {count:,}" for name, count in parameters.items()),
        holds=not wrong,
    )

    texts, orders = [], []
    for setting, times in _V100.items():
        counted = flops.get(("resnet18", setting))
        if counted is None or config.image != 224:
            continue
        texts.append(
            f"N = {setting[0]}, O = {setting[1]}: "
            + " / ".join(f"{counted[method] / 1e12:.3g}" for method in METHODS)
        )
        # out of memory counts as slower than any time
        known = [method for method in METHODS if times[method] is not None]
        ranked = sorted(METHODS, key=lambda method: counted[method])
        fastest = sorted(known, key=lambda method: times[method] or math.inf)
        orders.append(ranked[: len(fastest)] == fastest)
    reporter.verdict(
        "order-of-the-v100",
        ours=f"TFLOP {'; '.join(texts)}"
        if texts
        else "ResNet-18 at 224² in a setting with official times is not in the config",
        holds=all(orders) if len(orders) == len(_V100) else None,
    )

    others: dict[str, Method] = {
        "structured-never-more": "jacobian",
        "structured-fewest": "vector_products",
    }
    for claim, method in others.items():
        shares = {case: counted["structured"] / counted[method] for case, counted in flops.items()}
        worst = max(shares, key=lambda case: shares[case])
        model, (batch, outputs) = worst
        reporter.verdict(
            claim,
            ours=f"{min(shares.values()):.3f} to {shares[worst]:.3f} of the operations of "
            f"{METHODS[method]} (most: {ARCHITECTURES[model].title}, N = {batch}, O = {outputs})",
            holds=shares[worst] <= 1.02,
        )
    judge_agreement([compared], reporter)
