"""The experiment on refined clusters: how they are carried along, its verdicts, and its report."""

import types
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab import correlation_clustering as cc
from jaxlab.experiments.correlation_clustering import (
    leiden,
    refined,
    refined_measures,
    refined_report,
    streams,
)
from jaxlab.experiments.interface import Reporter
from jaxlab.graphs import graph_from_edges
from jaxlab.runner.execute import run
from tests.helpers import finished, verdicts_of

NAME = "correlation-clustering-refined"


def test_checkpoints_are_equally_far_apart_and_end_at_the_end():
    assert refined_measures.checkpoints(100, 4) == [25, 50, 75, 100]
    assert refined_measures.checkpoints(11, 3) == [3, 7, 11]


def test_moved_vertices_follow_most_of_those_they_were_with():
    #          with 0, 2 and 3    alone with 5   with 6
    held = np.array([0, 0, 0, 0, 4, 4, 6, 6, 8])
    moved = np.array([0, 1, 0, 0, 1, 1, 0, 1, 0], bool)
    there = np.array([1, 1, 1, 1, 1, 1, 1, 1, 0], bool)
    ids = np.array([7, 9, 5, 7, 1, 2, 3, 4, 3])
    labels = refined_measures.overlay(held, moved, there, ids)
    np.testing.assert_array_equal(labels[~moved], ids[~moved])
    assert labels[1] == 7
    assert labels[4] == labels[5]
    assert labels[4] not in ids
    assert labels[7] == 3
    tied = refined_measures.overlay(
        np.zeros(3, int), np.array([True, False, False]), np.ones(3, bool), np.array([9, 6, 5])
    )
    assert tied.tolist() == [5, 6, 5]


def stage(arrived, ids, changes, edges=((0, 1), (2, 3))):
    """A checkpoint of six vertices."""
    n = 6
    graph = graph_from_edges(np.array(edges), arrived, node_capacity=n, edge_capacity=8)
    return refined_measures.Stage(arrived, graph, np.array(ids), np.array(changes), None)


def test_changes_are_those_of_agree_on_moves_and_of_the_carried(monkeypatch):
    # vertex 1 moves to 0 and 0's cluster of four falls apart, its larger part goes to 3's id
    stages = [
        stage(4, [0, 1, 0, 0, 4, 5], [0, 0, 0, 0, 0, 0]),
        stage(6, [0, 1, 3, 3, 3, 3], [0, 0, 1, 1, 0, 0]),
    ]
    budgets = []

    def moves(key, graph, labels, *, rounds, budget):
        budgets.append(budget.tolist())
        if len(budgets) == 1:
            new, moved = [0, 0, 0, 0, 4, 5], [0, 1, 0, 0, 0, 0]
        else:
            assert labels.tolist() == [0, 3, 3, 3, 3, 3]
            new, moved = [0, 1, 1, 1, 1, 1], [0, 0, 0, 0, 2, 0]
        cost = jnp.array([9, 8 - len(budgets)])
        return cc.LocalMoves(jnp.array(new), cost, jnp.array(moved), jnp.array(True))

    def apart(old, new, n_old):
        old, new = np.asarray(old), np.asarray(new)
        # the only vertex that left the greater overlap, where that is asked
        changed = np.zeros(6, int)
        changed[[0, 1]] = len(budgets) == 1
        return types.SimpleNamespace(per_vertex=changed)

    monkeypatch.setattr(cc, "local_moves", moves)
    monkeypatch.setattr(cc, "recourse", apart)
    found = refined_measures.refine(stages, 3, 5, jax.random.key(0))
    assert budgets == [[3] * 6, [3, 2, 3, 3, 3, 3]]
    assert found["cost"] == [7, 6]
    assert found["carried"] == 1
    assert found["changes"] == [1, 6]
    assert (found["most"], found["moves"]) == (2, 2)


