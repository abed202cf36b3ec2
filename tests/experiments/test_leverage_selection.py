"""Leverage: the data of its experiments, column subset selection, and CUR decompositions."""

import itertools
from unittest import mock

import numpy as np
import pytest

from jaxlab.experiments.interface import Reporter
from jaxlab.experiments.leverage import cur, cur_report, gcss, gcss_figures, gcss_report, peers
from jaxlab.experiments.leverage.matrices import Data, load, planted_target
from jaxlab.runner.execute import run
from jaxlab.runner.request import resolve
from tests.helpers import finished, verdicts_of

RAW = {
    "names": ("digits",),
    "path": "",
    "target": "",
    "rows": 0,
    "center": True,
    "scale": False,
    "drop_std_below": 0.0,
}


def test_pairs_are_centred_and_lose_constant_columns():
    digits = load("digits", Data(**RAW))
    assert digits.a.shape == (1797, 61)
    assert digits.b.shape == (1797, 10)
    np.testing.assert_allclose(digits.a.mean(axis=0), 0, atol=1e-12)
    assert {0, 32, 39}.isdisjoint(digits.columns.tolist())
    halves = load("wine_halves", Data(**RAW | {"rows": 100, "scale": True}))
    assert (halves.a.shape, halves.b.shape) == ((100, 6), (100, 7))
    np.testing.assert_allclose(halves.a.std(axis=0), 1)
    np.testing.assert_allclose((halves.a * halves.units + halves.means)[0, 0], 14.23, rtol=1e-6)
    assert load("linnerud", Data(**RAW)).b.shape == (20, 3)


def test_a_matrix_of_the_users_has_its_target_in_a_file_or_in_its_right_half(tmp_path):
    a, b = np.arange(12.0).reshape(4, 3) ** 2, np.arange(4.0)
    np.save(tmp_path / "a.npy", a)
    np.save(tmp_path / "b.npy", b)
    data = RAW | {"path": str(tmp_path / "a.npy"), "center": False}
    pair = load(
        data["path"],
        Data(
            **data,
        ),
    )
    assert (pair.title, pair.a.shape, pair.b.shape) == ("a.npy", (4, 1), (4, 2))
    with_target = data | {"target": str(tmp_path / "b.npy")}
    pair = load(data["path"], Data(**with_target))
    np.testing.assert_array_equal(pair.b[:, 0], b)
    np.save(tmp_path / "b.npy", b[:3])
    with pytest.raises(ValueError, match=r"b.npy: expected 4 rows.*got 3"):
        load(data["path"], Data(**with_target | {"rows": 3}))
    # the mean of 0.1 is not 0.1, and the standard deviation not 0
    matrix = np.random.default_rng(0).standard_normal((178, 6))
    matrix[:, [1, 4]] = 0.1
    np.save(tmp_path / "c.npy", matrix)
    scaled = Data(**data | {"path": str(tmp_path / "c.npy"), "center": True, "scale": True})
    pair = load(scaled.path, scaled)
    assert (pair.columns.tolist(), pair.targets.tolist()) == ([0, 2], [0, 2])
    np.testing.assert_allclose(pair.a.std(axis=0), 1)
    np.save(tmp_path / "a.npy", np.full((4, 3), 0.1))
    with pytest.raises(ValueError, match=r"a.npy: expected columns with a standard deviation"):
        load(data["path"], Data(**data | {"rows": 2}))


def test_a_planted_target_has_its_signal_in_the_vectors_and_noise_of_its_norm():
    u = np.linalg.qr(np.random.default_rng(5).standard_normal((40, 3)))[0]
    b = planted_target(u, seed=1, width=7, noise=0.2)
    noise = b - planted_target(u, seed=1, width=7, noise=0.0)
    assert b.shape == (40, 7)
    np.testing.assert_allclose(np.linalg.norm(noise), 0.2)
    np.testing.assert_allclose(np.linalg.norm(b - noise), 1)
    np.testing.assert_allclose(u @ (u.T @ (b - noise)), b - noise, atol=1e-12)


def test_residual_fractions_are_those_of_least_squares():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((20, 6)), rng.standard_normal((20, 2))
    a[:, 4] = a[:, 1] - a[:, 3]
    order = [3, 1, 4, 0]
    found = peers.residual_fractions(a, b, order, [1, 2, 3, 4])
    for c, value in zip([1, 2, 3, 4], found, strict=True):
        columns = a[:, order[:c]]
        rest = b - columns @ np.linalg.lstsq(columns, b, rcond=None)[0]
        np.testing.assert_allclose(value, (rest**2).sum() / (b**2).sum(), rtol=1e-9)
    assert peers.residual_fractions(a, 0 * b, order, [1]) == [0.0]
    pairs = itertools.combinations(range(6), 2)
    best = min(peers.residual_fractions(a, b, list(pair), [2])[0] for pair in pairs)
    assert peers.best_subset(a, b, 2) == best
    assert peers.best_subset(a, b, 3, limit=19) is None


