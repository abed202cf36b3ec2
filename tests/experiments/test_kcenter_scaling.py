"""The experiment on growth: its factors, its verdicts, an order checked on the host, and runs."""

from unittest import mock

import numpy as np
import pytest

from jaxlab.experiments.interface import Reporter
from jaxlab.experiments.kcenter import scaling, scaling_report
from jaxlab.runner.execute import run
from tests.helpers import finished, verdicts_of

NAME = "kcenter-scaling"
LARGE = {"n": 10**6, "k": 3, "seconds": 1.0, "distinct": 3, "radii": [3.0, 2.0, 1.0]}


def cell(seconds, **more):
    parts = dict.fromkeys(scaling_report.PARTS, seconds)
    found = {"seconds": parts, "compile": 1.0, "radius": 0.5, "feasible": True}
    return found | {"smallest": 8, "min_size": 8} | more


def cells(points=2.0, centers=4.0, **more):
    n = 2**15
    return {
        (n, 4): cell(1.0),
        (4 * n, 4): cell(points**2),
        (n, 8): cell(centers),
        (4 * n, 8): cell(centers * points**2, **more),
    }


def verdicts(found, **large):
    reporter = mock.Mock(spec=Reporter)
    scaling_report.judge(found, LARGE | {"radius_on_host": 1.0} | large, reporter)
    return verdicts_of(reporter)


def test_growth_is_per_doubling():
    found = cells(points=3.0, centers=5.0)
    of_points = scaling_report.growth(found, "whole", of_points=True)
    assert of_points == pytest.approx({(2**15, 4): 3.0, (2**15, 8): 3.0})
    of_centers = scaling_report.growth(found, "order", of_points=False)
    assert of_centers == pytest.approx({(2**15, 4): 5.0, (2**17, 4): 5.0})
    assert scaling_report.many({(2**15, 4): 1.0, (2**14, 4): 1.0}) == {(2**15, 4): 1.0}


def test_verdicts():
    good = verdicts(cells())
    assert set(good) == {claim.id for claim in scaling.CLAIMS}
    assert set(good.values()) == {True}
    assert verdicts(cells(points=2.3))["points"] is False
    assert verdicts(cells(centers=4.7))["centers"] is False
    assert verdicts(cells(smallest=7))["feasible"] is False
    assert verdicts(cells(), distinct=2)["large"] is False
    assert verdicts(cells(), radii=[3.0, 2.0, 0.0])["large"] is False
    assert verdicts(cells(), radii=[1.0, 2.0, 1.0])["large"] is False
    assert verdicts(cells(), radius_on_host=1.1)["large"] is False
    assert verdicts(cells(), n=10**6 - 1)["large"] is None
    assert verdicts(cells(), n=10**6 - 1, distinct=2)["large"] is False
    alone = verdicts({(2**15, 4): cell(1.0)})
    assert alone["points"] is alone["centers"] is None


def test_labels_of_sizes():
    assert scaling_report.power("16384") == "$2^{14}$"
    assert scaling_report.power("1250000") == "1,250,000"


def test_an_order_is_checked_on_the_host():
    config = scaling.Config(
        seed=0,
        sizes=(1024,),
        centers=(4, 6),
        entries=6144,
        dims=3,
        groups=2,
        share=0.5,
        repeats=1,
        large=2000,
    )
    found = scaling.order(config)
    assert found["distinct"] == found["k"] == 6
    assert found["radii"][-1] == pytest.approx(found["radius_on_host"], rel=1e-6)
    assert (np.diff(found["radii"]) < 0).all()


def test_a_run_reports(tmp_path, monkeypatch):
    monkeypatch.setattr(scaling, "measure", lambda config, n, k: cell(n * k / 1e6))
    monkeypatch.setattr(scaling, "order", lambda config: LARGE | {"radius_on_host": 1.0})
    results = finished(run(NAME, preset="smoke", runs=tmp_path))
    assert results["figures"].keys() == {"growth"}


@pytest.mark.slow
def test_the_smoke_preset_runs(tmp_path):
    results = finished(run(NAME, preset="smoke", runs=tmp_path))
    held = {claim["id"]: claim["holds"] for claim in results["claims"]}
    assert held["large"] is None  # fewer than a million points
    assert held["feasible"] is True