def test_clusters_from_scratch_change_from_checkpoint_to_checkpoint():
    stages = [stage(4, range(6), [0] * 6), stage(6, range(6), [0] * 6)]
    partitions = [np.array([0, 0, 2, 3, 4, 5]), np.array([7, 8, 8, 9, 9, 9])]
    found = refined_measures._follow_partitions(stages, partitions)
    assert found["changes"] == [1, 4]  # vertex 1 joins 0, then leaves; two of 3, 4, 5 join one
    assert found["most"] == 2
    assert found["cost"] == [1, 6]


def cells(along=(45, 40), most=4, changes=50, once=90, end=10_000, scratch=60):
    """Numbers on one graph."""
    found = {"cost": list(along), "changes": [5, changes], "most": most, "moves": 3, "carried": 0}
    stream = {"cost": [50, 100], "changes": [2, 3], "most": 1}
    last = {"cost": [70], "changes": [300]}
    cell = {
        "streams": {
            "arrived": [end // 2, end],
            "edges": [60, 110],
            "on": stream,
            "off": stream,
            "pivot": last,
        },
        "anew": {"cost": [30, 40], "changes": [20, scratch], "most": 7},
        "once": {3: dict(found, cost=[once], changes=[changes])},
        "along": {3: found},
    }
    return {"musae_facebook": cell}


def verdicts(**options):
    """What is judged of constructed numbers."""
    reporter = mock.Mock(spec=Reporter)
    refined_report.judge(types.SimpleNamespace(), cells(**options), reporter)
    return verdicts_of(reporter)


def test_verdicts():
    good = verdicts()
    assert set(good) == {claim.id for claim in refined.CLAIMS}
    assert set(good.values()) == {True}
    assert verdicts(once=91)["lower-cost"] is False
    assert verdicts(most=7)["lower-cost"] is False
    assert verdicts(end=9000)["lower-cost"] is None
    assert verdicts(along=(50, 81))["all-along"] is False
    assert verdicts(most=7)["all-along"] is False
    assert verdicts(scratch=50)["fewer-changes"] is False
    other = cells()
    for schedule in ("once", "along"):
        other["musae_facebook"][schedule] = {2: other["musae_facebook"][schedule][3]}
    reporter = mock.Mock(spec=Reporter)
    refined_report.judge(types.SimpleNamespace(), other, reporter)
    assert {call.kwargs["holds"] for call in reporter.verdict.call_args_list} == {None}


def test_a_run_reports_and_repeats(tmp_path, monkeypatch):
    (cell,) = cells().values()
    stream = streams.Stream(np.array([[0, 1], [0, 2], [1, 2]]), 12)
    monkeypatch.setattr(leiden, "installed", lambda: True)
    monkeypatch.setattr(refined, "load_stream", lambda *_: (stream, False))
    monkeypatch.setattr(refined, "stages_of", lambda *_, **__: 2 * [stage(6, range(6), [0] * 6)])
    monkeypatch.setattr(refined, "measure_streams", lambda *_, **__: cell["streams"])
    monkeypatch.setattr(refined, "measure_anew", lambda *_: cell["anew"])
    monkeypatch.setattr(refined, "measure_leiden", lambda *_: cell["anew"])
    seen = []

    def refine(stages, budget, rounds, key):
        seen.append((len(stages), budget))
        return cell["once" if len(stages) == 1 else "along"][3]

    monkeypatch.setattr(refined, "refine", refine)
    results = [finished(run(NAME, preset="smoke", runs=tmp_path / name)) for name in "ab"]
    assert results[0] == results[1]
    assert results[0]["figures"].keys() == {"frontier", "cost"}
    assert seen == 2 * [(1, 1), (1, 3), (2, 1), (2, 3)]


@pytest.mark.slow
def test_the_smoke_preset_runs(tmp_path):
    results = finished(run(NAME, preset="smoke", runs=tmp_path))
    held = {claim["id"]: claim["holds"] for claim in results["claims"]}
    assert held["lower-cost"] is None
    assert held["all-along"] is True
