"""Tables of equivariance errors."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxlab.experiments.interface import Reporter
from jaxlab.experiments.spherical.equivariance_error_claims import TITLES, Errors
from jaxlab.experiments.spherical.equivariance_error_measures import ROUNDED, UPSAMPLING

__all__ = ["report_activations", "report_linear", "report_trained", "report_variants"]


def _short(values: Sequence[float]) -> float:
    """The mean, to two digits."""
    return float(f"{np.mean(values):.2g}")


def report_activations(errors: Errors, reporter: Reporter, text: str) -> None:
    """Errors by activation and oversampling."""
    grids = sorted({over for of_activation in errors.values() for over in of_activation})
    rows: list[list[Any]] = []
    for name, of_activation in errors.items():
        means = [_short(of_activation[r]) if r in of_activation else None for r in grids]
        rows.append([TITLES[name], *means])
        for over, values in of_activation.items():
            reporter.scalar(f"error, {TITLES[name]}, ×{over:g}", _short(values))
    reporter.table(
        "activations",
        ["activation", *(f"×{over:g}" for over in grids)],
        rows,
        "Equivariance error by activation and by the oversampling of the grid on which it is "
        f"evaluated, means over draws; {text}.",
    )


def report_variants(
    variants: Mapping[str, Mapping[str, Sequence[float]]], reporter: Reporter, text: str
) -> None:
    """How much the errors depend on what the chain is made of."""
    columns = list(next(iter(variants.values())))
    rows = [[name, *(_short(errors[c]) for c in columns)] for name, errors in variants.items()]
    titles = [f"{TITLES[c.split()[0]]} {c.split()[1]}" for c in columns]
    reporter.table(
        "variants",
        ["chain", *titles],
        rows,
        "Equivariance errors of some activations, each at one oversampling, of chains that differ "
        f"in one thing; {text}.",
    )


def report_linear(
    grids: Mapping[int, Mapping[str, Sequence[float]]],
    upsampling: Mapping[str, Sequence[float]],
    rounded: Mapping[str, Sequence[float]],
    reporter: Reporter,
    text: str,
) -> None:
    """What costs linear layers their equivariance."""
    reporter.table(
        "grids",
        ["b", "images on the network's grid", "images on the Driscoll–Healy grid"],
        [[b, _short(errors["one"]), _short(errors["two"])] for b, errors in grids.items()],
        "Equivariance error without activation, the network's grid being that of Kostelec and "
        "Rockmore and its bandlimits on the rotation group the same at every bandwidth b of the "
        f"images; {text}.",
    )
    reporter.table(
        "upsampling",
        ["degrees from the input's bandlimit on", "error"],
        [
            ["zero", _short(upsampling["zero_pad"])],
            ["from a quadrature too coarse for them, as published", _short(upsampling["aliased"])],
        ],
        "Equivariance error without activation of a chain of bandwidths "
        f"{' → '.join(map(str, UPSAMPLING))}, whose bandlimit rises from {UPSAMPLING[1]} to "
        f"{UPSAMPLING[2]}; {text}.",
    )
    reporter.table(
        "bfloat16",
        ["rounded to bfloat16", "error"],
        [[title, _short(rounded[what])] for what, title in ROUNDED.items()],
        "Equivariance error without activation when something is rounded to bfloat16, everything "
        f"being computed in float32; {text}.",
    )
    for b, errors in grids.items():
        reporter.scalar(f"error, two kinds of grid, b = {b}", _short(errors["two"]))


def report_trained(
    networks: Mapping[str, Sequence[Mapping[str, Any]]], reporter: Reporter, text: str
) -> None:
    """Errors of trained networks."""
    rows = []
    for name, cells in networks.items():
        score = float(f"{100 * np.mean([cell['score'] for cell in cells]):.3g}")
        for place, over in enumerate(cells[0]["oversample"]):
            before, after, moved = (
                np.mean([cell[what][place] for cell in cells])
                for what in ("before", "after", "moved")
            )
            row = [TITLES[name], f"×{over:g}", score, float(f"{before:.2g}"), float(f"{after:.2g}")]
            rows.append([*row, float(f"{100 * moved:.2g}")])
            reporter.scalar(f"trained, {TITLES[name]}, ×{over:g}", float(f"{after:.2g}"))
    reporter.table(
        "trained",
        ["activation", "oversampling", "mIoU %", "error before", "error after", "moved %"],
        rows,
        "Equivariance error of the logits before and after training, by the oversampling of the "
        "activation's grid, which is ×1 in training; moved: pixels off the background whose class "
        "depends on the orientation in which the network sees the image, after training; mIoU, "
        f"without background, on validation images as they are; {text}.",
    )
