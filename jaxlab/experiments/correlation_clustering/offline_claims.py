"""Claims of the experiment on offline clusterings, and what they are held to."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxlab.experiments.correlation_clustering.offline_measures import METHODS
from jaxlab.experiments.correlation_clustering.streams import PLANTED
from jaxlab.experiments.interface import Claim, Reporter

__all__ = ["CLAIMS", "judge", "ratios", "recovered"]

# clusters and vertices in each, and a share of flipped pairs at which they are still recovered
RECOVERED = {(5, 100): 0.01, (12, 40): 0.005}
WITHIN = 0.02  # of Leiden's cost
ROUNDING = 1e-5  # of the linear program

CLAIMS = (
    Claim(
        id="pivot-three",
        statement="Pivot costs at most three times the optimum in expectation.",
        source="Ailon, Charikar, Newman 2008, a baseline of the paper",
        paper="3",
        criterion="mean cost over the orders at most three times the optimum, on every small "
        "graph, some of which have an optimum above 0",
    ),
    Claim(
        id="certificates",
        statement="Packed bad triangles, linear program, optimum and every clustering's cost are "
        "in this order.",
        source="not in the paper: the bounds that costs are compared with",
        paper="–",
        criterion="packing ≤ linear program ≤ optimum ≤ least cost, on every small graph",
    ),
    Claim(
        id="cliques",
        statement="Cliques without noise are returned as they are.",
        source="definition of agreement: the neighbourhoods are equal",
        paper="cost 0",
        criterion="Agreement's clusters are the planted ones in every draw without noise",
    ),
    Claim(
        id="little-noise",
        statement="Agreement recovers planted cliques from a little noise.",
        source="not in the paper",
        paper="–",
        criterion="Agreement's clusters are the planted ones in every draw of "
        + ", and of ".join(
            f"{clusters} × {size} vertices with {100 * share:g} % of the pairs flipped"
            for (clusters, size), share in RECOVERED.items()
        ),
    ),
    Claim(
        id="as-leiden",
        statement="Local moves reach the cost of Leiden.",
        source="not in the paper",
        paper="–",
        criterion=f"cost after local moves from singletons at most {1 + WITHIN:g} times that of "
        "Leiden at resolution ½, the best of its seeds, on every real graph",
    ),
)


def ratios(cell: Mapping[str, Any], method: str) -> np.ndarray:
    """Cost over the optimum, of the graphs whose optimum is not 0."""
    optimum = np.asarray(cell["optimum"], float)
    return np.asarray(cell["cost"][method])[optimum > 0] / optimum[optimum > 0]


def recovered(cell: Mapping[str, Any], method: str) -> int:
    """Number of draws whose clusters are the planted ones."""
    return sum(value == 1 for value in cell["rand"][method])


def judge(
    config: Any,
    small: Mapping[int, Any],
    planted: Mapping[tuple[tuple[int, int], float], Any],
    real: Mapping[str, Any],
    peers: Mapping[str, Sequence[int]],
    reporter: Reporter,
) -> None:
    """Hold the numbers against the claims."""
    pivot = np.concatenate([ratios(cell, "pivot") for cell in small.values()])
    free = all(
        cost == 0
        for cell in small.values()
        for cost, best in zip(cell["cost"]["pivot"], cell["optimum"], strict=True)
        if best == 0
    )
    reporter.verdict(
        "pivot-three",
        ours=f"{pivot.mean():.3f} on average, {pivot.max():.3f} at most, of {len(pivot)} graphs"
        if len(pivot)
        else "no graph with an optimum above 0",
        holds=bool(free and pivot.max(initial=0) <= 3) if len(pivot) or not free else None,
    )

    chains = [
        packing <= program + ROUNDING and program <= best + ROUNDING and best <= min(costs)
        for cell in small.values()
        for packing, program, best, *costs in zip(
            cell["packing"],
            cell["program"],
            cell["optimum"],
            *[cell["cost"][method] for method in METHODS],
            strict=True,
        )
    ]
    reporter.verdict(
        "certificates",
        ours=f"in order on {sum(chains)} of {len(chains)} graphs",
        holds=all(chains),
    )

    def drawn(noise: Mapping[tuple[int, int], float]) -> tuple[str, bool | None]:
        """How often the planted clusters are found, of shapes that were drawn with such noise."""
        found = {
            shape: recovered(planted[shape, share], "agreement")
            for shape, share in noise.items()
            if (shape, share) in planted
        }
        text = ", ".join(
            f"{count} of {config.draws} draws of {clusters} × {size} at {noise[clusters, size]:.1%}"
            for (clusters, size), count in found.items()
        )
        every = all(count == config.draws for count in found.values())
        complete = bool(noise) and len(found) == len(noise)
        return text or "no such draw was made", every if complete or not every else None

    for claim, noise in (
        ("cliques", dict.fromkeys((shape for shape, _ in planted), 0.0)),
        ("little-noise", RECOVERED),
    ):
        ours, holds = drawn(noise)
        reporter.verdict(claim, ours=ours, holds=holds)

    over = {
        graph: cell["moves"] / min(peers[graph])
        for graph, cell in real.items()
        if peers and graph != PLANTED
    }
    reporter.verdict(
        "as-leiden",
        ours=", ".join(f"{graph} {value:.4f}" for graph, value in over.items())
        if over
        else "no real graph was run"
        if peers
        else "igraph is not installed",
        holds=all(value <= 1 + WITHIN for value in over.values()) if over else None,
    )