def test_the_orders_of_peers_are_columns():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((20, 6)) * [1, 2, 9, 3, 4, 5], rng.standard_normal((20, 2))
    for order_of in peers.orders().values():
        order = order_of(a, b, 4)
        assert len(set(order.tolist())) == 4
    assert peers.orders()["norm"](a, b, 2).tolist() == [2, 5]


def residuals(scores, leading, hybrid=0.5, counts=(2,)):
    entry = {"leverage": scores, "leading": leading, "hybrid": hybrid, "greedy": 0.5}
    return {
        "counts": list(counts),
        "residual": {name: {str(c): [v, 0.0] for c in counts} for name, v in entry.items()},
        "title": "",
        "shape": [178, 13],
        "k": 2,
        "kept": 3,
        "certified": 3,
        "difference": 0.0,
    }


def of_gcss(
    scores=0.3, leading=0.7, hybrid=0.5, aligned=0.7, cancer_columns=30, digits_columns=61, **more
):
    wine = residuals(scores, leading, hybrid) | more
    cancer = residuals(scores, leading, hybrid) | {"shape": [569, cancer_columns]}
    plant = {"data": "digits", "seed": 0, "k": 5, "shape": [1797, digits_columns]}
    later = residuals(scores, leading, hybrid, [20]) | plant | {"start": 10}
    first = residuals(aligned, 0.7, hybrid, [20]) | plant | {"start": 0}
    reporter = mock.Mock(spec=Reporter)
    config = mock.Mock()
    config.data.center, config.data.scale = True, False
    gcss_report.judge(config, {"wine": wine, "breast_cancer": cancer}, [later, first], reporter)
    return verdicts_of(reporter)


def test_verdicts_of_column_subset_selection():
    claims = {claim.id for claim in gcss_report.CLAIMS}
    assert of_gcss() == dict.fromkeys(claims, True)
    bad = of_gcss(scores=0.5, hybrid=0.6, aligned=0.6999, kept=2)
    assert bad == dict.fromkeys(claims, False)
    assert of_gcss(difference=1e-7)["certificate"] is False
    assert of_gcss(shape=[177, 13])["wine"] is None
    assert of_gcss(shape=[178, 12])["wine"] is None
    assert of_gcss(cancer_columns=18)["breast-cancer"] is None
    assert of_gcss(digits_columns=60)["planted"] is None
    assert of_gcss(scores=0.0, leading=0.0)["planted"] is False  # nothing is left by either


def of_cur(
    left=0.39, cur=0.2, labels=0.3, columns=(1, 2), rows=(3, 4), best=0.2, generalized=(0.3, 0.2)
):
    leading = {"pixels": 0.3, "cur": cur, "labels": labels, "columns": [0, 1], "rows": [3, 4]}
    bounds = [{"k": 1, "c": 4, "deficit": 0.5, "left": left, "best": best}]
    other = {"pixels": 0.4, "columns": list(columns), "rows": list(rows)}
    other |= dict(zip(("cur", "labels"), generalized, strict=True))
    reporter = mock.Mock(spec=Reporter)
    found = {"leading": {"2": leading}, "generalized": {"2": other}}
    cur_report.judge(found, bounds, reporter)
    return verdicts_of(reporter)


def test_verdicts_of_cur_decompositions():
    claims = [claim.id for claim in cur_report.CLAIMS]
    assert of_cur() == dict.fromkeys(claims, True)
    assert of_cur(left=0.41, cur=0.31, labels=0.19) == dict.fromkeys(claims, False)
    assert list(of_cur(columns=(1, 0)).values()) == [True, None, None]
    # the same columns may be of other vectors, which choose other rows
    assert list(of_cur(columns=(1, 0), rows=(3, 5)).values()) == [True, True, None]
    assert list(of_cur(cur=0.4, columns=(1, 0), rows=(3, 5)).values()) == [True, False, None]
    # less by rounding is not less
    nothing = of_cur(cur=1e-16, labels=2e-16, generalized=(2e-16, 1e-16))
    assert list(nothing.values()) == [True, False, False]
    # of all singular vectors nothing may be left but rounding
    assert of_cur(left=1e-16, best=0.0)["classical-bound"] is True
    assert of_cur(left=1e-3, best=0.0)["classical-bound"] is False


def test_a_small_run_of_column_subset_selection(tmp_path):
    tiny = [
        "data.names=[wine] planted.names=[wine] planted.k=[2] planted.starts=[0,3]",
        "planted.seeds=1 columns=[2] draws=2 repeats=0",
        'methods=["leverage","sampling","hybrid","greedy"]',
    ]
    results = finished(run("leverage-gcss", preset="smoke", sets=tiny, runs=tmp_path))
    held = {claim["id"]: claim["holds"] for claim in results["claims"]}
    assert held == {
        "wine": True,
        "breast-cancer": None,
        "planted": None,
        "aligned": True,
        "hybrid": True,
        "certificate": True,
    }
    assert results["tables"]["real-wine"]["rows"][0] == ["generalized scores", 0.3615]


