"""The experiment on predictions through reductions: its oracle, its verdicts, and a small run."""

import itertools
from unittest import mock

import numpy as np
import pytest

from jaxlab.experiments.graph_algorithms import learned_reductions_report
from jaxlab.experiments.graph_algorithms.learned_reductions import CLAIMS
from jaxlab.experiments.graph_algorithms.reduced_problems import (
    incidence,
    optimum,
    random_flow,
    random_subgraph,
    room_for,
    solve,
    worth,
)
from jaxlab.experiments.interface import Reporter
from jaxlab.runner.execute import run
from tests.helpers import finished, verdicts_of

NAME = "graph-algorithms-learned-reductions"


@pytest.mark.parametrize("make", [random_subgraph, random_flow])
def test_the_optimum_is_that_of_all_choices_and_no_dual_is_worth_more(make):
    rng = np.random.default_rng(0)
    for _ in range(5):
        problem = make(4, 9, 3, rng)
        cost = rng.integers(1, 50, 9)
        matrix, wanted = incidence(problem)
        choices = np.array(list(itertools.product([0, 1], repeat=9)))
        meets = (choices @ matrix.T == wanted).all(axis=1)
        best = (choices[meets] @ cost).min()
        assert optimum(problem, cost) == best
        for _ in range(20):
            assert worth(problem, cost, rng.integers(-50, 50, problem.wanted.shape)) <= best
        if problem.is_flow:
            assert problem.wanted.sum() == 0
            assert (problem.ends[0] != problem.ends[1]).all()
        else:
            assert problem.wanted.sum(axis=1).tolist() == [3, 3]
            assert len(np.unique(problem.ends, axis=1).T) == 9


def test_room_is_that_of_the_largest():
    rng = np.random.default_rng(1)
    small, large = random_flow(5, 8, 3, rng), random_flow(9, 30, 8, rng)
    together = room_for([small, large])
    assert together == tuple(np.maximum(room_for([small]), room_for([large])))
    assert room_for([random_subgraph(4, 10, 3, rng)]) == (0, 7)


@pytest.mark.parametrize("make", [random_subgraph, random_flow])
def test_costs_that_range_widely_are_solved_too(make):
    rng = np.random.default_rng(2)
    problem = make(6, 20, 6, rng)
    room = room_for([problem])
    cost = rng.integers(1, 16_000_000, 20)
    best, cold = optimum(problem, cost), solve(problem, cost, room=room)
    for found in (cold, solve(problem, cost, cold.duals, room=room)):
        assert int(found.status) == 0
        assert cost[np.asarray(found.chosen)].sum() == best


def verdicts(learned, good=True, kinds=("subgraph", "flow"), cold=8, apart=True):
    """What is judged of a cold start of 8 steps and a learned one of so many."""
    reporter = mock.Mock(spec=Reporter)
    held = dict.fromkeys(("exact", "lipschitz", "feasible"), good)

    def cell(steps):
        work = {"cold": [[2, cold]], "learned": [[1, steps]]}
        return [{"work": work, "apart": apart, **held}]

    cells = {("subgraph", 0.02): cell(0), ("flow", 0.02): cell(learned), ("flow", 0.2): cell(8)}
    cells = {place: cell for place, cell in cells.items() if place[0] in kinds}
    learned_reductions_report.judge(cells, reporter)
    return verdicts_of(reporter)


def test_both_verdicts_of_every_claim():
    assert verdicts(4) == {claim.id: True for claim in CLAIMS}
    assert verdicts(5, good=False) == {claim.id: False for claim in CLAIMS}


def test_claims_of_both_kinds_need_both():
    alone = verdicts(4, kinds=["flow"])
    assert alone == {"exact": None, "fewer-steps": None, "lipschitz": True, "feasible": True}
    assert set(verdicts(5, good=False, kinds=["flow"]).values()) == {False}


def test_where_there_is_nothing_to_save_nothing_is_saved():
    assert verdicts(0, cold=0)["fewer-steps"] is False


def test_the_map_of_predictions_without_error_is_open():
    assert verdicts(4, apart=False)["lipschitz"] is None
    assert verdicts(4, apart=False, good=False)["lipschitz"] is False


def test_a_small_run_repeats(tmp_path):
    tiny = [
        "kinds=['flow'] problems=1 vertices=4 arcs=7 sigmas=[0.02]",
        "training_days=2 test_days=1 repeats=1",
    ]
    results = [
        finished(run(NAME, preset="smoke", sets=tiny, runs=tmp_path / name)) for name in "ab"
    ]
    assert results[0] == results[1]
    held = {claim["id"]: claim["holds"] for claim in results[0]["claims"]}
    assert held["lipschitz"] is held["feasible"] is True
    assert held["exact"] is None  # no flow fails, and there are no subgraphs


@pytest.mark.slow
def test_the_smoke_preset_runs(tmp_path):
    results = finished(run(NAME, preset="smoke", runs=tmp_path))
    assert all(claim["holds"] for claim in results["claims"])
