"""Leverage: sparse canonical correlations, and the time of scores."""

from unittest import mock

import numpy as np

from jaxlab.experiments import plotting
from jaxlab.experiments.interface import Reporter
from jaxlab.experiments.leverage import scaling, scaling_report, scca_report
from jaxlab.experiments.leverage.pixels import draw_chosen
from jaxlab.experiments.leverage.scaling import decaying
from jaxlab.experiments.leverage.scca import best_pair, first_correlation, split
from jaxlab.runner.execute import run
from tests.helpers import finished, verdicts_of


def test_rows_are_split_where_there_are_enough():
    a = np.arange(12.0)[:, None]
    views = split(a, 2 * a, 12)
    assert (len(views.a), len(views.a_test)) == (8, 4)
    np.testing.assert_array_equal(np.concatenate([views.b, views.b_test]), 2 * a)
    assert split(a, a, 13).a_test is None


def test_first_correlation_is_numpys_for_single_columns():
    a, b = np.random.default_rng(0).standard_normal((2, 30, 3))
    table = np.abs(np.corrcoef(a.T, b.T)[:3, 3:])
    np.testing.assert_allclose(first_correlation(a[:, :1], b[:, 1:2]), table[0, 1])
    np.testing.assert_allclose(best_pair(a, b, 1, 9), table.max())
    np.testing.assert_allclose(first_correlation(a, a[:, :2] @ np.ones((2, 1)) + 5), 1)
    assert best_pair(a, b, 1, 8) is None


def test_chosen_pixels_are_marked_where_they_are():
    _, ax = plotting.new_figure()
    draw_chosen(ax, np.zeros((2, 3)), {"black": np.array([0, 5]), "red": np.array([4])}, "")
    places = [marks.get_offsets().tolist() for marks in ax.collections]
    assert places == [[[0, 0], [2, 1]], [[1, 1]]]


def of_scca(
    wine=0.8646, test=0.95, pmd=0.8, pmd_raw=0.7, kept=True, bound=1.0, rows=178, right=7, bounds=8
):
    views = {
        "shapes": [[rows, 6], [rows, right]],
        "test": 0,
        "methods": {
            "leverage": {"1": {"train": wine, "kept": kept, "bound": bound}},
            "leading": {"1": {"train": 0.4}},
        },
        "best": {"1": 0.8646},
    }
    halves = {
        "shapes": [[4000, 300], [4000, 300]],
        "test": 2000,
        "methods": {
            name: {str(c): {"test": value} for c in (5, 10, 20)}
            for name, value in (("subspace", test), ("pmd", pmd), ("pmd_raw", pmd_raw))
        },
        "best": {},
    }
    reporter, config = mock.Mock(spec=Reporter), mock.Mock()
    config.data.center, config.data.scale = True, False
    config.bounds = (0.5,) * bounds
    scca_report.judge(config, {"wine_halves": views, "fashion_halves": halves}, reporter)
    return verdicts_of(reporter)


def test_verdicts_of_sparse_cca():
    claims = [claim.id for claim in scca_report.CLAIMS]
    assert of_scca() == dict.fromkeys(claims, True)
    assert of_scca(wine=0.85, test=0.91, pmd=0.84, kept=False) == dict.fromkeys(claims, False)
    assert of_scca(rows=100)["wine"] is None
    assert of_scca(right=6)["wine"] is None
    assert of_scca(bounds=7)["against-pmd"] is None
    assert of_scca(pmd_raw=np.nan)["against-pmd"] is False
    assert of_scca(bound=np.pi / 2)["bound"] is None  # says nothing


def test_a_small_run_of_sparse_cca(tmp_path):
    tiny = ['columns=[1] methods=["leverage","leading","pmd_raw"] bounds=[0.5]']
    results = finished(run("leverage-scca", preset="smoke", sets=tiny, runs=tmp_path))
    held = {claim["id"]: claim["holds"] for claim in results["claims"]}
    # the bound is π/2 there
    assert held == {"wine": True, "held-out": None, "against-pmd": None, "bound": None}
    rows = results["tables"]["correlations-wine-halves"]["rows"]
    assert [row[-1] for row in rows] == [0.8646, 0.3934, 0.3934, 0.8646]


