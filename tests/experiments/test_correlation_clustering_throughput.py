"""The experiment on times and rounds: its peers, its counts, its verdicts, and its report."""

import types
from unittest import mock

import numpy as np
import pytest

from jaxlab import correlation_clustering as cc
from jaxlab.experiments.correlation_clustering import (
    streams,
    throughput,
    throughput_claims,
    throughput_measures,
    throughput_report,
)
from jaxlab.experiments.interface import Reporter
from jaxlab.graphs import graph_from_edges
from jaxlab.runner.execute import run
from tests.helpers import finished, verdicts_of

NAME = "correlation-clustering-throughput"


def blocks(n=24, groups=3, chance=0.15):
    """Edges of cliques with a few pairs flipped."""
    rng = np.random.default_rng(0)
    group = np.arange(n) % groups
    near = (group[:, None] == group) != (rng.random((n, n)) < chance)
    return np.argwhere(np.triu(near, 1))


@pytest.mark.parametrize(("beta", "lam"), [(0.2, 0.2), (0.5, 0.5)])
def test_peers_give_the_clusters_of_agreement(beta, lam):
    networkx = pytest.importorskip("networkx")
    edges = blocks(chance=0.03)
    expected = cc.agreement_clustering(graph_from_edges(edges, 24), beta, lam, method="dense")
    known = networkx.Graph(edges.tolist())
    known.add_nodes_from(range(24))
    with_networkx = throughput_measures.with_networkx(networkx, known, beta, lam)
    np.testing.assert_array_equal(with_networkx, expected)
    np.testing.assert_array_equal(throughput_measures.with_scipy(edges, 24, beta, lam), expected)
    assert 1 < len(np.unique(expected)) < 24


def test_rounds_of_pivot():
    path = np.array([[v, v + 1] for v in range(6)])
    # by rank along a path only one vertex enters, and the next goes: 0, 2, 4, 6
    assert throughput_measures.rounds_of(path, np.arange(7)) == 4
    assert throughput_measures.rounds_of(path, np.array([0, 4, 1, 5, 2, 6, 3])) == 1
    assert throughput_measures.rounds_of(np.zeros((0, 2), int), np.arange(3)) == 1
    edges = throughput_measures.random_edges(50, 6.0, 0)
    assert (edges[:, 0] < edges[:, 1]).all()
    assert len({tuple(edge) for edge in edges.tolist()}) == len(edges)
    rounds = throughput_measures.several_rounds(edges, 50, 4, 0)
    assert len(rounds) == 4
    assert rounds == throughput_measures.several_rounds(edges, 50, 4, 0)


def test_neighbours_are_padded_to_few_lengths():
    lengths = [throughput_measures.padding(length) for length in (0, 8, 9, 64, 65)]
    assert lengths == [8, 8, 64, 64, 512]


def rows(off=0.3, equal=True, same=True, longer=2.2, moments=0.4, pivot=0.04, rounds=14):
    """Numbers of each part."""
    seconds = {"off": off, "consistent": 1.0, "step": 2.0}
    online = [
        {"arrivals": count, "edges": 3 * count, "equal": equal, "seconds": seconds}
        for count in (4000, 10_000)
    ]
    engines = {"triangles": moments, "listing": 1.0, "bitset": 1.0, "scipy": 1.0}
    offline = [{"vertices": 22_470, "edges": 170_823, "equal": same, "seconds": engines}]
    repeated = [
        {
            "copies": copies,
            "vertices": 6,
            "edges": 9 * copies,
            "triangles": 3 * copies,
            "seconds": seconds,
        }
        for copies, seconds in ((1, 1.0), (2, 2.0), (4, 2.0 * longer))
    ]
    of_pivot = [
        {"name": name, "vertices": 36_692, "edges": 99, "rounds": [9, rounds], "seconds": pivot}
        for name in ("n=36692", "email_enron")
    ]
    return online, offline, repeated, of_pivot


def verdicts(graph="musae_facebook", parts=None, beta=0.2, lam=0.2, **options):
    """What is judged of constructed numbers."""
    reporter = mock.Mock(spec=Reporter)
    config = types.SimpleNamespace(graph=graph, beta=beta, lam=lam)
    throughput_claims.judge(config, *(parts or rows(**options)), reporter)
    return verdicts_of(reporter)


