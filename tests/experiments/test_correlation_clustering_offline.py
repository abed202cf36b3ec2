"""The experiment on offline clusterings: its graphs, its verdicts, and a run of stand-ins."""

import types
from unittest import mock

import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab import correlation_clustering as cc
from jaxlab.experiments.correlation_clustering import (
    leiden,
    offline,
    offline_claims,
    offline_measures,
    offline_report,
)
from jaxlab.experiments.interface import Reporter
from jaxlab.graphs import graph_from_edges
from jaxlab.runner.execute import run
from tests.helpers import finished, verdicts_of

NAME = "correlation-clustering-offline"
METHODS = offline_measures.METHODS
# two cliques of three that share no edge, and one edge between them
CLIQUES = np.array([[0, 1], [0, 2], [1, 2], [3, 4], [3, 5], [4, 5], [2, 3]])


def test_planted_cliques_have_one_room():
    first, second = offline_measures.plant((3, 4), (0.0, 0.2), 2, 0)
    assert first.mask.shape == second.mask.shape
    assert first.mask.sum(axis=1).tolist() == [18, 18]
    assert first.node_capacity == 12
    ends = np.asarray(first.senders)[0, :18] // 4, np.asarray(first.receivers)[0, :18] // 4
    np.testing.assert_array_equal(*ends)
    assert len({tuple(row) for row in np.asarray(second.senders).tolist()}) == 2


def test_a_grid_has_beta_in_rows():
    values = (0.1, 0.4)
    costs = offline_measures.measure_grid(CLIQUES, 6, values)
    graph = graph_from_edges(CLIQUES, 6)
    for row, beta in enumerate(values):
        for column, lam in enumerate(values):
            labels = cc.agreement_clustering(graph, beta, lam)
            assert costs[row][column] == int(cc.disagreements(graph, labels)) / 7
    assert costs[1][0] != costs[0][1]


def test_local_moves_go_on_until_none_gains(monkeypatch):
    asked = []

    def step(key, graph, labels, *, rounds):
        asked.append(rounds)
        done = jnp.array(len(asked) == 3)
        return cc.LocalMoves(labels, jnp.arange(rounds), labels, done)

    monkeypatch.setattr(cc, "local_moves", step)
    key = jnp.zeros(2, jnp.uint32)
    _, rounds = offline_measures.settle(graph_from_edges(CLIQUES, 6), key, 100)
    assert asked == [10, 10, 10]
    assert rounds == 30
    asked.clear()
    moved, rounds = offline_measures.settle(graph_from_edges(CLIQUES, 6), key, 20)
    assert rounds == 20
    assert not moved.converged
    asked[:] = [0, 0, 0]
    _, rounds = offline_measures.settle(graph_from_edges(CLIQUES, 6), key, 15)
    assert asked[3:] == [10, 5]
    assert rounds == 15


@pytest.mark.skipif(not leiden.installed(), reason="needs igraph")
def test_leiden_finds_the_cliques_and_repeats():
    labels = leiden.leiden(CLIQUES, 7, 0)
    assert labels.dtype == np.int32
    groups = {frozenset(np.flatnonzero(labels == label)) for label in labels}
    assert groups == {frozenset({0, 1, 2}), frozenset({3, 4, 5}), frozenset({6})}
    np.testing.assert_array_equal(labels, leiden.leiden(CLIQUES, 7, 0))


def constructed(
    pivot=6.0, packing=1, program=1.5, rand=1.0, noise=0.01, moves=102, peers=(100,), graph="x"
):
    """Numbers of each part."""
    small = {
        "optimum": [2, 0],
        "program": [program, 0.0],
        "packing": [packing, 0],
        "cost": {"agreement": [4.0, 0.0], "pivot": [pivot, 0.0], "moves": [2.0, 0.0]},
    }
    drawn = {
        "planted": [10, 10],
        "cost": {name: [20.0, 10.0] for name in METHODS},
        "rand": {name: [1.0, rand] for name in METHODS},
    }
    planted = {((5, 100), share): drawn for share in (0.0, noise)}
    planted |= {((12, 40), share): drawn for share in (0.0, 0.005)}
    real = {
        "vertices": 9,
        "edges": 200,
        "packing": 60,
        "agreement": 190,
        "pivot": [150, 170],
        "moves": moves,
        "rounds": 10,
        "settled": True,
    }
    return {8: small}, planted, {graph: real}, {graph: list(peers)} if peers else {}


def verdicts(**options):
    """What is judged of constructed numbers."""
    reporter = mock.Mock(spec=Reporter)
    config = types.SimpleNamespace(draws=2)
    offline_claims.judge(config, *constructed(**options), reporter)
    return verdicts_of(reporter)


