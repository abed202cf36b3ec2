"""Claims, tables and figures of the experiment on time and memory."""

from collections.abc import Mapping
from typing import Any

from jaxlab.experiments import plotting
from jaxlab.experiments.interface import Claim, Reporter
from jaxlab.experiments.measure import at_least, mebibytes

__all__ = ["CLAIMS", "LABELS", "draw_times", "judge", "tabulate"]

Shape = tuple[int, int]

LABELS = {
    "gram": "jaxlab, Gram matrix",
    "qr": "jaxlab, QR",
    "exact": "jaxlab, exact",
    "randomized": "jaxlab, randomized",
    "moments": "jaxlab, moments of batches",
    "numpy svd": "NumPy, svd",
    "sklearn randomized_svd": "scikit-learn, randomized_svd",
    "scipy pivoted qr": "SciPy, pivoted QR",
    "skmatter cur": "scikit-matter, CUR",
}
_DOUBLE, _FASTER, _ERROR = 2.2, 3.0, 1e-8

CLAIMS = (
    Claim(
        id="linear-in-rows",
        statement="Time grows at most in proportion to the number of rows.",
        source="not in the abstract: the cost of a Gram matrix",
        paper="–",
        criterion=f"Gram route: at most {_DOUBLE} times the time for twice the rows",
    ),
    Claim(
        id="faster-than-svd",
        statement="Scores of a tall matrix need no singular value decomposition of it.",
        source="not in the abstract: the cost of a Gram matrix",
        paper="–",
        criterion=f"Gram route in float64 at 100,000 × 256: at least {_FASTER:g} times as fast as "
        f"numpy.linalg.svd, scores within {_ERROR:g}",
    ),
    Claim(
        id="sharded",
        statement="Rows may be spread over devices.",
        source="not in the abstract",
        paper="–",
        criterion="scores, residuals and selected columns of rows spread over several devices "
        "are those of one device: differences below 1e-4 in float32, columns the same",
    ),
)


def tabulate(
    config: Any,
    seconds: Mapping[Shape, Mapping[str, float]],
    memory: Mapping[Shape, Mapping[str, int | None]],
    errors: Mapping[str, float],
    spread: Mapping[str, Any],
    doubled: Mapping[int, float],
    reference: Mapping[str, float],
    reporter: Reporter,
) -> None:
    """Times, memory, errors and growth."""
    names = [name for name in LABELS if any(name in found for found in seconds.values())]
    lines: list[list[Any]] = []
    for (m, n), found in seconds.items():
        for name in names:
            if name in found:
                held = mebibytes(memory[m, n].get(name))
                lines.append([f"{m:,} × {n}", LABELS[name], float(f"{1000 * found[name]:.3g}")])
                lines[-1] += ["–" if held is None else held]
    reporter.table(
        "times",
        ["matrix", "route", "milliseconds", "temporary MiB"],
        lines,
        f"Scores of the columns for {config.k} singular vectors, or as many as there are, float32; "
        f"the matrix is on the device, but for moments, whose batches of {config.batch:,} rows "
        "come from the host. Peers, on the host, decompose, or select. Medians of "
        f"{config.repeats} calls in turns.",
        timed=True,
    )
    before: float | None = None
    lines = []
    for m, value in doubled.items():
        ratio = "–" if before is None else round(value / before, 2)
        lines.append([m, round(1000 * value, 2), ratio])
        before = value
    reporter.table(
        "growth",
        ["rows", "milliseconds", "times the line above"],
        lines,
        f"The Gram route with {config.doubled_columns} columns, float32.",
        timed=True,
    )
    m, n = config.reference
    reporter.table(
        "reference",
        ["route", "milliseconds", "largest error of a score"],
        [
            [LABELS[name], "–", float(f"{errors[name]:.1e}")]
            if name != "gram"
            else [LABELS[name], round(1000 * reference["gram"], 1), float(f"{errors[name]:.1e}")]
            for name in errors
        ]
        + [[LABELS["numpy svd"], round(1000 * reference["numpy"], 1), "–"]],
        f"{m:,} × {n}, float64, against NumPy's decomposition.",
        timed=True,
    )
    m, n = config.sharded
    reporter.table(
        "sharded",
        ["devices", "scores, Gram matrix", "scores, QR", "residual fraction", "same columns"],
        [
            [spread["devices"]]
            + [float(f"{spread[name]:.1e}") for name in ("gram", "qr", "residual")]
            + ["yes" if spread["columns"] else "no"]
        ],
        f"Largest differences between one device and {spread['devices']}, {m:,} × {n}, float32.",
        timed=True,  # rounding errors
    )


