"""The experiment on a summary of images: its pictures, its verdicts, and runs."""

import types
from unittest import mock

import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.experiments.interface import Reporter
from jaxlab.experiments.kcenter import fashion, fashion_report
from jaxlab.runner.execute import run
from tests.helpers import finished, verdicts_of

NAME = "kcenter-fashion"
CLASSES = [number // 2 for number in range(20)]


def cells(smallest=50, fair=7, classes=CLASSES, plain=(0, *CLASSES[:-1])):
    def cell(least, found):
        return {
            "centers": list(range(20)),
            "counts": [least, *[90] * 19],
            "classes": list(found),
            "radius": 2.0,
            "lower_bound": 1.0,
            "mean_distance": 1.5,
        }

    return {
        "plain": cell(1, plain),
        "fair": cell(fair, CLASSES),
        "joint": cell(smallest, classes),
        "refined": cell(50, CLASSES),
    }


def verdicts(**options):
    reporter = mock.Mock(spec=Reporter)
    config = types.SimpleNamespace(per_class=2, min_size=50)
    fashion_report.judge(config, cells(**options), reporter)
    return verdicts_of(reporter)


def test_verdicts():
    good = verdicts()
    assert set(good) == {claim.id for claim in fashion.CLAIMS}
    assert set(good.values()) == {True}
    assert verdicts(smallest=49)["sizes"] is False
    assert verdicts(classes=[0, *CLASSES[:-1]])["classes"] is False
    assert verdicts(fair=50)["needed"] is False
    assert verdicts(plain=CLASSES)["needed"] is False


def test_pictures_show_images_and_numbers():
    images = np.random.default_rng(0).random((30, 8, 8))
    rows = {"one": (list(range(12)), [5] * 12), "other": ([3], [1200])}
    figure = fashion_report.picture_grid(images, rows, least=6, columns=10)
    (ax,) = figure.axes
    assert len(ax.images) == 13
    texts = [text.get_text() for text in ax.texts]
    assert texts.count("5") == 12
    assert texts.count("1,200") == 1
    colours = {text.get_text(): text.get_color() for text in ax.texts}
    assert colours["5"] != colours["1,200"]


def test_centers_are_described_by_class():
    summary = fashion.Summary(jnp.array([2, 0, -1]), jnp.array([1, 1, 0]), 3.0, 1.0)
    points, groups = jnp.array([[0.0], [3.0], [9.0]]), jnp.array([0, 1, 1])
    found = fashion.describe(points, groups, summary)
    assert found["centers"] == [0, 2]
    assert found["counts"] == [2, 1]
    assert found["classes"] == [0, 1]
    assert found["mean_distance"] == pytest.approx(1.0)


def test_a_run_reports(tmp_path, monkeypatch):
    found = cells()
    monkeypatch.setattr(
        fashion, "solution_of", lambda config, points, groups, method, joint: method
    )
    monkeypatch.setattr(fashion, "describe", lambda points, groups, method: found[method])
    results = finished(run(NAME, preset="smoke", runs=tmp_path))
    assert results["figures"].keys() == {"pictures", "sizes"}


@pytest.mark.slow
def test_the_smoke_preset_runs(tmp_path):
    results = finished(run(NAME, preset="smoke", runs=tmp_path))
    held = {claim["id"]: claim["holds"] for claim in results["claims"]}
    assert held["classes"] is held["sizes"] is True
