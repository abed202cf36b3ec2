"""The experiment on a core that must move: its streams, its verdicts, and a run of stand-ins."""

import types
from unittest import mock

import numpy as np
import pytest

from jaxlab.experiments.correlation_clustering import lower_bound, lower_bound_report, streams
from jaxlab.experiments.interface import Reporter
from jaxlab.runner.execute import run
from tests.helpers import finished, verdicts_of

NAME = "correlation-clustering-lower-bound"


def cost(edges, labels):
    """Disagreements, pair by pair."""
    n = len(labels)
    positive = np.zeros((n, n), bool)
    positive[edges.min(axis=1), edges.max(axis=1)] = True
    same = labels[:, None] == labels[None, :]
    return int((np.triu(same, 1) != positive).sum())


@pytest.mark.parametrize(("core", "base", "phases"), [(2, 3, 3), (1, 2, 4), (3, 2, 2), (2, 4, 1)])
def test_costs_of_the_core_with_the_newest_clique_and_elsewhere(core, base, phases):
    ends = lower_bound.phase_ends(core, base, phases)
    stream = lower_bound.stream_of(core, base, phases, ends[-1] + 2)
    assert ends[-1] + 2 == stream.arrivals
    for phase, arrived in enumerate(ends, start=1):
        part = stream.until(arrived)
        starts = [core, *ends[:phase]]
        labels = np.arange(arrived) + 100
        for clique in range(phase):
            labels[starts[clique] : starts[clique + 1]] = clique
        costs = []
        for home in (*range(phase), 99):
            labels[:core] = home
            costs.append(cost(part.edges, labels))
        newest = lower_bound_report.newest(core, base, phase)
        assert costs[phase - 1] == newest
        others = costs[: phase - 1] + costs[phase:]
        assert min(others) == lower_bound_report.elsewhere(core, base, phase)


def test_a_prefix_is_the_stream_of_fewer_phases():
    first, last = lower_bound.phase_ends(2, 3, 2)
    part = lower_bound.stream_of(2, 3, 2, last).until(first)
    fewer = lower_bound.stream_of(2, 3, 1, last)
    np.testing.assert_array_equal(part.edges, fewer.edges)


def verdicts(on=(0, 1), off=(0, 2), most=3, costs=(0, 24)):
    """What is judged of constructed numbers of two phases."""
    config = types.SimpleNamespace(core=2, bases=(6,))
    cells = {}
    for phase, arrivals in ((1, 14), (2, 86)):
        at = phase - 1
        if at >= len(on):
            break
        cells[6, phase] = {
            "arrivals": arrivals,
            "core": {"consistent": [on[at]], "off": [off[at]]},
            "most": {"consistent": [most], "published": [most]},
            "cost": {"consistent": [costs[at]]},
        }
    reporter = mock.Mock(spec=Reporter)
    lower_bound_report.judge(config, cells, reporter)
    return verdicts_of(reporter)


def test_verdicts():
    good = verdicts()
    assert set(good) == {claim.id for claim in lower_bound.CLAIMS}
    assert set(good.values()) == {True}
    assert not verdicts(on=(0, 2))["core-moves"]
    assert not verdicts(off=(0, 1))["anew-moves-twice"]
    assert verdicts(most=7)["logarithmic"]
    assert not verdicts(most=8)["logarithmic"]
    assert not verdicts(costs=(0, 144))["newest-clique"]
    assert verdicts(on=(0,))["core-moves"] is None


def stand_in(plan, method, *, seed, **_):
    """Traces that an algorithm might have, without compiling one."""
    n = plan.num_nodes
    changes = np.random.default_rng(seed).integers(0, 3, n)
    trace = streams.Trace(np.full(n, 9), np.zeros(n, int), changes)
    return {"pivot": trace} if method == "pivot" else {"off": trace, method: trace}


def test_a_run_reports_and_repeats(tmp_path, monkeypatch):
    monkeypatch.setattr(lower_bound, "follow", stand_in)
    sets = ["bases=[2,3] phases=[3,2] ranks=2"]
    results = [
        finished(run(NAME, preset="smoke", sets=sets, runs=tmp_path / name)) for name in "ab"
    ]
    assert results[0] == results[1]
    assert results[0]["figures"].keys() == {"changes", "costs"}


@pytest.mark.slow
def test_the_smoke_preset_runs(tmp_path):
    results = finished(run(NAME, preset="smoke", runs=tmp_path))
    assert {claim["holds"] for claim in results["claims"]} == {True}
