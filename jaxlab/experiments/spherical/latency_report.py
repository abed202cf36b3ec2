"""Tables, figures and verdicts on what equivariant and planar networks cost."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator

from jaxlab.experiments import plotting
from jaxlab.experiments.interface import Reporter
from jaxlab.experiments.measure import at_least, mebibytes
from jaxlab.experiments.spherical.latency_networks import CALLS
from jaxlab.experiments.spherical.latency_stages import STAGES

__all__ = [
    "PLANAR",
    "Measured",
    "draw_cost",
    "draw_stages",
    "judge",
    "report_cost",
    "report_memory",
    "report_stages",
]

PLANAR = "planar"  # with the number of the draw


class Measured(NamedTuple):
    """One equivariant network and its planar rivals at one bandwidth.

    Attributes:
        memory: by network, ``"params"``, ``"layers"`` and by call ``"bytes"``.
        seconds: by call and network.
        compile_seconds: by network and call.
    """

    memory: Mapping[str, Mapping[str, Any]]
    seconds: Mapping[str, Mapping[str, float]]
    compile_seconds: Mapping[str, Mapping[str, float]]


Pairs = Mapping[tuple[str, int], Measured]


def _split(values: Mapping[str, float]) -> tuple[float, float]:
    """The value of the equivariant network, and the median of the planar ones."""
    planar = [value for title, value in values.items() if title.startswith(PLANAR)]
    (own,) = (value for title, value in values.items() if not title.startswith(PLANAR))
    return own, float(np.median(planar))


def _bytes(measured: Measured, call: str) -> dict[str, float]:
    known = {title: of["bytes"][call] for title, of in measured.memory.items()}
    return {title: math.nan if value is None else float(value) for title, value in known.items()}


def _ratio(values: Mapping[str, float]) -> float:
    """Equivariant over planar; NaN where the planar value was not measured, or is 0."""
    own, planar = _split(values)
    return own / planar if planar else math.nan


def _digits(value: float) -> float:
    return float(f"{value:.3g}")


def report_memory(measured: Pairs, reporter: Reporter, text: str) -> None:
    """Parameters and temporary memory, which do not depend on the machine's load."""
    rows = []
    for (name, b), of_pair in measured.items():
        for title, of in of_pair.memory.items():
            mib = [mebibytes(of["bytes"][call]) for call in CALLS]
            layers = " ".join(map(str, of["layers"]))
            rows.append([name, b, title, layers, of["params"], *mib])
        reporter.scalar(f"memory of training over planar, {name}, b = {b}", _memory_ratio(of_pair))
    columns = [f"MiB, {title}" for title in CALLS.values()]
    reporter.table(
        "memory",
        ["pair", "b", "network", "channels", "parameters", *columns],
        rows,
        "Temporary memory of compiled calls, parameters, tables and images not counted; planar: "
        f"random planar networks of about the same number of parameters; {text}.",
    )


def _memory_ratio(measured: Measured) -> float:
    return _digits(_ratio(_bytes(measured, "training")))


def report_cost(measured: Pairs, batch: int, reporter: Reporter, text: str) -> None:
    """Times of all networks."""
    rows = []
    for (name, b), of_pair in measured.items():
        for title in of_pair.memory:
            one, many, step = (of_pair.seconds[call][title] for call in CALLS)
            compiling = of_pair.compile_seconds[title]["training"]
            numbers = [1000 * one, batch / many, 1000 * step, compiling]
            rows.append([name, b, title, *map(_digits, numbers)])
    reporter.table(
        "cost",
        ["pair", "b", "network", "ms one image", "images/s", "ms a step", "s to compile it"],
        rows,
        f"Latency, throughput, training step and its compilation; {text}.",
        timed=True,
    )
    reporter.table(
        "ratios",
        ["network", "b", *CALLS.values(), "compiling a step", "memory of a step"],
        [
            [
                name,
                b,
                *(_digits(_ratio(of_pair.seconds[call])) for call in CALLS),
                _digits(_compile_ratio(of_pair)),
                _memory_ratio(of_pair),
            ]
            for (name, b), of_pair in measured.items()
        ],
        "Time, and temporary memory, of the equivariant network over the median of the planar "
        f"ones; {text}.",
        timed=True,
    )


def _compile_ratio(measured: Measured) -> float:
    return _ratio({title: of["training"] for title, of in measured.compile_seconds.items()})


def draw_cost(measured: Pairs, reporter: Reporter, text: str) -> None:
    """Times of the equivariant networks over those of the planar ones."""
    labels = [f"{name}, b = {b}" for name, b in measured]
    names = {**CALLS, "memory": "memory of a step"}
    figure, axes = plotting.new_figure(
        1, len(names), panel=(2.5, 1.2 + 0.28 * len(labels)), sharey=True
    )
    for column, (ax, (call, title)) in enumerate(zip(axes, names.items(), strict=True)):
        ratios = [
            _memory_ratio(of_pair) if call == "memory" else _ratio(of_pair.seconds[call])
            for of_pair in measured.values()
        ]
        known = np.nan_to_num(ratios, nan=1.0)
        colour = plotting.COLOURS[column]
        ax.barh(np.arange(len(labels)), known - 1, left=1, height=0.6, color=colour)
        for row, ratio in enumerate(ratios):
            ax.annotate(
                f"{ratio:.2g}",
                (max(known[row], 1.0), row),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                fontsize=8,
            )
        ax.axvline(1, color=plotting.INK, linewidth=1)
        _ratio_axis(ax, float(known.min()), float(known.max()))
        ax.grid(False, axis="y")
        ax.set_title(title)
    axes[0].set_yticks(np.arange(len(labels)), labels)
    axes[0].invert_yaxis()
    figure.supxlabel("equivariant over planar, at about the same number of parameters", fontsize=10)
    reporter.figure(
        "ratios",
        figure,
        "Time per call, and temporary memory of a training step, of equivariant networks over the "
        f"median of planar ones with about as many parameters: right of 1 the equivariant one "
        f"costs more; {text}.",
    )


