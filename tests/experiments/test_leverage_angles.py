"""Leverage: scores against angles, and sampling by scores."""

from unittest import mock

import numpy as np
import pytest

from jaxlab.experiments.interface import Reporter
from jaxlab.experiments.leverage import angles_report, sampling_report
from jaxlab.experiments.leverage.angles import angles_of, subsets
from jaxlab.experiments.leverage.angles_figures import draw_envelopes
from jaxlab.runner.execute import run
from tests.helpers import finished, verdicts_of


def test_subsets_are_of_every_kind_and_size():
    found = subsets(30, 200, 20, seed=0)
    assert len(found) == 200
    for kind in angles_report.KINDS:
        sizes = {len(subset.vectors) for subset in found if subset.kind == kind}
        assert sizes == set(range(1, 21))
    for subset in found:
        assert len(set(subset.vectors)) == len(subset.vectors)
        assert set(subset.vectors) <= set(range(30))
    assert found[0].vectors == (0,)
    few = subsets(30, 12, 20, seed=0)
    assert [len(subset.vectors) for subset in few if subset.kind == "leading"] == [1, 10, 20]
    assert subsets(2, 4, 20, seed=0)[-1].vectors in ((0,), (1,))


def test_angles_are_those_of_the_columns_themselves():
    a = np.random.default_rng(0).standard_normal((9, 5)) * [1, 2, 3, 4, 5]
    u, s, vt = np.linalg.svd(a, full_matrices=False)
    basis = np.linalg.qr(a[:, [3, 1]])[0]
    cosines = np.linalg.svd(basis.T @ u[:, [0, 2]], compute_uv=False)
    np.testing.assert_allclose(np.cos(angles_of(s, vt, (0, 2), [3, 1])), cosines, atol=1e-9)
    more = angles_of(s, vt, (0, 2, 4), [3, 1])
    np.testing.assert_allclose(more[2], np.pi / 2)


def case(angles=0.5, lower=0.1, linear=0.9, tan2_bound=2.0, selection="scores", deficit=0.4):
    return {
        "data": "d",
        "kind": "leading",
        "k": 2,
        "number": 0,
        "vectors": [0, 1],
        "selection": selection,
        "full_rank": True,
        "deficit": deficit,
        "angles": angles,
        "lower": lower,
        "upper_linear": linear,
        "upper_refined": 0.6,
        "tan_max": 1.0,
        "tan_max_bound": None,
        "tan2": 1.5,
        "sum_tan2_bound": tan2_bound,
    }


def of_angles(error=1e-15, other=0.1, **changes):
    reporter = mock.Mock(spec=Reporter)
    rows = [case(**changes), case(deficit=0.1, angles=other)]
    angles_report.judge(rows, {"d": {"error": error, "cases": 3}}, reporter)
    return verdicts_of(reporter)


def test_verdicts_of_angles():
    claims = [claim.id for claim in angles_report.CLAIMS]
    assert of_angles() == dict.fromkeys(claims, True)
    bad = of_angles(error=1e-7, other=0.55, angles=0.5, lower=0.51, linear=0.59, tan2_bound=1.4)
    assert bad == dict.fromkeys(claims, False)


def test_a_bound_that_is_never_finite_decides_nothing():
    reporter = mock.Mock(spec=Reporter)
    row = case(tan2_bound=None) | {"tan_max": None, "tan2": None}
    angles_report.judge([row], {"d": {"error": 0.0, "cases": 3}}, reporter)
    held = verdicts_of(reporter)
    assert held["tangent-bound"] is None
    assert held["small-deficit-small-angles"] is True


def two_of_one_size():
    """Subsets of one kind and size with the same least vector: in each, angles follow deficits."""
    rows = [
        case(deficit=deficit, angles=angles)
        | {"kind": "random", "number": number, "vectors": [0, other]}
        for number, other, angles_of_subset in ((0, 3, (0.1, 0.2)), (1, 5, (1.1, 1.2)))
        for deficit, angles in zip((0.1, 0.2), angles_of_subset, strict=True)
    ]
    rows[2]["deficit"], rows[3]["deficit"] = 0.01, 0.02
    return rows


def test_correlations_are_of_one_subset_at_a_time():
    found = angles_report.correlations(two_of_one_size())
    assert list(found.values()) == pytest.approx([1, 1])
    # a subset that is met again has random columns of its own
    again = [row | {"selection": "random", "vectors": [0, 3]} for row in two_of_one_size()]
    assert list(angles_report.correlations(again, "random").values()) == pytest.approx([1, 1])


def test_a_panel_shows_one_subset():
    reporter = mock.Mock(spec=Reporter)
    draw_envelopes(None, {"d": "data"}, two_of_one_size(), reporter, k=2)
    _, figure, _ = reporter.figure.call_args.args
    panel = next(ax for ax in figure.axes if ax.get_visible())
    measured = next(line for line in panel.lines if line.get_marker() == "o")
    np.testing.assert_allclose(measured.get_ydata(), [0.1, 0.2])


def test_every_panel_shows_the_subset_nearest_the_size_that_is_asked_for():
    row = case(deficit=0.2)
    small = row | {"k": 1, "vectors": [0]}
    five = row | {"k": 5, "vectors": [3, 4, 5, 6, 7]}
    rows = [of_kind | {"kind": kind} for kind in angles_report.KINDS for of_kind in (small, five)]
    del rows[1]  # of the first kind there is none of five vectors
    reporter = mock.Mock(spec=Reporter)
    draw_envelopes(None, {"d": "data"}, rows, reporter, k=5)
    _, figure, _ = reporter.figure.call_args.args
    shown = [ax.get_title().rpartition(": ")[2] for ax in figure.axes]
    assert shown == ["0", "3–7", "3–7", "5 vectors"]


