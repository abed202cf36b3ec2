"""The experiment on coresets: padding, verdicts, weighted problems, and runs."""

from unittest import mock

import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab import kcenter as kc
from jaxlab.experiments.interface import Reporter
from jaxlab.experiments.kcenter import coreset, coreset_report, weighted
from jaxlab.runner.execute import run
from tests.helpers import finished, verdicts_of

NAME = "kcenter-coreset"


def cells(radius=1.1, solution=1.0, smallest=10, exact=True, multiple=50):
    found = {
        "points": 9,
        "coreset_radius": 0.2,
        "solution_radius": solution,
        "radius": radius,
        "smallest": smallest,
        "exact": exact,
    }
    full = {"k": 4, "min_size": 10, "n": 99, "radius": 1.0, "smallest": 10, "exact": True}
    return {("blobs", "full", 0): full, ("blobs", "coreset", multiple): found}


def verdicts(**options):
    reporter = mock.Mock(spec=Reporter)
    coreset_report.judge(cells(**options), reporter)
    return verdicts_of(reporter)


def test_verdicts():
    good = verdicts()
    assert set(good) == {claim.id for claim in coreset.CLAIMS}
    assert set(good.values()) == {True}
    assert verdicts(solution=0.89)["lifted"] is False
    assert verdicts(radius=1.16)["enough"] is False
    assert verdicts(multiple=20)["enough"] is None
    assert verdicts(smallest=9)["feasible"] is False
    assert verdicts(exact=False)["feasible"] is False


def small(weights):
    n = len(weights)
    return kc.Coreset(
        points=jnp.arange(2.0 * n).reshape(n, 2),
        groups=jnp.arange(n, dtype=jnp.int32) % 2,
        weights=jnp.asarray(weights, jnp.int32),
        radius=jnp.float32(0.5),
        source_index=jnp.arange(n, dtype=jnp.int32),
    )


def test_too_few_points_of_a_group_have_no_solution(tmp_path, monkeypatch):
    sets = ["multiples=[50]", "orders=[given]"]
    monkeypatch.setattr(coreset.Study, "full", lambda study: cells()["blobs", "full", 0])
    # all points of the second group are padding: no center can be of it
    one_group = small([3, 1])._replace(weights=jnp.array([3, 0], jnp.int32))
    for by in ("by_coreset", "by_stream"):
        monkeypatch.setattr(coreset.Study, by, lambda study, _: study._by(one_group))
    results = finished(run(NAME, preset="smoke", sets=sets, runs=tmp_path))
    assert {claim["holds"] for claim in results["claims"]} == {False}
    rows = [
        dict(zip(table["columns"], row, strict=True))
        for table in results["tables"].values()
        for row in table["rows"]
    ]
    assert [row["smallest cluster"] for row in rows] == [10, 0, 0]
    assert [row["radius"] for row in rows] == [1.0, "–", "–"]


def test_padding_weighs_nothing():
    padded = coreset.pad(small([3, 1]), 5)
    assert padded.points.shape == (5, 2)
    assert padded.weights.tolist() == [3, 1, 0, 0, 0]
    assert padded.source_index.tolist() == [0, 1, -1, -1, -1]
    np.testing.assert_array_equal(padded.points[:2], small([3, 1]).points)


def test_a_run_reports(tmp_path, monkeypatch):
    found = cells()
    monkeypatch.setattr(coreset.Study, "full", lambda study: found["blobs", "full", 0])
    reduced = found["blobs", "coreset", 50]
    monkeypatch.setattr(coreset.Study, "by_coreset", lambda study, multiple: reduced)
    monkeypatch.setattr(coreset.Study, "by_stream", lambda study, order: reduced)
    results = finished(run(NAME, preset="smoke", runs=tmp_path))
    assert results["figures"].keys() == {"radii"}


@pytest.mark.slow
def test_weights_stand_for_copies():
    rng = np.random.default_rng(0)
    points = jnp.asarray(rng.normal(size=(30, 2)), jnp.float32)
    groups = jnp.arange(30, dtype=jnp.int32) % 2
    quota = jnp.array([2, 1], jnp.int32)
    bounds = {"k": 3, "min_size": 9, "lower": quota, "upper": quota}
    ones = small(np.ones(30))._replace(points=points, groups=groups)
    padded = weighted.solve_coreset(coreset.pad(ones, 40), **bounds)
    assert padded.feasible
    assert (padded.counts >= 9).all()
    assert padded.centers.max() < 30
    direct = kc.fair_private_kcenter(points, groups, **bounds)
    assert float(padded.radius) == pytest.approx(float(direct.radius), rel=1e-5)


@pytest.mark.slow
def test_the_smoke_preset_runs(tmp_path):
    results = finished(run(NAME, preset="smoke", runs=tmp_path))
    held = {claim["id"]: claim["holds"] for claim in results["claims"]}
    assert held["lifted"] is held["feasible"] is True