def _ratio_axis(ax: Axes, low: float, high: float) -> None:
    """Logarithmic x axis around 1 with room for numbers right of the bars, and few ticks."""
    left, right = min(0.5, 0.8 * low), max(2.0, 2.5 * high)
    step = 2 if right < 20 * left else 10
    ticks = [float(step) ** power for power in range(-9, 10)]
    ax.set_xscale("log")
    ax.set_xlim(left, right)
    ax.xaxis.set_major_locator(FixedLocator([tick for tick in ticks if left <= tick <= right]))
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_locator(NullLocator())


def report_stages(
    stages: Mapping[tuple[str, int], Mapping[str, float]], reporter: Reporter, text: str
) -> None:
    """Times of the stages."""
    rows = []
    for (name, b), of_stages in stages.items():
        parts = [of_stages[stage] for stage in STAGES]
        milliseconds = [_digits(1000 * part) for part in (*parts, sum(parts), of_stages["whole"])]
        rows.append([name, b, *milliseconds])
        for stage, title in STAGES.items():
            reporter.timing(f"seconds, {title}, {name}, b = {b}", of_stages[stage])
    reporter.table(
        "stages",
        ["network", "b", *(f"ms, {title}" for title in STAGES.values()), "sum", "whole network"],
        rows,
        "Stages of one inference on a batch, from parts compiled by themselves, and the network as "
        "it is used, in which the compiler may fuse some of them, with whatever else it has, such "
        f"as batch-norm and dense layers; {text}.",
        timed=True,
    )


def draw_stages(
    stages: Mapping[tuple[str, int], Mapping[str, float]], reporter: Reporter, text: str
) -> None:
    """Shares of the stages."""
    labels = [f"{name}, b = {b}" for name, b in stages]
    figure, ax = plotting.new_figure(panel=(5.6, 1.3 + 0.35 * len(labels)))
    left = np.zeros(len(labels))
    for place, (stage, title) in enumerate(STAGES.items()):
        shares = np.array([100 * of[stage] / _sum(of) for of in stages.values()])
        colour = plotting.COLOURS[place]
        drawn = ax.barh(np.arange(len(labels)), shares, left=left, label=title, color=colour)
        written = [f"{share:.0f}" if share >= 5 else "" for share in shares]
        ax.bar_label(drawn, written, label_type="center", fontsize=8, color="white")
        left += shares
    ax.set_yticks(np.arange(len(labels)), labels)
    ax.invert_yaxis()
    ax.grid(False, axis="y")
    ax.set(xlim=(0, 100), xlabel="share of the time of all stages, %")
    ax.set_title("Where an equivariant network spends its time")
    plotting.legend(figure)
    reporter.figure(
        "stages",
        figure,
        f"Stages of one inference on a batch, from parts compiled by themselves; {text}.",
    )


def _sum(of_stages: Mapping[str, float]) -> float:
    return sum(of_stages[stage] for stage in STAGES) or 1.0


def judge(measured: Pairs, reporter: Reporter) -> None:
    """Verdicts; their texts are coarse enough to repeat."""
    ratios = {
        call: [_ratio(of_pair.seconds[call]) for of_pair in measured.values()] for call in CALLS
    }
    _verdict("slower-at-inference", ratios, ("one", "batch"), reporter)
    _verdict("slower-in-training", ratios, ("training",), reporter)
    memory = [_ratio(_bytes(of_pair, "training")) for of_pair in measured.values()]
    reporter.verdict(
        "more-memory",
        ours=_range(f"{min(memory):.2g}×", f"{max(memory):.2g}×") + " the planar memory",
        holds=min(memory) > 1 if all(np.isfinite(memory)) else None,
    )


def _verdict(
    claim: str, ratios: Mapping[str, Sequence[float]], calls: Sequence[str], reporter: Reporter
) -> None:
    """Verdict on times of which every one should be the larger."""
    # NumPy's: one NaN makes them NaN
    least = {call: float(np.min(ratios[call])) for call in calls}
    most = {call: float(np.max(ratios[call])) for call in calls}
    texts = [
        f"{CALLS[call]}: {_range(at_least(least[call]), at_least(most[call]))} the planar time"
        for call in calls
    ]
    known = all(math.isfinite(ratio) for ratio in least.values())
    holds = all(ratio > 1 for ratio in least.values()) if known else None
    reporter.verdict(claim, ours="; ".join(texts), holds=holds)


def _range(low: str, high: str) -> str:
    return low if low == high else f"{low} to {high}"
