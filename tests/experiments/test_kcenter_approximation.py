"""The experiment on ratios to the optimum: its problems, its verdicts, and a run of stand-ins."""

from unittest import mock

import numpy as np
import pytest

from jaxlab.experiments.interface import Reporter
from jaxlab.experiments.kcenter import approximation, approximation_report
from jaxlab.runner.execute import run
from tests.helpers import finished, verdicts_of

NAME = "kcenter-approximation"


def numbers(joint=1.2, refined=1.1, sequential=1.25, bound=0.7, broken=0, other=1.15):
    """Two problems of optimum 2."""
    ratios = {
        "joint": joint,
        "refined": refined,
        "sequential": sequential,
        "sequential_refined": other,
    }
    return {
        "optimum": [2.0, 2.0],
        "lower_bound": [2.0 * bound, 1.0],
        "broken": broken,
        "radius": {name: [2.0 * ratio, 2.0 * ratio] for name, ratio in ratios.items()},
    }


def verdicts(grouping="independent", **options):
    reporter = mock.Mock(spec=Reporter)
    approximation_report.judge({(grouping, 16, 3): numbers(**options)}, reporter)
    return verdicts_of(reporter)


def test_verdicts():
    good = verdicts()
    assert set(good) == {claim.id for claim in approximation.CLAIMS}
    assert set(good.values()) == {True}
    assert verdicts(joint=15.1)["factor-fifteen"] is False
    assert verdicts(joint=1.26)["close"] is False
    assert verdicts(joint=1.26)["not-worse"] is False
    assert verdicts(refined=1.16)["closer"] is False
    assert verdicts(refined=0.99)["bounds"] is False
    assert verdicts(bound=1.01)["bounds"] is False
    assert verdicts(broken=1)["feasible"] is False
    layers = verdicts("layers", joint=1.24)
    assert layers["close"] is layers["closer"] is None
    assert layers["not-worse"] is True


def test_problems_differ_and_repeat():
    options = {"seed": 0, "shapes": [[14, 2]], "groupings": ["layers"], "groups": 3}
    config = approximation.Config(instances=4, refine_steps=2, **options)
    first, second = (approximation.draw(config, 14, 2, "layers") for _ in range(2))
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.points, other.points)
    others = approximation.draw(config, 14, 2, "independent")
    assert not np.array_equal(first[0].points, others[0].points)


def test_a_run_reports_and_repeats(tmp_path, monkeypatch):
    monkeypatch.setattr(approximation, "measure", lambda *_: numbers())
    sets = ["groupings=[layers]"]
    results = [
        finished(run(NAME, preset="smoke", sets=sets, runs=tmp_path / name)) for name in "ab"
    ]
    assert results[0] == results[1]
    assert results[0]["figures"].keys() == {"ratios", "certificates"}
    assert results[0]["scalars"]["mean ratio, joint, groups in layers"] == pytest.approx(1.2)


@pytest.mark.slow
def test_the_smoke_preset_runs(tmp_path):
    results = finished(run(NAME, preset="smoke", runs=tmp_path))
    held = {claim["id"]: claim["holds"] for claim in results["claims"]}
    assert held["factor-fifteen"] is held["bounds"] is held["feasible"] is True
