"""The experiment on learned potentials: its graphs, its verdicts, and a small run."""

import types
from unittest import mock

import numpy as np
import pytest

from jaxlab.experiments.graph_algorithms import learned_potentials, learned_potentials_report
from jaxlab.experiments.interface import Reporter
from jaxlab.runner import resolve
from jaxlab.runner.execute import run
from jaxlab.runner.registry import PRESETS
from tests.helpers import finished, verdicts_of

NAME = "graph-algorithms-learned-potentials"


def test_a_grid_has_an_arc_either_way_between_neighbours():
    graph = learned_potentials.grid(3, 5, 9, seed=0)
    arcs = set(
        zip(np.asarray(graph.senders).tolist(), np.asarray(graph.receivers).tolist(), strict=True)
    )
    assert len(arcs) == graph.edge_capacity == 24
    for tail, head in arcs:
        assert (head, tail) in arcs
        assert abs(tail // 3 - head // 3) + abs(tail % 3 - head % 3) == 1
    weights = np.asarray(graph.weights)
    assert (weights.min(), weights.max()) == (5, 9)


#: a right-angled triangle, and apart from it two places at one position
ROADS = {
    "edges": np.array([[0, 1], [0, 2], [1, 2], [3, 4]], np.int32),
    "positions": np.array([[-97.0, 49.0], [-97.0, 48.6], [-96.7, 49.0], [0, 0], [0, 0]]),
}


def test_roads_lead_either_way_and_are_as_long_as_their_ends_are_apart():
    with mock.patch.object(learned_potentials.data, "load", return_value=ROADS):
        graph = learned_potentials.road_network()
    assert graph.senders.tolist() == [0, 0, 1, 3, 1, 2, 2, 4]
    assert graph.receivers.tolist() == [1, 2, 2, 4, 0, 0, 1, 3]
    assert graph.weights.tolist() == [4000, 3000, 5000, 1] * 2
    expected = [0, 4000, 3000, 2**29, 2**29]
    assert learned_potentials.distances(graph, np.zeros(5, np.int64)).tolist() == expected


@pytest.mark.parametrize("preset", PRESETS)
def test_lengths_of_every_preset_leave_labels_their_room(preset):
    config = resolve(NAME, preset).config
    side = max(*config.sides, config.error_side)
    network = learned_potentials.Network(config, learned_potentials.square(config, side), side)
    learned_potentials.check_room(network.days(max(config.sigmas)))


@pytest.mark.parametrize("sizes", ["sides=[5,8] error_side=5", "sides=[5] error_side=8"])
def test_lengths_that_are_too_long_are_refused_before_anything_is_solved(sizes, tmp_path):
    room = (2**29 - 1) // 64
    sets = f"{sizes} sigmas=[0.0] negative=0.0 shortest={room} longest={room + 1}"
    reporter = mock.Mock(spec=Reporter)
    with pytest.raises(ValueError, match=f"lengths: expected at most {room} .* got {room + 1}"):
        learned_potentials.run(resolve(NAME, "smoke", [sets]).config, tmp_path, reporter)
    reporter.cell.assert_not_called()


def verdicts(cold, learned, speedup, exact, scales, side=200, error=4):
    """What is judged of constructed numbers."""
    reporter = mock.Mock(spec=Reporter)
    config = types.SimpleNamespace(sides=(side,), test_days=1, error_side=10)
    graph = f"grid {side}²"
    cells = {
        (graph, 0.01): {"rounds": {"cold": [cold], "learned": [learned]}, "exact": exact},
        (graph, 0.2): {"rounds": {"cold": [cold], "learned": [cold]}, "exact": True},
    }
    goldberg = [{"error": error, "scales": scales, "phases": 3, "rounds": 9, "feasible": True}]
    learned_potentials_report.judge(
        config,
        cells,
        {(graph, 0.01): speedup, (graph, 0.2): 0.5},
        goldberg,
        reporter,
    )
    return verdicts_of(reporter)


def test_verdicts():
    assert set(verdicts(100, 10, 2.5, True, 5).values()) == {True}
    assert set(verdicts(99, 10, 2.4, False, 6).values()) == {False}
    assert verdicts(100, 10, 9.0, True, 5, side=50)["less-time"] is None
    assert verdicts(100, 10, 9.0, True, 1, error=0)["logarithmic-scales"] is None
    assert verdicts(100, 10, 9.0, True, 2, error=0)["logarithmic-scales"] is False
    claims = {claim.id for claim in learned_potentials.CLAIMS}
    assert claims == set(verdicts(1, 1, 1.0, True, 1))


def test_a_small_run_reports_and_repeats(tmp_path):
    tiny = [
        "sides=[8] roads=true sigmas=[0.05] training_days=3 test_days=1 repeats=1",
        "error_side=5 errors=[0,4]",
    ]
    with mock.patch.object(learned_potentials.data, "load", return_value=ROADS):
        results = [
            finished(run(NAME, preset="smoke", sets=tiny, runs=tmp_path / name)) for name in "ab"
        ]
    assert results[0] == results[1]
    held = {claim["id"]: claim["holds"] for claim in results[0]["claims"]}
    assert held["exact"] is True
    assert held["logarithmic-scales"] is True


@pytest.mark.slow
def test_the_smoke_preset_runs(tmp_path):
    results = finished(run(NAME, preset="smoke", runs=tmp_path))
    held = {claim["id"]: claim["holds"] for claim in results["claims"]}
    assert held == {
        "fewer-rounds": True,
        "less-time": None,
        "exact": True,
        "logarithmic-scales": True,
    }