def test_a_small_run_on_angles(tmp_path):
    tiny = ["data.names=[wine] subsets=4 columns=[2,6] largest=2 exact=1"]
    results = finished(run("leverage-angles", preset="smoke", sets=tiny, runs=tmp_path))
    assert all(claim["holds"] for claim in results["claims"])
    assert [row[2:4] for row in results["tables"]["bounds"]["rows"]] == [[4, 4]] * 4


def test_columns_of_wide_matrices_are_taken_by_score_alone(tmp_path):
    tiny = ["data.names=[wine] subsets=4 wide_subsets=4 wide=12 wide_columns=[2,6] largest=2"]
    results = finished(run("leverage-angles", preset="smoke", sets=tiny, runs=tmp_path))
    table = results["tables"]["bounds"]
    assert [row[2] for row in table["rows"]] == [2] * 4
    assert (
        "columns by score and, of matrices with at most 12 columns, at random." in table["caption"]
    )


def test_kinds_without_a_subset_and_data_without_a_case_are_passed_over(tmp_path):
    few = ["data.names=[linnerud,wine] subsets=3 columns=[5,6] largest=2 exact=1"]
    results = finished(run("leverage-angles", preset="smoke", sets=few, runs=tmp_path / "few"))
    assert all(claim["holds"] for claim in results["claims"])
    shown = [row[:2] for row in results["tables"]["bounds"]["rows"]]
    kinds = [title for kind, title in angles_report.KINDS.items() if kind != "random"]
    assert shown == [["wine → cultivar", title] for title in kinds]
    none = ["data.names=[linnerud] exact=1"]  # it has three columns
    results = finished(run("leverage-angles", preset="smoke", sets=none, runs=tmp_path / "none"))
    assert results["tables"]["bounds"]["rows"] == []
    assert not results["figures"]
    held = {claim["id"]: claim["holds"] for claim in results["claims"]}
    assert held.pop("orthonormal-exact") is True
    assert set(held.values()) == {None}


@pytest.mark.parametrize("delta", [0.25, 0.5])
def test_the_sufficient_number_of_columns_meets_the_risk_and_one_less_does_not(delta):
    c = sampling_report.sufficient(4, delta, 0.1)
    assert sampling_report.bound(4, c, delta) <= 0.1 < sampling_report.bound(4, c - 1, delta)
    assert sampling_report.failures({"least": [0.1, 0.8, 0.8, 0.9]}, delta) == 0.25


def of_sampling(least=0.9, away=2.9):
    reporter = mock.Mock(spec=Reporter)
    config = mock.Mock(deltas=(0.5,), risk=0.1)
    c = sampling_report.sufficient(3, 0.5, 0.1)
    row = {"k": 3, "c": c, "probabilities": "scores", "least": [0.9, least, 0.9]}
    sampling_report.judge(config, [row | {"away": away, "standard_error": 1.0}], reporter)
    return verdicts_of(reporter)


def test_verdicts_of_sampling():
    claims = [claim.id for claim in sampling_report.CLAIMS]
    assert of_sampling() == dict.fromkeys(claims, True)
    assert of_sampling(least=0.4, away=3.1) == dict.fromkeys(claims, False)


def test_the_mean_of_a_single_vector_is_the_identity_but_for_rounding(tmp_path):
    assert sampling_report.errors_away({"away": 3e-16, "standard_error": 0.0}) == 0
    assert sampling_report.errors_away({"away": 0.3, "standard_error": 0.1}) == pytest.approx(3)
    assert sampling_report.errors_away({"away": 0.3, "standard_error": 0.0}) == np.inf
    tiny = ["data.names=[wine] k=1 starts=[0] columns=[8] deltas=[0.75] keys=20"]
    results = finished(run("leverage-sampling", preset="smoke", sets=tiny, runs=tmp_path))
    assert all(claim["holds"] for claim in results["claims"])
    rows = results["tables"]["failures"]["rows"]
    assert {row[-1] for row in rows if row[2] == "scores"} == {0}


def test_starts_that_are_too_far_are_the_last_vectors_and_called_so(tmp_path):
    tiny = ["data.names=[wine] k=3 starts=[0,20,30] columns=[8] deltas=[0.75] keys=20"]
    results = finished(run("leverage-sampling", preset="smoke", sets=tiny, runs=tmp_path))
    rows = results["tables"]["failures"]["rows"]
    assert [row[0] for row in rows if row[1:3] == [8, "scores"]] == [
        "wine, R = 0–2",
        "wine, R = 10–12",
    ]


def test_a_small_run_on_sampling_of_a_users_matrix_repeats(tmp_path):
    matrix = np.random.default_rng(0).standard_normal((30, 8)) * np.arange(1, 9)
    np.savetxt(tmp_path / "mine.csv", matrix, delimiter=",", header="a,b,c,d,e,f,g,h", comments="")
    tiny = [
        f"data.path={tmp_path / 'mine.csv'}",
        "k=2 starts=[1] columns=[8] deltas=[0.75] keys=30",
    ]
    results = [
        finished(run("leverage-sampling", preset="smoke", sets=tiny, runs=tmp_path / name))
        for name in "ab"
    ]
    assert results[0] == results[1]
    assert all(claim["holds"] for claim in results[0]["claims"])
    assert results[0]["tables"]["failures"]["rows"][0][0] == "mine.csv, R = 1–2"