def test_verdicts():
    good = verdicts()
    assert set(good) == {claim.id for claim in offline.CLAIMS}
    assert set(good.values()) == {True}
    assert verdicts(pivot=6.1)["pivot-three"] is False
    assert verdicts(program=2.1)["certificates"] is False
    assert verdicts(packing=2)["certificates"] is False
    assert verdicts(pivot=1.5)["certificates"] is False
    assert verdicts(rand=0.9)["cliques"] is False
    assert verdicts(rand=0.9)["little-noise"] is False
    assert verdicts(noise=0.02)["little-noise"] is None
    assert verdicts(moves=103)["as-leiden"] is False
    assert verdicts(moves=103, peers=(100, 99, 102))["as-leiden"] is False
    assert verdicts(peers=())["as-leiden"] is None
    assert verdicts(graph="planted")["as-leiden"] is None


def test_no_optimum_above_zero_decides_nothing_of_pivot():
    small, *others = constructed(pivot=0.0, packing=0, program=0.0)
    small[8]["optimum"] = [0, 0]
    for cost, holds in ((0.0, None), (1.0, False)):
        small[8]["cost"]["pivot"] = [cost, 0.0]
        reporter = mock.Mock(spec=Reporter)
        offline_claims.judge(types.SimpleNamespace(draws=2), small, *others, reporter)
        assert verdicts_of(reporter)["pivot-three"] is holds


def test_a_report_says_that_the_peer_is_missing():
    reporter = mock.Mock(spec=Reporter)
    config = types.SimpleNamespace(
        beta=0.2, lam=0.2, small_orders=3, draws=2, orders=3, leiden_runs=1, grid_values=(0.2,)
    )
    grids = {"x": [[0.5]], "5x100": {"cost": [[2.0]], "rand": [[1.0]]}}
    numbers = constructed(peers=())
    planted = numbers[1]
    planted[(5, 100), 0.0] = planted[(5, 100), 0.0] | {"planted": [10, 0]}
    planted[(5, 100), 0.01] = planted[(5, 100), 0.01] | {"planted": [0, 0]}
    offline_report.tabulate(config, *numbers, grids, reporter)
    rows = {call.args[0]: call.args[2] for call in reporter.table.call_args_list}
    # of two draws, one has nothing flipped, then both
    assert [row[4] for row in rows["planted"]] == ["2.000", "–", "1.500", "1.500"]
    assert "not installed" in rows["real"][0]
    assert [row[2:] for row in rows["grid"]] == [[0.5, 0.2, 0.2, 0.5], [2.0, 0.2, 0.2, 2.0]]


def test_a_run_reports_and_repeats(tmp_path, monkeypatch):
    small, planted, real, peers = constructed()
    monkeypatch.setattr(leiden, "installed", lambda: True)
    monkeypatch.setattr(offline, "load_graph", lambda graph: (CLIQUES, 6, None))
    monkeypatch.setattr(offline, "plant", lambda shape, noise, draws, seed: [None] * len(noise))
    monkeypatch.setattr(offline, "measure_small", lambda *_, **__: small[8])
    monkeypatch.setattr(offline, "measure_planted", lambda *_, **__: planted[(5, 100), 0.0])
    monkeypatch.setattr(offline, "measure_real", lambda *_, **__: real["x"])
    monkeypatch.setattr(offline, "measure_leiden", lambda *_: peers["x"])
    grid = (1 + np.arange(25).reshape(5, 5) / 25).tolist()
    monkeypatch.setattr(offline, "measure_grid", lambda *_: grid)
    monkeypatch.setattr(offline, "measure_planted_grid", lambda *_: {"cost": grid, "rand": grid})
    results = [finished(run(NAME, preset="smoke", runs=tmp_path / name)) for name in "ab"]
    assert results[0] == results[1]
    assert results[0]["figures"].keys() == {"small", "planted", "real", "grid"}


@pytest.mark.slow
def test_algorithms_on_small_and_planted_graphs():
    options = {"seed": 0, "beta": 0.2, "lam": 0.2, "orders": 3, "rounds": 20}
    cell = offline_measures.measure_small(5, 6, 4, (0.5, 0.9), **options)
    for name in METHODS:
        assert (np.asarray(cell["cost"][name]) >= cell["optimum"]).all()
    shape = (3, 6)
    (stack,) = offline_measures.plant(shape, (0.0,), 2, 0)
    cell = offline_measures.measure_planted(stack, shape, **options)
    assert cell["planted"] == [0, 0]
    for name in METHODS:
        assert cell["cost"][name] == [0, 0]
        assert offline_claims.recovered(cell, name) == 2
    grid = offline_measures.measure_planted_grid(stack, shape, (0.1, 0.2))
    assert grid == {"cost": [[0.0, 0.0], [0.0, 0.0]], "rand": [[1.0, 1.0], [1.0, 1.0]]}


@pytest.mark.slow
def test_the_smoke_preset_runs(tmp_path):
    results = finished(run(NAME, preset="smoke", runs=tmp_path))
    held = {claim["id"]: claim["holds"] for claim in results["claims"]}
    assert held.pop("little-noise") is None
    assert held.pop("as-leiden") is None
    assert set(held.values()) == {True}
