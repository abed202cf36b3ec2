"""Tables, figures and verdicts on regression with few images."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxlab.experiments import plotting
from jaxlab.experiments.interface import Reporter
from jaxlab.experiments.ntk.small_data import KERNELS, NETWORKS, KernelName

__all__ = ["Accuracies", "draw_accuracy", "draw_spectra", "judge", "report"]

Accuracies = Mapping[str, np.ndarray]  # by model, [draws, sizes]

TITLES: Mapping[str, str] = {str(n): title for n, title in (*KERNELS.items(), *NETWORKS.items())}


def report(
    sizes: Sequence[int],
    accuracies: Accuracies,
    spectra: Mapping[KernelName, Mapping[str, Any]],
    reporter: Reporter,
    text: str,
) -> None:
    """Tables of accuracies and of kernels."""
    rows = []
    for name, values in accuracies.items():
        numbers = [
            round(float(number), 4)
            for mean, sd in zip(values.mean(0), values.std(0), strict=True)
            for number in (mean, sd)
        ]
        rows.append([TITLES[name], *numbers])
    columns = [column for n in sizes for column in (f"n = {n}", f"sd ({n})")]
    reporter.table(
        "accuracy",
        ["model", *columns],
        rows,
        f"Accuracy on the test images with n training images, mean and deviation over draws; "
        f"{text}.",
    )
    reporter.table(
        "kernels",
        ["kernel", "condition number", "effective rank", "alignment", "regression"],
        [
            [
                KERNELS[name],
                cell["condition"],
                cell["rank"],
                cell["alignment"],
                ", ".join(dict.fromkeys(cell["status"])),
            ]
            for name, cell in spectra.items()
        ],
        f"Kernels of {max(sizes)} training images without ridge, and their centred "
        "alignment with the targets; no condition number where the smallest eigenvalue is lost in "
        f"rounding errors; first draw; {text}.",
    )
    reporter.note(
        "Nothing is tuned: ridges and training are those of the config, and the bandwidth of the "
        "RBF kernel is the median squared distance of training images."
    )


def draw_accuracy(
    sizes: Sequence[int], accuracies: Accuracies, reporter: Reporter, text: str
) -> None:
    """Accuracy against the number of images."""
    figure, ax = plotting.new_figure(panel=(6.6, 4.2))
    looks = plotting.styles(list(accuracies))
    for name, values in accuracies.items():
        if name in NETWORKS:
            looks[name] |= {"linestyle": "--"}
        spread = values.std(0) if len(values) > 1 else None
        plotting.curves(ax, sizes, values.mean(0), spread, label=TITLES[name], style=looks[name])
    plotting.count_axis(ax, sizes)
    ax.set_xlabel("training images")
    ax.set_ylabel("accuracy on test images")
    plotting.legend(figure)
    reporter.figure(
        "accuracy",
        figure,
        "Accuracy against the number of training images, bands of one deviation over draws where "
        f"there are several; {text}.",
    )


def draw_spectra(
    sizes: Sequence[int],
    spectra: Mapping[KernelName, Mapping[str, Any]],
    reporter: Reporter,
    text: str,
) -> None:
    """Eigenvalues of the kernels."""
    figure, ax = plotting.new_figure(panel=(6.0, 3.8))
    looks = plotting.styles(list(spectra))
    for name, cell in spectra.items():
        values = np.array(cell["eigenvalues"])
        shown = np.where(values > 1e-8, values, np.nan)
        style = {**looks[name], "marker": ""}
        plotting.curves(ax, np.arange(1, len(values) + 1), shown, label=KERNELS[name], style=style)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlabel("index of the eigenvalue")
    ax.set_ylabel("eigenvalue / trace")
    plotting.legend(figure)
    reporter.figure(
        "spectra",
        figure,
        f"Eigenvalues of the kernels of {max(sizes)} training images over their sum, those "
        f"above 1e-8; first draw; {text}.",
    )


def judge(sizes: Sequence[int], accuracies: Accuracies, reporter: Reporter) -> None:
    """Verdicts on the claims."""
    means = {name: values.mean(0) for name, values in accuracies.items()}
    for name, values in means.items():
        for n, value in zip(sizes, values, strict=True):
            reporter.scalar(f"accuracy, {TITLES[name]}, n = {n}", round(float(value), 4))
    at = f"at n = {', '.join(map(str, sizes))}"

    gain = means["ntk_mlp"] - means["linear"]
    reporter.verdict(
        "ntk-over-linear",
        ours=f"{_listed(means['ntk_mlp'])} against {_listed(means['linear'])} {at}",
        holds=bool(gain[sizes.index(256)] >= 0.08) if 256 in sizes else None,
    )
    apart = np.abs(means["ntk_mlp"] - means["ntk_infinite"])
    decided = max(sizes) >= 128
    learnt = means["ntk_mlp"][-1] > 0.2  # models that guess are as good as each other
    reporter.verdict(
        "finite-as-good-as-infinite",
        ours=f"{_listed(means['ntk_mlp'])} against {_listed(means['ntk_infinite'])} {at}",
        holds=bool(apart.max() <= 0.02 and learnt) if decided else None,
    )
    lack = means["mlp"] - means["ntk_mlp"]
    reporter.verdict(
        "kernel-as-good-as-training",
        ours=f"{_listed(means['ntk_mlp'])} against {_listed(means['mlp'])} {at}",
        holds=bool(lack.max() <= 0.02 and learnt) if decided else None,
    )
    if "ntk_cnn" in means:
        same = accuracies["ntk_mlp"][: len(accuracies["ntk_cnn"])].mean(0)
        ours = f"{_listed(means['ntk_cnn'])} against {_listed(same)} {at}"
        holds = bool(means["ntk_cnn"][-1] > same[-1]) if decided else None
    else:
        ours, holds = "no draw for models of the CNN", None
    reporter.verdict("convolutions-help-kernels", ours=ours, holds=holds)


def _listed(values: Sequence[float] | np.ndarray) -> str:
    return ", ".join(f"{value:.3f}" for value in values)