def draw_times(
    config: Any,
    seconds: Mapping[Shape, Mapping[str, float]],
    doubled: Mapping[int, float],
    reporter: Reporter,
) -> None:
    """Time by matrix and route, and growth with the rows."""
    figure, (left, right) = plotting.new_figure(1, 2, panel=(5.4, 4.0))
    names = [name for name in LABELS if any(name in found for found in seconds.values())]
    looks = plotting.styles(names)
    shapes = sorted(seconds, key=lambda shape: shape[0] * shape[1])
    for name in names:
        places = [place for place, shape in enumerate(shapes) if name in seconds[shape]]
        values = [1000 * seconds[shapes[place]][name] for place in places]
        dashed = {} if name in config.routes else {"linestyle": "--"}
        plotting.curves(left, places, values, label=LABELS[name], style=looks[name] | dashed)
    left.set_xticks(range(len(shapes)), [f"{m:,}\n× {n}" for m, n in shapes])
    left.set(yscale="log", ylabel="milliseconds", xlabel="matrix", title="by matrix")
    rows = sorted(doubled)
    times = [1000 * doubled[m] for m in rows]
    plotting.curves(right, rows, times, label=LABELS["gram"], style=looks[names[0]])
    linear = [times[0] * m / rows[0] for m in rows]
    right.plot(rows, linear, ":", color=plotting.INK, label="in proportion to the rows")
    right.set(xlim=(0, None), ylim=(0, None))
    right.set_xticks(rows, [f"{m:,}" for m in rows])
    right.set(
        xlabel="rows", ylabel="milliseconds", title=f"Gram route, {config.doubled_columns} columns"
    )
    plotting.legend(figure)
    reporter.figure(
        "times",
        figure,
        "Left: time of the scores of all columns by matrix; dashed are other libraries, which "
        "decompose, or select. Right: time by number of rows.",
    )


def judge(
    config: Any,
    errors: Mapping[str, float],
    spread: Mapping[str, Any],
    doubled: Mapping[int, float],
    reference: Mapping[str, float],
    reporter: Reporter,
) -> None:
    """Hold times and differences against the criteria."""
    rows = sorted(doubled)
    steps = [(m, 2 * m) for m in rows if 2 * m in doubled]
    # short calls are mostly overhead, which hides growth and does not make it
    ratios = [doubled[double] / doubled[m] for m, double in steps]
    reporter.verdict(
        "linear-in-rows",
        ours=("within" if max(ratios) <= _DOUBLE else "beyond") + f" {_DOUBLE} at every doubling"
        if ratios
        else "not run",
        holds=max(ratios) <= _DOUBLE if ratios else None,
    )
    ratio = reference["numpy"] / reference["gram"]
    text = f"{at_least(ratio)} as fast; "
    close = errors["gram"] <= _ERROR
    text += "scores within" if close else "scores off by more than"
    reporter.verdict(
        "faster-than-svd",
        ours=f"{text} {_ERROR:g}",
        holds=close and ratio >= _FASTER if tuple(config.reference) == (100_000, 256) else None,
    )
    differences = [spread[name] for name in ("gram", "qr", "residual")]
    same = spread["columns"] and all(difference < 1e-4 for difference in differences)
    reporter.verdict(
        "sharded",
        ours=f"{'the same' if same else 'not the same'} to 1e-4 on {spread['devices']} devices",
        holds=same if spread["devices"] > 1 else None,
    )