def test_verdicts():
    good = verdicts()
    assert set(good) == {claim.id for claim in throughput.CLAIMS}
    assert set(good.values()) == {True}
    assert verdicts(off=0.4)["as-published-program"] is False
    assert verdicts(equal=False)["one-by-one"] is False
    assert verdicts(same=False)["same-clusters"] is False
    assert verdicts(longer=2.4)["linear"] is False
    assert verdicts(moments=0.6)["offline-seconds"] is False
    assert verdicts(pivot=0.06)["offline-seconds"] is False
    assert verdicts(rounds=16)["few-rounds"] is False
    elsewhere = verdicts(graph="ego_facebook")
    assert elsewhere["as-published-program"] is None
    assert elsewhere["offline-seconds"] is None
    assert verdicts(beta=0.4)["as-published-program"] is None
    assert verdicts(lam=0.4, off=0.4)["as-published-program"] is None
    online, offline, repeated, of_pivot = rows()
    few = verdicts(parts=(online[:1], offline, repeated[:1], of_pivot))
    assert few["as-published-program"] is None
    assert few["linear"] is None


def test_times_of_the_authors_program_are_of_its_graph_and_thresholds():
    config = types.SimpleNamespace(graph="musae_facebook", beta=0.2, lam=0.2)
    assert throughput_report.official(config, 4000) == pytest.approx((0.36, 1.26))
    for other in ({"graph": "ego_facebook"}, {"beta": 0.4}, {"lam": 0.4}):
        elsewhere = types.SimpleNamespace(**vars(config) | other)
        assert throughput_report.official(elsewhere, 4000) == (None, None)
    assert throughput_report.official(config, 1000) == (None, None)


def test_a_run_reports_and_repeats(tmp_path, monkeypatch):
    stream = streams.Stream(blocks(), 24)
    online, offline, repeated, _ = rows()
    monkeypatch.setattr(throughput, "load_stream", lambda *_: (stream, False))
    monkeypatch.setattr(
        throughput, "arrivals_together", lambda *_, **__: (online[0]["seconds"], None)
    )
    monkeypatch.setattr(throughput, "arrivals_one_by_one", lambda *_, **__: (2.0, True))
    monkeypatch.setattr(
        throughput, "seconds_offline", lambda *_, **__: (offline[0]["seconds"], True)
    )
    monkeypatch.setattr(
        throughput, "copies", lambda stream, count, **_: repeated[0] | {"copies": count}
    )
    monkeypatch.setattr(throughput, "seconds_of_pivot", lambda *_: 0.01)
    results = [finished(run(NAME, preset="smoke", runs=tmp_path / name)) for name in "ab"]
    assert results[0] == results[1]
    assert results[0]["figures"].keys() == {"arrivals", "offline", "pivot"}
    (report,) = (tmp_path / "a").glob("**/report.md")
    assert "copies of the first 6 vertices" in report.read_text()


@pytest.mark.slow
def test_what_is_timed_agrees():
    thresholds = {"beta": 0.4, "lam": 0.4}
    edges = blocks()
    stream = streams.Stream(edges, 24)
    seconds, equal = throughput_measures.seconds_offline(
        stream, dense_up_to=24, repeats=1, **thresholds
    )
    assert equal
    assert {"triangles", "listing", "bitset", "dense", "scipy"} <= set(seconds)
    times, last = throughput_measures.arrivals_together(stream, repeats=1, **thresholds)
    assert set(times) == {"off", "consistent"}
    _, equal = throughput_measures.arrivals_one_by_one(stream, last, **thresholds)
    assert equal
    row = throughput_measures.copies(stream, 3, repeats=1, **thresholds)
    assert (row["vertices"], row["edges"]) == (24, 3 * len(edges))


@pytest.mark.slow
def test_the_smoke_preset_runs(tmp_path):
    results = finished(run(NAME, preset="smoke", runs=tmp_path))
    held = {claim["id"]: claim["holds"] for claim in results["claims"]}
    assert held["one-by-one"]
    assert held["same-clusters"]
    assert held["few-rounds"]
