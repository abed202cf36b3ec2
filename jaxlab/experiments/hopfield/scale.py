"""Large banks: time, memory and exactness of blocked retrieval as the number of memories grows.

Dense retrieval keeps a score for every query and memory; blocked retrieval keeps one block of them.
What is measured is XLA's own account of the temporary memory of the compiled call, and wall times
of that call after a warm-up (:mod:`.scale_measures`).
"""

import functools
import operator
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax

from jaxlab.experiments import plotting
from jaxlab.experiments.hopfield.scale_measures import (
    Call,
    Config,
    exactness,
    function_of,
    sharded_differences,
)
from jaxlab.experiments.hopfield.sharding import bank_and_queries
from jaxlab.experiments.interface import Claim, Reporter
from jaxlab.experiments.measure import compile_call, mebibytes, median_seconds

__all__ = ["CLAIMS", "Config", "run"]

CLAIMS = (
    Claim(
        id="memory-independent-of-n",
        statement="Blocked softmax retrieval and top-k need temporary memory that does not depend "
        "on the number of memories.",
        source="not in the paper: a property of this implementation",
        paper="–",
        criterion="temporary bytes at the largest N within 10 % of those at the smallest, for all "
        "block sizes, with N growing at least tenfold",
    ),
    Claim(
        id="blocked-is-exact",
        statement="Blocked retrieval is exact: the softmax output as near to float64 as dense "
        "retrieval's, and all of the true top-k.",
        source="not in the paper: a property of this implementation",
        paper="–",
        criterion="against float64, for every N: the softmax output's error (of its largest entry) "
        "is at most twice that of dense float32 retrieval, or 1e-6; every true neighbour is found",
    ),
    Claim(
        id="sharded-is-single",
        statement="A bank sharded over devices retrieves what one device retrieves.",
        source="not in the paper: a property of this implementation",
        paper="–",
        criterion="softmax outputs differ by at most 1e-5 of their largest entry and all top-k "
        "indices are equal",
    ),
)


def run(config: Config, run_dir: Path, reporter: Reporter) -> None:
    """Compile, measure and compare every call at every N."""
    sizes = sorted(config.n)
    calls = [
        Call(method, block) for method in ("softmax", "top-k") for block in (*config.block, None)
    ]
    reporter.plan(len(sizes) * (len(calls) + 1) + 1)
    temp_bytes: dict[tuple[Call, int], int] = {}
    seconds: dict[tuple[Call, int], float] = {}
    exact = {}
    for n in sizes:
        bank, query = bank_and_queries(config.seed, n, config.dim, config.queries, config.noise)
        exact[n] = reporter.cell(
            f"exactness/n={n}", functools.partial(exactness, config, bank, query)
        )
        for call in calls:
            compiled = compile_call(function_of(config, call), query, bank)
            memory = functools.partial(operator.attrgetter("temporary_bytes"), compiled)
            temp_bytes[call, n] = reporter.cell(f"bytes/{call.label}/n={n}", memory)
            seconds[call, n] = median_seconds(compiled.call, query, bank, repeats=config.repeats)
            reporter.timing(f"seconds, {call.label}, N = {n}", seconds[call, n])
        del bank
    sharded = reporter.cell("sharded", functools.partial(sharded_differences, config, sizes[0]))
    caption = (
        f"{config.queries} queries, d = {config.dim}, float32, Gaussian memories of length about "
        f"1, seed {config.seed}"
    )
    _report_tables(config, calls, sizes, temp_bytes, seconds, exact, reporter, caption)
    _draw(calls, sizes, temp_bytes, seconds, config, reporter, caption)
    _judge(config, calls, sizes, temp_bytes, exact, sharded, reporter)


def _report_tables(
    config: Config,
    calls: list[Call],
    sizes: list[int],
    temp_bytes: Mapping[tuple[Call, int], int],
    seconds: Mapping[tuple[Call, int], float],
    exact: Mapping[int, dict[str, float]],
    reporter: Reporter,
    caption: str,
) -> None:
    reporter.table(
        "cost",
        [
            "call",
            *[f"seconds, N = {n}" for n in sizes],
            *[f"temporary MiB, N = {n}" for n in sizes],
        ],
        [
            [
                call.label,
                *[float(f"{seconds[call, n]:.3g}") for n in sizes],
                *[mebibytes(temp_bytes[call, n]) for n in sizes],
            ]
            for call in calls
        ],
        f"Wall time of one call (median of {config.repeats}, warm) and XLA's temporary memory; "
        f"{caption}; {jax.device_count()} × {jax.devices()[0].device_kind}.",
        timed=True,
    )
    reporter.table(
        "exactness",
        ["N", "blocked", "dense", "exact", "approximate", "int8", "own memory is nearest"],
        [
            [
                n,
                *[float(f"{result[name]:.2g}") for name in ("blocked_error", "dense_error")],
                *[round(result[name], 4) for name in ("exact", "approximate", "int8", "own_first")],
            ]
            for n, result in exact.items()
        ],
        "Against float64: error of the softmax output, blocked and dense (largest difference over "
        f"largest entry), and recall of the {config.k} nearest memories by the exact, the "
        f"approximate and the eight-bit selection; block {min(config.block)}, {caption}.",
    )
    few, many = exact[sizes[0]], exact[sizes[-1]]
    if all(many[name] > 2 * few[name] for name in ("blocked_error", "dense_error")):
        reporter.note(
            "Both softmax outputs err more with more memories: weights of far memories may be lost "
            "in the rounding of a sum that already holds the nearest one, although together they "
            "weigh something."
        )
    if any(n % block for n in exact for block in config.block):
        reporter.note(
            "Blocks are cut to equal size, at most the given one: an N that is not a whole number "
            "of blocks may use smaller blocks, and less memory, than one that is."
        )
    if jax.default_backend() != "tpu":
        reporter.note(
            "The approximate selection is approximate on TPU only; elsewhere it is the exact one, "
            "so its recall here says nothing about a TPU."
        )


