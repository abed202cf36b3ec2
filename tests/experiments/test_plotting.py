import io
import itertools
from concurrent.futures import ThreadPoolExecutor

import matplotlib
import numpy as np
import pytest

from jaxlab.experiments.plotting import (
    bars,
    count_axis,
    curves,
    image_rows,
    legend,
    new_figure,
    styles,
)


def png(figure):
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png")
    return drawn.getvalue()


def test_nothing_global_changes():
    before = matplotlib.rcParams.copy()
    figure, ax = new_figure(title="t")
    curves(ax, [1, 2], [0.1, 0.2], [0.01, 0.02], "a")
    legend(figure)
    png(figure)
    png(image_rows({"a": np.zeros((2, 4, 4))}))
    assert matplotlib.rcParams == before


def test_figures_can_be_drawn_by_several_threads():
    def draw(seed):
        figure, ax = new_figure(panel=(2.0, 1.5))
        curves(ax, range(5), np.random.default_rng(seed).random(5))
        return png(figure)

    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(draw, range(4)))
    assert together == [draw(seed) for seed in range(4)]


def test_the_band_is_one_standard_deviation():
    _, ax = new_figure()
    curves(ax, [1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [0.5, 0.25, 0.125], "a")
    (band,) = ax.collections
    corners = band.get_paths()[0].vertices
    for x, low, high in ((1.0, 0.5, 1.5), (2.0, 1.75, 2.25), (3.0, 2.875, 3.125)):
        heights = corners[corners[:, 0] == x, 1]
        assert (heights.min(), heights.max()) == (low, high)
    assert ax.lines[0].get_label() == "a"


def test_looks_are_told_apart_without_colour_too():
    looks = styles([str(index) for index in range(24)])
    assert len({tuple(look.values()) for look in looks.values()}) == 24
    assert len({look["marker"] for look in list(looks.values())[:8]}) == 8


@pytest.mark.parametrize("counts", [[2], [2, 5, 10, 20, 50, 100, 200, 300, 500, 1000], [1, 1000]])
def test_count_axis_labels_are_counts_and_do_not_touch(counts):
    figure, ax = new_figure(panel=(4.0, 3.0))
    curves(ax, counts, np.ones(len(counts)))
    count_axis(ax, counts)
    figure.draw_without_rendering()
    labels = ax.get_xticklabels()
    texts = [int(label.get_text()) for label in labels]
    assert set(texts) <= set(counts)
    assert max(counts) in texts
    boxes = sorted(label.get_window_extent().intervalx.tolist() for label in labels)
    assert all(left[1] < right[0] for left, right in itertools.pairwise(boxes))


def test_one_legend_names_each_curve_once():
    figure, axes = new_figure(1, 2)
    for ax in axes:
        curves(ax, [1, 2], [1, 2], label="a")
        curves(ax, [1, 2], [2, 1], label="b")
    legend(figure, "similarity")
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b"]


def test_bars_carry_their_values():
    _, ax = new_figure()
    bars(ax, ["x", "y"], {"a": [0.5, 1.0], "b": [0.25, 0.75]}, {"a": [0.1, 0.1], "b": [0.1, 0.1]})
    assert [text.get_text() for text in ax.texts] == ["0.50", "1.00", "0.25", "0.75"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["x", "y"]


def test_images_keep_their_shape_and_values():
    rng = np.random.default_rng(0)
    rows = {
        "grey": rng.random((3, 8, 8)),
        "half": rng.random((3, 4, 8)),
        "channels last": rng.random((2, 8, 8, 3)),
        "channels first": rng.random((2, 3, 8, 8)),
        "one channel": rng.random((1, 8, 8, 1)),
    }
    figure = image_rows(rows, ["a", "b", "c"], title="t")
    ax = figure.axes[0]
    shown = [np.asarray(image.get_array()) for image in ax.images]
    assert [pixels.shape for pixels in shown] == (
        [(8, 8)] * 3 + [(4, 8)] * 3 + [(8, 8, 3)] * 4 + [(8, 8)]
    )
    np.testing.assert_allclose(shown[0], rows["grey"][0])
    np.testing.assert_allclose(shown[8], np.moveaxis(rows["channels first"][0], 0, -1))
    left, right, bottom, top = ax.images[3].get_extent()
    assert (right - left) == pytest.approx(2 * (bottom - top))
    assert [label.get_text() for label in ax.get_yticklabels()] == list(rows)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["a", "b", "c"]
    assert png(figure)


def test_limits_map_to_black_and_white():
    figure = image_rows({"bipolar": [[[-1.0, 1.0], [0.0, 2.0]]]}, limits=(-1.0, 1.0))
    np.testing.assert_allclose(figure.axes[0].images[0].get_array(), [[0, 1], [0.5, 1]])
