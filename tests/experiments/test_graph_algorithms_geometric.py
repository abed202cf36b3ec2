"""Duals learned from draws of clustered data: the data, the peers, verdicts, and a small run."""

import types
from unittest import mock

import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab import graph_algorithms as ga
from jaxlab.experiments.graph_algorithms import clustered, learned_duals_geometric_report, peers
from jaxlab.experiments.graph_algorithms.learned_duals_geometric import CLAIMS, no_prediction, solve
from jaxlab.experiments.interface import Reporter
from jaxlab.runner.execute import run
from jaxlab.runner.registry import UsageError
from tests.helpers import finished, verdicts_of

NAME = "graph-algorithms-learned-duals-geometric"
COSTS = np.random.default_rng(0).integers(0, 1000, (3, 8, 8)).astype(np.int32)


def test_clusters_come_from_one_cell_and_split_in_halves():
    cells = {}

    def cell(key, compute):
        if key not in cells:
            cells[key] = compute()
        return cells[key]

    reporter = mock.Mock(spec=Reporter)
    reporter.cell = cell
    first, again = (
        clustered.cluster(reporter, "pixels", 4, seed=1, max_iterations=50) for _ in range(2)
    )
    assert list(cells) == ["clusters/pixels/k=4"]
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)
    assert sorted([*first.left, *first.right]) == list(range(8))
    assert first.points.shape == (20_000, 3)
    # at Lloyd's fixed point, or near it, points are nearest the mean of their own cluster
    means = np.stack([first.points[first.labels == c].mean(0) for c in range(8)])
    nearest = ((first.points[:, None] - means) ** 2).sum(-1).argmin(1)
    assert (nearest == first.labels).mean() > 0.98
    assert 1 < first.iterations <= 50


def test_every_peer_finds_the_optimum():
    best = [peers.optimum(cost) for cost in COSTS]
    single, together = peers.peers(), peers.batch_peers()
    assert {"scipy", "optax"} <= set(single) == set(together) <= set(peers.TITLES)
    for name, peer in single.items():
        assert peers.total(COSTS[0], peer.solve(peer.prepare(COSTS[0]))) == best[0]
        found = peers.total(COSTS, together[name].solve(together[name].prepare(COSTS)))
        assert found.tolist() == best


def verdicts(steps, rounds, scipy, optax, exact, size=500):
    """What is judged of constructed numbers: cold over learned, and peers over learned."""
    reporter = mock.Mock(spec=Reporter)
    places = [(name, size) for name in ("skin", "shuttle", "fashion")]
    cell = {
        "exact": exact,
        "cold": {"steps": [steps * 100], "rounds": [rounds * 10]},
        "learned": {"steps": [100], "rounds": [10]},
    }
    seconds = {"learned": 1.0, "scipy": scipy, "optax": optax}
    learned_duals_geometric_report.judge(
        dict.fromkeys(places, cell), dict.fromkeys(places, seconds), reporter
    )
    return verdicts_of(reporter)


def test_verdicts():
    assert verdicts(3.0, 1.1, 2.0, 10.0, True) == {claim.id: True for claim in CLAIMS}
    assert verdicts(1.4, 1.0, 1.9, 9.9, False) == {claim.id: False for claim in CLAIMS}
    assert verdicts(2.0, 2.0, 2.0, 10.0, True)["fewer-steps"] is False
    assert verdicts(2.0, 2.0, 2.0, 10.0, True)["fewer-steps-images"] is True
    small = verdicts(9.0, 9.0, 9.0, 99.0, True, size=60)
    assert [claim for claim, holds in small.items() if holds is True] == ["fewer-rounds", "exact"]
    assert False not in small.values()


def test_the_part_of_no_steps_is_drawn_as_of_one():
    reporter = mock.Mock(spec=Reporter)
    config = types.SimpleNamespace(data=["pixels"], sizes=[4], samples=[1, 3], training=3, tests=2)
    cell = {"cold": {"steps": [0, 0]}, "samples": {"1": [0, 0], "3": [0, 0]}}
    with np.errstate(invalid="raise"):
        learned_duals_geometric_report.draw_samples(config, {("pixels", 4): cell}, reporter)
    line = reporter.figure.call_args.args[1].axes[0].get_lines()[0]
    assert line.get_ydata().tolist() == [0, 0]


def test_a_small_run_reports_and_repeats(tmp_path):
    tiny = ["sizes=[8] training=3 samples=[3] tests=2 timed=1 repeats=1 max_iterations=5"]
    results = [
        finished(run(NAME, preset="smoke", sets=tiny, runs=tmp_path / name)) for name in "ab"
    ]
    assert results[0] == results[1]
    held = {claim["id"]: claim["holds"] for claim in results[0]["claims"]}
    assert held["exact"] is True
    assert held["faster-than-scipy"] is None


def test_samples_are_not_all_larger_than_the_training(tmp_path):
    with pytest.raises(UsageError, match=r"samples: expected one of at most training \(3\)"):
        run(NAME, preset="smoke", sets=["training=3 samples=[5]"], runs=tmp_path)


@pytest.mark.slow
def test_the_smoke_preset_runs(tmp_path):
    held = {
        claim["id"]: claim["holds"]
        for claim in finished(run(NAME, preset="smoke", runs=tmp_path))["claims"]
    }
    assert held["fewer-rounds"] is True
    assert held["exact"] is True


@pytest.mark.slow
def test_no_prediction_is_a_cold_start():
    cost = jnp.asarray(COSTS[0])
    for method in (solve, ga.primal_dual_matching):
        assert method(cost, no_prediction(8)).stats == method(cost).stats