def _draw(
    calls: list[Call],
    sizes: list[int],
    temp_bytes: Mapping[tuple[Call, int], int],
    seconds: Mapping[tuple[Call, int], float],
    config: Config,
    reporter: Reporter,
    caption: str,
) -> None:
    figure, axes = plotting.new_figure(2, 2, panel=(4.6, 3.0), sharex=True)
    for row in axes:
        row[1].sharey(row[0])
    looks = plotting.styles([*map(str, config.block), "dense"])
    for column, method in enumerate(("softmax", "top-k")):
        axes[0, column].set_title(
            {"softmax": "softmax retrieval", "top-k": f"{config.k} nearest"}[method]
        )
        for call in calls:
            if call.method != method:
                continue
            name = "dense" if call.block is None else str(call.block)
            label = name if call.block is None else f"block {name}"
            plotting.curves(
                axes[0, column],
                sizes,
                [seconds[call, n] for n in sizes],
                label=label,
                style=looks[name],
            )
            if temp_bytes[call, sizes[0]] is not None:
                used = [temp_bytes[call, n] / 2**20 for n in sizes]
                plotting.curves(axes[1, column], sizes, used, label=label, style=looks[name])
        for ax in axes[:, column]:
            plotting.count_axis(ax, sizes)
            ax.set_yscale("log")
        axes[1, column].set_xlabel("stored memories N")
    axes[0, 0].set_ylabel("time of one call, s")
    axes[1, 0].set_ylabel("temporary memory, MiB")
    plotting.legend(figure)
    reporter.figure(
        "cost",
        figure,
        f"Time of one call (median of {config.repeats}, warm) and temporary memory of the compiled "
        f"call against the number of memories; {caption}. Times depend on the machine and its "
        "load: compare the curves, not the seconds.",
    )


def _judge(
    config: Config,
    calls: list[Call],
    sizes: list[int],
    temp_bytes: Mapping[tuple[Call, int], int],
    exact: Mapping[int, dict[str, float]],
    sharded: dict[str, Any],
    reporter: Reporter,
) -> None:
    small, large = sizes[0], sizes[-1]
    blocked = [call for call in calls if call.block is not None]
    known = all(temp_bytes[call, n] is not None for call in blocked for n in (small, large))
    if known and large >= 10 * small:
        growth = {call: temp_bytes[call, large] / temp_bytes[call, small] for call in blocked}
        changed = max(growth, key=lambda call: abs(growth[call] - 1))
        used, dense = temp_bytes[changed, large], temp_bytes[Call("softmax", None), large]
        reporter.verdict(
            "memory-independent-of-n",
            ours=f"×{growth[changed]:.3f} from N = {small} to {large} ({changed.label}, the "
            f"largest change of {len(blocked)}: {used / 2**20:.3g} MiB; dense softmax "
            f"{dense / 2**20:.3g} MiB)",
            holds=abs(growth[changed] - 1) <= 0.1,
        )
    else:
        ours = f"N from {small} to {large}" if known else "this backend does not tell its memory"
        reporter.verdict("memory-independent-of-n", ours=ours, holds=None)

    allowed = {n: max(2 * result["dense_error"], 1e-6) for n, result in exact.items()}
    worst = max(exact, key=lambda n: exact[n]["blocked_error"] / allowed[n])
    within = all(result["blocked_error"] <= allowed[n] for n, result in exact.items())
    recall = min(result["exact"] for result in exact.values())
    reporter.scalar("recall of int8 top-k, largest N", round(exact[large]["int8"], 4))
    reporter.verdict(
        "blocked-is-exact",
        ours=f"softmax error {exact[worst]['blocked_error']:.1e} at N = {worst} (dense "
        f"{exact[worst]['dense_error']:.1e}); "
        f"at least {100 * recall:g} % of the true top-k found",
        holds=within and recall == 1.0,
    )
    reporter.verdict(
        "sharded-is-single",
        ours=f"{sharded['devices']} devices, N = {small}: outputs within "
        f"{sharded['output_error']:.1e}, {100 * sharded['same_indices']:g} % of indices equal",
        holds=sharded["output_error"] <= 1e-5 and sharded["same_indices"] == 1.0,
    )
