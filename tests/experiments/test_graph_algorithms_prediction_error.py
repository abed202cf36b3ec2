"""The experiment on the error of predictions: its noise, its verdicts, and a small run."""

import types
from unittest import mock

import numpy as np
import pytest

from jaxlab.experiments.graph_algorithms import prediction_error, prediction_error_report
from jaxlab.experiments.graph_algorithms.prediction_error import CLAIMS, norms, spoil
from jaxlab.experiments.interface import Reporter
from jaxlab.runner import resolve
from jaxlab.runner.execute import run
from tests.helpers import finished, verdicts_of

NAME = "graph-algorithms-prediction-error"


@pytest.mark.parametrize("kind", ["l0", "l1", "linf"])
@pytest.mark.parametrize("size", [0, 1, 7, 30])
def test_errors_have_the_norm_that_was_asked_for(kind, size):
    errors = spoil(kind, size, 30, 5, np.random.default_rng(size))
    assert norms(errors)[kind] == size
    if kind == "l0":
        assert norms(errors)["linf"] <= 5


def test_no_more_entries_are_wrong_than_there_are():
    assert norms(spoil("l0", 99, 30, 5, np.random.default_rng(0)))["l0"] == 30


def verdicts(worse=0, exact=True, least=0):
    """What is judged of numbers that meet every bound, or exceed it by ``worse``."""
    row = {
        "kind": "l0",
        "error": {"l0": 2, "l1": 4, "linf": 3},
        "cover": {"augmentations": 6 + worse, "l0": 6 + worse, "least": least},
        "greedy": {"l1": 12 + worse, "least": least},
        "c_transform": {"rows": 3 + worse, "least": least},
        "columns": 3,
        "rounds": 13 + worse,
        "exact": True,
    }
    scales = {"error": 3, "scales": 4 + worse, "phases": 84, "feasible": True, "exact": exact}
    reporter = mock.Mock(spec=Reporter)
    config = types.SimpleNamespace(side=10)
    prediction_error_report.judge(config, [row], [scales], reporter)
    return verdicts_of(reporter)


def test_both_verdicts_of_every_claim():
    assert verdicts() == {claim.id: True for claim in CLAIMS}
    assert verdicts(worse=1, exact=False) == {claim.id: False for claim in CLAIMS}
    infeasible = {claim for claim, holds in verdicts(least=-1).items() if not holds}
    assert infeasible == {"cover-keeps-entries", "greedy-keeps-sum", "transform-keeps-largest"}


def told(rows, scales):
    """What a report says, and whether claims hold, by claim."""
    reporter = mock.Mock(spec=Reporter)
    prediction_error_report.judge(types.SimpleNamespace(side=10), rows, scales, reporter)
    said = {call.args[0]: call.kwargs["ours"] for call in reporter.verdict.call_args_list}
    return said, verdicts_of(reporter)


def test_predictions_without_errors_show_no_bound():
    def row(left):
        parts = {
            "cover": {"augmentations": left, "l0": 0, "least": 0},
            "greedy": {"l1": 0, "least": 0},
            "c_transform": {"rows": 0, "least": 0},
        }
        error = {"l0": 0, "l1": 0, "linf": 0}
        return {"error": error, **parts, "columns": 0, "rounds": 1, "exact": True}

    scales = {"error": 0, "scales": 1, "phases": 1, "feasible": True, "exact": True}
    _, held = told([row(0)], [scales])
    assert held.pop("exact") is True
    assert set(held.values()) == {None}
    said, held = told([row(1)], [scales])
    assert held["few-augmentations"] is False
    assert said["few-augmentations"] == "0 of 1 predictions"


def test_points_fill_the_panels():
    counts = {name: {"augmentations": 3} for name in prediction_error_report.ROUNDINGS}
    rows = [
        {"kind": kind, "size": size, "error": {"l0": size}, "cold": 9, **counts}
        for kind in prediction_error_report.KINDS
        for size in (0, 1, 1000)
    ]
    reporter = mock.Mock(spec=Reporter)
    config = types.SimpleNamespace(n=40, trials=1)
    prediction_error_report.draw_assignment(config, rows, reporter)
    (_, figure, _), _ = reporter.figure.call_args
    figure.draw_without_rendering()
    for ax in figure.axes:
        left, right = (ax.transData.transform((size, 1))[0] for size in (0, 1000))
        assert right - left > 0.85 * ax.bbox.width


def test_a_small_run_repeats_and_keeps_the_bounds(tmp_path):
    tiny = [
        "trials=1 n=12 groups=3 wrong=[0,3] totals=[9] largest=[5] side=5 potential_errors=[0,9]",
        "repeats=1",
    ]
    results = [
        finished(run(NAME, preset="smoke", sets=tiny, runs=tmp_path / name)) for name in "ab"
    ]
    assert results[0] == results[1]
    assert {claim["id"] for claim in results[0]["claims"] if claim["holds"]} == {
        claim.id for claim in CLAIMS
    }


def test_lengths_that_are_too_long_are_refused_before_anything_is_solved(tmp_path):
    room = (2**29 - 1) // 64
    config = resolve(NAME, "smoke", [f"side=8 shortest={room} longest={room + 1}"]).config
    reporter = mock.Mock(spec=Reporter)
    with pytest.raises(ValueError, match=f"lengths: expected at most {room} "):
        prediction_error.run(config, tmp_path, reporter)
    reporter.cell.assert_not_called()


@pytest.mark.slow
def test_the_smoke_preset_runs(tmp_path):
    results = finished(run(NAME, preset="smoke", runs=tmp_path))
    assert all(claim["holds"] for claim in results["claims"])
