"""Figures of the experiment on scores and angles."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.ticker import NullFormatter

from jaxlab.experiments import plotting
from jaxlab.experiments.interface import Reporter
from jaxlab.experiments.leverage.angles_report import KINDS

__all__ = ["draw_bounds", "draw_envelopes"]

Rows = Sequence[Mapping[str, Any]]

_LOWEST = 1e-6  # on logarithmic axes
_BOUNDS = {
    "linear": "Σ sin² θ ≤ (σ_max(A_S̄) / σ_R,min)² ε",
    "refined": "Σ sin² θ ≤ ‖A_S̄ (V_R)_S̄ Σ_R⁻¹‖²",
    "tangent": "tan θ_max, Σ tan² θ",
    "lower": "Σ sin² θ ≥ ε / (σ_R,max ‖(A⁺)ᵀ_S̄‖)²",
}


def _shown(rows: Rows, kind: str, k: int) -> Rows:
    """The cases of the subset of one kind whose size is nearest ``k``, by number of columns."""
    here = [row for row in rows if row["kind"] == kind and row["selection"] == "scores"]
    if not here:
        return []
    vectors = min((row["vectors"] for row in here), key=lambda found: (abs(len(found) - k), found))
    here = [row for row in here if row["vectors"] == vectors and row["deficit"] > _LOWEST]
    return sorted(here, key=lambda row: row["deficit"])


def draw_envelopes(
    config: Any, titles: Mapping[str, str], rows: Rows, reporter: Reporter, k: int = 5
) -> None:
    """Angles against the deficit between the bounds, for one subset of each kind."""
    figure, axes = plotting.new_figure(len(titles), len(KINDS), panel=(3.4, 3.2))
    axes = np.reshape(axes, (len(titles), len(KINDS)))
    for line, (name, title) in zip(axes, titles.items(), strict=True):
        of_data = [row for row in rows if row["data"] == name]
        for ax, (kind, label) in zip(line, KINDS.items(), strict=True):
            cases = _shown(of_data, kind, k)
            if not cases:
                ax.set_visible(False)
                continue
            deficit = [max(row["deficit"], _LOWEST) for row in cases]
            most = [min(row["upper_refined"], row["k"]) for row in cases]
            linear = [min(row["upper_linear"], row["k"]) for row in cases]
            least = [max(row["lower"] if row["full_rank"] else 0.0, _LOWEST) for row in cases]
            ax.fill_between(deficit, least, most, color=plotting.COLOURS[5], alpha=0.25, lw=0)
            colours = dict(zip(("refined", "linear", "lower"), (5, 4, 2), strict=True))
            for bound, values in (("refined", most), ("linear", linear), ("lower", least)):
                look = {"color": plotting.COLOURS[colours[bound]], "linewidth": 1.4}
                ax.plot(deficit, values, "--" if bound == "linear" else "-", **look)
                ax.plot([], [], "--" if bound == "linear" else "-", label=_BOUNDS[bound], **look)
            ax.plot(
                deficit,
                [row["angles"] for row in cases],
                "o",
                color=plotting.COLOURS[0],
                label="measured Σ sin² θ, columns by score",
                markersize=5,
            )
            first, size = cases[0]["vectors"][0], cases[0]["k"]
            if kind == "random":
                place = "1 vector" if size == 1 else f"{size} vectors"
            else:
                place = f"{first}" if size == 1 else f"{first}–{first + size - 1}"
            ax.set(title=f"{label}: {place}", xlabel="leverage deficit ε")
            ax.set(xscale="log", yscale="log", ylim=(_LOWEST, 2 * size))
            ax.xaxis.set_minor_formatter(NullFormatter())
        for ax in [ax for ax in line if ax.get_visible()][:1]:
            ax.set_ylabel(f"{title.split(' →')[0]}\nΣ sin² θ")
    plotting.legend(figure)
    reporter.figure(
        "envelopes",
        figure,
        "Sum of squared sines of the angles between columns selected by their scores and the "
        "chosen singular vectors, by leverage deficit; fewer columns to the right. Bounds are "
        "drawn up to the number of angles.",
    )


def draw_bounds(config: Any, titles: Mapping[str, str], rows: Rows, reporter: Reporter) -> None:
    """All cases: angles against the deficit, and against the bounds."""
    figure, axes = plotting.new_figure(1, 3, panel=(4.2, 3.9))
    for index, (kind, label) in enumerate(KINDS.items()):
        here = [row for row in rows if row["kind"] == kind and row["angles"] > 1e-9]
        look = {
            "s": 9,
            "alpha": 0.45,
            "color": plotting.COLOURS[index],
            "label": label,
            "linewidths": 0,
        }
        angles = [row["angles"] for row in here]
        axes[0].scatter([row["deficit"] for row in here], angles, **look)
        axes[1].scatter([row["upper_refined"] for row in here], angles, **look)
        with_lower = [row for row in here if row["full_rank"] and row["lower"] > 0]
        axes[2].scatter(
            [row["lower"] for row in with_lower], [row["angles"] for row in with_lower], **look
        )
    for ax, label in zip(
        axes, ("leverage deficit ε", "upper bound, refined", "lower bound"), strict=True
    ):
        ax.set(xscale="log", yscale="log", xlabel=label)
        ends = ax.get_xlim()
        if ax is not axes[0]:
            ax.plot(ends, ends, color=plotting.INK, linewidth=1)
            ax.set_xlim(ends)
    axes[0].set_ylabel("Σ sin² θ, measured")
    axes[0].set_title("what scores alone say")
    axes[1].set_title("below the line: bound kept")
    axes[2].set_title("above the line: bound kept")
    plotting.legend(figure)
    reporter.figure(
        "bounds",
        figure,
        f"Cases of {', '.join(title.split(' →')[0] for title in titles.values())}: measured angles "
        "against the deficit and against the bounds.",
    )
