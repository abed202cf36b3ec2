"""Time of assignment problems: what is not run and why, verdicts, and a small run."""

from unittest import mock

import numpy as np
import pytest

from jaxlab.experiments.graph_algorithms import assignment_throughput
from jaxlab.experiments.graph_algorithms import assignment_throughput_report as report
from jaxlab.experiments.graph_algorithms.assignment_throughput import CLAIMS, Limits
from jaxlab.experiments.graph_algorithms.learned_duals_geometric import no_prediction
from jaxlab.experiments.interface import Reporter
from jaxlab.runner import resolve
from jaxlab.runner.execute import run
from tests.helpers import finished, to_device, verdicts_of

NAME = "graph-algorithms-assignment-throughput"
LIMITS = dict.fromkeys(("sap", "phase", "scipy", "lap", "optax"), 1000)


def test_what_was_not_timed_says_why():
    config = mock.Mock(alone=Limits(**LIMITS, auction=200), together=Limits(**LIMITS, auction=0))
    seconds = {(500, report.ALONE, "sap", report.COLD): 0.0123456}

    def shown(form, solver, start, n=500):
        return report.entry(config, seconds, (n, form, solver, start))

    assert shown(report.ALONE, "sap", report.COLD) == 12.3
    assert shown(report.ALONE, "auction", report.LEARNED) == "not run"
    assert shown(report.BATCH, "auction", report.COLD, n=100) == "not run"
    assert shown(report.BATCH, "lap", report.COLD) == "not installed"
    assert shown(report.ALONE, "scipy", report.LEARNED) == "–"
    assert shown(report.ALONE, "phase", report.OWN) == "–"


def test_own_duals_leave_no_search():
    others = "{0}.phase=0 {0}.auction=0 {0}.scipy=0 {0}.lap=0 {0}.optax=0"
    alone = "alone.sap=40 " + others.format("alone")
    together = "together.sap=0 " + others.format("together")
    config = resolve(NAME, "smoke", [alone, together]).config
    costs = to_device(np.random.default_rng(0).integers(0, 60, (1, 40, 40)), np.int32)
    timed = {}

    def seconds(calls, repeats):
        timed.update(calls)
        return dict.fromkeys(calls, 1.0)

    with mock.patch.object(assignment_throughput, "interleaved_seconds", seconds):
        assignment_throughput.times(config, 40, costs, no_prediction(40))
    assert timed["sap", report.COLD]().stats.steps > 0
    stats = timed["sap", report.OWN]().stats
    assert (stats.free_rows, stats.steps) == (0, 0)


def verdicts(
    data="shuttle", learned=1.0, cold=2.0, stacked=1.0, cold_growth=7.0, growth=4.5, exact=True
):
    """What is judged of constructed times, in which SciPy takes 2, lap 1 and optax 10."""
    reporter = mock.Mock(spec=Reporter)
    ours = [
        ((500, report.ALONE, "sap", report.LEARNED), learned),
        ((500, report.ALONE, "sap", report.COLD), cold),
        ((1000, report.ALONE, "sap", report.COLD), cold * cold_growth),
        ((500, report.ALONE, "sap", report.OWN), 1.0),
        ((1000, report.ALONE, "sap", report.OWN), growth),
        ((200, report.BATCH, "sap", report.COLD), stacked),
        ((200, report.BATCH, "phase", report.COLD), stacked),
    ]
    others = [
        ((n, form, peer, report.COLD), value)
        for n, form in ((500, report.ALONE), (200, report.BATCH))
        for peer, value in (("scipy", 2.0), ("lap", 1.0), ("optax", 10.0))
    ]
    config = mock.Mock(data=data, sizes=(200, 500, 1000))
    work = {500: {"exact": exact, "solved": 3}, 200: {"exact": True, "solved": 2}}
    report.judge(config, work, dict(ours + others), reporter)
    return verdicts_of(reporter)


def test_verdicts():
    assert verdicts() == {claim.id: True for claim in CLAIMS}
    bad = {"learned": 1.1, "cold": 2.7, "stacked": 1.4, "cold_growth": 7.1, "growth": 4.6}
    assert verdicts(**bad, exact=False) == {claim.id: False for claim in CLAIMS}
    elsewhere = verdicts(data="pixels", **bad)
    assert [claim for claim, holds in elsewhere.items() if holds is not None] == [
        "scaling-cold",
        "scaling-fixed",
        "exact",
    ]


def test_a_missing_peer_leaves_its_claim_open():
    reporter = mock.Mock(spec=Reporter)
    config = mock.Mock(data="shuttle", sizes=(500,))
    report.judge(config, {500: {"exact": True, "solved": 1}}, {}, reporter)
    held = verdicts_of(reporter)
    assert held.pop("exact") is True
    assert set(held.values()) == {None}


def test_exactness_is_open_where_no_solver_of_ours_was_run():
    reporter = mock.Mock(spec=Reporter)
    config = mock.Mock(data="shuttle", sizes=(500,))
    report.judge(config, {500: {"exact": True, "solved": 0}}, {}, reporter)
    assert set(verdicts_of(reporter).values()) == {None}


def test_a_small_run_reports_and_repeats(tmp_path):
    tiny = [
        "sizes=[8] training=3 timed=1 repeats=1 batch=2 batch_repeats=1 max_iterations=5",
        "alone.phase=0 alone.auction=0 together.phase=0 together.auction=0 together.optax=0",
    ]
    results = [
        finished(run(NAME, preset="smoke", sets=tiny, runs=tmp_path / name)) for name in "ab"
    ]
    assert results[0] == results[1]
    held = {claim["id"]: claim["holds"] for claim in results[0]["claims"]}
    assert held.pop("exact") is True
    assert set(held.values()) == {None}
    assert [row[1:3] for row in results[0]["tables"]["work"]["rows"]] == [
        ["jaxlab sap", "cold"],
        ["jaxlab sap", "learned"],
    ]


@pytest.mark.slow
def test_the_smoke_preset_runs(tmp_path):
    results = finished(run(NAME, preset="smoke", runs=tmp_path))
    held = {claim["id"]: claim["holds"] for claim in results["claims"]}
    assert held["exact"] is True
