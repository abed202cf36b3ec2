"""What is claimed about equivariance errors, and the verdicts.

Of a network with ReLU it must not be said that it is exactly equivariant: the claims say of what it
may be said, and what it costs elsewhere.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from jaxlab.experiments.interface import Claim, Reporter

__all__ = [
    "CLAIMS",
    "TITLES",
    "Errors",
    "judge_activations",
    "judge_grids",
    "judge_trained",
]

TITLES = {
    "none": "none (linear)",
    "relu": "ReLU",
    "gelu": "GELU",
    "silu": "SiLU",
    "softplus": "softplus",
    "square": "x²",
}
COHEN = "Cohen et al. 2018, section 5.1, which Gerken et al. 2022 build on"
ROUNDING = 1e-5
SMALL = 1e-4
SMOOTH = ("gelu", "silu", "softplus")
FAR = 3.0  # an oversampling at which they have come to rounding, or do not
BFLOAT16 = 2.0**-8  # largest relative error of rounding to bfloat16

Errors = Mapping[str, Mapping[float, Sequence[float]]]  # by activation, oversampling and draw

CLAIMS = (
    Claim(
        id="linear-layers-commute",
        statement="Linear layers commute with every rotation of bandlimited signals, to rounding.",
        source="Cohen et al. 2018, sections 3 and 4; Gerken et al. 2022, the layer to the sphere",
        paper="exact identity",
        criterion="largest error of chains without activation at most 1e-5, at every bandwidth",
    ),
    Claim(
        id="square-is-free-of-aliasing",
        statement="A square evaluated on a grid of 1.5 times the bandwidth commutes with every "
        "rotation.",
        source="sampling theorem; products of two signals of L degrees have fewer than 2L",
        paper="exact identity",
        criterion="largest error of the square at oversampling 1.5 at most 1e-5",
    ),
    Claim(
        id="smooth-functions-commute-nearly",
        statement="Smooth activations commute with rotations nearly, on finer grids.",
        source=COHEN,
        paper="no number: activations are evaluated on the signal's own grid",
        criterion="largest error at most 1e-4 of softplus at oversampling 2 and of SiLU at 3",
    ),
    Claim(
        id="smooth-functions-reach-rounding",
        statement="Each smooth activation comes to errors of rounding size at some oversampling.",
        source=COHEN,
        paper="no number",
        criterion="mean error of GELU, SiLU and softplus at most 1e-5 at an oversampling of the "
        f"table; not decided where it is larger at all of them and these end below {FAR:g}",
    ),
    Claim(
        id="relu-error-falls",
        statement="A network with ReLU is not exactly equivariant; its error falls as the grid of "
        "the activation gets finer.",
        source=COHEN,
        paper="qualitative: with ReLU the error is larger than without, but does not explode",
        criterion="error of ReLU above 1e-5 at every oversampling, and strictly falling with it in "
        "every draw",
    ),
    Claim(
        id="grid-turns-are-exact",
        statement="Turns about the axis by whole grid steps commute with any activation.",
        source="shift of the samples",
        paper="exact identity",
        criterion="largest error for half a turn about the axis, with ReLU on the signal's own "
        "grid, at most 1e-5",
    ),
    Claim(
        id="grids-must-agree",
        statement="Images sampled on another kind of grid than the network's cost it the "
        "equivariance of its linear layers, less so on fine grids.",
        source="published code of Gerken et al. 2022: data on the Driscoll-Healy grid, network on "
        "that of Kostelec and Rockmore",
        paper="no number",
        criterion="mean error at every bandwidth at most 1e-5 with one grid and at least 1e-2 with "
        "two, there strictly falling with the bandwidth",
    ),
    Claim(
        id="new-degrees-must-be-zero",
        statement="Where a layer's bandlimit rises, the new degrees must be zero: computed by a "
        "quadrature too coarse for them they cost its equivariance.",
        source="published code of Gerken et al. 2022, which computes them",
        paper="no number",
        criterion="mean error with zeros at most 1e-5; as published above 1e-5, and at least 100 "
        "times that with zeros",
    ),
    Claim(
        id="bfloat16-inputs",
        statement="bfloat16 costs equivariance where signals or tables are rounded, and nothing "
        "where parameters are.",
        source="floating-point arithmetic",
        paper="not in the paper",
        criterion="mean error of the linear chain at most 1e-5 with rounded parameters, above it "
        "with a rounded input, with all signals rounded and with rounded tables; with a rounded "
        "input at most 2^-8, the rounding of one number",
    ),
    Claim(
        id="trained-networks-profit",
        statement="A trained network with ReLU is the nearer to equivariance, the finer the grid "
        "of its activations, without being trained again.",
        source=COHEN,
        paper="not in the paper",
        criterion="error of the trained networks strictly falls with the oversampling in every "
        "draw",
    ),
)


def _worst(values: Sequence[float]) -> float:
    """The largest of them, NaN if one is."""
    return float("nan") if any(value != value for value in values) else max(values)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def judge_activations(
    errors: Errors, linear: Mapping[int, Sequence[float]], turned: Sequence[float], report: Reporter
) -> None:
    """Verdicts on chains of layers.

    Args:
        errors: of the chain, by activation, oversampling and draw.
        linear: of chains without activation, by bandwidth and draw.
        turned: for half a turn about the axis, with ReLU on the signal's own grid, by draw.
        report: takes them.
    """
    largest = {b: _worst(of_draws) for b, of_draws in linear.items()}
    report.verdict(
        "linear-layers-commute",
        ours=", ".join(f"{error:.0e} (b = {b})" for b, error in largest.items()),
        holds=_worst(list(largest.values())) <= ROUNDING,
    )
    _judge_largest("square-is-free-of-aliasing", errors, {"square": 1.5}, ROUNDING, report)
    wanted = {"softplus": 2.0, "silu": 3.0}
    _judge_largest("smooth-functions-commute-nearly", errors, wanted, SMALL, report)

    reached = {}
    for name in SMOOTH:
        means = {over: _mean(of_draws) for over, of_draws in errors[name].items()}
        enough = [over for over in sorted(means) if means[over] <= ROUNDING]
        reached[name] = f"from ×{enough[0]:g}" if enough else f"not up to ×{max(means):g}"
    found = all(text.startswith("from") for text in reached.values())
    far = all(max(errors[name]) >= FAR for name in SMOOTH)
    report.verdict(
        "smooth-functions-reach-rounding",
        ours=", ".join(f"{TITLES[name]} {text}" for name, text in reached.items()),
        holds=found if found or far else None,
    )
    relu = dict(sorted(errors["relu"].items()))
    above = min(map(min, relu.values())) > ROUNDING
    report.verdict(
        "relu-error-falls",
        ours=_by_oversampling(relu),
        holds=above and _falls(list(relu.values())) if len(relu) > 1 else None,
    )
    report.verdict(
        "grid-turns-are-exact", ours=f"{_worst(turned):.0e}", holds=_worst(turned) <= ROUNDING
    )


def _judge_largest(
    claim: str, errors: Errors, wanted: Mapping[str, float], most: float, report: Reporter
) -> None:
    """Verdict on the largest errors of some activations, each at one oversampling."""
    known = {
        f"{TITLES[name]} ×{over:g}": _worst(errors[name][over])
        for name, over in wanted.items()
        if over in errors[name]
    }
    report.verdict(
        claim,
        ours=", ".join(f"{name}: {error:.1e}" for name, error in known.items()) or "not measured",
        holds=_worst(list(known.values())) <= most if len(known) == len(wanted) else None,
    )


def _falls(by_oversampling: Sequence[Sequence[float]]) -> bool:
    """Whether the errors fall from each oversampling to the next, in every draw."""
    draws = zip(*by_oversampling, strict=True)
    return all(a > b for draw in draws for a, b in itertools.pairwise(draw))


def _by_oversampling(errors: Mapping[float, Sequence[float]]) -> str:
    return ", ".join(f"{_mean(of_draws):.1e} (×{over:g})" for over, of_draws in errors.items())


def judge_grids(
    grids: Mapping[int, Mapping[str, Sequence[float]]],
    upsampling: Mapping[str, Sequence[float]],
    rounded: Mapping[str, Sequence[float]],
    report: Reporter,
) -> None:
    """Verdicts on what else a linear layer depends on.

    Args:
        grids: errors with ``"one"`` and ``"two"`` kinds of grid, by bandwidth and draw.
        upsampling: errors with ``"zero_pad"`` and ``"aliased"`` degrees, by draw.
        rounded: errors by what is rounded to bfloat16, by draw.
        report: takes them.
    """
    one, two = ({b: _mean(grids[b][kinds]) for b in sorted(grids)} for kinds in ("one", "two"))
    worst, falling = _worst(list(one.values())), list(two.values())
    falls = all(a > b for a, b in itertools.pairwise(falling))
    report.verdict(
        "grids-must-agree",
        ours=", ".join(f"{error:.2g} (b = {b})" for b, error in two.items())
        + f"; with one grid at most {worst:.0e}",
        holds=(falls and worst <= ROUNDING and min(falling) >= 1e-2) if len(two) > 1 else None,
    )
    zero, aliased = (_mean(upsampling[mode]) for mode in ("zero_pad", "aliased"))
    report.verdict(
        "new-degrees-must-be-zero",
        ours=f"{zero:.0e} with zeros, {aliased:.1e} as published",
        holds=zero <= ROUNDING < aliased and aliased >= 100 * zero,
    )
    params, *others = (
        _mean(rounded[what]) for what in ("parameters", "input", "signals", "tables")
    )
    of_input, of_signals, of_tables = others
    report.verdict(
        "bfloat16-inputs",
        ours=f"{params:.0e} with rounded parameters, {of_input:.1e} with a rounded input, "
        f"{of_signals:.1e} with all signals rounded, {of_tables:.1e} with rounded tables",
        holds=params <= ROUNDING
        and all(error > ROUNDING for error in others)
        and of_input <= BFLOAT16,
    )


def judge_trained(cells: Sequence[Mapping[str, Any]], report: Reporter) -> None:
    """Verdict on trained networks with ReLU; ``cells`` has ``oversample`` and ``after`` of each."""
    of_draws = zip(*(cell["after"] for cell in cells), strict=True)
    errors = dict(zip(cells[0]["oversample"], of_draws, strict=True))
    report.verdict(
        "trained-networks-profit",
        ours=_by_oversampling(errors),
        holds=_falls(list(errors.values())) if len(errors) > 1 else None,
    )