def test_planted_vectors_are_those_there_are(tmp_path):
    tiny = [
        "data.names=[linnerud] planted.names=[wine,digits] planted.k=[2,5] planted.seeds=1",
        'planted.starts=[0,20,30] columns=[2] draws=1 repeats=0 methods=["leverage","greedy"]',
    ]
    results = finished(run("leverage-gcss", preset="smoke", sets=tiny, runs=tmp_path))
    places = list(dict.fromkeys(tuple(row[:2]) for row in results["tables"]["planted"]["rows"]))
    assert places == [
        ("wine", "R = 0–1"),
        ("wine", "R = 11–12"),
        ("digits", "R = 0–4"),
        ("digits", "R = 20–24"),
        ("digits", "R = 30–34"),
    ]


def test_column_subset_selection_of_a_matrix_of_low_rank(tmp_path):
    """Shares of a whole sum to 1: centred, four columns have rank 3."""
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.ones(4), 60) * 100
    np.savetxt(tmp_path / "a.csv", shares, delimiter=",")
    np.savetxt(tmp_path / "b.csv", shares @ rng.standard_normal((4, 4)), delimiter=",")
    tiny = [
        f"data.path={tmp_path / 'a.csv'} data.target={tmp_path / 'b.csv'} k=10 planted.k=[5]",
        'columns=[2] draws=1 repeats=0 methods=["leverage","hybrid","greedy"]',
    ]
    results = finished(run("leverage-gcss", preset="smoke", sets=tiny, runs=tmp_path))
    assert "k = 3 singular vectors" in results["tables"]["real-user"]["caption"]
    assert {row[1] for row in results["tables"]["planted"]["rows"]} == {"R = 0–2"}


@pytest.mark.parametrize("seeds", [1, 2])
def test_a_figure_of_planted_targets_says_what_its_bands_are(seeds):
    plant = residuals(0.3, 0.7) | {"data": "wine", "start": 0}
    config, reporter = mock.Mock(), mock.Mock(spec=Reporter)
    config.planted.seeds = seeds
    gcss_figures.draw_planted(config, [plant | {"seed": seed} for seed in range(seeds)], reporter)
    caption = reporter.figure.call_args.args[2]
    assert ("over 2 seeds" in caption) is (seeds == 2)
    assert ("deviation of uniform choices" in caption) is (seeds == 1)
    assert "the same" not in caption


def test_times_are_of_the_numbers_of_columns_that_are_compared(monkeypatch):
    asked = []
    monkeypatch.setattr(gcss, "selections", lambda *given: asked.append(given[-1]) or [])
    monkeypatch.setattr(gcss, "interleaved_seconds", lambda calls, repeats: {})
    for columns, most in (("[20]", 10), ("[4,8,20]", 8)):  # there are ten
        sets = [f"data.names=[diabetes] columns={columns}"]
        gcss.times(resolve("leverage-gcss", "smoke", sets).config, "diabetes")
        assert asked.pop()[-1] == most


def test_a_small_run_of_cur_decompositions(tmp_path):
    tiny = ["data.rows=45 columns=[4] k=3 shown=2 draws=1"]
    results = finished(run("leverage-cur", preset="smoke", sets=tiny, runs=tmp_path))
    assert set(results["figures"]) == {"errors", "pixels", "pictures"}
    assert "of uniform choices the first of 1 is shown" in results["figures"]["pixels"]
    best = results["tables"]["errors"]["rows"][-1]
    assert all(best[1] < row[1] for row in results["tables"]["errors"]["rows"][:-1])


def test_of_uniform_choices_the_first_is_kept_with_the_mean_of_all():
    found = []
    for draws in (1, 2):
        sets = [f"data.rows=45 columns=[4] draws={draws}"]
        config = resolve("leverage-cur", "smoke", sets).config
        found.append(cur.measure(config, load("digits", config.data), "uniform")["4"])
    assert found[0]["columns"] == found[1]["columns"]
    assert found[0]["pixels"] != found[1]["pixels"]


@pytest.mark.parametrize(
    ("sets", "ranks"),
    [
        ("data.names=[linnerud] k=3 columns=[2]", [1, 2, 3]),
        ("data.names=[linnerud] k=10 columns=[2]", [1, 2, 3]),
        ("data.names=[wine] k=1 columns=[4]", [1]),
    ],
)
def test_cur_with_as_many_vectors_as_there_are(tmp_path, sets, ranks):
    results = finished(
        run("leverage-cur", preset="smoke", sets=[f"{sets} shown=2 draws=1"], runs=tmp_path)
    )
    assert results["claims"][0]["holds"] is True
    assert [row[0] for row in results["tables"]["classical"]["rows"]] == ranks
    assert f"scores of {ranks[-1]} singular" in results["tables"]["errors"]["caption"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gcss", "cur", "angles", "scca", "sampling", "scaling"])
def test_the_smoke_preset_runs(tmp_path, name):
    results = finished(run(f"leverage-{name}", preset="smoke", runs=tmp_path))
    timed = ("linear-in-rows", "faster-than-svd")
    assert all(
        claim["holds"] in (True, None) for claim in results["claims"] if claim["id"] not in timed
    )
