"""The experiment on the privacy bound: its verdicts, its report, and runs large and small."""

from unittest import mock

import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.experiments.interface import Reporter
from jaxlab.experiments.kcenter import privacy_sweep, privacy_sweep_claims
from jaxlab.experiments.kcenter.privacy_sweep_claims import PUBLISHED, Place
from jaxlab.experiments.kcenter.problems import Points
from jaxlab.runner.execute import run
from tests.helpers import finished, verdicts_of

NAME = "kcenter-privacy-sweep"


def cell(radius, **more):
    described = {"counts": [5, 7], "group_counts": [1, 1], "lower_bound": 0.1, "violations": []}
    return described | {"radius": radius, "seconds": 0.1} | more


def constructed(sequential=1.06, refined=0.8, other=0.85, data="gender_diabetes", scale=1.0):
    """Cells at the published bounds, relative to the published radii."""
    cells = {}
    for size, radius in PUBLISHED.items():
        cells[Place(data, "joint", False, size, 0)] = cell(scale * radius)
        cells[Place(data, "joint", True, size, 0)] = cell(refined * radius)
        for seed in (0, 1):
            worse = sequential * radius * (1.01 if seed else 0.99)
            cells[Place(data, "fair_kcenter", False, size, seed)] = cell(worse)
            cells[Place(data, "fair_kcenter", True, size, seed)] = cell(other * radius)
    return cells


def told(cells, fair=(3, 9000), quota=(6, 6)):
    """A reporter that was told what is judged of constructed cells."""
    reporter = mock.Mock(spec=Reporter)
    names = list(dict.fromkeys(place.data for place in cells))
    privacy_sweep_claims.judge(names, cells, {(names[0], 0): fair}, quota, reporter)
    return reporter


def verdicts(cells, **options):
    """What is judged of constructed cells."""
    return verdicts_of(told(cells, **options))


def test_verdicts():
    good = verdicts(constructed())
    assert set(good) == {claim.id for claim in privacy_sweep.CLAIMS}
    assert set(good.values()) == {True}
    assert verdicts(constructed(sequential=1.03))["joint-wins"] is False  # 0.97 at every bound
    assert verdicts(constructed(sequential=1.04))["joint-wins"] is False  # 0.95 on average
    assert verdicts(constructed(), fair=(4241, 9000))["fair-alone"] is False
    assert verdicts(constructed(scale=1.001))["published"] is False
    assert verdicts(constructed(refined=1.0, other=1.0))["refinement"] is False
    assert verdicts(constructed(refined=0.86))["refined-joint"] is False
    assert verdicts(constructed(refined=0.85))["refined-joint"] is False  # no lead
    broken = constructed()
    broken[next(iter(broken))]["violations"] = ["slot 0 has 1 point"]
    assert verdicts(broken)["feasible"] is False


def test_what_cannot_be_judged():
    elsewhere = verdicts(constructed(data="count_query"))
    assert elsewhere["joint-wins"] is elsewhere["published"] is None
    made = verdicts(constructed(data="blobs"))
    assert made["fair-alone"] is made["refinement"] is made["refined-joint"] is None
    assert verdicts(constructed(scale=1.001), quota=(40, 40))["published"] is None
    first = {place: found for place, found in constructed().items() if place.min_size == 1}
    first = {call.args[0]: call.kwargs for call in told(first).verdict.call_args_list}
    assert first["joint-wins"]["holds"] is None
    assert "no bound from 1414 on" in first["joint-wins"]["ours"]
    plain = {place: found for place, found in constructed().items() if not place.refined}
    assert verdicts(plain)["refinement"] is verdicts(plain)["refined-joint"] is None


def problem(n=40):
    rng = np.random.default_rng(0)
    points = jnp.asarray(rng.normal(size=(n, 2)), jnp.float32)
    return Points("blobs", points, jnp.arange(n, dtype=jnp.int32) % 2)


def test_a_run_reports_and_repeats(tmp_path, monkeypatch):
    def both(solvers, method, seed, size):
        radius = 0.3 + size / 1000 + 0.1 * (method != "joint") + 0.01 * seed
        return {"found": cell(radius), "refined": cell(0.8 * radius, lower_bound=0.2)}

    monkeypatch.setattr(privacy_sweep, "load", lambda name: problem())
    monkeypatch.setattr(privacy_sweep.Solvers, "both", both)
    monkeypatch.setattr(privacy_sweep.Solvers, "fair_sizes", lambda *_: [1, 39])
    sets = ["seeds=2 others=[greedy_per_group] problems.blobs.quota=[4,4]"]
    results = [
        finished(run(NAME, preset="smoke", sets=sets, runs=tmp_path / name)) for name in "ab"
    ]
    assert results[0] == results[1]
    assert results[0]["figures"].keys() == {"radii", "sizes", "seconds"}
    # privacy bounds up to 39 // 8, of joint, two seeds and another method, refined and not
    assert len(results[0]["tables"]["solutions"]["rows"]) == 4 * 4 * 2


@pytest.mark.slow
def test_solvers_agree_with_the_room():
    data = problem()
    solve = privacy_sweep.Solvers(data, (2, 1), 3)
    for method in ("joint", "fair_kcenter", "greedy_capped", "fair_kcenter_swap"):
        found = solve.both(method, 0, 9)
        for solution in found.values():
            assert solution["violations"] == []
            assert solution["group_counts"] == [2, 1]
            assert min(solution["counts"]) >= 9
            assert solution["lower_bound"] <= solution["radius"]
        assert found["refined"]["radius"] <= found["found"]["radius"]
    assert sum(solve.fair_sizes(0)) == 40


@pytest.mark.slow
def test_the_smoke_preset_runs(tmp_path):
    results = finished(run(NAME, preset="smoke", runs=tmp_path))
    held = {claim["id"]: claim["holds"] for claim in results["claims"]}
    assert held.pop("feasible") is True
    assert set(held.values()) == {None}
