"""Canvases, tables and verdicts of spherical-multi-item, and a small run."""

from unittest import mock

import numpy as np
import pytest

from jaxlab.experiments.interface import Reporter
from jaxlab.experiments.spherical.canvases import Canvases, compose_splits
from jaxlab.experiments.spherical.inputs import Planar, Splits
from jaxlab.experiments.spherical.multi_item_report import Arm, judge
from jaxlab.runner.execute import run
from tests.helpers import finished, verdicts_of

CANVASES = Canvases(train=5, validation=2, test=3, size=6, overlap=False, max_tries=10)


def single(*brightness):
    """Images of one level, labelled by their place."""
    count = len(brightness)
    images = np.float32(brightness)[:, None, None] * np.ones((count, 3, 3), np.float32)
    return Planar(images, np.arange(count, dtype=np.int32))


def test_canvases_hold_items_of_their_own_part():
    splits = Splits(single(10, 20), single(30, 40), single(50, 60))
    made = compose_splits(splits, CANVASES, 2, seed=0)
    assert [len(part.images) for part in made] == [5, 2, 3]
    for part, levels in zip(made, ([0, 10, 20], [0, 30, 40], [0, 50, 60]), strict=True):
        assert part.images.shape[1:] == part.labels.shape[1:] == (6, 6)
        np.testing.assert_array_equal(part.images, np.array(levels)[part.labels])
        np.testing.assert_array_equal((part.labels > 0).sum(axis=(1, 2)), 18)
    again = compose_splits(splits, CANVASES, 2, seed=0)
    np.testing.assert_array_equal(made.train.images, again.train.images)
    other = compose_splits(splits, CANVASES, 2, seed=1)
    assert (made.train.images != other.train.images).any()


def verdicts(cells, seeds):
    """Whether claims hold, in the order of ``CLAIMS``."""
    reporter = mock.Mock(spec=Reporter)
    judge(cells, seeds, reporter)
    held = verdicts_of(reporter)
    return tuple(held[claim] for claim in CLAIMS)


def results(s2cnn, cnn, *, carried=60.0, params=160_000, seeds=3):
    """Cells with these scores on 1 and 4 items, in percent."""
    cells = {}
    for name, params_of, means in (("s2cnn", 40_000, s2cnn), ("cnn", params, cnn)):
        for items, mean in zip((1, 4), means, strict=True):
            scores = {"1": mean / 100, "4": (carried if items == 1 else mean) / 100}
            cells[Arm(name, name == "s2cnn", items, params_of)] = [{"rotated": scores}] * seeds
    return cells


CLAIMS = (
    "equivariance-segments-several-items",
    "lead-holds-with-more-items",
    "one-item-teaches-several",
)


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (results((80, 70), (40, 40)), (True, True, True)),
        (results((80, 49), (40, 40)), (False, False, True)),
        (results((80, 55), (40, 40)), (True, False, True)),
        (results((80, 70), (40, 40), params=100_000), (False, True, True)),
        (results((80, 70), (40, 40), carried=46.0), (True, True, False)),
        (results((20, 30), (40, 40)), (False, False, True)),  # behind, by less and less
        (results((0, 0), (0, 0), carried=0.0), (False, False, False)),
        (results((80, 70), (40, 40), seeds=2), (None, None, None)),
    ],
)
def test_claims_are_judged(cells, expected):
    assert verdicts(cells, len(next(iter(cells.values())))) == expected


def test_the_first_equivariant_network_is_judged():
    first, second = results((80, 70), (40, 40)), results((80, 70), (40, 40), carried=10.0)
    others = {arm._replace(name="other"): runs for arm, runs in second.items() if arm.equivariant}
    assert verdicts(first | others, 3) == (True, True, True)


def test_one_family_alone_is_not_judged():
    cells = {arm: runs for arm, runs in results((80, 70), (40, 40)).items() if arm.equivariant}
    assert verdicts(cells, 3) == (None, None, True)


@pytest.mark.slow
def test_the_smoke_preset_runs_and_repeats(tmp_path):
    first = finished(run("spherical-multi-item", preset="smoke", runs=tmp_path / "a"))
    again = finished(run("spherical-multi-item", preset="smoke", runs=tmp_path / "b"))
    assert first["scalars"] == again["scalars"]
    assert first["claims"] == again["claims"]
    assert all(0 <= value <= 100 for value in first["scalars"].values())