def test_sparse_cca_with_more_vectors_than_there_are(tmp_path):
    """The smaller view has six columns; forward selection, asked for more pairs, would refuse."""
    tiny = ['k=10 columns=[2] methods=["leverage","subspace","leading","forward","threshold"]']
    results = finished(run("leverage-scca", preset="smoke", sets=tiny, runs=tmp_path))
    assert (
        "Scores with k = 6, of pairs of vectors and of subspaces with no more than c;"
        in results["tables"]["correlations-wine-halves"]["caption"]
    )


def test_pixels_are_shown_with_correlations_on_the_rows_that_there_are(tmp_path):
    for rows, where in ((60, "on other rows"), (59, "on the rows fitted to")):
        tiny = [
            f"data.names=[digits_halves] data.rows={rows} split_from=60 columns=[1]",
            'methods=["leverage"] exhaustive=0',
        ]
        results = finished(run("leverage-scca", preset="smoke", sets=tiny, runs=tmp_path))
        assert results["figures"]["pixels-digits-halves"].endswith(f"correlations {where}.")


def test_the_matrix_has_the_spectrum_that_was_asked_for():
    a = decaying(20_000, 16, 0)
    s = np.linalg.svd(a, compute_uv=False)
    np.testing.assert_allclose(s / s[0] * np.sqrt(np.arange(1, 17)), 1, atol=0.05)
    assert a.dtype == np.float32


def of_scaling(
    double=2.0,
    faster=4.0,
    error=1e-12,
    shard=1e-6,
    residual=0.0,
    columns=True,
    devices=4,
    m=100_000,
):
    reporter = mock.Mock(spec=Reporter)
    scaling_report.judge(
        mock.Mock(reference=(m, 256)),
        {"gram": error},
        {"gram": shard, "qr": shard, "residual": residual, "columns": columns, "devices": devices},
        {100: 1.0, 200: double, 300: 9.0},
        {"gram": 1.0, "numpy": faster},
        reporter,
    )
    return verdicts_of(reporter)


def test_verdicts_of_scaling():
    claims = [claim.id for claim in scaling_report.CLAIMS]
    assert of_scaling() == dict.fromkeys(claims, True)
    assert of_scaling(double=2.3, faster=2.9, shard=1e-3) == dict.fromkeys(claims, False)
    assert of_scaling(error=1e-7)["faster-than-svd"] is False
    assert of_scaling(columns=False)["sharded"] is False
    assert of_scaling(residual=np.nan)["sharded"] is False
    assert of_scaling(devices=1)["sharded"] is None  # spread over nothing
    assert of_scaling(m=1000)["faster-than-svd"] is None


def test_a_small_run_on_scaling(tmp_path, monkeypatch):
    # the room's tests run on several devices; so does the smoke preset
    spread = {"gram": 0.0, "qr": 1e-7, "residual": 0.0, "columns": True, "devices": 2}
    monkeypatch.setattr(scaling, "on_devices", lambda compare, devices, **arguments: spread)
    tiny = [
        "rows=[64] columns=[8] k=2 repeats=1 doubled=[64,128] doubled_columns=8",
        'reference=[64,8] sharded=[65,8] devices=2 batch=32 routes=["gram","moments"]',
    ]
    outcome = run("leverage-scaling", preset="smoke", sets=tiny, runs=tmp_path)
    results = finished(outcome)
    held = {claim["id"]: claim["holds"] for claim in results["claims"]}
    assert held["sharded"] is True
    assert held["faster-than-svd"] is None
    caption = outcome.results.tables["times"]["caption"]
    assert "device, but for moments, whose batches of 32 rows come from the host" in caption
    assert "decompose, or select" in caption
